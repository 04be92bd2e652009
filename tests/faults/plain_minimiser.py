"""Minimisers in NumPy; each differs from the right one, coordinate descent, in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "L2WithHalf": "minimiser.closed-form",
    "L1OverSamples": "minimiser.kkt",
    "L2OverSamples": "minimiser.closed-form",
    "L2ForgottenBesideL1": "minimiser.kkt",
    "L2ForgottenWhenWide": "minimiser.closed-form",
    "L2Forgotten": "minimiser.stability",
    "L1Capped": "minimiser.all-zero-threshold",
    "StrengthSaturates": "minimiser.monotone-in-strength",
    "ThresholdOfSigned": "minimiser.all-zero-threshold",
    "ThresholdTooSmall": "minimiser.zero-crossing",
    "ThresholdSmoothed": "minimiser.zero-crossing",
    "ThresholdOfPositive": "minimiser.kkt",
    "ShrinksBeforeThreshold": "minimiser.kkt",
    "SmallCoefficientsCut": "minimiser.l2-never-zero",
    "SmallColumnsLeftOut": "minimiser.l2-never-zero",
    "InterceptFitted": "minimiser.kkt",
    "ColumnsStandardised": "minimiser.closed-form",
    "StopsAfterThreeSweeps": "minimiser.kkt",
    "OneSweep": "minimiser.permutation-equivariant",
    "ToleranceAbsolute": "minimiser.scale-equivariant",
    "LastIterateRounded": "minimiser.kkt",
    "LargestCoefficientKept": "minimiser.kkt",
    "SelectsThenRefits": "minimiser.kkt",
    "GramKept": "common.calls-do-not-leak",
    "StartsFromLast": "common.calls-do-not-leak",
    "TargetsOverwritten": "common.input-unchanged",
    "ColumnsSortedInPlace": "common.input-unchanged",
}


class Minimiser:
    """The right one: argmin ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂², one coordinate after the other until nothing moves."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, config.l2

    def minimise(self, a: Array, b: Array) -> Array:
        """w (k,) of b's dtype for A (n, k), b (n,)."""
        return self._solve(a.astype(np.float64), b.astype(np.float64)).astype(b.dtype)

    def _solve(self, a: Array, b: Array) -> Array:
        if not self.l1:
            return self._ridge(a, b)
        return self._descend(a.T @ a, a.T @ b, np.zeros(a.shape[1]))

    def _ridge(self, a: Array, b: Array) -> Array:
        k = a.shape[1]
        stacked = np.concatenate([a, np.sqrt(2 * self.l2) * np.eye(k)])
        return np.linalg.lstsq(stacked, np.concatenate([b, np.zeros(k)]), rcond=None)[0]

    def _descend(self, gram: Array, correlations: Array, w: Array) -> Array:
        for _ in range(self._sweeps()):
            before = w.copy()
            for j in np.flatnonzero(np.diag(gram)):
                w[j] = self._coordinate(correlations[j] - gram[j] @ w + gram[j, j] * w[j], gram[j, j])
            if self._settled(w, before):
                break
        return w

    def _sweeps(self) -> int:
        return 2000

    def _settled(self, w: Array, before: Array) -> bool:
        return bool(np.all(np.abs(w - before) <= 1e-15 * np.max(np.abs(w))))

    def _coordinate(self, slope: float, square: float) -> float:
        return self._soft(slope, self.l1) / (square + 2 * self.l2)

    def _soft(self, slope: float, threshold: float) -> float:
        return float(np.sign(slope)) * max(abs(slope) - threshold, 0.0)


