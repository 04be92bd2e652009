"""Bounds on running statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from regcheck.bounds.roundoff import Arithmetic
    from regcheck.reference.normalisation import Normalised

Array = np.ndarray[Any, np.dtype[Any]]


def running_mean(norm: Normalised, old: Array, weight: float, ar: Arithmetic) -> Array:
    """Bound on (1 − w)·old + w·mean after one batch of m values a channel.

    w(m+1)u·mean|x| + 4(u + u_o)(|old| + |mean|): the second term holds the products, the sum, and w itself,
    which a library may recover as 1 − (1 − w).
    """
    mean, magnitude = np.abs(norm.mean).reshape(-1), norm.magnitude.reshape(-1)
    few = 4 * (ar.u + ar.u_out)
    return weight * (norm.n + 1) * ar.u * magnitude + few * (np.abs(old) + mean) + 4 * (ar.eta + ar.eta_out)


def running_variance(norm: Normalised, old: Array, weight: float, factor: float, ar: Arithmetic) -> Array:
    """Bound on (1 − w)·old + w·factor·var, factor 1 or m/(m − 1).

    w·factor·[(m+4)u·var + Δ² + Δσ] + few as for the mean, Δ = (m+1)u·mean|x|: the sum of squares has relative
    error (m+4)u, the mean's own error Δ enters it squared, in Welford's update once (see `standard`).
    """
    var, lost = norm.var.reshape(-1), (norm.n + 1) * ar.u * norm.magnitude.reshape(-1)
    few = 4 * (ar.u + ar.u_out) * (np.abs(old) + factor * var)
    own = (norm.n + 4) * ar.u * var + lost**2 + lost * np.sqrt(var) + 3 * ar.eta
    return weight * factor * own + few + 4 * (ar.eta + ar.eta_out)
