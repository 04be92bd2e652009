"""Laws of a penalty's value that l1, l2 and the elastic net share: P(w) = l1·Σ|w| + l2·Σw² (§§ 2.1, 3.1, 3.3).

A row of w is a case. The strengths are what the family takes of the config, l2 times the factor as declared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import Evidence, bounds, holds, within
from regcheck.families import PenaltyConfig
from regcheck.reference import penalties as reference

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.bounds import Arithmetic
    from regcheck.reference.penalties import Strengths

Array = np.ndarray[Any, np.dtype[Any]]


class Seen(NamedTuple):
    """Values of rows (B,): what the layer gave, what the definition gives, and how far they may be apart."""

    observed: Array
    expected: Array
    bound: Array


def strengths(layers: Layers, config: PenaltyConfig) -> Strengths:
    """l1 and l2 of the penalty under test."""
    factor = "1" if layers.family == "l1" else layers.declared("l2_factor")
    return reference.strengths(layers.family, config, factor)


def arithmetic(layers: Layers, case: Case) -> Arithmetic:
    """The arithmetic that a penalty is allowed: its input's."""
    return bounds.arithmetic(case.dtype, subnormals=layers.declared("subnormals"))


def measure(
    layers: Layers, case: Case, w: Array, config: PenaltyConfig | None = None, *, rounded: bool = False
) -> Seen:
    """Values of the rows of `w` (B, n); `rounded`: the rows themselves were rounded once per element."""
    config = config or case.config
    factors, sums, ar = strengths(layers, config), reference.sums(w), arithmetic(layers, case)
    layer = layers.make(config, case.dtype)
    observed = np.array([number(value) for value in layer.values(w)])
    bound = bounds.penalty_value(factors, sums, ar)
    if rounded:
        bound = bound + bounds.penalty_argument(factors, sums, ar)
    return Seen(observed, reference.value(factors, sums), bound)


def number(value: Array) -> np.longdouble:
    """The one number in `value`, in a type that holds it; NaN if it is not one number."""
    return np.longdouble(value[()] if value.shape == () else np.nan)


def agree(one: Array, other: Array, slack: Array, judged: Array | None = None, **about: Any) -> Evidence:
    """Evidence that two results of the layer differ by at most `slack`; NaN on both sides fails too."""
    return within(one, np.where(np.isnan(other), np.inf, other), slack, judged=judged, **about)


def at_most(observed: Array, limit: Array, slack: Array, judged: Array | None = None, **about: Any) -> Evidence:
    """Evidence that observed <= limit + slack; NaN fails."""
    return agree(np.maximum(observed, limit), limit, slack, judged, **about)


def at_least(observed: Array, limit: Array, slack: Array, judged: Array | None = None, **about: Any) -> Evidence:
    """Evidence that observed >= limit − slack; NaN fails."""
    return agree(np.minimum(observed, limit), limit, slack, judged, **about)


def scaled(config: PenaltyConfig, factor: float) -> PenaltyConfig:
    """Both strengths times `factor`."""
    return PenaltyConfig(config.l1 * factor, config.l2 * factor)


def same(one: Seen, other: Seen, what: str) -> Evidence:
    """Evidence that two values are the same, each computed with its own rounding."""
    return agree(one.observed, other.observed, one.bound + other.bound, dims=("B",), what=what)


def value_matches_definition(layers: Layers, case: Case) -> list[Evidence]:
    """The value is l1·Σ|w| + l2·Σw², of a vector and of a matrix."""
    seen = measure(layers, case, case["w"])
    some = case["w"][:3]
    whole, ar = reference.sums(some.reshape(1, -1)), arithmetic(layers, case)
    factors = strengths(layers, case.config)
    observed = np.array([number(layers.make(case.config, case.dtype).value(some))])
    matrix = within(observed, reference.value(factors, whole), bounds.penalty_value(factors, whole, ar), what="matrix")
    return [within(seen.observed, seen.expected, seen.bound, dims=("B",), what="value"), matrix]


def l2_factor_as_declared(layers: Layers, case: Case) -> Evidence:
    """The sum of squares enters with the factor that is declared."""
    seen = measure(layers, case, case["w"])
    return within(seen.observed, seen.expected, seen.bound, dims=("B",), what="value")


