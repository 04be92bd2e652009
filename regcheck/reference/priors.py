"""Priors by their definition (§ 4.3), in the oracle's precision.

Laplace: log p(w) = −|w|/b − log(2b); Gauss: log p(w) = −w²/(2σ²) − log σ − ½·log(2π).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from regcheck.reference.penalties import Strengths
from regcheck.reference.precision import widen

Array = np.ndarray[Any, np.dtype[Any]]


class Moments(NamedTuple):
    """∫p and ∫w²p, or what a sum over a grid gives for them."""

    mass: Any
    variance: Any


def penalty(family: str, scale: float) -> Strengths:
    """The penalty that log p(0) − log p(w) is: |w|/b, or w²/(2σ²)."""
    wide: Any = np.longdouble(scale)
    return Strengths(1 / wide, 0.0) if family == "laplace_prior" else Strengths(0.0, 1 / (2 * wide * wide))


def log_peak(family: str, scale: float) -> Any:
    """log p(0): −log(2b), or −log σ − ½·log(2π)."""
    wide = np.longdouble(scale)
    if family == "laplace_prior":
        return -np.log(2 * wide)
    return -np.log(wide) - log_two_pi() / 2


def log_density(family: str, scale: float, w: Array) -> Array:
    """log p elementwise, of the oracle's type."""
    size, factors = np.abs(widen(w)), penalty(family, scale)
    with np.errstate(over="ignore"):
        fallen = factors.l1 * size + factors.l2 * size * size
    return np.asarray(log_peak(family, scale) - fallen).astype(size.dtype)


def variance(family: str, scale: float) -> Any:
    """∫w²p: 2b², or σ²."""
    return (2 if family == "laplace_prior" else 1) * np.longdouble(scale) ** 2


def log_two_pi() -> Any:
    """log(2π)."""
    return np.log(8 * np.arctan(np.longdouble(1)))


def grid_excess(family: str, scale: float, step: float) -> Moments:
    """By how much h·Σp(kh) and h·Σ(kh)²p(kh), over all whole k, exceed ∫p and ∫w²p.

    Laplace, with t = h/b and r = exp(−t), by geometric sums: (t/2)·(1 + r)/(1 − r) − 1, and, in units of b²,
    t³·r(1 + r)/(1 − r)³ − 2. Gauss, by Poisson's summation formula: of the order of exp(−2π²σ²/h²), which is below
    1e-500 for h <= σ/8.
    """
    if family == "gaussian_prior":
        return Moments(0.0, 0.0)
    b = np.longdouble(scale)
    t = np.longdouble(step) / b
    r, left = np.exp(-t), -np.expm1(-t)
    return Moments(t / 2 * (1 + r) / left - 1, b * b * (t**3 * r * (1 + r) / left**3 - 2))


def grid_tail(family: str, scale: float, reach: float) -> Moments:
    """An upper limit of both moments beyond |w| = `reach`, a multiple R >= 4 of the scale.

    Laplace: exp(−R) and b²·(R² + 2R + 2)·exp(−R); a Gaussian lies below it there but for a factor of 2.
    A sum over a grid from the point after R on is below the integral from R, as both integrands fall.
    """
    ratio = np.longdouble(reach) / np.longdouble(scale)
    factor = 2 if family == "gaussian_prior" else 1
    mass = factor * np.exp(-ratio)
    return Moments(mass, np.longdouble(scale) ** 2 * (ratio * ratio + 2 * ratio + 2) * mass)
