"""Bounds on penalties, their gradients and their proximal maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.reference.precision import widen

if TYPE_CHECKING:
    from regcheck.bounds.roundoff import Arithmetic
    from regcheck.reference.penalties import Strengths, Sums

Array = np.ndarray[Any, np.dtype[Any]]


def penalty_value(strengths: Strengths, sums: Sums, ar: Arithmetic) -> Array:
    """Bound on P(w) = l1·Σ|w| + l2·Σw², n elements, whatever order the terms are added in.

    Σ|w| makes n − 1 additions; the strength's own rounding, the product and the result's rounding make n + 2, the
    sum of both parts n + 3. Squares add one each; a squared Euclidean norm adds the root (halved, then
    doubled by the square), the square, and two for the norm's rounding: n + 7. With γ(k) = ku/(1 − ku), which
    holds to every order (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, lemma 3.1):

        B = γ(n + 3)·l1·Σ|w| + γ(n + 7)·l2·Σw² + tiny

    tiny: each of the n terms may underflow before or after it meets its strength, or w: η·(1 + l1 + l2 + max|w|).
    """
    n = sums.n
    linear = _gamma(n + 3, ar.u) * strengths.l1 * sums.absolute
    quadratic = _gamma(n + 7, ar.u) * strengths.l2 * sums.squares
    tiny = ar.eta * (n + 1) * (1 + strengths.l1 + strengths.l2 + sums.peak) + ar.eta_out
    return np.asarray(linear + quadratic + tiny)


def penalty_argument(strengths: Strengths, sums: Sums, ar: Arithmetic) -> Array:
    """What rounding w itself, once per element, does to P(w): u·l1·Σ|w| + 2u·l2·Σw², and η for the smallest."""
    moved = ar.u_out * (strengths.l1 * sums.absolute + 2.1 * strengths.l2 * sums.squares)
    return np.asarray(moved + ar.eta_out * sums.n * (strengths.l1 + 2.1 * strengths.l2 * sums.peak))


def _gamma(k: int, u: float) -> float:
    return k * u / (1 - k * u) if k * u < 1 else float("inf")


def penalty_gradient(strengths: Strengths, w: Array, ar: Arithmetic, axis: int | None = None) -> Array:
    """Bound on l1·sign(w) + 2·l2·w elementwise, and on how far a subgradient at 0 may lie outside [−l1, l1].

    The strength's rounding, its product, the sum and the result make 4u; 2·l2·w by differentiating a squared norm
    makes two more, a quotient w/‖w‖, whose underflow meets ‖w‖ again, and a product. ‖w‖ is over `axis`, or all axes.
    """
    size = np.abs(widen(w))
    bound = 4 * ar.u * strengths.l1 + 6 * ar.u * 2 * strengths.l2 * size
    length = np.sqrt(np.square(size).sum(axis=axis, keepdims=axis is not None))
    return np.asarray(bound + ar.eta * (2 + 4 * strengths.l2 * (1 + length)) + ar.eta_out)


def penalty_prox(strengths: Strengths, step: float, w: Array, prox: Array, ar: Arithmetic) -> Array:
    """Bound on S(w, t)/d with t = step·l1 and d = 1 + 2·step·l2, elementwise.

    t has three roundings (two factors, their product), |w| − t one of its result. d has relative error 5u at
    most, the quotient and the result one each:

        B = (3u·t + u|S|)/d + 7u·|S|/d + tiny = 3u·t/d + 8u·|p| + tiny

    Where |w| − t changes its sign by rounding, |S| <= 3u·t, which the first term holds.
    """
    threshold, divisor = step * strengths.l1, 1 + 2 * step * strengths.l2
    blurred = 3 * ar.u * np.minimum(threshold, np.abs(w) + 3 * ar.u * threshold)
    return np.asarray(blurred / divisor + 8 * ar.u * np.abs(prox) + 4 * ar.eta + ar.eta_out)
