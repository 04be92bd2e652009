"""How large the error of a correct implementation can be: the only place where a bound is computed.

Letters: u is the unit roundoff of the type that is computed in, u_o of the type that results are stored in,
η and η_o the largest error of a result that underflows. No bound is a constant: each follows from the
operations that a straightforward implementation makes, with the condition of the case at hand.
First-order terms in u only, unless said; the constants were validated on PyTorch, Keras, TensorFlow and
NumPy layers (`tests/engine/test_bounds.py` shows on NumPy how).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from regcheck.reference.normalisation import input_gradient as input_gradient_exactly
from regcheck.reference.precision import oracle_roundoff, unit_roundoff, widen

if TYPE_CHECKING:
    from regcheck.reference.normalisation import Normalised
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


def declared_arithmetic(layers: _Declares, dtype: str) -> Arithmetic:
    """Arithmetic that the implementation under test declared, for a case of `dtype`."""
    return arithmetic(dtype, layers.declared("compute_dtype"), layers.declared("subnormals"))


def _underflow(dtype: str, subnormals: str) -> float:
    finfo = np.finfo(dtype)
    return float(finfo.smallest_subnormal) if subnormals == "kept" else float(finfo.smallest_normal)


# --- normalised values


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
    """Bounds where the statistics are the group's own, n values each.

    The computed mean is off by at most n·u·mean|x|, which is n·u·A in units of 1/s; the sum of squares
    adds n·u to the variance, half of that to s, and the mean's error enters it squared, because the
    sum of the centred values is 0: δs = (n/2 + 8)u + ((n+1)uA)²/2. So

        B = u[(n+3)A + |z|(n/2 + 8)] + |z|((n+1)uA)²/2 + tiny

    A running sum of near-equal terms has correlated errors: √n, and pairwise constants, are too small.
    Where (n+1)uA >= 1/4 the second order is no longer small, and accuracy cannot be claimed.

    Welford's update multiplies deviations from two successive means, whose errors enter in first order:
    (n+1)uA·σs more in δs. In z that was never seen to matter beside (n+3)uA; in gradients it is.
    """
    a = norm.magnitude * norm.s
    lost = (norm.n + 1) * ar.u * a
    two_pass = _relative(norm, norm.n, lost, ar)
    z = _absolute(norm, norm.n, a, two_pass, ar)
    s = two_pass + lost * np.sqrt(norm.var) * norm.s
    return Standard(z, s, a, np.broadcast_to(lost < 1 / 4, norm.z.shape), _limit(norm, ar))


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


LOST = 4  # at most 1.43 was seen of two-pass layers, thousands of one-pass ones, and of Welford's update at n = 2


def _limit(norm: Normalised, ar: Arithmetic) -> Array:
    """Largest |z| that even an ill-conditioned group may give, where its statistics are its own.

    |xᵢ − m̂|² <= Σ(x − m̂)², so a variance taken from the centred values never makes |z| exceed √n by more than
    rounding, (n/2 + 8)u, and than what x·s − m̂·s loses if it is computed so, 4u·max|x|·s. One that
    lost the centred values can, by hundreds.
    """
    peak = np.max(np.abs(norm.x), axis=norm.axes, keepdims=True)
    n = norm.n
    once = LOST * ar.u * peak * norm.s
    largest: Array = (
        np.sqrt(float(n)) * (1 + (n / 2 + 8) * ar.u + ar.u_out) + once + ar.eta * (n + 8) * norm.s + ar.eta_out
    )
    return largest


def affine(standard: Standard, z: Array, y: Array, ar: Arithmetic, scale: Array | None = None) -> Array:
    """Bound on the stored y = γ·z + β from B, that on z: |γ|(B + 2u|z|) + (u + u_o)|y| + tiny.

    Twice u|γz|: z is rounded before the map, and the product is. γ broadcasts against z and defaults to 1.
    """
    gamma = np.ones((), z.dtype) if scale is None else np.abs(scale)
    stored = (ar.u + ar.u_out) * np.abs(y) + (1 + gamma) * ar.eta + ar.eta_out
    bound: Array = gamma * (standard.z + 2 * ar.u * np.abs(z)) + stored
    return bound


# --- gradients


def input_gradient(norm: Normalised, standard: Standard, g: Array, ar: Arithmetic) -> Array:
    """Bound on dx = s·(g − m1 − z·m2), g = dy·γ, m1 = mean g, m2 = mean g·z, statistics the group's own.

    With B the bound on z and δs that on s:

        |Δm1| <= (n+4)u·mean|g|
        |Δm2| <= (n+4)u·mean|g·z| + 2·mean(|g|·B)
        |Δ(z·m2)| <= (|z| + B)·|Δm2| + 2·|m2|·B
        |Δdx| <= s·[|Δm1| + |Δ(z·m2)| + (4u + δs)(|g| + |m1| + |z·m2|)] + u_o|dx| + tiny

    The factors 2: automatic differentiation of x·(γs) + (β − mean·γs) forms Σg·x − mean·Σg, and others form
    a·g + b·x + c, whose terms are of size A where those of the formula are of size |z|; B's (n+1)uA is that size.
    """
    n, u, mean, b = norm.n, ar.u, norm.mean_over, standard.z
    size, z = np.abs(g), np.abs(norm.z)
    m1, m2 = np.abs(mean(g)), np.abs(mean(g * norm.z))
    dm1 = (n + 4) * u * mean(size)
    dm2 = (n + 4) * u * mean(size * z) + 2 * mean(size * b)
    inner = dm1 + (z + b) * dm2 + 2 * m2 * b + (4 * u + standard.s) * (size + m1 + z * m2)
    # b = s²·m2 underflows where x is large: an error of η·|x|.
    tiny = ar.eta * ((n + 4) * norm.s + 4 + 4 * (np.abs(norm.x) + norm.magnitude)) + ar.eta_out
    bound: Array = norm.s * inner + ar.u_out * np.abs(input_gradient_exactly(norm, g)) + tiny
    return bound


def recorded_gradient(standard: Standard, dx: Array, ar: Arithmetic) -> Array:
    """Bound on dx = dy·γ·s where the statistics are recorded: three roundings and the error of s."""
    bound: Array = np.abs(dx) * (standard.s + 3 * ar.u + ar.u_out) + 3 * ar.eta + ar.eta_out
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


# --- running statistics


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
    """Bound on l1·sign(w) + 2·l2·w elementwise, and on how far a subgradient at 0 may lie outside [−l1, l1].

    The strength's rounding, its product, the sum and the result make 4u; 2·l2·w by differentiating a squared norm
    makes two more, a quotient w/‖w‖, whose underflow meets ‖w‖ again, and a product.
    """
    size = np.abs(widen(w))
    bound = 4 * ar.u * strengths.l1 + 6 * ar.u * 2 * strengths.l2 * size
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
