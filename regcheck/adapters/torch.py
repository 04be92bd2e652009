"""PyTorch: modules, callables on tensors, optimiser factories and distributions as canonical layers.

Arrays are handed over without a copy wherever PyTorch can hold their strides, and results are handed back as they are:
what a layer does to its input, and a result that is a view of it, stay visible.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.autograd import forward_ad
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.distributions import Distribution

from regcheck.adapters import _names
from regcheck.adapters._calls import Seeds, paired, refused, wrong
from regcheck.families import FAMILIES
from regcheck.layer import MODES, Array, Arrays, Layer, Missing, WrongReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regcheck.implementation import Implementation

# What PyTorch imports at its first gradient, SymPy with it, at an optimiser's first step (torch/optim/optimizer.py,
# _use_grad_for_differentiable) and at its first tangent (torch/autograd/forward_ad.py, where it warns of its own use of
# torch.jit): once in the server, instead of once in every worker, against the time of a call.
for _late in ("torch.fx.experimental.symbolic_shapes", "torch._dynamo", "torch._decomp.decompositions_for_jvp"):
    with contextlib.suppress(ImportError), warnings.catch_warnings():  # another version may keep it elsewhere
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module(_late)

# functional.dropout multiplies x by the mask, so 0·∞ is NaN (aten/src/ATen/native/Dropout.cpp, `input.mul(noise)`); the
# mask is drawn in the order of x's memory (`at::empty_like(input).bernoulli_`), from the process' default generator.
DEFAULTS: dict[str, str] = {"dropped_nonfinite": "nan", "mask_order": "memory", "random_stream": "process"}


def versions() -> dict[str, str]:
    """Version of PyTorch, with its build."""
    return {"torch": str(torch.__version__)}


def prepare() -> None:
    """One thread, before anything is computed: the last bits of gradients depend on the number of threads."""
    torch.set_num_threads(1)
    with contextlib.suppress(RuntimeError):  # already set, or something has run: then it stays
        torch.set_num_interop_threads(1)


@contextlib.contextmanager
def building(dtype: str) -> Iterator[None]:
    """Call the factory with float64 as default where float64 is judged, so that its constants are not rounded."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if dtype == "float64" else before)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def adapt(native: object, implementation: Implementation, config: Any, dtype: str) -> Layer:
    """The canonical view of a module, distribution, optimiser factory or callable on tensors.

    Raises TypeError for anything else.
    """
    method = FAMILIES[implementation.family].method
    if isinstance(native, torch.nn.Module):
        native = native.to(getattr(torch, dtype))
        if method == "forward":
            return _Module(native, implementation, config)
    if isinstance(native, Distribution) and method == "log_density":
        return _Prior(native.log_prob)
    if callable(native) and method in _KINDS:
        layer: Layer = _KINDS[method](native)
        return layer
    expected = ("torch.nn.Module", "a callable on tensors", "a function params -> optimiser", "a distribution")
    raise TypeError(refused(native, implementation.family, expected))


class _Entry(torch.autograd.Function):  # type: ignore[misc]  # PyTorch is not installed where types are checked
    """Makes a tensor that shares the caller's memory part of the graph without making it a leaf.

    Leaves refuse to be written to; a layer that overwrites its input is to be seen doing so.
    """

    @staticmethod
    def forward(ctx: Any, handle: torch.Tensor, box: list[torch.Tensor]) -> torch.Tensor:  # noqa: ARG004
        return box[0]

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:  # noqa: ARG004
        return None, None


_HANDLE = torch.zeros((), requires_grad=True)
with warnings.catch_warnings():  # PyTorch warns of read-only memory once a process; we hand it over knowingly
    warnings.simplefilter("ignore")
    torch.from_numpy(np.broadcast_to(np.float32(0), 1))


def _enter(x: Array) -> tuple[torch.Tensor, GradientEdge]:
    """(tensor on x's memory, where its gradient arrives)."""
    entry: torch.Tensor = _Entry.apply(_HANDLE, [_tensor(x)])
    return entry, get_gradient_edge(entry)


