"""Priors in NumPy: the log densities whose negatives are, but for a constant, the penalties L1 and L2."""

from __future__ import annotations

import math

import numpy as np

from regcheck.numpy_layers.inputs import Array, compute_dtype


class Laplace:
    """log p(w) = −|w|/b − log(2b), elementwise; `scale` is b.

    Computed in w's dtype (float32 for float16). Source: Tibshirani, "Regression shrinkage and selection via the
    lasso", 1996, section 5.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def log_density(self, w: Array) -> Array:
        """log p of w's shape and dtype. Raises TypeError for a dtype that is not floating."""
        dtype = compute_dtype("w", w)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            fallen = np.divide(np.abs(w), dtype.type(self.scale), dtype=dtype)
            return np.asarray(-fallen - dtype.type(math.log(2 * self.scale))).astype(w.dtype)


class Gaussian:
    """log p(w) = −½(w/σ)² − log σ − ½·log(2π), elementwise; `scale` is σ.

    w is divided before it is squared, so that the square overflows only where the log density does. Computed in w's
    dtype (float32 for float16).
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def log_density(self, w: Array) -> Array:
        """log p of w's shape and dtype. Raises TypeError for a dtype that is not floating."""
        dtype = compute_dtype("w", w)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            z = np.divide(w, dtype.type(self.scale), dtype=dtype)
            peak = dtype.type(-math.log(self.scale) - math.log(2 * math.pi) / 2)
            return np.asarray(peak - z * z / 2).astype(w.dtype)
