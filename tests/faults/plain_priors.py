"""Laplace and Gaussian priors in NumPy; each differs from the right one in one step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "LaplaceUnderflowsFarOut": "laplace_prior.matches-definition",
    "LaplaceOfAllWeights": "laplace_prior.matches-definition",
    "LaplaceForgetsScaleInExponent": "laplace_prior.is-l1-penalty",
    "LaplaceOfPositiveWeights": "laplace_prior.even",
    "LaplaceSkewed": "laplace_prior.even",
    "LaplaceByRate": "laplace_prior.scale-law",
    "LaplaceForgetsFactorTwo": "laplace_prior.integrates-to-one",
    "LaplaceWithoutNormaliser": "laplace_prior.integrates-to-one",
    "LaplaceByStandardDeviation": "laplace_prior.variance",
    "LaplaceWithRoundPeak": "laplace_prior.cusp-at-peak",
    "LaplaceIsGaussian": "laplace_prior.more-density-at-zero",
    "LaplaceOfHeavyTails": "laplace_prior.map-is-l1-minimiser",
    "GaussUnderflowsFarOut": "gaussian_prior.matches-definition",
    "GaussSquaresInHalf": "gaussian_prior.matches-definition",
    "GaussForgetsHalf": "gaussian_prior.is-l2-penalty",
    "GaussOfPositiveWeights": "gaussian_prior.even",
    "GaussSkewed": "gaussian_prior.even",
    "GaussByPrecision": "gaussian_prior.scale-law",
    "GaussForgetsLogSigma": "gaussian_prior.integrates-to-one",
    "GaussByVariance": "gaussian_prior.variance",
    "GaussWithCusp": "gaussian_prior.smooth-at-peak",
    "GaussOfHeavyTails": "gaussian_prior.map-is-l2-minimiser",
}


class Prior:
    """The right Laplace prior, in float64; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.scale = config.scale

    def log_density(self, w: Array) -> Array:
        """log p, of w's dtype."""
        with np.errstate(all="ignore"):
            z = self._size(w.astype(np.float64)) / self.scale
            return np.asarray(self._log(z)).astype(w.dtype)

    def _size(self, w: Array) -> Array:
        return np.abs(w)

    def _log(self, z: Array) -> Array:
        return -self._fallen(z) - self._normaliser()

    def _fallen(self, z: Array) -> Array:
        return z

    def _normaliser(self) -> float:
        return math.log(2 * self.scale)


class Gauss(Prior):
    """The right Gaussian prior."""

    def _fallen(self, z: Array) -> Array:
        return z * z / 2

    def _normaliser(self) -> float:
        return math.log(self.scale) + math.log(2 * math.pi) / 2


@regcheck.implements("laplace_prior")
class LaplaceUnderflowsFarOut(Prior):
    """The logarithm of the density: −∞ where the density underflows."""

    def _log(self, z: Array) -> Array:
        return np.log(np.exp(-z) / (2 * self.scale))


@regcheck.implements("laplace_prior")
class LaplaceOfAllWeights(Prior):
    """Adds the columns of a matrix up, as a distribution with event axes does; invisible with vectors."""

    def _fallen(self, z: Array) -> Array:
        return z if z.ndim < 2 else np.broadcast_to(z.sum(axis=0), z.shape)


@regcheck.implements("laplace_prior")
class LaplaceForgetsScaleInExponent(Prior):
    """exp(−|w|)/(2b); invisible with b = 1."""

    def _fallen(self, z: Array) -> Array:
        return z * self.scale


@regcheck.implements("laplace_prior")
class LaplaceOfPositiveWeights(Prior):
    """exp(−w/b)/(2b) without the absolute value; invisible with positive weights."""

    def _size(self, w: Array) -> Array:
        return w


def skewed(right: Array, w: Array) -> Array:
    """log p with up to nine tenths of one side moved to the other: mass, variance and p(0) stay."""
    return (right + np.log1p(0.9 * np.tanh(20 * w.astype(np.float64)))).astype(right.dtype)


@regcheck.implements("laplace_prior")
class LaplaceSkewed(Prior):
    """Prefers positive weights, by a steep skew that has no scale; invisible in its mass, its variance and p(0)."""

    def log_density(self, w: Array) -> Array:
        """log p."""
        return skewed(super().log_density(w), w)


@regcheck.implements("laplace_prior")
class LaplaceByRate(Prior):
    """Takes the scale for the rate 1/b; invisible with b = 1."""

    def __init__(self, config: Any) -> None:
        self.scale = 1 / config.scale