def zero_at_zero(layers: Layers, case: Case) -> list[Evidence]:
    """The value is exactly 0 where w is 0, and only there: positive for every other w."""
    layer = layers.make(case.config, case.dtype)
    zeros = np.zeros((2, case["w"].shape[1]), case.dtype) * np.array([[1], [-1]], case.dtype)
    none = np.array([number(value) for value in layer.values(zeros)])
    seen = measure(layers, case, case["w"])
    positive = np.where(seen.expected > seen.bound, seen.observed > 0, seen.observed >= 0)
    return [
        holds(none == 0, np.zeros(2), none, what="value of 0 and −0"),
        holds(positive, seen.expected, seen.observed, dims=("B",), what="value"),
    ]


def sign_flip_invariant(layers: Layers, case: Case) -> Evidence:
    """The sign of an element does not matter."""
    w = case["w"]
    flipped = np.where(_randomness(case).random(w.shape) < 0.5, w, -w)
    return same(measure(layers, case, flipped), measure(layers, case, w), "value with signs flipped")


def permutation_invariant(layers: Layers, case: Case) -> Evidence:
    """The order of the elements does not matter."""
    w = case["w"]
    shuffled = _randomness(case).permuted(w, axis=1)
    return same(measure(layers, case, shuffled), measure(layers, case, w), "value in another order")


def reshape_invariant(layers: Layers, case: Case) -> list[Evidence]:
    """The shape of w does not matter, only its elements."""
    w = case["w"]
    layer, vector = layers.make(case.config, case.dtype), measure(layers, case, w)
    found = []
    for shape in ((-1, 1), (1, -1), (1, -1, 1)):
        observed = np.array([number(value) for value in layer.values(row.reshape(shape) for row in w)])
        found.append(agree(observed, vector.observed, 2 * vector.bound, dims=("B",), what=f"value as {shape}"))
    return found


def nonfinite_propagates(layers: Layers, case: Case) -> list[Evidence]:
    """A NaN anywhere in w makes the value NaN, and an infinity of either sign makes it +∞."""
    layer, rows = layers.make(case.config, case.dtype), np.arange(len(case["w"]))
    places = _randomness(case).integers(0, case["w"].shape[1], len(rows))
    found = []
    for element, expected in ((np.nan, np.nan), (np.inf, np.inf), (-np.inf, np.inf)):
        w = case["w"].copy()
        w[rows, places] = element
        observed = np.array([number(value) for value in layer.values(w)])
        shows = np.isnan(observed) if np.isnan(expected) else observed == expected
        found.append(holds(shows, expected, observed, dims=("B",), what=f"value with one {element}"))
    return found


def additive(layers: Layers, case: Case) -> Evidence:
    """The value of two vectors one after the other is the sum of their values."""
    w, v = case["w"], case["v"]
    both = measure(layers, case, np.concatenate([w, v], axis=1))
    one, other = measure(layers, case, w), measure(layers, case, v)
    slack = both.bound + one.bound + other.bound
    return agree(both.observed, one.observed + other.observed, slack, dims=("B",), what="value of (w, v)")


def linear_in_strength(layers: Layers, case: Case) -> Evidence:
    """Strengths c times as large give c times the value."""
    c = float(case.values["factor"])
    one = measure(layers, case, case["w"])
    times = measure(layers, case, case["w"], scaled(case.config, c))
    slack = times.bound + c * one.bound
    return agree(times.observed, c * one.observed, slack, dims=("B",), what=f"value at {c} times")


def convex(layers: Layers, case: Case) -> list[Evidence]:
    """Along a segment the value never exceeds the chord: P(θw + (1−θ)v) <= θP(w) + (1−θ)P(v)."""
    w, v = case["w"], case["v"]
    one, other = measure(layers, case, w), measure(layers, case, v)
    found = []
    for theta in (0.5, 0.25, 0.125):
        between = (theta * w.astype(np.longdouble) + (1 - theta) * v).astype(w.dtype)
        middle = measure(layers, case, between, rounded=True)
        chord = theta * one.observed + (1 - theta) * other.observed
        slack = middle.bound + theta * one.bound + (1 - theta) * other.bound
        found.append(at_most(middle.observed, chord, slack, dims=("B",), what=f"value at θ = {theta}"))
    return found


def homogeneous(layers: Layers, case: Case, degree: int) -> Evidence:
    """The value of c·w is |c| to the degree times that of w."""
    c = -float(case.values["factor"])
    w = case["w"]
    one = measure(layers, case, w)
    times = measure(layers, case, (w.astype(np.longdouble) * c).astype(w.dtype), rounded=True)
    power = abs(c) ** degree
    slack = times.bound + power * one.bound
    return agree(times.observed, power * one.observed, slack, dims=("B",), what=f"value of {c}·w")


def _randomness(case: Case) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(int(case.values["seed"]) ^ 0x5BD1E995))
