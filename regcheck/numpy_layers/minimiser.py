"""Minimisers of ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂² in NumPy: FISTA and coordinate descent.

Both start at 0, stop by the duality gap and set coefficients to 0 exactly, by the soft threshold.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from regcheck.numpy_layers.inputs import Array

TOLERANCE = 1e-10
SWEEPS = 5  # between two looks at the duality gap


class _Minimiser:
    """Promises a duality gap of at most `tolerance`·½‖b‖²."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, *, tolerance: float = TOLERANCE, steps: int = 100_000) -> None:
        self.l1, self.l2, self.tolerance, self.steps = l1, l2, tolerance, steps

    def minimise(self, a: Array, b: Array) -> Array:
        """w (k,) float64 for A (n, k) and b (n,). Raises ValueError, or RuntimeError where `steps` do not suffice."""
        a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
        if a.ndim != 2 or b.shape != a.shape[:1]:
            msg = f"Invalid problem. Expected A (n, k) and b (n,). Received: shapes {a.shape} and {b.shape}. Reshape."
            raise ValueError(msg)
        if self.l1 == 0 and self.l2 == 0:
            return np.asarray(np.linalg.lstsq(a, b, rcond=None)[0])
        if a.size == 0:
            return np.zeros(a.shape[1])
        return self._descend(a, b)

    def _descend(self, a: Array, b: Array) -> Array:
        raise NotImplementedError

    def _solved(self, a: Array, b: Array, w: Array) -> bool:
        return duality_gap(a, b, w, self.l1, self.l2) <= self.tolerance * float(b @ b) / 2

    def _give_up(self) -> RuntimeError:
        msg = f"Not solved to a relative duality gap of {self.tolerance:g} in {self.steps} steps. Raise `steps`."
        return RuntimeError(msg)


class FISTA(_Minimiser):
    """Accelerated proximal gradient, restarted where the momentum points uphill.

    Source: Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm", 2009, section 4; O'Donoghue and
    Candès, "Adaptive restart for accelerated gradient schemes", 2015, section 3.2.
    """

    def _descend(self, a: Array, b: Array) -> Array:
        lipschitz = float(np.linalg.norm(a, 2)) ** 2 + 2 * self.l2
        w = ahead = np.zeros(a.shape[1])
        if lipschitz == 0:
            return w
        t = 1.0
        for step in range(self.steps):
            slope = a.T @ (a @ ahead - b) + 2 * self.l2 * ahead
            new = soft_threshold(ahead - slope / lipschitz, self.l1 / lipschitz)
            if (ahead - new) @ (new - w) > 0:
                t = 1.0
            following = (1 + np.sqrt(1 + 4 * t * t)) / 2
            w, ahead, t = new, new + (t - 1) / following * (new - w), following
            if step % 10 == 9 and self._solved(a, b, w):
                return w
        raise self._give_up()


class CoordinateDescent(_Minimiser):
    """Exact minimisation in one coordinate after the other.

    Source: Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate
    descent", 2010, equation 5.
    """

    def _descend(self, a: Array, b: Array) -> Array:
        gram = a.T @ a
        squares, w = gram.diagonal().tolist(), np.zeros(len(gram))
        for _ in range(0, self.steps, SWEEPS):
            pulls = a.T @ (b - a @ w)  # afresh now and then, so that rounding does not add up
            for j in [*range(len(gram))] * SWEEPS:
                new = self._best(pulls[j] + squares[j] * w[j], squares[j])
                if new != w[j]:
                    pulls -= (new - w[j]) * gram[j]
                    w[j] = new
            if self._solved(a, b, w):
                return w
        raise self._give_up()

    def _best(self, pull: float, square: float) -> float:
        """S(pull, l1)/(square + 2·l2), the minimiser along one coordinate."""
        if abs(pull) <= self.l1:
            return 0.0
        return (pull - math.copysign(self.l1, pull)) / (square + 2 * self.l2)


def soft_threshold(v: Array, t: float) -> Array:
    """S(v, t) = sign(v)·max(|v| − t, 0), as v − clip(v, −t, t): exactly 0 where |v| <= t, else rounded once."""
    return np.asarray(v - np.clip(v, -t, t))


def duality_gap(a: Array, b: Array, w: Array, l1: float, l2: float) -> float:
    """P(w) − D(θ) >= P(w) − min P, the smaller of two dual points θ built from the residual r = b − Aw.

    With l2 > 0: θ = r and D(θ) = bᵀθ − ½‖θ‖² − Σ max(|aⱼᵀθ| − l1, 0)²/(4·l2). With l1 > 0: the lasso of A over
    √(2·l2)·I has the residual (r, −√(2·l2)·w), scaled until ‖Aᵀr − 2·l2·w‖∞ <= l1.
    """
    r = b - a @ w
    correlations = a.T @ r
    primal = float(r @ r / 2 + l1 * np.abs(w).sum() + l2 * (w @ w))
    duals = []
    if l2 > 0:
        excess = np.maximum(np.abs(correlations) - l1, 0)
        duals.append(float(b @ r - r @ r / 2 - excess @ excess / (4 * l2)))
    if l1 > 0:
        peak = float(np.abs(correlations - 2 * l2 * w).max(initial=0.0))
        scale = min(1.0, l1 / peak) if peak else 1.0
        duals.append(float(scale * (b @ r) - scale**2 * (r @ r / 2 + l2 * (w @ w))))
    return primal - max(duals)
