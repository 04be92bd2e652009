"""L1 penalties in NumPy; each differs from the right one in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "NoAbsoluteValue": "l1.sign-flip-invariant",
    "NegativeHalfForgotten": "l1.sign-flip-invariant",
    "MeanForSum": "l1.additive",
    "LargestColumn": "l1.value-matches-definition",
    "RootSmoothed": "l1.zero-at-zero",
    "HuberSmoothed": "l1.value-matches-definition",
    "TinyWeightsIgnored": "l1.zero-at-zero",
    "LastOddWeightIgnored": "l1.permutation-invariant",
    "StrengthSquared": "l1.linear-in-strength",
    "StrengthCapped": "l1.linear-in-strength",
    "NotANumberSkipped": "l1.nonfinite-propagates",
    "L2AddedOn": "l1.value-matches-definition",
    "NearlyConvex": "l1.convex",
    "Logarithm": "l1.homogeneous",
    "SquaresTimesZero": "l1.value-matches-definition",
    "CoarseSum": "l1.value-matches-definition",
    "GradientForgetsStrength": "l1.gradient-matches-definition",
    "GradientSmoothed": "l1.gradient-jump",
    "GradientOfOneSide": "l1.minimum-at-zero",
    "GradientAtZeroTooLarge": "l1.gradient-matches-definition",
    "ProxHard": "l1.prox-matches-definition",
    "ProxForgetsStep": "l1.prox-matches-definition",
    "ProxOfPositive": "l1.prox-matches-definition",
    "ProxIsGradientStep": "l1.prox-matches-definition",
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
    """The right penalty: l1·Σ|w|, whatever config.l2 says; a fault overrides one step."""

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
        # Squares that overflow are no part of a penalty without them: 0·∞ is NaN.
        squares = self.l2 * np.sum(w * w) if self.l2 else 0.0
        return self.l1 * np.sum(self._magnitude(w)) + squares

    def _magnitude(self, w: Array) -> Array:
        return np.abs(w)

    def _gradient(self, w: Array) -> Array:
        return self.l1 * np.sign(w) + 2 * self.l2 * w

    def _prox(self, w: Array, step: float) -> Array:
        return self._soft(w, step * self.l1) / (1 + 2 * step * self.l2)

    def _soft(self, w: Array, threshold: float) -> Array:
        return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


@regcheck.implements("l1")
class NoAbsoluteValue(Penalty):
    """λ·Σw (tf-keras#559); invisible with positive weights."""

    def _magnitude(self, w: Array) -> Array:
        return w


@regcheck.implements("l1")
class NegativeHalfForgotten(Penalty):
    """λ·Σmax(w, 0)."""

    def _magnitude(self, w: Array) -> Array:
        return np.maximum(w, 0)


@regcheck.implements("l1")
class MeanForSum(Penalty):
    """λ·mean|w| (MLJFlux#213); invisible with one weight."""

    def _value(self, w: Array) -> Any:
        return super()._value(w) / max(w.size, 1)


@regcheck.implements("l1")
class LargestColumn(Penalty):
    """numpy.linalg.norm(w, 1), which for a matrix is its largest column sum; invisible with vectors."""

    def _value(self, w: Array) -> Any:
        return self.l1 * (np.linalg.norm(w, 1) if w.ndim in {1, 2} and w.size else np.sum(np.abs(w)))


@regcheck.implements("l1")
class RootSmoothed(Penalty):
    """√(w² + 1e-12), differentiable, and never 0."""

    def _magnitude(self, w: Array) -> Array:
        return np.sqrt(w * w + 1e-12)


@regcheck.implements("l1")
class HuberSmoothed(Penalty):
    """Quadratic within ±0.01, as SmoothL1Loss is; right for large weights."""

    def _magnitude(self, w: Array) -> Array:
        return np.where(np.abs(w) < 0.01, 50 * w * w + 0.005 * (w != 0), np.abs(w))


@regcheck.implements("l1")
class TinyWeightsIgnored(Penalty):
    """Counts weights under 1e-7 as 0: the penalty is 0 where w is not."""

    def _magnitude(self, w: Array) -> Array:
        return np.where(np.abs(w) < 1e-7, 0, np.abs(w))


@regcheck.implements("l1")
class LastOddWeightIgnored(Penalty):
    """Sums two weights at a time; invisible with an even number."""

    def _magnitude(self, w: Array) -> Array:
        flat = np.abs(w).ravel()
        return flat[: flat.size // 2 * 2] if flat.size > 1 else flat


@regcheck.implements("l1")
class StrengthSquared(Penalty):
    """λ²·Σ|w|; invisible with λ = 1."""

    def _value(self, w: Array) -> Any:
        return super()._value(w) * self.l1


@regcheck.implements("l1")
class StrengthCapped(Penalty):
    """Takes strengths beyond 1 for percentages of 1."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.l1 = min(self.l1, 1)


@regcheck.implements("l1")
class NotANumberSkipped(Penalty):
    """numpy.nansum: a network whose weights are NaN has a small loss."""

    def _value(self, w: Array) -> Any:
        return self.l1 * np.nansum(np.abs(w))


@regcheck.implements("l1")
class L2AddedOn(Penalty):
    """Uses config.l2 as well."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.l2 = config.l2


@regcheck.implements("l1")
class NearlyConvex(Penalty):
    """|w| raised to 0.98, "sparser still"."""

    def _magnitude(self, w: Array) -> Array:
        return np.abs(w) ** 0.98


@regcheck.implements("l1")
class Logarithm(Penalty):
    """log(1 + |w|); nearly right for small weights."""

    def _magnitude(self, w: Array) -> Array:
        return np.log1p(np.abs(w))


@regcheck.implements("l1")
class SquaresTimesZero(Penalty):
    """An elastic net with l2 = 0 in float32: 0·Σw² is NaN where the squares overflow."""

    def value(self, w: Array) -> Any:
        """The penalty."""
        with np.errstate(all="ignore"):
            narrow = w.astype(np.promote_types(w.dtype, np.float32))
            return w.dtype.type(self.l1 * np.sum(np.abs(narrow)) + 0.0 * np.sum(narrow * narrow))


@regcheck.implements("l1")
class CoarseSum(Penalty):
    """Adds float64 up in float32, and float16 in float16."""

    def value(self, w: Array) -> Any:
        """The penalty, with half of its digits."""
        narrow = np.abs(w).astype(np.float16 if w.dtype == np.float16 else np.float32)
        return w.dtype.type(self.l1 * np.sum(narrow, dtype=narrow.dtype))


@regcheck.implements("l1")
class GradientForgetsStrength(Penalty):
    """sign(w) in place of λ·sign(w) (numpy-ml#53's kind); invisible with λ = 1."""

    def _gradient(self, w: Array) -> Array:
        return np.sign(w)


@regcheck.implements("l1")
class GradientSmoothed(Penalty):
    """λ·tanh(1000·w): no jump at 0 (§6.1)."""

    def _gradient(self, w: Array) -> Array:
        return self.l1 * np.tanh(1000 * w)


@regcheck.implements("l1")
class GradientOfOneSide(Penalty):
    """λ everywhere: at the left of 0 the slope pushes away from it (§4.2a)."""

    def _gradient(self, w: Array) -> Array:
        return np.full_like(w, self.l1)


@regcheck.implements("l1")
class GradientAtZeroTooLarge(Penalty):
    """2λ at exactly 0, which is no subgradient; right elsewhere."""

    def _gradient(self, w: Array) -> Array:
        return self.l1 * np.where(w == 0, 2, np.sign(w))


@regcheck.implements("l1")
class ProxHard(Penalty):
    """Hard threshold: what is kept is not shrunk."""

    def _soft(self, w: Array, threshold: float) -> Array:
        return np.where(np.abs(w) > threshold, w, 0)


@regcheck.implements("l1")
class ProxForgetsStep(Penalty):
    """Threshold λ whatever the step; invisible with step 1."""

    def _prox(self, w: Array, step: float) -> Array:
        return super()._prox(w, 1)


@regcheck.implements("l1")
class ProxOfPositive(Penalty):
    """max(w − λt, 0) without the sign; invisible with positive weights."""

    def _soft(self, w: Array, threshold: float) -> Array:
        return np.maximum(w - threshold, 0)


@regcheck.implements("l1")
class ProxIsGradientStep(Penalty):
    """w − λt·sign(w): steps over 0 inside the threshold."""

    def _soft(self, w: Array, threshold: float) -> Array:
        return w - threshold * np.sign(w)


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
