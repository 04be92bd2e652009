"""Laws of a prior's log density that Laplace and Gauss share (§ 4.3): its negative is a penalty but for a constant.

Every weight is a case. The moments are sums over a grid that is exact in every dtype; what such a sum has too much is
known in closed form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import Evidence, bounds, within
from regcheck.families import PriorConfig
from regcheck.reference import penalties
from regcheck.reference import priors as reference
from regcheck.reference.precision import oracle_roundoff, widen
from regcheck_properties.penalties import agree

if TYPE_CHECKING:
    from regcheck import Case, Layers

Array = np.ndarray[Any, np.dtype[Any]]

REACH = 24  # scales from 0 that the grid covers: Laplace's tail beyond holds exp(−24)


class Seen(NamedTuple):
    """Log densities: what the layer gave, what the definition gives, and how far they may be apart."""

    observed: Array
    expected: Array
    bound: Array


def measure(layers: Layers, case: Case, w: Array, config: PriorConfig | None = None) -> Seen:
    """Log densities of `w`, of the oracle's type; NaN where their shape is wrong."""
    config, ar = config or case.config, bounds.arithmetic(case.dtype, subnormals=layers.declared("subnormals"))
    found = layers.make(config, case.dtype).log_density(w)
    expected = reference.log_density(layers.family, config.scale, w)
    observed = found.astype(expected.dtype) if found.shape == w.shape else np.full_like(expected, np.nan)
    return Seen(observed, expected, bounds.log_density(layers.family, config.scale, w, ar))


def matches_definition(layers: Layers, case: Case) -> list[Evidence]:
    """The log density is the definition's, of a vector and of a matrix."""
    seen, layer = measure(layers, case, case["w"]), layers.make(case.config, case.dtype)
    vector, matrix = layer.log_density(case["w"]), layer.log_density(case["w"][:, None])
    return [
        within(vector, seen.expected, seen.bound, dims=("W",), what="log p(w)"),
        within(matrix, seen.expected[:, None], seen.bound[:, None], what="log p of a matrix"),
    ]


def is_penalty(layers: Layers, case: Case) -> Evidence:
    """log p(0) − log p(w) is the penalty."""
    w, factors = case["w"], reference.penalty(layers.family, case.config.scale)
    peak, seen = measure(layers, case, np.zeros_like(w)), measure(layers, case, w)
    expected = penalties.value(factors, penalties.sums(w[:, None]))
    return agree(peak.observed - seen.observed, expected, peak.bound + seen.bound, dims=("W",), what="log p(0)/p(w)")


def even(layers: Layers, case: Case) -> Evidence:
    """A weight and its negative are equally likely."""
    one, mirrored = measure(layers, case, case["w"]), measure(layers, case, -case["w"])
    return agree(mirrored.observed, one.observed, one.bound + mirrored.bound, dims=("W",), what="log p(−w)")


def scale_law(layers: Layers, case: Case) -> Evidence:
    """In units c times as small the density is that of c times the scale, and 1/c as high."""
    c, w = float(case.values["factor"]), case["w"]
    one = measure(layers, case, w)
    other = measure(layers, case, w * w.dtype.type(c), PriorConfig(case.config.scale * c))
    height = one.observed - np.log(np.longdouble(c)).astype(one.observed.dtype)
    return agree(other.observed, height, one.bound + other.bound, dims=("W",), what=f"log p({c}·w)")


def slopes(layers: Layers, case: Case, expected: Array) -> list[Evidence]:
    """Evidence that (log p(±h) − log p(0))/h is `expected` on both sides of 0."""
    h, found = case["h"], []
    peak, wide = measure(layers, case, 0 * h), h.astype(np.longdouble)
    for side, where in ((1, "right"), (-1, "left")):
        seen = measure(layers, case, side * h)
        with np.errstate(all="ignore"):
            slope, slack = (seen.observed - peak.observed) / wide, (seen.bound + peak.bound) / wide
        about: dict[str, Any] = {"judged": h > 0, "dims": ("H",), "what": f"slope on the {where}, away from 0"}
        found.append(agree(slope, expected, slack, **about))
    return found


