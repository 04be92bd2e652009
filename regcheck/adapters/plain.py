"""Plain protocol objects: NumPy arrays in, NumPy arrays out, no framework.

Nothing is converted on the way: a result that is no array is the layer's fault, and is reported as one. A layer that
declares `layout="channels_last"` gets views with the channels last, so that what it does to its input, and a result
that is a view of it, stay visible.
"""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.adapters import _names
from regcheck.layer import Array, Arrays, Layer, Missing, WrongReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regcheck.implementation import Implementation

DEFAULTS: dict[str, str] = {}
METHODS = ("forward", "backward", "second", "seed", "value", "gradient", "prox", "minimise", "step", "log_density")
_TELLING = ("forward", "value", "minimise", "step", "log_density")


def versions() -> dict[str, str]:
    """Version of NumPy, the only package that plain objects need."""
    return {"numpy": np.__version__}


def adapts(native: object) -> bool:
    """Whether `native` speaks the plain protocol: a telling method, and `parameters` absent or a dict."""
    if isinstance(native, type) or not isinstance(getattr(native, "parameters", {}), dict):
        return False
    return any(callable(getattr(native, name, None)) for name in _TELLING)


def adapt(native: object, implementation: Implementation, config: Any, dtype: str) -> Layer:  # noqa: ARG001
    """The canonical view of a plain object, offering what the object offers and nothing else.

    Raises TypeError if `native` does not speak the protocol.
    """
    if not adapts(native):
        msg = (
            f"{type(native).__name__} is no plain layer. Expected an object with forward(x, training), value(w), "
            "minimise(A, b), step(w, gradient) or log_density(w); its `parameters`, if any, are a dict."
        )
        raise TypeError(msg)
    offers = {name: _FORWARDERS[name] for name in METHODS if callable(getattr(native, name, None))}
    kind = type("PlainLayer", (_Plain,), offers)
    last = _names.channel_axis_last(implementation.family, implementation.layout, "channels_first")
    layer: Layer = kind(native, implementation.names, dtype, last)
    return layer


def _moved(x: Array, *, last: bool) -> Array:
    """(N, C, *spatial) as a view (N, *spatial, C) if `last`."""
    return np.moveaxis(x, 1, -1) if last and x.ndim > 2 else x


def _moved_back(y: Array, *, last: bool) -> Array:
    """(N, *spatial, C) as a view (N, C, *spatial) if `last`."""
    return np.moveaxis(y, -1, 1) if last and y.ndim > 2 else y


class _Plain(Layer):
    """Parameters and state; `adapt` adds the methods that the native object has."""

    def __init__(self, native: Any, names: Mapping[str, str], dtype: str, last: bool) -> None:  # noqa: FBT001
        self.native, self.last = native, last  # `last`: whether it wants (N, *spatial, C)
        self.names = dict(names)
        self.canonical = {own: name for name, own in names.items()}
        self.dtype = dtype

    def parameters(self) -> Arrays:
        return self._copies("parameters")

    def assign_parameters(self, values: Arrays) -> None:
        self._assign("parameters", values)

    def state(self) -> Arrays:
        return self._copies("state")

    def assign_state(self, values: Arrays) -> None:
        self._assign("state", values)

    def tolerance(self) -> float | None:
        tolerance = getattr(self.native, "tolerance", None)
        if tolerance is None:
            return None
        if isinstance(tolerance, bool) or not isinstance(tolerance, numbers.Real):
            raise WrongReturn(_wrong("tolerance", "a float or None", tolerance))
        return float(tolerance)

    def _own(self, what: str) -> dict[str, Any]:
        found = getattr(self.native, what, None)
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise WrongReturn(_wrong(what, "a dict of arrays by name", found))
        return found

    def _name(self, own: Any) -> str:
        return self.canonical.get(own, str(own))

    def _copies(self, what: str) -> Arrays:
        own = self._own(what)
        return {self._name(k): np.array(_array(f"{what}[{k!r}]", v, scalar=True)) for k, v in own.items()}

    def _assign(self, what: str, values: Arrays) -> None:
        own = self._own(what)
        keys = {name: self.names.get(name, name) for name in values}
        for name, key in keys.items():
            if key not in own:
                msg = f"the layer has no {key!r} in `{what}`; map {name!r} with names={{{name!r}: ...}}"
                raise Missing(msg)
        for name, value in values.items():
            own[keys[name]] = np.array(value)

    def _forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        y = self.native.forward(_moved(x, last=self.last), training)
        return _moved_back(_array("forward", y, scalar=x.ndim == 0), last=self.last)

    def _backward(self, cotangent: Array) -> Arrays:
        found: object = self.native.backward(_moved(cotangent, last=self.last))
        if not isinstance(found, dict) or "x" not in found:
            raise WrongReturn(_wrong("backward", 'a dict {"x": dx, ...}', found))
        gradients = {self._name(k): _array(f"backward()[{k!r}]", v, scalar=True) for k, v in found.items()}
        return {**gradients, "x": _moved_back(gradients["x"], last=self.last)}

    def _second(self, x: Array, cotangent: Array, direction: Array, training: bool, mode: str) -> Array:  # noqa: FBT001
        moved = (_moved(a, last=self.last) for a in (x, cotangent, direction))
        found = self.native.second(*moved, training, mode)
        return _moved_back(_array("second", found, scalar=x.ndim == 0), last=self.last)

    def _seed(self, value: int) -> None:
        self.native.seed(value)

    def _value(self, w: Array) -> Array:
        found = self.native.value(w)
        if type(found) in {float, int}:  # the protocol's `-> float`: a number without a dtype takes that of w
            return np.asarray(found, dtype=w.dtype)
        value = _array("value", found, scalar=True)
        if value.shape != ():
            raise WrongReturn(_wrong("value", "one number", found))
        return value

    def _gradient(self, w: Array) -> Array:
        return _array("gradient", self.native.gradient(w), scalar=w.ndim == 0)

    def _prox(self, w: Array, step: float) -> Array:
        return _array("prox", self.native.prox(w, step), scalar=w.ndim == 0)

    def _minimise(self, a: Array, b: Array) -> Array:
        return _array("minimise", self.native.minimise(a, b), scalar=False)

    def _step(self, w: Array, gradient: Array) -> Array:
        return _array("step", self.native.step(w, gradient), scalar=w.ndim == 0)

    def _log_density(self, w: Array) -> Array:
        return _array("log_density", self.native.log_density(w), scalar=w.ndim == 0)


_FORWARDERS: dict[str, Any] = {name: getattr(_Plain, f"_{name}") for name in METHODS}


def _array(what: str, value: object, *, scalar: bool) -> Array:
    """`value` itself if it is an array of numbers (or, with `scalar`, a NumPy scalar); WrongReturn otherwise."""
    if scalar and isinstance(value, np.generic):
        value = np.asarray(value)
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise WrongReturn(_wrong(what, "a numpy.ndarray", value))
    if value.dtype.hasobject or value.dtype.names is not None:
        raise WrongReturn(_wrong(what, "an array of numbers", value))
    return value


def _wrong(what: str, expected: str, received: object) -> str:
    shape = f", dtype {received.dtype}, shape {received.shape}" if isinstance(received, np.ndarray) else ""
    return f"Invalid result of `{what}`. Expected {expected}. Received: {type(received).__name__}{shape}. Return it."
