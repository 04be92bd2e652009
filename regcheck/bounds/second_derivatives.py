"""Bounds on second derivatives: of a normalisation, and of a penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.reference.normalisation import second_derivative as exactly
from regcheck.reference.precision import widen

if TYPE_CHECKING:
    from regcheck.bounds.normalised import Standard
    from regcheck.bounds.roundoff import Arithmetic
    from regcheck.reference.normalisation import Normalised
    from regcheck.reference.penalties import Strengths

Array = np.ndarray[Any, np.dtype[Any]]

ROUNDINGS = 12


def second_derivative(norm: Normalised, standard: Standard, g: Array, v: Array, ar: Arithmetic) -> Array:
    """Bound on H·v = −s²[c·ḡ + m·v̄ + z(p − 3m·c)], see `regcheck.reference.normalisation.second_derivative`.

    With B the bound on z, δs that on s, and G = |g| + mean|g|, V = |v| + mean|v|, P = mean|g||v| + mean|g|·mean|v|,
    which is what ḡ, v̄ and p are formed from, in whatever order:

        |Δm| <= (n+4)u·mean|g·z| + 2·mean(|g|·B), and Δc likewise with v
        |Δḡ| <= (n+4)u·mean|g|, Δv̄ likewise, |Δp| <= (n+6)u·P
        S = |c|G + |m|V + |z|(P + 3|m·c|), the size of the three terms
        E = what c·G + m·V + |z|(P + 3m·c) grows by if each of its factors is too large by its error, |z| by 2B
            + |c|·Δḡ + |m|·Δv̄ + (n+4)u·mean S
        |Δ(H·v)| <= s²[(1 + δ)E + δ·S] + u_o|H·v| + tiny, δ = (1 + δs)²(1 + 12u) − 1

    E is no first-order term alone: where mean ≫ std, B may be near ¼ and its square counts. Every s beyond s² belongs
    to a z: s³·(x − mean) and s⁵·(x − mean)·Σg(x − mean)·Σv(x − mean), which differentiating s by the variance forms,
    are s²·z and s²·z·m·c, and are off by what z, m and c are off. The factors 2 are those of `input_gradient`: sums
    Σg·x − mean·Σg, and deviations that do not quite add up to 0 and come back through the mean. mean S: the mean's own
    derivative collects all terms before it subtracts a share of them from each. Twelve roundings beside the sums: γ,
    three quotients by n, two powers, three products, three additions.

    Where no mean is subtracted G = |g|, V = |v|, P = mean|g·v|, Δḡ = Δv̄ = 0, mean S falls away and the factors are 1.

    Magnitudes are to be moderate (cases of "far" data): powers of s up to the fifth, and what they meet, are then
    normal numbers. What underflows besides, a product of small g and v, meets at most s²(1 + |z|)(n + 4) and the
    largest of the other factors. Float16 is not claimed: there s³ and s⁵ leave its range at σ = 1/40.
    """
    over, n, u, twice = norm.mean_over, norm.n, ar.u, 2 if norm.centred else 1
    z, size_g, size_v, b = np.abs(norm.z), np.abs(g), np.abs(v), standard.z
    share = (over(size_g), over(size_v)) if norm.centred else (0 * norm.s, 0 * norm.s)
    whole_g, whole_v = size_g + share[0], size_v + share[1]
    p = over(size_g * size_v) + share[0] * share[1]
    m, c = np.abs(over(g * norm.z)), np.abs(over(v * norm.z))
    dm, dc = ((n + 4) * u * over(a * z) + twice * over(a * b) for a in (size_g, size_v))
    sizes = c * whole_g + m * whole_v + z * (p + 3 * m * c)
    grown = (c + dc) * whole_g + (m + dm) * whole_v
    grown = grown + (z + twice * b) * ((1 + (n + 6) * u) * p + 3 * (m + dm) * (c + dc))
    error = grown - sizes + (n + 4) * u * (c * share[0] + m * share[1])
    if norm.centred:
        error = error + (n + 4) * u * over(sizes)
    off = (1 + standard.s) ** 2 * (1 + ROUNDINGS * u) - 1
    reach = (1 + z) * (n + 4) * (1 + np.max(whole_g, axis=norm.axes, keepdims=True))
    tiny = ar.eta * norm.s**2 * reach * (1 + np.max(whole_v, axis=norm.axes, keepdims=True)) + ar.eta_out
    bound: Array = norm.s**2 * ((1 + off) * error + off * sizes) + ar.u_out * np.abs(exactly(norm, g, v)) + tiny
    return bound


def penalty_second(strengths: Strengths, w: Array, v: Array, factor: float, ar: Arithmetic) -> Array:
    """Bound on f·2·l2·v, the second derivative of f·P along v, elementwise, w of moderate size and not 0.

    Products and the result round six times. A squared norm ‖w‖² = r² with derivative 2r·(w/r) adds and takes away
    2·w·(w·v)/r², its sums over all N elements: with q = |w|·Σ|w·v|/r² that is (2N + 16)u·q. A norm that is not
    squared, of l1, has sign(w), whose derivative is exactly 0.
    """
    size_w, size_v = np.abs(widen(w)), np.abs(widen(v))
    again = size_w * np.sum(size_w * size_v) / np.sum(np.square(size_w))
    bound = factor * 2 * strengths.l2 * ar.u * (8 * size_v + (2 * w.size + 16) * again)
    return np.asarray(bound + ar.eta * (2 + 4 * strengths.l2 * factor * (strengths.l2 > 0)) + ar.eta_out * (bound > 0))
