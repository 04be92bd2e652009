"""Minimisers of F(w) = ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂², by closed forms and exhaustion, never by iteration.

Problems come in batches: A (P, n, k), b (P, n), w (P, k). Everything is computed in the widest float type.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from regcheck.families import MinimiserConfig

Array = np.ndarray[Any, np.dtype[Any]]
SINGULAR = 2.0**-40  # a pivot smaller than this part of its diagonal element is taken for 0


def loss(a: Array, b: Array, w: Array) -> Array:
    """½‖Aw − b‖² (P,)."""
    return np.asarray(np.square(residual(a, b, w)).sum(axis=-1) / 2)


def penalty(w: Array, config: MinimiserConfig) -> Array:
    """l1‖w‖₁ + l2‖w‖₂² (P,)."""
    wide = w.astype(np.longdouble)
    return np.asarray(config.l1 * np.abs(wide).sum(axis=-1) + config.l2 * np.square(wide).sum(axis=-1))


def objective(a: Array, b: Array, w: Array, config: MinimiserConfig) -> Array:
    """F(w) (P,)."""
    return np.asarray(loss(a, b, w) + penalty(w, config))


def residual(a: Array, b: Array, w: Array) -> Array:
    """b − Aw (P, n)."""
    return np.asarray(b - (a.astype(np.longdouble) * w[:, None, :]).sum(axis=-1))


def correlations(a: Array, r: Array) -> Array:
    """Aᵀr (P, k)."""
    return np.asarray((a.astype(np.longdouble) * r[:, :, None]).sum(axis=-2))


def curvatures(a: Array, config: MinimiserConfig) -> Array:
    """H = ‖aⱼ‖² + 2·l2 of every coordinate (P, k)."""
    return np.asarray(np.square(a.astype(np.longdouble)).sum(axis=-2) + 2 * config.l2)


def soft_threshold(v: Array, t: float) -> Array:
    """S(v, t) = sign(v)·max(|v| − t, 0)."""
    return np.asarray(np.sign(v) * np.maximum(np.abs(v) - t, 0))


def best_coordinates(a: Array, b: Array, w: Array, config: MinimiserConfig) -> Array:
    """What every coordinate would best be if the others stay: w is a minimiser iff it is its own (KKT).

    S(aⱼᵀr + ‖aⱼ‖²wⱼ, l1)/(‖aⱼ‖² + 2·l2), and wⱼ itself where that is 0/0. Source: Friedman, Hastie and Tibshirani,
    "Regularization paths", 2010, equation 5.
    """
    curvature = curvatures(a, config)
    pull = correlations(a, residual(a, b, w)) + (curvature - 2 * config.l2) * w
    with np.errstate(all="ignore"):
        return np.where(curvature > 0, soft_threshold(pull, config.l1) / curvature, w)


def minimum(a: Array, b: Array, config: MinimiserConfig) -> Array:
    """The least F (P,), over every pattern of signs: 3ᵏ candidates.

    Some minimiser has linearly independent columns, and solves (AᵀA + 2·l2)w = Aᵀb − l1·σ on them for its own signs
    σ (Rosset, Zhu and Hastie, "Boosting as a regularized path", 2004, appendix A). Every candidate, whatever
    its signs turn out to be, is a point at which F is at least its minimum, so what is returned never is below.
    """
    least = objective(a, b, np.zeros((len(a), a.shape[-1])), config)
    hessian, pull = _hessian(a, config), correlations(a, b)
    for signs in itertools.product((0.0, 1.0, -1.0), repeat=a.shape[-1]):
        sigma = np.array(signs)
        chosen = np.abs(sigma)
        system = hessian * np.outer(chosen, chosen) + np.diag(1 - chosen)
        candidate = _solve(system, chosen * (pull - config.l1 * sigma))
        least = np.fmin(least, objective(a, b, candidate, config))  # NaN, from dependent columns, is passed over
    return np.asarray(least)


def ridge(a: Array, b: Array, config: MinimiserConfig) -> Array:
    """(AᵀA + 2·l2·I)⁻¹Aᵀb (P, k), the minimiser where l1 = 0; NaN where the matrix is singular."""
    return _solve(_hessian(a, config), correlations(a, b))


def inverse_diagonal(a: Array, config: MinimiserConfig) -> Array:
    """(H⁻¹)ⱼⱼ of H = AᵀA + 2·l2·I (P, k); NaN where H is singular."""
    k = a.shape[-1]
    columns = [_solve(_hessian(a, config), np.broadcast_to(np.eye(k)[j], (len(a), k)))[:, j] for j in range(k)]
    return np.stack(columns, axis=-1)


def least_curvature(a: Array, config: MinimiserConfig) -> Array:
    """μ = σ²_min + 2·l2 (P,), never too large: rounding is taken off, and σ²_min is 0 if n < k."""
    eigenvalues = np.linalg.eigvalsh(a.transpose(0, 2, 1) @ a)
    lowest = eigenvalues[:, 0] - 2.0**-40 * np.abs(eigenvalues[:, -1])
    return np.asarray(np.maximum(lowest, 0) + 2 * config.l2)


def _hessian(a: Array, config: MinimiserConfig) -> Array:
    wide = a.astype(np.longdouble)
    gram = (wide[:, :, :, None] * wide[:, :, None, :]).sum(axis=1)
    return np.asarray(gram + 2 * config.l2 * np.eye(a.shape[-1]))


def _solve(system: Array, right: Array) -> Array:
    """Symmetric positive definite systems (P, k, k) by elimination (NumPy solves no long doubles); NaN if singular."""
    m = np.concatenate([system, right[:, :, None]], axis=2).astype(np.longdouble)
    k = m.shape[1]
    diagonal = np.diagonal(system, axis1=1, axis2=2)
    with np.errstate(all="ignore"):
        for i in range(k):
            pivot = np.where(m[:, i, i] > SINGULAR * diagonal[:, i], m[:, i, i], np.nan)
            m[:, i] /= pivot[:, None]
            others = np.where(np.arange(k)[:, None] == i, 0, m[:, :, i, None])
            m -= others * m[:, i, None, :]
    return m[:, :, k]
