"""Minimisers in NumPy that are wrong where columns are alike; each differs from the right one in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "FirstPenalisedMore": "minimiser.constrained-form",
    "DuplicatesLeftOut": "minimiser.duplicated-columns",
    "NearColumnsShare": "minimiser.l1-picks-one",
    "NearColumnsLeftOut": "minimiser.l2-groups",
}


class Minimiser:
    """The right one: argmin ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂², one coordinate after the other until nothing moves."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, config.l2

    def minimise(self, a: Array, b: Array) -> Array:
        """w (k,) of b's dtype for A (n, k), b (n,)."""
        return self._solve(a.astype(np.float64), b.astype(np.float64)).astype(b.dtype)

    def _solve(self, a: Array, b: Array) -> Array:
        if self.l1:
            return self._descend(a.T @ a, a.T @ b, np.zeros(a.shape[1]))
        k = a.shape[1]
        stacked = np.concatenate([a, np.sqrt(2 * self.l2) * np.eye(k)])
        return np.linalg.lstsq(stacked, np.concatenate([b, np.zeros(k)]), rcond=None)[0]

    def _descend(self, gram: Array, correlations: Array, w: Array) -> Array:
        for _ in range(2000):
            before = w.copy()
            for j in np.flatnonzero(np.diag(gram)):
                pull = correlations[j] - gram[j] @ w + gram[j, j] * w[j]
                threshold = self._threshold(int(j))
                w[j] = np.sign(pull) * max(abs(pull) - threshold, 0) / (gram[j, j] + 2 * self.l2)
            if np.all(np.abs(w - before) <= 1e-14 * np.max(np.abs(w), initial=0)):
                break
        return w

    def _threshold(self, column: int) -> float:
        return float(self.l1)


@regcheck.implements("minimiser")
class FirstPenalisedMore(Minimiser):
    """The first column's strength is 1.5 times l1: the result is no point of the ball that its length describes."""

    def _threshold(self, column: int) -> float:
        return float(self.l1) * (1.5 if column == 0 else 1)


def _likeness(a: Array) -> Array:
    """|cosine| of each column with each one before it, (k, k), else 0."""
    lengths = np.sqrt(np.sum(a * a, axis=0))
    return np.tril(np.abs(a.T @ a) / np.where(lengths > 0, lengths, 1) / np.where(lengths > 0, lengths, 1)[:, None], -1)


class _LeavesOut(Minimiser):
    """Columns that are as much like an earlier one are not used."""

    limit = 1.0

    def _solve(self, a: Array, b: Array) -> Array:
        kept = ~np.any(_likeness(a) >= self.limit - 1e-12, axis=1)
        return super()._solve(a * kept, b)


@regcheck.implements("minimiser")
class DuplicatesLeftOut(_LeavesOut):
    """A column that repeats an earlier one gets 0, with l2 too (as by a rank-revealing factorisation)."""


@regcheck.implements("minimiser")
class NearColumnsLeftOut(_LeavesOut):
    """A column of correlation 0.99 with an earlier one gets 0, as by a filter for collinearity."""

    limit = 0.99


@regcheck.implements("minimiser")
class NearColumnsShare(Minimiser):
    """Coefficients of columns of correlation 0.88 are averaged, which is what l2 does and l1 does not."""

    def _solve(self, a: Array, b: Array) -> Array:
        w = super()._solve(a, b)
        for i, j in np.argwhere(_likeness(a) >= 0.88):
            w[i] = w[j] = (w[i] + w[j]) / 2
        return w
