"""Right priors in NumPy that differ in how they compute: no property may fail for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class Prior:
    """Computes in float32 at least; a variant overrides how."""

    def __init__(self, config: Any) -> None:
        self.scale = config.scale

    def log_density(self, w: Array) -> Array:
        """log p, of w's dtype."""
        wide = np.promote_types(w.dtype, np.float32).type
        with np.errstate(all="ignore"):
            return np.asarray(self._log(w.astype(wide), wide(self.scale))).astype(w.dtype)

    def _log(self, w: Array, scale: Any) -> Array:
        raise NotImplementedError


@regcheck.implements("laplace_prior")
class LaplaceStraightforward(Prior):
    """−|w|/b − log(2b)."""

    def _log(self, w: Array, scale: Any) -> Array:
        return -np.abs(w) / scale - np.log(2 * scale)


@regcheck.implements("laplace_prior")
class LaplaceByRate(Prior):
    """log(λ/2) − λ|w| with λ = 1/b rounded."""

    def _log(self, w: Array, scale: Any) -> Array:
        rate = 1 / scale
        return np.log(rate / 2) - rate * np.abs(w)


@regcheck.implements("laplace_prior")
class LaplaceInTwoLogarithms(Prior):
    """−(log 2 + log b + |w|/b)."""

    def _log(self, w: Array, scale: Any) -> Array:
        return -(type(scale)(math.log(2)) + np.log(scale) + np.abs(w) / scale)


@regcheck.implements("laplace_prior")
class LaplaceInHalf(Prior):
    """Computes float16 in float16."""

    def log_density(self, w: Array) -> Array:
        """log p."""
        with np.errstate(all="ignore"):
            scale = w.dtype.type(self.scale)
            return np.asarray(-np.abs(w) / scale - np.log(2 * scale))


@regcheck.implements("gaussian_prior")
class GaussStraightforward(Prior):
    """−w²/(2σ²) − log σ − log √(2π), squares first."""

    def _log(self, w: Array, scale: Any) -> Array:
        return -(w * w) / (2 * scale * scale) - np.log(scale) - type(scale)(math.log(math.sqrt(2 * math.pi)))


@regcheck.implements("gaussian_prior")
class GaussByDividing(Prior):
    """−½(w/σ)² − log(σ√(2π))."""

    def _log(self, w: Array, scale: Any) -> Array:
        return -0.5 * (w / scale) ** 2 - np.log(scale * type(scale)(math.sqrt(2 * math.pi)))


@regcheck.implements("gaussian_prior")
class GaussByPrecision(Prior):
    """½·log(τ/(2π)) − ½τw² with τ = 1/σ² rounded."""

    def _log(self, w: Array, scale: Any) -> Array:
        precision = 1 / (scale * scale)
        return np.log(precision / type(scale)(2 * math.pi)) / 2 - precision * w * w / 2


@regcheck.implements("gaussian_prior")
class GaussDividingInHalf(Prior):
    """Computes float16 in float16, and divides before it squares."""

    def log_density(self, w: Array) -> Array:
        """log p."""
        with np.errstate(all="ignore"):
            scale = w.dtype.type(self.scale)
            z = w / scale
            peak = np.log(scale) + w.dtype.type(math.log(2 * math.pi) / 2)
            return np.asarray(-z * (z * w.dtype.type(0.5)) - peak)
