"""How large the error of a correct implementation can be: the only place where a bound is computed.

Letters: u is the unit roundoff of the type that is computed in, u_o of the type that results are stored in,
η and η_o the largest error of a result that underflows. No bound is a constant: each follows from the
operations that a straightforward implementation makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from regcheck.reference.precision import oracle_roundoff, unit_roundoff, widen

if TYPE_CHECKING:
    from regcheck.reference.penalties import Strengths, Sums

Array = np.ndarray[Any, np.dtype[Any]]


class _Declares(Protocol):
    def declared(self, convention: str) -> Any: ...


@dataclass(frozen=True)
class Arithmetic:
    """The arithmetic a layer is allowed: u and η of what it computes in, u_o and η_o of what it stores."""

    u: float
    u_out: float
    eta: float
    eta_out: float


def arithmetic(dtype: str, compute_dtype: str = "input", subnormals: str = "kept") -> Arithmetic:
    """Arithmetic for a case of `dtype`, by the declared conventions `compute_dtype` and `subnormals`.

    The oracle computes in a finite precision too: its roundoff is added to both u.
    """
    compute = dtype if compute_dtype == "input" or np.dtype(dtype).itemsize >= 4 else compute_dtype
    oracle = oracle_roundoff(dtype)
    return Arithmetic(
        unit_roundoff(compute) + oracle,
        unit_roundoff(dtype) + oracle,
        _underflow(compute, subnormals),
        _underflow(dtype, subnormals),
    )


def _underflow(dtype: str, subnormals: str) -> float:
    finfo = np.finfo(dtype)
    return float(finfo.smallest_subnormal) / 2 if subnormals == "kept" else float(finfo.smallest_normal)


# --- penalties


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


def penalty_gradient(strengths: Strengths, w: Array, ar: Arithmetic) -> Array:
    """Bound on l1·sign(w) + 2·l2·w elementwise, and on any subgradient at exactly 0.

    The strength's rounding, its product, the sum and the result make 4u; 2·l2·w by differentiating a squared norm
    makes two more, a quotient w/‖w‖, whose underflow meets ‖w‖ again, and a product. At 0 the expected value is 0 and
    every value in [−l1, l1] is right.
    """
    size = np.abs(widen(w))
    away = 4 * ar.u * strengths.l1 + 6 * ar.u * 2 * strengths.l2 * size
    bound = np.where(size > 0, away, strengths.l1 * (1 + 4 * ar.u))
    length = np.sqrt(np.square(size).sum())
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


# --- minimisers: F(w) = ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂²

TOLERANCE = float(np.sqrt(unit_roundoff("float64")))  # the relative duality gap of a solver that promises none


def minimiser_excess(tolerance: float, a: Array, b: Array) -> Array:
    """E: how far above its minimum F may be at a solver's result; A (…, n, k), b (…, n) → (…).

    The promise is a duality gap, hence an excess, of tolerance·F(0) with F(0) = ½‖b‖²; rounding alone leaves some
    4(n + k)u of it.
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