def _differentiated(y: torch.Tensor, inputs: list[Any], cotangent: torch.Tensor | None = None) -> list[Any]:
    """Gradients of y, None where it does not depend on an input; an output outside the graph depends on none."""
    if not y.requires_grad:
        return [None] * len(inputs)
    return list(torch.autograd.grad(y, inputs, cotangent, retain_graph=True, allow_unused=True))


# How PyTorch refuses to differentiate an operation twice, or forwards. What else is raised is the layer's own error.
_REFUSALS = (
    "Trying to use forward AD with",  # torch/csrc/autograd/VariableTypeUtils.h
    "You must implement the jvp function for custom autograd.Function",
    "derivative for aten::",  # "… is not implemented"
    "marked with @once_differentiable",
)


def _twice(run: Callable[[torch.Tensor], torch.Tensor], x: Array, g: Array, v: Array, mode: str) -> Array:
    """H·v of x's shape, H = ∂²⟨run(x), g⟩/∂x². Raises Missing for a mode that PyTorch refuses."""
    try:
        found = _MODES[mode](run, _tensor(x).clone().requires_grad_(), _tensor(g), _tensor(v))
    except (RuntimeError, NotImplementedError) as error:
        if not any(words in str(error) for words in _REFUSALS):
            raise
        msg = f"PyTorch refuses {mode}: {str(error).splitlines()[0]}"
        raise Missing(msg) from error
    # Added to zeros: a derivative that is 0 by rule is a tensor without memory, which NumPy cannot hold.
    return np.zeros(x.shape, x.dtype) if found is None else _array("second", torch.zeros_like(found) + found)


def _product(y: torch.Tensor | None, x: torch.Tensor, cotangent: torch.Tensor) -> torch.Tensor | None:
    """The gradient of ⟨y, cotangent⟩, itself differentiable; None where y does not depend on x."""
    if y is None or not y.requires_grad:
        return None
    found: torch.Tensor | None
    (found,) = torch.autograd.grad(y, x, cotangent.to(y.dtype), create_graph=True, allow_unused=True)
    return found


def _reverse_over_reverse(run: Any, x: torch.Tensor, g: torch.Tensor, v: torch.Tensor) -> torch.Tensor | None:
    # The clone: no layer may write to a leaf. The cotangent depends on something, as it does where a loss follows: only
    # then does what is marked with once_differentiable say that it is.
    dx = _product(run(x.clone()), x, g.clone().requires_grad_())
    found = _product(dx, x, v)
    if found is None and dx is not None and dx.requires_grad:
        dx.backward(v)  # all of its graph, since no part leads to x: there a refusal is raised
    return found


def _forward_over_reverse(run: Any, x: torch.Tensor, g: torch.Tensor, v: torch.Tensor) -> torch.Tensor | None:
    with forward_ad.dual_level():
        dx = _product(run(forward_ad.make_dual(x, v).clone()), x, g)
        return None if dx is None else forward_ad.unpack_dual(dx).tangent


def _reverse_over_forward(run: Any, x: torch.Tensor, g: torch.Tensor, v: torch.Tensor) -> torch.Tensor | None:
    with forward_ad.dual_level():
        return _product(forward_ad.unpack_dual(run(forward_ad.make_dual(x, v).clone())).tangent, x, g)


_MODES = dict(zip(MODES, (_reverse_over_reverse, _forward_over_reverse, _reverse_over_forward), strict=True))


def _moved(x: torch.Tensor, last: bool) -> torch.Tensor:  # noqa: FBT001
    """(N, C, *spatial) as a view (N, *spatial, C) if `last`."""
    return x.movedim(1, -1) if last and x.ndim > 2 else x


