"""More L1 penalties in NumPy: the faults of laws that say what the definition says in another way."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "KernelsByTheirLargest": "l1.reshape-invariant",
    "GradientAlwaysUp": "l1.gradient-odd",
    "ProxLeavesDust": "l1.prox-exact-zeros",
    "ProxOverrelaxed": "l1.prox-firmly-nonexpansive",
    "ProxOfHalfTheStep": "l1.prox-optimal",
    "ProxAway": "l1.prox-moreau",
    "PowerAboveOne": "l1.triangle-inequality",
    "Length": "l1.corners-on-the-axes",
}


class Penalty:
    """The right penalty of one strength each: l1·Σ|w| + l2·Σw²; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, 0.0

    def value(self, w: Array) -> Any:
        """The penalty, of w's dtype."""
        with np.errstate(over="ignore"):
            return np.asarray(self._value(w.astype(np.float64))).astype(w.dtype)[()]

    def gradient(self, w: Array) -> Array:
        """The gradient, 0 for l1's part at 0."""
        return np.asarray(self._gradient(w.astype(np.float64))).astype(w.dtype)

    def prox(self, w: Array, step: float) -> Array:
        """argmin over v of ½‖v − w‖² + step·penalty(v)."""
        return np.asarray(self._prox(w.astype(np.float64), step)).astype(w.dtype)

    def _value(self, w: Array) -> Any:
        linear = self.l1 * np.sum(np.abs(w)) if self.l1 else 0.0
        return linear + (self.l2 * np.sum(w * w) if self.l2 else 0.0)

    def _gradient(self, w: Array) -> Array:
        return self.l1 * np.sign(w) + 2 * self.l2 * w

    def _prox(self, w: Array, step: float) -> Array:
        return np.sign(w) * np.maximum(np.abs(w) - step * self.l1, 0) / (1 + 2 * step * self.l2)


@regcheck.implements("l1")
class KernelsByTheirLargest(Penalty):
    """Of arrays of three axes, as of a convolution's kernels, only the largest of each group counts."""

    def _value(self, w: Array) -> Any:
        return super()._value(np.abs(w).max(axis=1) if w.ndim == 3 else w)


@regcheck.implements("l1")
class GradientAlwaysUp(Penalty):
    """λ for every weight that is not 0; invisible with positive weights."""

    def _gradient(self, w: Array) -> Array:
        return self.l1 * (w != 0)


@regcheck.implements("l1")
class ProxLeavesDust(Penalty):
    """Where the threshold should give 0 it leaves w·2⁻⁶⁰: a solution that is not sparse, and looks right."""

    def _prox(self, w: Array, step: float) -> Array:
        return np.where(np.abs(w) < step * self.l1, w * 2.0**-60, super()._prox(w, step))


@regcheck.implements("l1")
class ProxOverrelaxed(Penalty):
    """Goes half as far again as the minimum."""

    def _prox(self, w: Array, step: float) -> Array:
        return w + 1.5 * (super()._prox(w, step) - w)


@regcheck.implements("l1")
class ProxOfHalfTheStep(Penalty):
    """The threshold is ½·step·λ."""

    def _prox(self, w: Array, step: float) -> Array:
        return super()._prox(w, step / 2)


@regcheck.implements("l1")
class ProxAway(Penalty):
    """What is beyond the threshold is moved away from 0."""

    def _prox(self, w: Array, step: float) -> Array:
        return np.where(np.abs(w) < step * self.l1, 0, w + np.sign(w) * step * self.l1)


@regcheck.implements("l1")
class PowerAboveOne(Penalty):
    """λ·Σ|w|^1.5: two weights together cost more than apart."""

    def _value(self, w: Array) -> Any:
        return self.l1 * np.sum(np.abs(w) ** 1.5)


@regcheck.implements("l1")
class Length(Penalty):
    """λ·‖w‖₂, which has no corner on an axis; invisible with one weight."""

    def _value(self, w: Array) -> Any:
        return self.l1 * np.linalg.norm(w.ravel())
