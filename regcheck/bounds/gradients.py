"""Bounds on the gradients of a normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.reference.normalisation import input_gradient as input_gradient_exactly

if TYPE_CHECKING:
    from regcheck.bounds.normalised import Standard
    from regcheck.bounds.roundoff import Arithmetic
    from regcheck.reference.normalisation import Normalised

Array = np.ndarray[Any, np.dtype[Any]]


def input_gradient(norm: Normalised, standard: Standard, g: Array, ar: Arithmetic) -> Array:
    """Bound on dx = s·(g − m1 − z·m2), g = dy·γ, m1 = mean g, m2 = mean g·z, statistics the group's own.

    Where no mean is subtracted: `_uncentred_gradient`.

    With B the bound on z and δs that on s:

        |Δm1| <= (n+4)u·mean|g|
        |Δm2| <= (n+4)u·mean|g·z| + 2·mean(|g|·B)
        |Δ(z·m2)| <= (|z| + B)·|Δm2| + 2·|m2|·B
        |Δdx| <= s·[|Δm1| + |Δ(z·m2)| + (4u + δs)(|g| + |m1| + |z·m2|)] + u_o|dx| + tiny

    The factors 2: automatic differentiation of x·(γs) + (β − mean·γs) forms Σg·x − mean·Σg, and others form
    a·g + b·x + c, whose terms are of size A where those of the formula are of size |z|; B's (n+1)uA is that size.
    The chain rule goes by the variance, whose gradient is −½s³·Σg·(x − mean) and comes back times 2(x − mean)/n. Where
    ½s³ underflows, by η at most in all its roundings, that is, with d = |x − mean| = |z|/s, an error of
    2η·d·mean(|g|·d).
    """
    if not norm.centred:
        return _uncentred_gradient(norm, standard, g, ar)
    n, u, mean, b = norm.n, ar.u, norm.mean_over, standard.z
    size, z = np.abs(g), np.abs(norm.z)
    m1, m2 = np.abs(mean(g)), np.abs(mean(g * norm.z))
    dm1 = (n + 4) * u * mean(size)
    dm2 = (n + 4) * u * mean(size * z) + 2 * mean(size * b)
    inner = dm1 + (z + b) * dm2 + 2 * m2 * b + (4 * u + standard.s) * (size + m1 + z * m2)
    # b = s²·m2 underflows where x is large: an error of η·|x|.
    tiny = ar.eta * ((n + 4) * norm.s + 4 + 4 * (np.abs(norm.x) + norm.magnitude)) + ar.eta_out
    away = z / norm.s
    tiny = tiny + 2 * ar.eta * away * mean(size * away)
    bound: Array = norm.s * inner + ar.u_out * np.abs(input_gradient_exactly(norm, g)) + tiny
    return bound


def _uncentred_gradient(norm: Normalised, standard: Standard, g: Array, ar: Arithmetic) -> Array:
    """Bound on dx = s·(g − z·m2), g = dy·γ, m2 = mean g·z, where no mean is subtracted.

    As `input_gradient` without the mean's terms, and without its factors 2, for there is no form of these sums whose
    terms are larger than they are:

        |Δm2| <= (n+4)u·mean|g·z| + mean(|g|·B)
        |Δ(z·m2)| <= (|z| + B)·|Δm2| + |m2|·B
        |Δdx| <= s·[|Δ(z·m2)| + (4u + δs)(|g| + |z·m2|)] + u_o|dx| + tiny

    The chain rule forms −s³·x·mean(g·x), of which s³ is off by 3δs: δs is that of s above, and B's in z and in m2 are
    the other two. Where s³ underflows, or s²·m2 does, the errors are those of `input_gradient`.
    """
    n, u, mean, b = norm.n, ar.u, norm.mean_over, standard.z
    size, z = np.abs(g), np.abs(norm.z)
    m2 = np.abs(mean(g * norm.z))
    dm2 = (n + 4) * u * mean(size * z) + mean(size * b)
    inner = (z + b) * dm2 + m2 * b + (4 * u + standard.s) * (size + z * m2)
    away = np.abs(norm.x)
    tiny = ar.eta * ((n + 4) * norm.s + 4 + 4 * away + 2 * away * mean(size * away)) + ar.eta_out
    bound: Array = norm.s * inner + ar.u_out * np.abs(input_gradient_exactly(norm, g)) + tiny
    return bound


def recorded_gradient(
    norm: Normalised, standard: Standard, dx: Array, ar: Arithmetic, scale: Array | None = None
) -> Array:
    """Bound on dx = dy·γ·s where the statistics are recorded: three roundings and the error of s.

    A product dy·γ that underflows meets s, which may be 1/√ε: ηs. So does a cotangent that is flushed, times γ: η|γ|s.
    γ broadcasts against dx and defaults to 1.
    """
    gamma = np.ones((), dx.dtype) if scale is None else np.abs(scale)
    tiny = ar.eta * (3 + (1 + gamma) * norm.s) + ar.eta_out
    bound: Array = np.abs(dx) * (standard.s + 3 * ar.u + ar.u_out) + tiny
    return bound


def scale_gradient(norm: Normalised, standard: Standard, dy: Array, axes: tuple[int, ...], ar: Arithmetic) -> Array:
    """Bound on dγ = Σ dy·z over `axes`, M terms: (M+2)u·Σ|dy|(|z| + 2A) + Σ|dy|B + u_o|dγ|.

    2A: Σ dy·x·s − Σ dy·mean·s is how automatic differentiation of x·(γs) + (β − mean·γs) forms it.
    """
    m = _count(dy, axes)
    terms = np.abs(dy) * ((m + 2) * ar.u * (np.abs(norm.z) + 2 * standard.a) + standard.z)
    stored = ar.u_out * np.abs(np.sum(dy * norm.z, axis=axes))
    bound: Array = np.sum(terms, axis=axes) + stored + (m + 2) * ar.eta + ar.eta_out
    return bound


def shift_gradient(dy: Array, axes: tuple[int, ...], ar: Arithmetic) -> Array:
    """Bound on dβ = Σ dy over `axes`, M terms: M·u·Σ|dy| + u_o|dβ|."""
    added = _count(dy, axes) * ar.u * np.sum(np.abs(dy), axis=axes)
    bound: Array = added + ar.u_out * np.abs(np.sum(dy, axis=axes)) + ar.eta_out
    return bound


def _count(values: Array, axes: tuple[int, ...]) -> int:
    return int(np.prod([values.shape[a] for a in axes], dtype=int))
