"""More elastic nets in NumPy: the faults of laws that say what the definition says in another way."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "SquaresTwice": "elastic_net.l2-factor-as-declared",
    "KernelsByTheirLargest": "elastic_net.reshape-invariant",
    "GradientAlwaysUp": "elastic_net.gradient-odd",
    "GradientSmoothed": "elastic_net.gradient-jump",
    "GradientOfOneSide": "elastic_net.minimum-at-zero",
    "ProxLeavesDust": "elastic_net.prox-exact-zeros",
    "ProxOfMagnitude": "elastic_net.prox-firmly-nonexpansive",
    "ProxForgetsTwo": "elastic_net.prox-optimal",
    "OffWithoutL1": "elastic_net.without-l1-is-l2",
    "OffWithoutL2": "elastic_net.without-l2-is-l1",
    "CrossTerm": "elastic_net.sum-of-both",
}


class Penalty:
    """The right penalty of one strength each: l1·Σ|w| + l2·Σw²; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, config.l2

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


@regcheck.implements("elastic_net")
class SquaresTwice(Penalty):
    """2·l2·Σw², and does not say so."""

    def _value(self, w: Array) -> Any:
        return super()._value(w) + self.l2 * np.sum(w * w)


@regcheck.implements("elastic_net")
class KernelsByTheirLargest(Penalty):
    """Of arrays of three axes, as of a convolution's kernels, only the largest of each group counts."""

    def _value(self, w: Array) -> Any:
        return super()._value(np.abs(w).max(axis=1) if w.ndim == 3 else w)


@regcheck.implements("elastic_net")
class GradientAlwaysUp(Penalty):
    """The absolute value of the gradient; invisible with positive weights."""

    def _gradient(self, w: Array) -> Array:
        return np.abs(super()._gradient(w))


@regcheck.implements("elastic_net")
class GradientSmoothed(Penalty):
    """l1·tanh(1000·w) for l1·sign(w)."""

    def _gradient(self, w: Array) -> Array:
        return self.l1 * np.tanh(1000 * w) + 2 * self.l2 * w


@regcheck.implements("elastic_net")
class GradientOfOneSide(Penalty):
    """l1's part is there for positive weights alone."""

    def _gradient(self, w: Array) -> Array:
        return self.l1 * (w > 0) + 2 * self.l2 * w


@regcheck.implements("elastic_net")
class ProxLeavesDust(Penalty):
    """Where the threshold should give 0 it leaves w·2⁻⁶⁰."""

    def _prox(self, w: Array, step: float) -> Array:
        return np.where(np.abs(w) < step * self.l1, w * 2.0**-60, super()._prox(w, step))


@regcheck.implements("elastic_net")
class ProxOfMagnitude(Penalty):
    """The result's magnitude; invisible with positive weights."""

    def _prox(self, w: Array, step: float) -> Array:
        return np.abs(super()._prox(w, step))


@regcheck.implements("elastic_net")
class ProxForgetsTwo(Penalty):
    """Divides by 1 + step·l2."""

    def _prox(self, w: Array, step: float) -> Array:
        return super()._prox(w, step) * (1 + 2 * step * self.l2) / (1 + step * self.l2)


@regcheck.implements("elastic_net")
class OffWithoutL1(Penalty):
    """A strength l1 of 0 switches all of it off."""

    def _value(self, w: Array) -> Any:
        return super()._value(w) if self.l1 else 0.0


@regcheck.implements("elastic_net")
class OffWithoutL2(Penalty):
    """A strength l2 of 0 switches all of it off."""

    def _value(self, w: Array) -> Any:
        return super()._value(w) if self.l2 else 0.0


@regcheck.implements("elastic_net")
class CrossTerm(Penalty):
    """l1·l2·Σ|w| on top, which is not there while either strength is 0."""

    def _value(self, w: Array) -> Any:
        return super()._value(w) + self.l1 * self.l2 * np.sum(np.abs(w))
