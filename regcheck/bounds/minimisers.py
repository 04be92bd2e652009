"""How far a minimiser may be from the minimum of F(w) = ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂²."""

from __future__ import annotations

from typing import Any

import numpy as np

from regcheck.reference.precision import unit_roundoff

Array = np.ndarray[Any, np.dtype[Any]]


TOLERANCE = float(np.sqrt(unit_roundoff("float64")))  # the relative duality gap of a solver that promises none


def minimiser_excess(tolerance: float, a: Array, b: Array) -> Array:
    """E: how far above its minimum F may be at a solver's result; A (…, n, k), b (…, n) → (…).

    The promise is a duality gap, hence an excess, of tolerance·F(0) with F(0) = ½‖b‖². A gap that is computed as a
    difference of sums as large as F(0) cannot be told from 0 below some 4(n + k)u of it; what rounding w itself costs
    is of second order, and far less.
    """
    n, k = a.shape[-2:]
    return np.asarray((tolerance + 4 * (n + k + 4) * unit_roundoff("float64")) * np.square(b).sum(axis=-1) / 2)


def coordinate_step(excess: Array, curvature: Array) -> Array:
    """√(2E/H): how far the best step along one coordinate of curvature H = ‖aⱼ‖² + 2·l2 can go.

    F is H-strongly convex along the coordinate, so that step ρ lowers F by at least ½Hρ², and F has only E to lose.
    """
    return np.asarray(np.sqrt(2 * excess / curvature))


def minimiser_distance(excess: Array, convexity: Array) -> Array:
    """√(2E/μ): ‖w − w*‖ where F is μ-strongly convex, μ = σ²_min + 2·l2.

    Along coordinate j alone it is √(2E·(H⁻¹)ⱼⱼ) for H = AᵀA + 2·l2·I: pass 1/(H⁻¹)ⱼⱼ as μ.
    """
    return np.asarray(np.sqrt(2 * excess / convexity))


def strength_slack(excess: Array, rise: float) -> Array:
    """2E/Δ: how much the penalty's own norm Ω may seem to grow when its strength rises by Δ.

    Adding f(w) + λΩ(w) <= f(w') + λΩ(w') + E and f(w') + λ'Ω(w') <= f(w) + λ'Ω(w) + E gives
    (λ' − λ)(Ω(w') − Ω(w)) <= 2E, and with the first, f(w) − f(w') <= λ·2E/(λ' − λ) + E.
    """
    return np.asarray(2 * excess / rise)


def correlation_blur(a: Array, b: Array, l1: float) -> Array:
    """By how much rounding may move aⱼᵀb against l1, A (P, n, k), b (P, n) → (P, k): (n + 4)u·(Σ|aᵢⱼbᵢ| + l1)."""
    size = np.abs(a * b[:, :, None]).sum(axis=1) + l1
    return np.asarray((a.shape[1] + 4) * unit_roundoff("float64") * size)
