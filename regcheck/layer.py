"""The canonical Layer: arrays in and arrays out, NumPy only.

An adapter subclasses `Layer` and overrides what its native object offers. Canonical layout is
channels-first. What is not overridden raises `Missing`, which makes the properties that need it
not-applicable, by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from regcheck.implementation import Unsupported

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]
MODES = ("reverse-over-reverse", "forward-over-reverse", "reverse-over-forward")  # of differentiating twice


class Missing(Unsupported):
    """A capability that the layer under test does not offer."""


class WrongReturn(TypeError):  # noqa: N818  (a verdict's name)
    """The native object returned something that is not what the contract asks for."""


class Layer:
    """The canonical view of one native object. All arrays have the case's dtype."""

    def parameters(self) -> Arrays:
        """Copies of the parameters by canonical name ("scale" γ, "shift" β), as stored (see `assign_parameters`)."""
        return {}

    def assign_parameters(self, values: Arrays) -> None:
        """Set parameters by canonical name; raises Missing for one that the layer does not have."""
        if values:
            msg = (
                f"the layer has no parameter {min(values)!r}; map it with names={{...}}, or raise Unsupported for "
                "configs that have it"
            )
            raise Missing(msg)

    def state(self) -> Arrays:
        """Copies of the state by canonical name ("running_mean", "running_var"), each of shape (channels,)."""
        return {}

    def assign_state(self, values: Arrays) -> None:
        """Set state by canonical name; raises Missing for one that the layer does not have."""
        if values:
            msg = f"the layer has no state {min(values)!r}; map it with names={{...}}"
            raise Missing(msg)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        raise Missing(_no("forward"))

    def backward(self, cotangent: Array) -> Arrays:
        """{"x": dx, "scale": dγ, "shift": dβ} of the LAST forward, on the same randomness."""
        raise Missing(_no("backward"))

    def second(self, x: Array, cotangent: Array, direction: Array, training: bool, mode: str) -> Array:  # noqa: FBT001
        """H·direction of x's shape, H = ∂²⟨y(x), cotangent⟩/∂x², in one of MODES; y(x) of a penalty has shape ().

        It runs a forward of its own, and changes the state as that does. Raises Missing for a mode that is not offered.
        """
        raise Missing(_no("second"))

    def seed(self, value: int) -> None:
        """Restart the layer's random stream."""
        raise Missing(_no("seed"))

    def value(self, w: Array) -> Array:
        """A penalty's value, shape ()."""
        raise Missing(_no("value"))

    def gradient(self, w: Array) -> Array:
        """A penalty's (sub)gradient, shape of w."""
        raise Missing(_no("gradient"))

    def prox(self, w: Array, step: float) -> Array:
        """argmin over v of ½‖v − w‖² + step·penalty(v), shape of w."""
        raise Missing(_no("prox"))

    def minimise(self, a: Array, b: Array) -> Array:
        """argmin over w (k,) of ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂² for A (n, k), b (n,)."""
        raise Missing(_no("minimise"))

    def tolerance(self) -> float | None:
        """The relative duality gap that a minimiser promises, or None."""
        return None

    def step(self, w: Array, gradient: Array) -> Array:
        """One optimiser step w -> w'."""
        raise Missing(_no("step"))

    def log_density(self, w: Array) -> Array:
        """Elementwise log density of a prior."""
        raise Missing(_no("log_density"))


def _no(capability: str) -> str:
    return f"the layer offers no {capability}"