# --- the density as a whole


class Measured(NamedTuple):
    """A moment of the layer's density, by its values on a grid, and how far it may be off."""

    observed: Any
    slack: Any


def moment(layers: Layers, case: Case, power: int) -> Measured:
    """∫wᵏp for `power` k = 0 or 2: h·Σ(kh)ᵏp(kh) less what the sum has too much.

    h is a power of 2 between a sixteenth and an eighth of the scale, so that the grid is exact. A log density that
    is off by B gives a density that is off by exp(B) − 1 of itself; beyond the grid lies the tail.
    """
    scale = float(case.config.scale)
    h = 2.0 ** np.floor(np.log2(scale / 8))
    count = int(np.ceil(REACH * scale / h))
    grid = (h * np.arange(-count, count + 1)).astype(case.dtype)
    seen = measure(layers, case, grid)
    with np.errstate(all="ignore"):
        terms = h * widen(grid) ** power * np.exp(seen.observed)
        right = h * widen(grid) ** power * np.exp(seen.expected)
    part = power // 2
    excess = reference.grid_excess(layers.family, scale, h)[part]
    tail = reference.grid_tail(layers.family, scale, count * h)[part]
    blur = (right * (np.expm1(seen.bound) + len(grid) * oracle_roundoff(case.dtype))).sum()
    return Measured(terms.sum() - excess, blur + tail)


def integrates_to_one(layers: Layers, case: Case) -> Evidence:
    """The density integrates to 1."""
    mass = moment(layers, case, 0)
    return _number(mass.observed, 1.0, mass.slack, "∫p")


def variance(layers: Layers, case: Case) -> Evidence:
    """The variance of the density is that of the scale."""
    second = moment(layers, case, 2)
    return _number(second.observed, reference.variance(layers.family, case.config.scale), second.slack, "∫w²p")


def _number(observed: Any, expected: Any, slack: Any, what: str) -> Evidence:
    return within(np.array([observed]), np.array([expected], np.longdouble), slack, what=what)


# --- the maximum of posterior density, one variable


def map_is_minimiser(layers: Layers, case: Case) -> Evidence:
    """The most likely weight under a quadratic loss is the penalised minimiser.

    F(w) = k(w − m)²/2 − log p(w) is k-strongly convex: F(w) >= F(w*) + k(w − w*)²/2. Where w* is rounded to v,
    F(v) <= F(w*) + (k + c)(v − w*)²/2, c the curvature of −log p; at 0, Laplace's cusp, nothing is rounded.
    """
    factors = reference.penalty(layers.family, case.config.scale)
    m, k = (case[name].astype(np.longdouble)[:, None] for name in ("m", "k"))
    curved, k = k > 0, np.where(k > 0, k, 1)
    best = np.sign(m) * np.maximum(np.abs(m) - factors.l1 / k, 0) / (1 + 2 * factors.l2 / k)
    shares = np.array([[1.0, 0, 0.5, 0.9, 1.1, 2, -1]])
    points = np.concatenate([best * shares, m, m * 0.5, m * 0.01, -m * 0.01], axis=1).astype(case.dtype)
    seen, wide = measure(layers, case, points), points.astype(np.longdouble)
    loss = k / 2 * (wide - m) ** 2
    objective = loss - seen.observed
    rise, least = objective - objective[:, :1], k / 2 * (wide - best) ** 2
    rounded = (k + 2 * factors.l2) / 2 * (wide[:, :1] - best) ** 2
    slack = seen.bound + seen.bound[:, :1] + rounded + 8 * oracle_roundoff(case.dtype) * (loss + loss[:, :1])
    return agree(np.minimum(rise, least), least, slack, judged=curved, dims=("B", "P"), what="F(w) − F(w*)")