class _Differentiated(Layer):
    """Forward, and backward through its graph, which is kept until the next forward."""

    last = False  # whether the native layer wants (N, *spatial, C)
    _graph: tuple[torch.Tensor, GradientEdge, dict[str, torch.Tensor], Array] | None = None

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001
        self._graph = None
        entry, edge = _enter(x)
        y = self._call(_moved(entry, self.last), training)
        if not isinstance(y, torch.Tensor):
            raise WrongReturn(wrong("forward", "a tensor", y))
        self._graph = (y, edge, self._leaves(), x)
        return _array("forward", y.movedim(-1, 1) if self.last and y.ndim > 2 else y)

    def backward(self, cotangent: Array) -> Arrays:
        if self._graph is None:
            msg = "backward was called before any forward"
            raise RuntimeError(msg)
        y, edge, leaves, x = self._graph
        g = _moved(_tensor(cotangent), self.last).to(y.dtype)
        found = _differentiated(y, [edge, *leaves.values()], g)
        dx = np.zeros(x.shape, x.dtype) if found[0] is None else _array("backward", found[0])
        gradients = zip(leaves.items(), found[1:], strict=True)
        return {"x": dx, **{name: self._gradient_of(name, leaf, g) for (name, leaf), g in gradients}}

    def second(self, x: Array, cotangent: Array, direction: Array, training: bool, mode: str) -> Array:  # noqa: FBT001
        def run(entry: torch.Tensor) -> torch.Tensor:
            y = self._call(_moved(entry, self.last), training)
            if not isinstance(y, torch.Tensor):
                raise WrongReturn(wrong("forward", "a tensor", y))
            return y.movedim(-1, 1) if self.last and y.ndim > 2 else y

        return _twice(run, x, cotangent, direction, mode)

    def seed(self, value: int) -> None:
        torch.default_generator.manual_seed(value)  # the CPU's; torch.manual_seed asks after every accelerator

    def _gradient_of(self, name: str, leaf: torch.Tensor, gradient: torch.Tensor | None) -> Array:  # noqa: ARG002
        return _array("backward", torch.zeros_like(leaf) if gradient is None else gradient)

    def _leaves(self) -> dict[str, torch.Tensor]:
        return {}

    def _call(self, x: torch.Tensor, training: bool) -> object:  # noqa: FBT001
        raise NotImplementedError


class _Module(_Differentiated):
    def __init__(self, module: torch.nn.Module, implementation: Implementation, config: Any) -> None:
        self.module = module
        self.last = _names.channel_axis_last(implementation.family, implementation.layout, "channels_first")
        self.shape = _names.parameter_shape(config)
        parameters = {k: v.numel() for k, v in module.named_parameters() if not torch.nn.parameter.is_lazy(v)}
        buffers = {k: v.numel() for k, v in module.named_buffers() if not torch.nn.parameter.is_lazy(v)}
        names, declared = implementation.names, {k: n for k in implementation.names.values() if (n := self._size(k))}
        self.own_parameters = _names.find(_names.PARAMETERS, names, buffers | parameters | declared, self.shape)
        self.own_state = _names.find(_names.STATE, names, buffers | declared, self.shape)
        self.generators = [g for m in module.modules() for g in vars(m).values() if isinstance(g, torch.Generator)]

    def parameters(self) -> Arrays:
        return self._read(self.own_parameters)

    def assign_parameters(self, values: Arrays) -> None:
        self._assign("parameter", self.own_parameters, values)

    def state(self) -> Arrays:
        return self._read(self.own_state)

    def assign_state(self, values: Arrays) -> None:
        self._assign("state", self.own_state, values)

    def seed(self, value: int) -> None:
        super().seed(value)
        for generator in self.generators:
            generator.manual_seed(value)

    def _call(self, x: torch.Tensor, training: bool) -> object:  # noqa: FBT001
        self.module.train(training)
        return self.module(x)

    def _leaves(self) -> dict[str, torch.Tensor]:
        tensors = {name: self._own(own) for name, own in self.own_parameters.items()}
        return {name: tensor for name, tensor in tensors.items() if tensor.requires_grad}

    def _gradient_of(self, name: str, leaf: torch.Tensor, gradient: torch.Tensor | None) -> Array:
        return super()._gradient_of(name, leaf, gradient).reshape(self.shape or leaf.shape)

    def _size(self, own: str) -> int:
        try:
            return int(self._own(own).numel())
        except AttributeError:
            return 0

    def _own(self, own: str) -> torch.Tensor:
        tensor: torch.Tensor = functools.reduce(getattr, own.split("."), self.module)
        return tensor

    def _read(self, own: dict[str, str]) -> Arrays:
        arrays = {name: self._own(path).detach() for name, path in own.items()}
        return {name: np.array(_array(name, t).reshape(self.shape or t.shape)) for name, t in arrays.items()}

    def _assign(self, what: str, own: dict[str, str], values: Arrays) -> None:
        with torch.no_grad():
            for path, value in paired(self.module, what, own, values):
                tensor = self._own(path)
                tensor.copy_(_tensor(value).reshape(tensor.shape))