@regcheck.implements("minimiser")
class L2WithHalf(Minimiser):
    """Minimises with ½·l2‖w‖₂²."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, config.l2 / 2


@regcheck.implements("minimiser")
class L1OverSamples(Minimiser):
    """Divides the data loss by n, as Lasso does, and keeps l1; invisible with one sample."""

    def _descend(self, gram: Array, correlations: Array, w: Array) -> Array:
        return super()._descend(gram / self.samples, correlations / self.samples, w)

    def _solve(self, a: Array, b: Array) -> Array:
        self.samples = len(a)
        return super()._solve(a, b)


@regcheck.implements("minimiser")
class L2OverSamples(Minimiser):
    """Multiplies l2 by n; invisible with one sample."""

    def _ridge(self, a: Array, b: Array) -> Array:
        self.l2, given = self.l2 * len(a), self.l2
        found = super()._ridge(a, b)
        self.l2 = given
        return found


@regcheck.implements("minimiser")
class L2ForgottenBesideL1(Minimiser):
    """Takes the lasso path wherever l1 > 0."""

    def _coordinate(self, slope: float, square: float) -> float:
        return self._soft(slope, self.l1) / square


@regcheck.implements("minimiser")
class L2ForgottenWhenWide(Minimiser):
    """Solves wide problems by least norm, without l2."""

    def _ridge(self, a: Array, b: Array) -> Array:
        if len(a) < a.shape[1]:
            return np.linalg.lstsq(a, b, rcond=None)[0]
        return super()._ridge(a, b)


@regcheck.implements("minimiser")
class L2Forgotten(Minimiser):
    """Least squares whatever l2 says: nearly parallel columns amplify every change of the targets (§1.3)."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, 0.0


@regcheck.implements("minimiser")
class L1Capped(Minimiser):
    """Caps l1 just under the strength from which all is zero, so that "something is selected"."""

    def _descend(self, gram: Array, correlations: Array, w: Array) -> Array:
        self.l1, given = min(self.l1, 0.99 * np.max(np.abs(correlations))), self.l1
        found = super()._descend(gram, correlations, w)
        self.l1 = given
        return found


