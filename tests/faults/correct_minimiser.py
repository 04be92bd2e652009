"""Right minimisers in NumPy that differ in method or in what they promise: no property may fail for them."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class Minimiser:
    """argmin ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂²; a variant overrides the method."""

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
    """One coordinate after the other."""

    def _sparse(self, a: Array, b: Array) -> Array:
        gram, correlations, w = a.T @ a, a.T @ b, np.zeros(a.shape[1])
        for _ in range(20000):
            before = w.copy()
            for j in self._order(np.flatnonzero(np.diag(gram))):
                slope = correlations[j] - gram[j] @ w + gram[j, j] * w[j]
                w[j] = self._soft(slope, self.l1) / (gram[j, j] + 2 * self.l2)
            if self._settled(a, b, w, before):
                break
        return w

    def _order(self, columns: Array) -> Array:
        return columns

    def _settled(self, a: Array, b: Array, w: Array, before: Array) -> bool:
        return bool(np.all(np.abs(w - before) <= 1e-15 * np.max(np.abs(w))))


@regcheck.implements("minimiser")
class Cyclic(CoordinateDescent):
    """Until nothing moves."""


@regcheck.implements("minimiser")
class CyclicBackwards(CoordinateDescent):
    """The last coordinate first: where minimisers are many, another of them."""

    def _order(self, columns: Array) -> Array:
        return columns[::-1]


@regcheck.implements("minimiser", declares={"tolerance": 1e-6})
class LooseDeclared(CoordinateDescent):
    """Until the relative duality gap is 1e-6, and says so."""

    tolerance = 1e-6

    def _settled(self, a: Array, b: Array, w: Array, before: Array) -> bool:
        return self._gap(a, b, w) <= 1e-6


@regcheck.implements("minimiser")
class ProximalGradient(Minimiser):
    """FISTA with restarts (Beck and Teboulle 2009), until nothing moves."""

    def _sparse(self, a: Array, b: Array) -> Array:
        gram, correlations = a.T @ a, a.T @ b
        size = float(np.linalg.norm(gram, 2)) + 2 * self.l2
        w = ahead = np.zeros(a.shape[1])
        momentum = 1.0
        for _ in range(50000 if size else 0):
            slope = gram @ ahead - correlations + 2 * self.l2 * ahead
            new = self._soft(ahead - slope / size, self.l1 / size)
            if (ahead - new) @ (new - w) > 0:
                momentum = 1.0
            larger = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            if np.all(np.abs(new - w) <= 1e-15 * np.max(np.abs(new))) and np.array_equal(w, ahead):
                return new
            ahead = new + (momentum - 1) / larger * (new - w) if np.any(new != w) else new
            w, momentum = new, larger
        return w


@regcheck.implements("minimiser")
class RidgeOnly(Minimiser):
    """The closed form, without l1; other configs are left out, and counted."""

    def __init__(self, config: Any) -> None:
        if config.l1:
            msg = "l1 = 0 only"
            raise regcheck.Unsupported(msg)
        super().__init__(config)
