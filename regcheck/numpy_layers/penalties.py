"""Penalties in NumPy: L1, L2 and the elastic net."""

from __future__ import annotations

import numpy as np

from regcheck.numpy_layers.inputs import Array, compute_dtype


class ElasticNet:
    """P(w) = l1·Σ|w| + l2·Σw² (no ½), over all elements of w.

    A term of strength 0 is left out, so that it cannot overflow. Sums are accumulated in float64, the rest is
    computed in w's dtype (float32 for float16). With one strength 0 it is L1 or L2.
    Source: Zou and Hastie, "Regularization and variable selection via the elastic net", 2005, equation 3.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = l1, l2

    def value(self, w: Array) -> float:
        """P(w). Raises TypeError for a dtype that is not floating."""
        compute_dtype("w", w)
        with np.errstate(over="ignore", invalid="ignore"):
            total = self.l1 * float(np.abs(w).sum(dtype=np.float64)) if self.l1 else 0.0
            if self.l2:
                flat = w.astype(np.float64, copy=False).reshape(-1)
                total += self.l2 * float(flat @ flat)
        return total

    def gradient(self, w: Array) -> Array:
        """l1·sign(w) + 2·l2·w of w's shape and dtype; 0 at 0, where any value in [−l1, l1] is a subgradient."""
        dtype = compute_dtype("w", w)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            slope = np.multiply(np.sign(w), self.l1, dtype=dtype)
            if self.l2:
                slope = slope + np.multiply(w, 2 * self.l2, dtype=dtype)
            return np.asarray(slope).astype(w.dtype)

    def prox(self, w: Array, step: float) -> Array:
        """argmin over v of ½‖v − w‖² + step·P(v): S(w, step·l1)/(1 + 2·step·l2), of w's shape and dtype.

        S(w, t) = sign(w)·max(|w| − t, 0) is w − clip(w, −t, t), exactly 0 where |w| <= t.
        """
        dtype = compute_dtype("w", w)
        threshold = step * self.l1
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            wide = w.astype(dtype, copy=False)
            kept = wide - np.clip(wide, -threshold, threshold)
            return np.asarray(kept / dtype.type(1 + 2 * step * self.l2)).astype(w.dtype)
