"""More L2 penalties in NumPy: the faults of laws that say what the definition says in another way."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "KernelsByTheirLargest": "l2.reshape-invariant",
    "Truncated": "l2.convex",
    "GradientAlwaysUp": "l2.gradient-odd",
    "GradientSteepNearZero": "l2.no-gradient-jump",
    "ProxPrunes": "l2.prox-never-zero",
    "ProxOfMagnitude": "l2.prox-firmly-nonexpansive",
    "ProxForgetsTwo": "l2.prox-optimal",
    "LengthForSquare": "l2.parallelogram",
    "FourthPowers": "l2.rotation-invariant",
}


class Penalty:
    """The right penalty of one strength each: l1·Σ|w| + l2·Σw²; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = 0.0, config.l2

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


@regcheck.implements("l2")
class KernelsByTheirLargest(Penalty):
    """Of arrays of three axes, as of a convolution's kernels, only the largest of each group counts."""

    def _value(self, w: Array) -> Any:
        return super()._value(np.abs(w).max(axis=1) if w.ndim == 3 else w)


@regcheck.implements("l2")
class Truncated(Penalty):
    """λ·Σmin(w², 1), as against outliers."""

    def _value(self, w: Array) -> Any:
        return self.l2 * np.sum(np.minimum(w * w, 1))


@regcheck.implements("l2")
class GradientAlwaysUp(Penalty):
    """2λ|w|; invisible with positive weights."""

    def _gradient(self, w: Array) -> Array:
        return 2 * self.l2 * np.abs(w)


@regcheck.implements("l2")
class GradientSteepNearZero(Penalty):
    """2λ·w + λ·sign(w) below 2⁻¹⁰: weights are held at 0."""

    def _gradient(self, w: Array) -> Array:
        return super()._gradient(w) + self.l2 * np.sign(w) * (np.abs(w) < 2.0**-10)


@regcheck.implements("l2")
class ProxPrunes(Penalty):
    """Weights below a thousandth of the largest become 0."""

    def _prox(self, w: Array, step: float) -> Array:
        return np.where(np.abs(w) < 1e-3 * np.max(np.abs(w), initial=0), 0, super()._prox(w, step))


@regcheck.implements("l2")
class ProxOfMagnitude(Penalty):
    """Gives |w|/(1 + 2·step·λ); invisible with positive weights."""

    def _prox(self, w: Array, step: float) -> Array:
        return np.abs(super()._prox(w, step))


@regcheck.implements("l2")
class ProxForgetsTwo(Penalty):
    """w/(1 + step·λ)."""

    def _prox(self, w: Array, step: float) -> Array:
        return super()._prox(w, step / 2)


@regcheck.implements("l2")
class LengthForSquare(Penalty):
    """λ·‖w‖₂: the square is forgotten."""

    def _value(self, w: Array) -> Any:
        return self.l2 * np.sqrt(np.sum(w * w))


@regcheck.implements("l2")
class FourthPowers(Penalty):
    """λ·(Σw⁴)^½: convex and homogeneous of degree 2, but no length; invisible with one weight."""

    def _value(self, w: Array) -> Any:
        return self.l2 * np.sqrt(np.sum(w**4))
