"""Gaussian dropout in NumPy."""

from __future__ import annotations

import math

import numpy as np

from regcheck.numpy_layers.dropout import Dropout
from regcheck.numpy_layers.inputs import Array, check_rate


class GaussianDropout(Dropout):
    """y = x·n, n ~ N(1, rate/(1 − rate)) in training; y = x in inference.

    Mean and variance of y are those of dropout at the same rate, in [0, 1). The generator is the layer's own, the noise
    is float64. Source: Srivastava et al., "Dropout", 2014, section 10.
    """

    def __init__(self, rate: float) -> None:
        check_rate(rate)
        super().__init__(rate)
        self.deviation = math.sqrt(rate / (1 - rate))

    def _draw(self, shape: tuple[int, ...]) -> Array:
        return np.asarray(1 + self.deviation * self._generator.standard_normal(shape))

    def _apply(self, x: Array, noise: Array | None) -> Array:
        if noise is None:
            return x.copy()
        with np.errstate(over="ignore", invalid="ignore"):  # a value may overflow, ∞·0 is NaN
            return np.asarray(x * noise).astype(x.dtype)
