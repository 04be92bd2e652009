"""TensorFlow: modules and callables on tensors as canonical layers.

Layers run eagerly under a gradient tape that is kept until the next forward, so that backward differentiates the very
run that forward showed: the same randomness, the same statistics, no second update of state. A traced function would
be called 5 times faster, but tracing it with its gradient costs as much as 40 eager calls, and a judged layer is
fresh and is called a few times.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from regcheck.adapters import _names
from regcheck.adapters._calls import Seeds, paired, refused, wrong
from regcheck.families import FAMILIES
from regcheck.layer import MODES, Array, Arrays, Layer, Missing, WrongReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regcheck.implementation import Implementation

# TensorFlow sets flush-to-zero and denormals-are-zero around its CPU kernels, so a subnormal input is read as 0.
DEFAULTS: dict[str, str] = {"subnormals": "flushed"}


def versions() -> dict[str, str]:
    """Version of TensorFlow."""
    return {"tensorflow": str(tf.__version__)}


def prepare() -> None:
    """One thread, before any operation runs: afterwards TensorFlow refuses to change it."""
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def adapt(native: object, implementation: Implementation, config: Any, dtype: str) -> Layer:
    """The canonical view of a tf.Module with __call__(x, training), or of a callable on tensors.

    Raises TypeError for anything else.
    """
    method = FAMILIES[implementation.family].method
    if isinstance(native, tf.Module) and callable(native) and method == "forward":
        _build(native, implementation, config, dtype)
        return Weighted(native, implementation, config, dict(_variables(native)), "channels_last")
    if callable(native) and method in KINDS:
        return KINDS[method](native)
    expected = ("a tf.Module with __call__(x, training)", "a callable on tensors")
    raise TypeError(refused(native, implementation.family, expected))


def _build(module: Any, implementation: Implementation, config: Any, dtype: str) -> None:
    """Let a module that creates its variables in its first call create them, in inference and in the case's dtype."""
    shape = _names.parameter_shape(config)
    if shape is None or any(_variables(module)):
        return
    spatial = (1,) * getattr(config, "ndim", 0)
    last = _names.channel_axis_last(implementation.family, implementation.layout, "channels_last")
    module(tf.zeros((1, *spatial, *shape) if last else (1, *shape, *spatial), dtype), False)  # noqa: FBT003


def _variables(module: tf.Module, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted attribute name, variable) of a module and of the modules in its attributes."""
    for name, value in vars(module).items():
        if isinstance(value, tf.Variable):
            yield prefix + name, value
        elif isinstance(value, tf.Module):
            yield from _variables(value, f"{prefix}{name}.")


_ZERO = tf.UnconnectedGradients.ZERO  # an output that does not depend on a source has a zero gradient


def twice(run: Callable[[Any], Any], x: Any, g: Any, v: Any, mode: str) -> Any:
    """H·v, H = ∂²⟨run(x), g⟩/∂x², for tensors. Raises Missing for a mode that TensorFlow refuses."""
    try:
        return _MODES[mode](run, tf.convert_to_tensor(x), g, tf.convert_to_tensor(v))
    except (LookupError, NotImplementedError) as error:
        # An operation that has no derivative, or whose derivative has none; what else is raised is the layer's own.
        if "gradient" not in str(error).lower():
            raise
        msg = f"TensorFlow refuses {mode}: {str(error).splitlines()[0]}"
        raise Missing(msg) from error


def _gradient(run: Callable[[Any], Any], x: Any, g: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = run(x)
    return tape.gradient(y, x, output_gradients=tf.cast(g, y.dtype), unconnected_gradients=_ZERO)


def _reverse_over_reverse(run: Callable[[Any], Any], x: Any, g: Any, v: Any) -> Any:
    return _gradient(lambda entry: _gradient(run, entry, g), x, v)


def _forward_over_reverse(run: Callable[[Any], Any], x: Any, g: Any, v: Any) -> Any:
    with tf.autodiff.ForwardAccumulator(x, v) as accumulator:
        dx = _gradient(run, x, g)
    return accumulator.jvp(dx, _ZERO)


def _reverse_over_forward(run: Callable[[Any], Any], x: Any, g: Any, v: Any) -> Any:
    def moved(entry: Any) -> Any:
        with tf.autodiff.ForwardAccumulator(entry, v) as accumulator:
            y = run(entry)
        return accumulator.jvp(y, _ZERO)

    return _gradient(moved, x, g)


_MODES = dict(zip(MODES, (_reverse_over_reverse, _forward_over_reverse, _reverse_over_forward), strict=True))


class Differentiated(Layer):
    """Forward under a tape, backward through it."""

    last = False  # whether the native layer wants (N, *spatial, C)
    _run: tuple[Any, Any, Any, dict[str, Any]] | None = None

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001
        """y, as the native layer gives it, under a tape."""
        self._run = None
        entry = tf.convert_to_tensor(self._native(x))
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(entry)
            y = self._call(entry, training)
        array = as_array("forward", y)
        self._run = (tape, entry, y, self._leaves())
        return self._canonical(array)

    def backward(self, cotangent: Array) -> Arrays:
        """Gradients of the last forward's own run; zero where the output does not depend on the source."""
        if self._run is None:
            msg = "backward was called before any forward"
            raise RuntimeError(msg)
        tape, entry, y, leaves = self._run
        g = tf.cast(tf.convert_to_tensor(self._native(cotangent)), y.dtype)
        found = tape.gradient(y, [entry, *leaves.values()], output_gradients=g, unconnected_gradients=_ZERO)
        arrays = [as_array("backward", tf.convert_to_tensor(f)) for f in found]
        gradients = dict(zip(leaves, arrays[1:], strict=True))
        return {"x": self._canonical(arrays[0]), **{k: self._shaped(v) for k, v in gradients.items()}}

    def second(self, x: Array, cotangent: Array, direction: Array, training: bool, mode: str) -> Array:  # noqa: FBT001
        """The second derivative's product with a direction, by tapes and a forward accumulator."""

        def run(entry: Any) -> Any:
            y = self._call(entry, training)
            as_array("forward", y)
            return y

        g, v = self._native(cotangent), self._native(direction)
        return self._canonical(as_array("second", twice(run, self._native(x), g, v, mode)))

    def seed(self, value: int) -> None:
        """Seed TensorFlow's process-wide generator."""
        tf.random.set_seed(value)

    def _native(self, x: Array) -> Array:
        return np.moveaxis(x, 1, -1) if self.last and x.ndim > 2 else x

    def _canonical(self, y: Array) -> Array:
        return np.moveaxis(y, -1, 1) if self.last and y.ndim > 2 else y

    def _shaped(self, gradient: Array) -> Array:
        return gradient

    def _leaves(self) -> dict[str, Any]:
        return {}

    def _call(self, x: Any, training: bool) -> Any:  # noqa: FBT001
        raise NotImplementedError


