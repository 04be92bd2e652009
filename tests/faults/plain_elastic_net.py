"""Elastic nets in NumPy; each differs from the right one in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "StrengthsSwapped": "elastic_net.value-matches-definition",
    "StrengthsAsRatio": "elastic_net.linear-in-strength",
    "HalfUndeclared": "elastic_net.value-matches-definition",
    "LargerOfTheTwo": "elastic_net.additive",
    "NormsMultiplied": "elastic_net.value-matches-definition",
    "MeanForSum": "elastic_net.additive",
    "NoAbsoluteValue": "elastic_net.sign-flip-invariant",
    "LastWeightUnsquared": "elastic_net.permutation-invariant",
    "SignLostInGradient": "elastic_net.gradient-matches-definition",
    "GradientForgetsL2": "elastic_net.gradient-matches-definition",
    "GradientMixesStrengths": "elastic_net.gradient-matches-definition",
    "ProxShrinksFirst": "elastic_net.prox-matches-definition",
    "ProxScalesThreshold": "elastic_net.prox-matches-definition",
    "ProxForgetsL1": "elastic_net.prox-matches-definition",
    "BoundedPenalty": "elastic_net.convex",
    "MadeFinite": "elastic_net.nonfinite-propagates",
    "NeverQuiteZero": "elastic_net.zero-at-zero",
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
    """The right penalty: l1·Σ|w| + l2·Σw²; a fault overrides one step."""

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
        return self.l1 * np.sum(self._magnitude(w)) + self.l2 * np.sum(w * w)

    def _magnitude(self, w: Array) -> Array:
        return np.abs(w)

    def _gradient(self, w: Array) -> Array:
        return self.l1 * np.sign(w) + 2 * self.l2 * w

    def _prox(self, w: Array, step: float) -> Array:
        return self._soft(w, step * self.l1) / (1 + 2 * step * self.l2)

    def _soft(self, w: Array, threshold: float) -> Array:
        return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


@regcheck.implements("elastic_net")
class StrengthsSwapped(Penalty):
    """l1 and l2 in each other's place (sklearn#2631's kind); invisible where they are equal."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l2, config.l1


@regcheck.implements("elastic_net")
class StrengthsAsRatio(Penalty):
    """Reads l2 as the mixing ratio of one strength l1."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1 * (1 - config.l2), config.l1 * config.l2


@regcheck.implements("elastic_net")
class HalfUndeclared(Penalty):
    """½·l2·Σw², consistently, and does not say so."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, config.l2 / 2


@regcheck.implements("elastic_net")
class LargerOfTheTwo(Penalty):
    """The larger of the two penalties in place of their sum; invisible where one strength is 0."""

    def _value(self, w: Array) -> Any:
        return max(self.l1 * np.sum(np.abs(w)), self.l2 * np.sum(w * w))


@regcheck.implements("elastic_net")
class NormsMultiplied(Penalty):
    """The quadratic part is l2·(Σ|w|)²; invisible with one weight."""

    def _value(self, w: Array) -> Any:
        total = np.sum(np.abs(w))
        return self.l1 * total + self.l2 * total**2


@regcheck.implements("elastic_net")
class MeanForSum(Penalty):
    """The quadratic part is a mean; invisible with one weight."""

    def _value(self, w: Array) -> Any:
        return self.l1 * np.sum(np.abs(w)) + self.l2 * np.sum(w * w) / max(w.size, 1)


@regcheck.implements("elastic_net")
class NoAbsoluteValue(Penalty):
    """The linear part is l1·Σw; invisible with positive weights."""

    def _magnitude(self, w: Array) -> Array:
        return w


@regcheck.implements("elastic_net")
class LastWeightUnsquared(Penalty):
    """The quadratic part leaves out the last of several weights."""

    def _value(self, w: Array) -> Any:
        squared = w.ravel()[:-1] if w.size > 1 else w
        return self.l1 * np.sum(np.abs(w)) + self.l2 * np.sum(squared * squared)


@regcheck.implements("elastic_net")
class SignLostInGradient(Penalty):
    """l1 + 2·l2·w; invisible with positive weights."""

    def _gradient(self, w: Array) -> Array:
        return self.l1 + 2 * self.l2 * w


@regcheck.implements("elastic_net")
class GradientForgetsL2(Penalty):
    """l1·sign(w) alone."""

    def _gradient(self, w: Array) -> Array:
        return self.l1 * np.sign(w)


@regcheck.implements("elastic_net")
class GradientMixesStrengths(Penalty):
    """(l1 + 2·l2·w)·sign(w): the quadratic part's sign is lost."""

    def _gradient(self, w: Array) -> Array:
        return (self.l1 + 2 * self.l2 * w) * np.sign(w)


@regcheck.implements("elastic_net")
class ProxShrinksFirst(Penalty):
    """Divides by 1 + 2t·l2 first and thresholds at t·l1 after; right where one strength is 0."""

    def _prox(self, w: Array, step: float) -> Array:
        return self._soft(w / (1 + 2 * step * self.l2), step * self.l1)


@regcheck.implements("elastic_net")
class ProxScalesThreshold(Penalty):
    """Thresholds at t·l1/(1 + 2t·l2)."""

    def _prox(self, w: Array, step: float) -> Array:
        shrink = 1 + 2 * step * self.l2
        return self._soft(w, step * self.l1 / shrink) / shrink


@regcheck.implements("elastic_net")
class ProxForgetsL1(Penalty):
    """w/(1 + 2t·l2) alone: nothing becomes exactly 0 (§3.3)."""

    def _soft(self, w: Array, threshold: float) -> Array:
        return w


@regcheck.implements("elastic_net")
class BoundedPenalty(Penalty):
    """1 − exp(−penalty), bounded and so not convex; nearly right near 0."""

    def _value(self, w: Array) -> Any:
        return -np.expm1(-super()._value(w))


@regcheck.implements("elastic_net")
class NeverQuiteZero(Penalty):
    """Adds the smallest float32, so that a logarithm may follow."""

    def _value(self, w: Array) -> Any:
        return super()._value(w) + np.finfo(np.float32).tiny


@regcheck.implements("elastic_net")
class MadeFinite(Penalty):
    """Replaces what is not finite by finite numbers, numpy.nan_to_num's, before it sums."""

    def _value(self, w: Array) -> Any:
        return super()._value(np.nan_to_num(w))


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
