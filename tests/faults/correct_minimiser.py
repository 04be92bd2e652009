"""Right minimisers in NumPy that differ in method or in what they promise: no property may fail for them."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class Minimiser:
    """argmin ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂²; a variant overrides the method for l1 > 0."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, config.l2

    def minimise(self, a: Array, b: Array) -> Array:
        """w (k,) of b's dtype for A (n, k), b (n,)."""
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
        found = self._sparse(wide_a, wide_b) if self.l1 else self._ridge(wide_a, wide_b)
        return found.astype(b.dtype)

    def _ridge(self, a: Array, b: Array) -> Array:
        k = a.shape[1]
        stacked = np.concatenate([a, np.sqrt(2 * self.l2) * np.eye(k)])
        return np.linalg.lstsq(stacked, np.concatenate([b, np.zeros(k)]), rcond=None)[0]

    def _sparse(self, a: Array, b: Array) -> Array:
        raise NotImplementedError

    def _soft(self, w: Any, threshold: float) -> Any:
        return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)

    def _solved(self, gram: Array, correlations: Array, w: Array) -> Array | None:
        """The exact solution with w's signs, if they are the solution's signs."""
        kept, found = np.flatnonzero(w), np.zeros_like(w)
        penalised = gram[np.ix_(kept, kept)] + 2 * self.l2 * np.eye(kept.size)
        found[kept] = np.linalg.lstsq(penalised, correlations[kept] - self.l1 * np.sign(w[kept]), rcond=None)[0]
        slopes = correlations - gram @ found - 2 * self.l2 * found
        margin = 1e-12 * (np.max(np.abs(correlations), initial=0) + self.l1)
        right = np.where(w == 0, np.abs(slopes) <= self.l1 + margin, np.abs(slopes - self.l1 * np.sign(w)) <= margin)
        return found if np.all(right) and np.array_equal(np.sign(found), np.sign(w)) else None

    def _gap(self, a: Array, b: Array, w: Array) -> float:
        """Duality gap over the objective at 0, with l2 folded into A (Kim, Koh, Boyd 2007)."""
        residual = np.concatenate([b - a @ w, -np.sqrt(2 * self.l2) * w])
        slopes = a.T @ (b - a @ w) - 2 * self.l2 * w
        feasible = min(1.0, self.l1 / max(float(np.max(np.abs(slopes), initial=0)), 1e-300))
        target = np.concatenate([b, np.zeros(len(w))])
        primal = 0.5 * residual @ residual + self.l1 * np.sum(np.abs(w))
        dual = 0.5 * target @ target - 0.5 * np.sum((target - feasible * residual) ** 2)
        return float(primal - dual) / max(0.5 * float(b @ b), 1e-300)


class CoordinateDescent(Minimiser):
    """One coordinate after the other, until the relative duality gap is below what is promised."""

    promised = 1e-9  # the default is √u, 1.5e-8 in float64

    def _sparse(self, a: Array, b: Array) -> Array:
        gram, correlations, w = a.T @ a, a.T @ b, np.zeros(a.shape[1])
        for sweep in range(20000):
            for j in self._order(np.flatnonzero(np.diag(gram))):
                slope = correlations[j] - gram[j] @ w + gram[j, j] * w[j]
                w[j] = self._soft(slope, self.l1) / (gram[j, j] + 2 * self.l2)
            found = self._ready(a, b, w) if sweep % 10 == 0 else None
            if found is not None:
                return found
        return w

    def _ready(self, a: Array, b: Array, w: Array) -> Array | None:
        return w if self._gap(a, b, w) <= self.promised else self._solved(a.T @ a, a.T @ b, w)

    def _order(self, columns: Array) -> Array:
        return columns


@regcheck.implements("minimiser")
class Cyclic(CoordinateDescent):
    """The first coordinate first."""


@regcheck.implements("minimiser")
class CyclicBackwards(CoordinateDescent):
    """The last coordinate first: where minimisers are many, another of them."""

    def _order(self, columns: Array) -> Array:
        return columns[::-1]


@regcheck.implements("minimiser", declares={"tolerance": 1e-5})
class LooseDeclared(CoordinateDescent):
    """Until the relative duality gap is 1e-5, and says so."""

    tolerance = promised = 1e-5


@regcheck.implements("minimiser")
class ProximalGradient(Minimiser):
    """FISTA with restarts (Beck and Teboulle 2009) until the signs are right; then solves for the values."""

    def _sparse(self, a: Array, b: Array) -> Array:
        gram, correlations = a.T @ a, a.T @ b
        size = float(np.linalg.norm(gram, 2)) + 2 * self.l2
        w = ahead = np.zeros(a.shape[1])
        momentum = 1.0
        for step in range(20000 if size else 0):
            slope = gram @ ahead - correlations + 2 * self.l2 * ahead
            new = self._soft(ahead - slope / size, self.l1 / size)
            if (ahead - new) @ (new - w) > 0:
                momentum = 1.0
            larger = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            ahead = new + (momentum - 1) / larger * (new - w)
            w, momentum = new, larger
            found = self._solved(gram, correlations, w) if step % 20 == 0 else None
            if found is not None:
                return found
        return w


@regcheck.implements("minimiser")
class RidgeOnly(Minimiser):
    """The closed form, without l1; other configs are left out, and counted."""

    def __init__(self, config: Any) -> None:
        if config.l1:
            msg = "l1 = 0 only"
            raise regcheck.Unsupported(msg)
        super().__init__(config)


@regcheck.implements("minimiser")
class RidgeBySingularValues(RidgeOnly):
    """V·diag(s/(s² + 2·l2))·Uᵀb, without singular values that are roundoff."""

    def _ridge(self, a: Array, b: Array) -> Array:
        if not a.size:
            return np.zeros(a.shape[1])
        left, sizes, right = np.linalg.svd(a, full_matrices=False)
        kept = sizes > max(a.shape) * np.finfo(np.float64).eps * np.max(sizes)
        factors = sizes[kept] / (sizes[kept] ** 2 + 2 * self.l2)
        return right[kept].T @ (factors * (left[:, kept].T @ b))


@regcheck.implements("minimiser", dtypes=("float64",))
class DoubleOnly(CoordinateDescent):
    """Offers float64 alone, and says so."""

    def minimise(self, a: Array, b: Array) -> Array:
        """w (k,) for A (n, k), b (n,)."""
        if b.dtype != np.float64:
            msg = f"Expected float64. Received {b.dtype}."
            raise TypeError(msg)
        return super().minimise(a, b)