class Weighted(Differentiated):
    """A layer with variables; `variables` gives them by own name."""

    def __init__(
        self, native: Any, implementation: Implementation, config: Any, variables: dict[str, Any], layout: str
    ) -> None:
        self.native = native
        self.last = _names.channel_axis_last(implementation.family, implementation.layout, layout)
        self.shape = _names.parameter_shape(config)
        names, sizes = implementation.names, {k: int(np.prod(v.shape)) for k, v in variables.items()}
        fixed = {k: n for k, n in sizes.items() if not variables[k].trainable or k in names.values()}
        parameters = _names.find(_names.PARAMETERS, names, sizes, self.shape)
        state = _names.find(_names.STATE, names, fixed, self.shape)
        self.own_parameters = {name: variables[own] for name, own in parameters.items()}
        self.own_state = {name: variables[own] for name, own in state.items()}

    def parameters(self) -> Arrays:
        """Copies by canonical name, in canonical shape."""
        return self._read(self.own_parameters)

    def assign_parameters(self, values: Arrays) -> None:
        """Assign to the variables; raises Missing for one that was not found."""
        self._assign("parameter", self.own_parameters, values)

    def state(self) -> Arrays:
        """Copies by canonical name, in canonical shape."""
        return self._read(self.own_state)

    def assign_state(self, values: Arrays) -> None:
        """Assign to the variables; raises Missing for one that was not found."""
        self._assign("state", self.own_state, values)

    def _call(self, x: Any, training: bool) -> Any:  # noqa: FBT001
        return self.native(x, training)

    def _leaves(self) -> dict[str, Any]:
        return {name: variable for name, variable in self.own_parameters.items() if variable.trainable}

    def _shaped(self, gradient: Array) -> Array:
        return gradient.reshape(self.shape or gradient.shape)

    def _read(self, own: dict[str, Any]) -> Arrays:
        return {name: np.array(v.numpy()).reshape(self.shape or v.shape) for name, v in own.items()}

    def _assign(self, what: str, own: dict[str, Any], values: Arrays) -> None:
        for variable, value in paired(self.native, what, own, values):
            variable.assign(value.reshape(variable.shape))


class Function(Differentiated):
    """f(x, training), or f(x, training, seed=...) with a fresh seed each call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.seeds = Seeds(function)

    def seed(self, value: int) -> None:
        """Restart the stream of seeds handed to f; where it takes none, seed TensorFlow's process."""
        self.seeds.restart(value)
        if not self.seeds.wanted:
            tf.random.set_seed(value)

    def _call(self, x: Any, training: bool) -> Any:  # noqa: FBT001
        return self.function(x, training, **self.seeds.next())


class Penalty(Layer):
    """f(w) -> scalar tensor, differentiated by a tape."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def value(self, w: Array) -> Array:
        """f(w), of shape ()."""
        return self._scalar(self.function(tf.convert_to_tensor(w)))

    def gradient(self, w: Array) -> Array:
        """The derivative of f at w."""
        entry = tf.convert_to_tensor(w)
        with tf.GradientTape() as tape:
            tape.watch(entry)
            value = self.function(entry)
        self._scalar(value)
        found = tape.gradient(value, entry, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return as_array("gradient", tf.convert_to_tensor(found))

    def second(self, x: Array, cotangent: Array, direction: Array, training: bool, mode: str) -> Array:  # noqa: ARG002, FBT001
        """The second derivative's product with a direction."""

        def run(w: Any) -> Any:
            value = self.function(w)
            self._scalar(value)
            return value

        return as_array("second", twice(run, x, cotangent, direction, mode))

    @staticmethod
    def _scalar(value: Any) -> Array:
        array = as_array("value", value)
        if array.ndim:
            raise WrongReturn(wrong("value", "a scalar tensor", value))
        return array


class Prior(Layer):
    """f(w) -> log density, elementwise."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def log_density(self, w: Array) -> Array:
        """f(w)."""
        return as_array("log_density", self.function(tf.convert_to_tensor(w)))


KINDS: dict[str, Callable[[Any], Layer]] = {"forward": Function, "value": Penalty, "log_density": Prior}


def as_array(what: str, y: Any) -> Array:
    """The values of a tensor as an array of its own dtype; WrongReturn if it is none."""
    if not isinstance(y, (tf.Tensor, tf.Variable)):
        raise WrongReturn(wrong(what, "a tensor", y))
    return np.asarray(y.numpy())
