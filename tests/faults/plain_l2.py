"""L2 penalties in NumPy; each differs from the right one in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "HalfUndeclared": "l2.l2-factor-as-declared",
    "HalfWronglyDeclared": "l2.l2-factor-as-declared",
    "HalfOfSpectralNorm": "l2.value-matches-definition",
    "HalfInGradientOnly": "l2.gradient-matches-definition",
    "NormNotSquared": "l2.homogeneous",
    "MeanForSum": "l2.additive",
    "AroundTheMean": "l2.value-matches-definition",
    "LargestSquare": "l2.additive",
    "FirstWeightExempt": "l2.permutation-invariant",
    "LargeWeightsLinear": "l2.homogeneous",
    "NegativeHalfForgotten": "l2.sign-flip-invariant",
    "TinyConstant": "l2.zero-at-zero",
    "InfinitySkipped": "l2.nonfinite-propagates",
    "StrengthRooted": "l2.linear-in-strength",
    "SquaresInHalf": "l2.value-matches-definition",
    "GradientIsOfL1": "l2.gradient-matches-definition",
    "GradientWithMomentum": "common.calls-do-not-leak",
    "GradientHasDeadZone": "l2.gradient-matches-definition",
    "GradientIsConstantAtZero": "l2.minimum-moves-off-zero",
    "ProxForgetsFactorTwo": "l2.prox-matches-definition",
    "ProxIsGradientStep": "l2.prox-matches-definition",
    "ProxForgetsStep": "l2.prox-matches-definition",
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
    """The right penalty: l2·Σw², whatever config.l1 says; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = 0.0, config.l2

    def value(self, w: Array) -> Any:
        """The penalty, of w's dtype."""
        with np.errstate(over="ignore"):
            return np.asarray(self._value(w.astype(np.float64))).astype(w.dtype)[()]

    def gradient(self, w: Array) -> Array:
        """The gradient."""
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


@regcheck.implements("l2")
class HalfUndeclared(Penalty):
    """½λ·Σw², consistently, and does not say so (§3.1 has no ½)."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.l2 = config.l2 / 2


@regcheck.implements("l2", declares={"l2_factor": "0.5"})
class HalfWronglyDeclared(Penalty):
    """Declares ½ and has none."""


@regcheck.implements("l2", declares={"l2_factor": "0.5"})
class HalfOfSpectralNorm(Penalty):
    """½λ of a matrix's largest singular value, squared; of a vector it is right. Declared is the ½ alone."""

    def _value(self, w: Array) -> Any:
        return self.l2 / 2 * (np.linalg.norm(w, 2) ** 2 if w.ndim == 2 else np.sum(w * w))

    def _gradient(self, w: Array) -> Array:
        return self.l2 * w

    def _prox(self, w: Array, step: float) -> Array:
        return w / (1 + step * self.l2)


@regcheck.implements("l2")
class HalfInGradientOnly(Penalty):
    """Gradient λw for the value λ·Σw² (numpy-ml#53)."""

    def _gradient(self, w: Array) -> Array:
        return self.l2 * w


@regcheck.implements("l2")
class NormNotSquared(Penalty):
    """λ‖w‖ (sklearn#2631's kind)."""

    def _value(self, w: Array) -> Any:
        return self.l2 * np.sqrt(np.sum(w * w))


@regcheck.implements("l2")
class MeanForSum(Penalty):
    """λ·mean(w²) (MLJFlux#213); invisible with one weight."""

    def _value(self, w: Array) -> Any:
        return super()._value(w) / max(w.size, 1)


@regcheck.implements("l2")
class AroundTheMean(Penalty):
    """The squares around the mean: a variance; nearly right for weights of mean 0."""

    def _value(self, w: Array) -> Any:
        return super()._value(w - np.mean(w) if w.size > 1 else w)


@regcheck.implements("l2")
class LargestSquare(Penalty):
    """numpy.linalg.norm(w, 2)², which for a matrix is its largest singular value; here for all weights."""

    def _value(self, w: Array) -> Any:
        return self.l2 * np.max(w * w, initial=0)