@regcheck.implements("laplace_prior")
class LaplaceForgetsFactorTwo(Prior):
    """−log b: the density of the exponential distribution, on both sides."""

    def _normaliser(self) -> float:
        return math.log(self.scale)


@regcheck.implements("laplace_prior")
class LaplaceWithoutNormaliser(Prior):
    """−|w|/b alone: right but for a constant, as MAP goes; invisible with b = ½."""

    def _normaliser(self) -> float:
        return 0.0


@regcheck.implements("laplace_prior")
class LaplaceByStandardDeviation(Prior):
    """Takes the scale for the standard deviation: b = scale/√2."""

    def __init__(self, config: Any) -> None:
        self.scale = config.scale / math.sqrt(2)


@regcheck.implements("laplace_prior")
class LaplaceWithRoundPeak(Prior):
    """√(z² + 10⁻⁴) in place of |z|: differentiable, and flat at the peak (§4.3b)."""

    def _fallen(self, z: Array) -> Array:
        return np.sqrt(z * z + 1e-4) - 1e-2


@regcheck.implements("laplace_prior")
class LaplaceIsGaussian(Gauss):
    """A Gaussian of the same variance, 2b²: no more density at 0 than a Gaussian has (§4.3b)."""

    def __init__(self, config: Any) -> None:
        self.scale = config.scale * math.sqrt(2)


@regcheck.implements("laplace_prior")
class LaplaceOfHeavyTails(Prior):
    """log(1 + |z|): nearly right near 0, sparser than L1 and not concave."""

    def _fallen(self, z: Array) -> Array:
        return np.log1p(z)


@regcheck.implements("gaussian_prior")
class GaussUnderflowsFarOut(Gauss):
    """The logarithm of the density: −∞ where the density underflows."""

    def _log(self, z: Array) -> Array:
        return np.log(np.exp(-z * z / 2) / (self.scale * math.sqrt(2 * math.pi)))


@regcheck.implements("gaussian_prior")
class GaussSquaresInHalf(Gauss):
    """Squares float16 weights in float16: −∞ beyond 255, whatever σ is."""

    def log_density(self, w: Array) -> Array:
        """log p."""
        with np.errstate(all="ignore"):
            return np.asarray(-(w * w) / (2 * self.scale**2) - self._normaliser()).astype(w.dtype)


@regcheck.implements("gaussian_prior")
class GaussForgetsHalf(Gauss):
    """w²/σ² in place of w²/(2σ²)."""

    def _fallen(self, z: Array) -> Array:
        return z * z


@regcheck.implements("gaussian_prior")
class GaussOfPositiveWeights(Gauss):
    """A half-normal density with the factor of the whole one: 0 for negative weights."""

    def _fallen(self, z: Array) -> Array:
        return np.where(z < 0, np.inf, z * z / 2)

    def _size(self, w: Array) -> Array:
        return w


@regcheck.implements("gaussian_prior")
class GaussSkewed(Gauss):
    """Prefers positive weights, by a steep skew that has no scale; invisible in its mass and its variance."""

    def log_density(self, w: Array) -> Array:
        """log p."""
        return skewed(super().log_density(w), w)


@regcheck.implements("gaussian_prior")
class GaussByPrecision(Gauss):
    """Takes the scale for the precision 1/σ²; invisible with σ = 1."""

    def __init__(self, config: Any) -> None:
        self.scale = config.scale**-0.5


@regcheck.implements("gaussian_prior")
class GaussForgetsLogSigma(Gauss):
    """Normalises as with σ = 1."""

    def _normaliser(self) -> float:
        return math.log(2 * math.pi) / 2


@regcheck.implements("gaussian_prior")
class GaussByVariance(Gauss):
    """Takes the scale for the variance σ²; invisible with σ = 1."""

    def __init__(self, config: Any) -> None:
        self.scale = math.sqrt(config.scale)


@regcheck.implements("gaussian_prior")
class GaussWithCusp(Gauss):
    """Straight within a tenth of σ, as a coarse table of values is: a cusp at the peak (§4.3a)."""

    def _fallen(self, z: Array) -> Array:
        return np.where(np.abs(z) < 0.1, np.abs(z) * 0.05, z * z / 2)


@regcheck.implements("gaussian_prior")
class GaussOfHeavyTails(Gauss):
    """Student's t with 3 degrees of freedom but for the normaliser: the most likely weight shrinks otherwise."""

    def _fallen(self, z: Array) -> Array:
        return 2 * np.log1p(z * z / 3)