class _Function(_Differentiated):
    """f(x, training), or f(x, training, seed=...) with a fresh seed each call."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self.seeds = Seeds(function)

    def seed(self, value: int) -> None:
        super().seed(value)
        self.seeds.restart(value)

    def _call(self, x: torch.Tensor, training: bool) -> object:  # noqa: FBT001
        return self.function(x, training, **self.seeds.next())


class _Penalty(Layer):
    """f(w) -> scalar tensor, differentiated by autograd."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def value(self, w: Array) -> Array:
        return _array("value", self._scalar(_enter(w)[0]))

    def gradient(self, w: Array) -> Array:
        entry, edge = _enter(w)
        (found,) = _differentiated(self._scalar(entry), [edge])
        return np.zeros(w.shape, w.dtype) if found is None else _array("gradient", found)

    def second(self, x: Array, cotangent: Array, direction: Array, training: bool, mode: str) -> Array:  # noqa: ARG002, FBT001
        return _twice(self._scalar, x, cotangent, direction, mode)

    def _scalar(self, w: torch.Tensor) -> torch.Tensor:
        value = self.function(w)
        if not isinstance(value, torch.Tensor) or value.ndim:
            raise WrongReturn(wrong("value", "a scalar tensor", value))
        return value


class _Prior(Layer):
    """f(w) -> log density, elementwise."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function

    def log_density(self, w: Array) -> Array:
        return _array("log_density", self.function(_tensor(w)))


class _Optimiser(Layer):
    """f(params) -> optimiser, kept over the steps as long as w keeps its shape."""

    def __init__(self, factory: Callable[..., Any]) -> None:
        self.factory = factory
        self.w: torch.Tensor | None = None
        self.optimiser: Any = None

    def step(self, w: Array, gradient: Array) -> Array:
        if self.w is None or tuple(self.w.shape) != w.shape:
            self.w = torch.nn.Parameter(_tensor(w).clone())
            self.optimiser = self.factory([self.w])
        with torch.no_grad():
            self.w.copy_(_tensor(w))
        self.w.grad = _tensor(gradient).clone()  # an optimiser may write to it
        self.optimiser.step()
        return _array("step", self.w.detach().clone())


_KINDS: dict[str, Any] = {"forward": _Function, "value": _Penalty, "log_density": _Prior, "step": _Optimiser}


def _tensor(x: Array) -> torch.Tensor:
    """A tensor on x's memory where PyTorch can hold its strides and byte order, else on a copy's."""
    try:
        return torch.from_numpy(x)
    except ValueError:
        return torch.from_numpy(np.array(x, dtype=x.dtype.newbyteorder("="), order="C"))


def _array(what: str, y: object) -> Array:
    """An array on y's memory, of y's own dtype; WrongReturn if it is no tensor that NumPy can hold."""
    if not isinstance(y, torch.Tensor):
        raise WrongReturn(wrong(what, "a tensor", y))
    try:
        array: Array = y.detach().numpy()
    except (TypeError, RuntimeError) as error:
        raise WrongReturn(wrong(what, "a dense tensor on the CPU, of a dtype that NumPy has", y)) from error
    return array
