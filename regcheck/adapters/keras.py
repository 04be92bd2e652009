"""Keras on TensorFlow: layers, regularizers and optimisers as canonical layers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import keras

from regcheck.adapters import _names, tensorflow
from regcheck.adapters._calls import refused
from regcheck.families import FAMILIES
from regcheck.layer import Array, Layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regcheck.implementation import Implementation

DEFAULTS: dict[str, str] = tensorflow.DEFAULTS
prepare = tensorflow.prepare


def versions() -> dict[str, str]:
    """Versions of Keras and of the backend that it runs on."""
    return {"keras": str(keras.__version__), **tensorflow.versions()}


@contextlib.contextmanager
def building(dtype: str) -> Iterator[None]:
    """Call the factory under the dtype policy `dtype`."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def adapt(native: object, implementation: Implementation, config: Any, dtype: str) -> Layer:
    """The canonical view of a keras layer, regularizer, optimiser or callable on tensors.

    Raises TypeError for anything else, and where Keras runs on another backend than TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        msg = f"Keras runs on {keras.backend.backend()!r}. Expected 'tensorflow'. Set KERAS_BACKEND=tensorflow."
        raise TypeError(msg)
    method = FAMILIES[implementation.family].method
    if isinstance(native, keras.Layer) and method == "forward":
        layout = _layout(native, getattr(config, "ndim", 0) + 2)
        _build(native, implementation, config, dtype, layout)
        return _KerasLayer(native, implementation, config, dict(_variables(native)), layout)
    if method == "step" and (callable(native) or isinstance(native, keras.optimizers.Optimizer)):
        return _Optimiser(native)
    if callable(native) and method in tensorflow.KINDS:
        return tensorflow.KINDS[method](native)
    expected = ("a keras layer", "a regularizer", "an optimiser or a function params -> optimiser", "a callable")
    raise TypeError(refused(native, implementation.family, expected))


def _layout(layer: keras.Layer, rank: int) -> str:
    """Where the layer has its channel axis, by its `data_format` or `axis`; Keras' own default is the last."""
    axis = getattr(layer, "axis", None)
    if getattr(layer, "data_format", None) == "channels_first" or (isinstance(axis, int) and axis % rank == 1):
        return "channels_first"
    return "channels_last"


def _build(layer: keras.Layer, implementation: Implementation, config: Any, dtype: str, layout: str) -> None:
    """Create the weights, so that they can be read and assigned before the first call."""
    shape = _names.parameter_shape(config)
    if layer.built or shape is None:
        return
    spatial = (None,) * getattr(config, "ndim", 0)
    last = _names.channel_axis_last(implementation.family, implementation.layout, layout)
    shaped = (None, *spatial, *shape) if last or not spatial else (None, *shape, *spatial)
    if type(layer).build is keras.Layer.build:  # weights in sublayers: only a call builds them
        layer(keras.KerasTensor(shaped, dtype))
    else:
        layer.build(shaped)


def _variables(layer: keras.Layer) -> Iterator[tuple[str, Any]]:
    """(dotted attribute name, else path, variable) of a layer and its sublayers."""
    seen: set[int] = set()
    for name, value in _attributes(layer):
        if isinstance(value, keras.Variable) and id(value) not in seen:
            seen.add(id(value))
            yield name, value
    for value in layer.weights:
        if id(value) not in seen:
            yield value.path.replace("/", "."), value


def _attributes(layer: keras.Layer, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        yield prefix + name, value
        if isinstance(value, keras.Layer):
            yield from _attributes(value, f"{prefix}{name}.")


class _KerasLayer(tensorflow.Weighted):
    def seed(self, value: int) -> None:
        """Restart the layer's seed generators, as building it anew would; without any, seed the whole process.

        Seeding the process makes TensorFlow prepare every operation anew (seen: 15 ms a call), and a layer that owns
        generators draws from them.
        """
        generators = list(_generators(self.native))
        for generator in generators:
            generator.state.assign([value % 2**31, 0])
        if not generators:
            keras.utils.set_random_seed(value % 2**32)

    def _call(self, x: Any, training: bool) -> Any:  # noqa: FBT001
        return self.native(x, training=training)

    def _leaves(self) -> dict[str, Any]:
        return {name: variable.value for name, variable in super()._leaves().items()}


def _generators(layer: keras.Layer) -> Iterator[keras.random.SeedGenerator]:
    owners = [layer, *(value for _, value in _attributes(layer) if isinstance(value, keras.Layer))]
    for owner in owners:
        for value in vars(owner).values():
            if isinstance(value, keras.random.SeedGenerator):
                yield value


class _Optimiser(Layer):
    """An optimiser, or f(params) -> optimiser, kept over the steps as long as w keeps its shape."""

    def __init__(self, native: Any) -> None:
        self.native = native
        self.w: Any = None
        self.optimiser: Any = None

    def step(self, w: Array, gradient: Array) -> Array:
        if self.w is None or tuple(self.w.shape) != w.shape:
            self.w = keras.Variable(w, dtype=w.dtype.name)
            self.optimiser = self._fresh()
        self.w.assign(w)
        self.optimiser.apply([keras.ops.convert_to_tensor(gradient)], [self.w])
        return tensorflow.as_array("step", self.w.value)

    def _fresh(self) -> Any:
        if isinstance(self.native, keras.optimizers.Optimizer):
            return type(self.native).from_config(self.native.get_config())
        return self.native([self.w])