@regcheck.implements("minimiser")
class StrengthSaturates(Minimiser):
    """Uses l1/(1 + l1²): beyond 1 a larger strength is a smaller one."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1 / (1 + config.l1**2), config.l2


@regcheck.implements("minimiser")
class ThresholdOfSigned(Minimiser):
    """Returns zero from max(Aᵀb) on, not from max|Aᵀb| on (smile#728); invisible with positive data."""

    def _descend(self, gram: Array, correlations: Array, w: Array) -> Array:
        if self.l1 >= np.max(correlations):
            return w
        return super()._descend(gram, correlations, w)


@regcheck.implements("minimiser")
class ThresholdTooSmall(Minimiser):
    """Thresholds at 0.9·l1: coefficients between 0.9·l1 and l1 survive."""

    def _soft(self, slope: float, threshold: float) -> float:
        return super()._soft(slope, 0.9 * threshold)


@regcheck.implements("minimiser")
class ThresholdSmoothed(Minimiser):
    """A differentiable threshold: small, never exactly zero (§1.2)."""

    def _soft(self, slope: float, threshold: float) -> float:
        return super()._soft(slope, threshold) or slope * 1e-4


@regcheck.implements("minimiser")
class ThresholdOfPositive(Minimiser):
    """max(slope − l1, 0): coefficients are never negative; invisible with positive data."""

    def _soft(self, slope: float, threshold: float) -> float:
        return max(slope - threshold, 0.0)


@regcheck.implements("minimiser")
class ShrinksBeforeThreshold(Minimiser):
    """S(slope/(a² + 2·l2), l1): right where a² + 2·l2 = 1 or where one strength is 0 and a is a unit vector."""

    def _coordinate(self, slope: float, square: float) -> float:
        return self._soft(slope / (square + 2 * self.l2), self.l1)


@regcheck.implements("minimiser")
class SmallCoefficientsCut(Minimiser):
    """Sets coefficients under a thousandth of the largest to zero, with l2 alone too (§3.2)."""

    def _ridge(self, a: Array, b: Array) -> Array:
        w = super()._ridge(a, b)
        return np.where(np.abs(w) < 1e-3 * max(np.max(np.abs(w)), 1), 0, w)


@regcheck.implements("minimiser")
class SmallColumnsLeftOut(Minimiser):
    """Leaves out columns that correlate little with the targets, |aᵀb| < ¼ ("screening")."""

    def _ridge(self, a: Array, b: Array) -> Array:
        kept = np.abs(a.T @ b) >= 0.25
        w = np.zeros(a.shape[1])
        w[kept] = super()._ridge(a[:, kept], b)
        return w


@regcheck.implements("minimiser")
class InterceptFitted(Minimiser):
    """Centres A and b, which is to fit an intercept (octave/statistics#462); invisible with centred data."""

    def _solve(self, a: Array, b: Array) -> Array:
        return super()._solve(a - np.mean(a, axis=0), b - np.mean(b))


@regcheck.implements("minimiser")
class ColumnsStandardised(Minimiser):
    """Scales the columns to length 1 before it penalises, and back after; invisible with unit columns."""

    def _solve(self, a: Array, b: Array) -> Array:
        lengths = np.linalg.norm(a, axis=0)
        lengths = np.where(lengths > 0, lengths, 1)
        return super()._solve(a / lengths, b) / lengths


@regcheck.implements("minimiser")
class StopsAfterThreeSweeps(Minimiser):
    """Gives up silently after three sweeps (sklearn#15438's kind); invisible with orthogonal columns."""

    def _sweeps(self) -> int:
        return 3


@regcheck.implements("minimiser")
class OneSweep(Minimiser):
    """One sweep: the result depends on the order of the columns."""

    def _sweeps(self) -> int:
        return 1


@regcheck.implements("minimiser")
class ToleranceAbsolute(Minimiser):
    """Stops when no coefficient moves by 1e-4, whatever the data's scale: small targets give zero."""

    def _settled(self, w: Array, before: Array) -> bool:
        return bool(np.all(np.abs(w - before) <= 1e-4))


@regcheck.implements("minimiser")
class LastIterateRounded(Minimiser):
    """Rounds its result to three digits after the point."""

    def _solve(self, a: Array, b: Array) -> Array:
        return np.round(super()._solve(a, b), 3)


@regcheck.implements("minimiser")
class LargestCoefficientKept(Minimiser):
    """The largest coefficient is not penalised in the last sweep (sklearn#18919's kind)."""

    def _descend(self, gram: Array, correlations: Array, w: Array) -> Array:
        w = super()._descend(gram, correlations, w)
        j = int(np.argmax(np.abs(w)))
        if w[j]:
            w[j] = (correlations[j] - gram[j] @ w + gram[j, j] * w[j]) / gram[j, j]
        return w


@regcheck.implements("minimiser")
class SelectsThenRefits(Minimiser):
    """Selects with l1 and fits the selected ones without it ("relaxed"): the zeros are right, the rest is not."""

    def _descend(self, gram: Array, correlations: Array, w: Array) -> Array:
        w = super()._descend(gram, correlations, w)
        kept = np.flatnonzero(w)
        if kept.size:
            penalised = gram[np.ix_(kept, kept)] + 2 * self.l2 * np.eye(kept.size)
            w[kept] = np.linalg.lstsq(penalised, correlations[kept], rcond=None)[0]
        return w


@regcheck.implements("minimiser")
class GramKept(Minimiser):
    """Keeps the first problem's AᵀA for every later one of its size (sklearn#10992's kind); invisible in one call."""

    def _solve(self, a: Array, b: Array) -> Array:
        if getattr(self, "a", np.empty((0, 0))).shape != a.shape:
            self.a = a
        gram = self.a.T @ self.a
        if self.l1:
            return self._descend(gram, a.T @ b, np.zeros(a.shape[1]))
        return np.linalg.lstsq(gram + 2 * self.l2 * np.eye(a.shape[1]), a.T @ b, rcond=None)[0]


@regcheck.implements("minimiser")
class StartsFromLast(Minimiser):
    """Starts from the last result and takes 5 sweeps at most: the first call may be right, the second is not."""

    def _descend(self, gram: Array, correlations: Array, w: Array) -> Array:
        last = getattr(self, "last", w)
        if last is not w and last.shape == w.shape:
            self._sweeps = lambda: 5
            w = last.copy()
        self.last = super()._descend(gram, correlations, w)
        return self.last


@regcheck.implements("minimiser")
class TargetsOverwritten(Minimiser):
    """Keeps the residual in the caller's b (sklearn#17789's kind)."""

    def minimise(self, a: Array, b: Array) -> Array:
        """w, at the price of b."""
        w = super().minimise(a, b)
        if b.flags.writeable:
            b -= a @ w
        return w


@regcheck.implements("minimiser")
class ColumnsSortedInPlace(Minimiser):
    """Sorts the caller's columns by length; the result is in the old order."""

    def minimise(self, a: Array, b: Array) -> Array:
        """w, at the price of A."""
        w = super().minimise(a, b)
        if a.flags.writeable:
            a[:] = a[:, np.argsort(np.linalg.norm(a.astype(np.float64), axis=0))]
        return w