@regcheck.implements("l2")
class FirstWeightExempt(Penalty):
    """Takes the first of several weights for the intercept."""

    def _value(self, w: Array) -> Any:
        return super()._value(w.ravel()[1:] if w.size > 1 else w)


@regcheck.implements("l2")
class LargeWeightsLinear(Penalty):
    """Linear beyond 10, "against outliers"; invisible with small weights."""

    def _value(self, w: Array) -> Any:
        return self.l2 * np.sum(np.where(np.abs(w) > 10, 20 * np.abs(w) - 100, w * w))


@regcheck.implements("l2")
class NegativeHalfForgotten(Penalty):
    """λ·Σmax(w, 0)²."""

    def _value(self, w: Array) -> Any:
        return super()._value(np.maximum(w, 0))


@regcheck.implements("l2")
class TinyConstant(Penalty):
    """Adds 1e-12 so that a later square root is differentiable."""

    def _value(self, w: Array) -> Any:
        return super()._value(w) + 1e-12


@regcheck.implements("l2")
class InfinitySkipped(Penalty):
    """Sums the squares of finite weights and of NaN: a weight that has overflowed costs nothing."""

    def _value(self, w: Array) -> Any:
        return self.l2 * np.sum(np.where(np.isinf(w), 0, w) ** 2)


@regcheck.implements("l2")
class StrengthRooted(Penalty):
    """√λ·Σw²; invisible with λ = 1."""

    def _value(self, w: Array) -> Any:
        return np.sqrt(self.l2) * np.sum(w * w)


@regcheck.implements("l2")
class SquaresInHalf(Penalty):
    """Squares in w's own type, float64 in float32: digits, and the range, are lost."""

    def value(self, w: Array) -> Any:
        """The penalty."""
        narrow = w.astype(np.float32 if w.dtype == np.float64 else w.dtype)
        with np.errstate(over="ignore"):
            return w.dtype.type(self.l2 * np.sum(narrow * narrow, dtype=np.float64))


@regcheck.implements("l2")
class GradientIsOfL1(Penalty):
    """λ·sign(w)."""

    def _gradient(self, w: Array) -> Array:
        return self.l2 * np.sign(w)


@regcheck.implements("l2")
class GradientWithMomentum(Penalty):
    """Remembers a tenth of the last gradient; invisible in one call."""

    def _gradient(self, w: Array) -> Array:
        last = getattr(self, "last", np.empty(0))
        found = super()._gradient(w)
        self.last = found
        return found + 0.1 * last if last.shape == w.shape else found


@regcheck.implements("l2")
class GradientHasDeadZone(Penalty):
    """0 for weights under 1e-3: weights that small stop shrinking."""

    def _gradient(self, w: Array) -> Array:
        return super()._gradient(np.where(np.abs(w) < 1e-3, 0, w))


@regcheck.implements("l2")
class GradientIsConstantAtZero(Penalty):
    """2λ·max(|w|, 1e-2)·sign(w): a jump at 0 that holds the minimum there (§4.2b)."""

    def _gradient(self, w: Array) -> Array:
        return 2 * self.l2 * np.sign(w) * np.maximum(np.abs(w), 1e-2)


@regcheck.implements("l2")
class ProxForgetsFactorTwo(Penalty):
    """w/(1 + λt) for the penalty without ½."""

    def _prox(self, w: Array, step: float) -> Array:
        return w / (1 + step * self.l2)


@regcheck.implements("l2")
class ProxIsGradientStep(Penalty):
    """w·(1 − 2λt): the first order of the prox; nearly right for small steps."""

    def _prox(self, w: Array, step: float) -> Array:
        return w * (1 - 2 * step * self.l2)


@regcheck.implements("l2")
class ProxForgetsStep(Penalty):
    """w/(1 + 2λ) whatever the step; invisible with step 1."""

    def _prox(self, w: Array, step: float) -> Array:
        return super()._prox(w, 1)


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
class ProxForgetsTwo(ProxForgetsFactorTwo):
    """The same, which is not optimal either."""


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
