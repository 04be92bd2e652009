"""Bounds on a normalised value, with the statistics of its group and with recorded ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from regcheck.bounds.roundoff import Arithmetic
    from regcheck.reference.normalisation import Normalised

Array = np.ndarray[Any, np.dtype[Any]]


class Standard(NamedTuple):
    """Bounds on a standardised value and on what it is made of.

    `z`: |error| of (x − mean)·s. `s`: relative error of s. `a`: A = |x|·s, the condition number (mean
    over the group in training, per element with recorded statistics). `judged`: where accuracy can be claimed;
    `limit`: the largest |z| that may be given elsewhere.
    """

    z: Array
    s: Array
    a: Array
    judged: Array
    limit: Array


# Rounding errors of size |x|·s that are made once, whatever the group's length: x·k + (β − mean·k), k = γ·s, the
# form in which several libraries compute, rounds two products and a difference of that size.
FOLDED = 3


def standard(norm: Normalised, ar: Arithmetic) -> Standard:
    """Bounds where the statistics are the group's own, n values each; without a mean: `_uncentred`.

    The computed mean is off by at most n·u·mean|x|, which is n·u·A in units of 1/s; the sum of squares
    adds n·u to the variance, half of that to s, and the mean's error enters it squared, because the
    sum of the centred values is 0: δs = (n/2 + 8)u + ((n+1)uA)²/2. So

        B = u[(n+3)A + |z|(n/2 + 8)] + |z|((n+1)uA)²/2 + tiny

    A running sum of near-equal terms has correlated errors: √n, and pairwise constants, are too small.
    Where (n+1)uA >= 1/4 the second order is no longer small, and accuracy cannot be claimed.

    Welford's update multiplies deviations from two successive means, whose errors enter in first order:
    (n+1)uA·σs more in δs. In z that was never seen to matter beside (n+3)uA; in gradients it is.

    Times 1/n instead of by n rounds once more, which n holds from n = 5 on, where the running sum of near-equal terms
    is off by (n+1)/2 − 1/n, and at n = 2 and 4, where 1/n is exact; at n = 3 the terms together could
    reach 6⅔uA of the 6, which was never seen.

    Not covered is one pass over x − K with K the first value. With D = |x₁ − mean| its variance is off by
    3(n+2)u(σ² + D²) (nuκ² with κ² = 1 + D²/σ²: Chan, Golub and LeVeque, "Algorithms for computing the sample
    variance", 1983, section 3), and D may be √(n − 1)·σ: an error of n²u that depends on which value comes first. A
    bound that held for every order would pass a plain one-pass variance up to mean/std = √n.
    """
    if not norm.centred:
        return _uncentred(norm, ar)
    a = norm.magnitude * norm.s
    lost = (norm.n + 1) * ar.u * a
    two_pass = _relative(norm, norm.n, lost, ar)
    z = _absolute(norm, norm.n, a, two_pass, ar)
    s = two_pass + lost * np.sqrt(norm.var) * norm.s
    return Standard(z, s, a, np.broadcast_to(lost < 1 / 4, norm.z.shape), _limit(norm, ar))


def _uncentred(norm: Normalised, ar: Arithmetic) -> Standard:
    """Bounds on x·s where no mean is subtracted, s = 1/√(mean(x²) + ε): nothing cancels, so A does not enter.

    All terms of Σx² have one sign. A sum in any order is off by n·u of itself, the square, the division by n and the
    sum with ε, itself rounded, by 4u more, and the root makes half of that of it; root, reciprocal and the product
    with x round once each: (n/2 + 5)u, and (n/2 + 8)u leaves room for 1/n rounded, for x divided by its peak before it
    is squared, and for a root of Σx² that is squared again. 1/√(1 − δ) − 1 < δ/2 + δ²/2 for δ <= 1/4: with
    δ = (n + 1)u

        δs = (n/2 + 8)u + ((n + 1)u)²/2 and B = |z|·δs + tiny

    Where δ >= 1/4 accuracy cannot be claimed; but no rounded sum of positive terms is less than its largest, and xᵢ²
    is one of them: |z| <= √n(1 + 8u + u_o) + tiny.
    """
    lost, nothing = np.full_like(norm.s, (norm.n + 1) * ar.u), np.zeros_like(norm.s)
    s = _relative(norm, norm.n, lost, ar)
    z = _absolute(norm, RECORDED, nothing, s, ar)
    tiny = ar.eta * ((RECORDED + 4) * norm.s + 4) + ar.eta_out
    limit = np.sqrt(float(norm.n)) * (1 + _relative(norm, 0, nothing, ar) + ar.u_out) + tiny
    return Standard(z, s, nothing, np.broadcast_to(lost < 1 / 4, norm.z.shape), limit)


RECORDED = 4  # in place of n where the statistics are given and no sum is formed


def standard_recorded(norm: Normalised, ar: Arithmetic) -> Standard:
    """Bounds where the statistics are given: as `standard` with n = 4, A = (|x| + |mean|)·s per element."""
    a = (np.abs(norm.x) + np.abs(norm.mean)) * norm.s
    lost = (RECORDED + 1) * ar.u * a
    s = _relative(norm, RECORDED, np.zeros((), a.dtype), ar)
    z = _absolute(norm, RECORDED, a, s, ar)
    return Standard(z, s, a, lost < 1 / 4, np.full((), np.inf))


def standard_exact(norm: Normalised, ar: Arithmetic) -> Standard:
    """Bounds for groups whose sums are exact, so that the mean is, but for 1/n: as with recorded statistics."""
    a = norm.magnitude * norm.s
    s = _relative(norm, RECORDED, np.zeros((), a.dtype), ar)
    judged = np.broadcast_to((RECORDED + 1) * ar.u * a < 1 / 4, norm.z.shape)
    return Standard(_absolute(norm, RECORDED, a, s, ar), s, a, judged, _limit(norm, ar))


def _relative(norm: Normalised, n: int, lost: Array, ar: Arithmetic) -> Array:
    # Squares and ε itself may underflow: relative to var + ε that is an error of 2η/(var + ε).
    s: Array = (n / 2 + 8) * ar.u + lost**2 / 2 + 2 * ar.eta * norm.s**2
    return s


def _absolute(norm: Normalised, n: int, a: Array, s: Array, ar: Arithmetic) -> Array:
    tiny = ar.eta * ((n + 4) * norm.s + 4)
    z: Array = (n + FOLDED) * ar.u * a + np.abs(norm.z) * s + tiny
    return z


LOST = 4  # x·s − mean·s, and the result's own roundings


def _limit(norm: Normalised, ar: Arithmetic) -> Array:
    """Largest |z| that even an ill-conditioned group may give, where its statistics are its own.

    |xᵢ − m̂|² <= Σ(x − m̂)², so a variance taken from the centred values never makes |z| exceed √n by more than
    rounding, (n/2 + 8)u, and than what x·s − m̂·s loses if it is computed so, 4u·max|x|·s. A variance that is
    nearer to the true one, corrected by (Σ(x − m̂))²/n, lets m̂'s own error through, n·u·mean|x|·s. One that lost the
    centred values can exceed it by thousands.

    Welford's update finds no variance at all where the mean of its first two values rounds to the second and all
    others equal that: from the third value on a step of one unit in the last place, divided by k >= 3, no longer moves
    the mean, and counts. Where several runs are merged, as vector instructions make them, each may lose a step to the
    same even number so: half the values at most are a unit off, and σ is √½ units at most, √2·u·max|x|. The
    correction takes one sum of σ² + Δ², Δ = n·u·mean|x|, from another, and is off by 3(n+2)uΔ². Where
    0 < σ <= √2·u·max|x|, or that is more than a quarter of σ², nothing is claimed.
    """
    peak = np.max(np.abs(norm.x), axis=norm.axes, keepdims=True)
    n = norm.n
    once = ar.u * (n * norm.magnitude + LOST * peak) * norm.s
    largest: Array = (
        np.sqrt(float(n)) * (1 + (n / 2 + 8) * ar.u + ar.u_out) + once + ar.eta * (n + 8) * norm.s + ar.eta_out
    )
    least = np.maximum(np.sqrt(2.0) * ar.u * peak, np.sqrt(12 * (n + 2) * ar.u) * n * ar.u * norm.magnitude)
    unclaimed = (norm.var > 0) & (np.sqrt(norm.var) <= least)
    return np.where(unclaimed, np.inf, largest)


def affine(standard: Standard, z: Array, y: Array, ar: Arithmetic, scale: Array | None = None) -> Array:
    """Bound on the stored y = γ·z + β from B, that on z: |γ|(B + 2u|z|) + (u + u_o)|y| + tiny.

    Twice u|γz|: z is rounded before the map, and the product is. γ broadcasts against z and defaults to 1.
    """
    gamma = np.ones((), z.dtype) if scale is None else np.abs(scale)
    stored = (ar.u + ar.u_out) * np.abs(y) + (1 + gamma) * ar.eta + ar.eta_out
    bound: Array = gamma * (standard.z + 2 * ar.u * np.abs(z)) + stored
    return bound
