"""Laws of what alpha dropout makes of its input: a·x + b where kept, a·α′ + b where dropped, mean 0 and variance 1.

α′ = −λα is where SELU saturates, a = ((1 − p)(1 + p·α′²))^(−½) and b = −a·α′·p. Klambauer et al., "Self-normalizing
neural networks", NeurIPS 2017, section 3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, bounds, holds, same_bits, within
from regcheck.cases import dropout as cases
from regcheck.reference import alpha_dropout as reference
from regcheck_properties.dropout_masks import CHUNK
from regcheck_properties.dropout_moments import squares, zero_mean
from regcheck_properties.dropout_values import some_kept
from regcheck_properties.dropouts import Dropouts, fresh, law, seed_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regcheck import Case, Layers

Array = np.ndarray[Any, np.dtype[Any]]

SOURCE = "Klambauer et al. 2017, section 3"
NEAR = 1 / 8  # of α′: there a kept entry looks like a dropped one, to the roundings of half precision


def family(name: str) -> Dropouts:
    """The family of this name whose layers give a·x + b or a·α′ + b."""
    return Dropouts(name, _kept, _shows, lambda rate: reference.constants(rate).a, _error)


def _kept(y: Array, x: Array, case: Case) -> Array:
    """Where y is nearer to what a kept entry gives than to what a dropped one does."""
    kept, dropped = _results(x, case)
    wide = y.astype(kept.dtype)
    return np.asarray(np.abs(wide - kept) <= np.abs(wide - dropped))


def _shows(x: Array) -> Array:
    return np.asarray(np.abs(x - x.dtype.type(reference.SATURATION)) > NEAR)


def _error(expected: Array, dtype: str) -> Array:
    return bounds.alpha_gradient(expected, bounds.arithmetic(dtype))


def _results(x: Array, case: Case) -> tuple[Array, Array]:
    """What an entry becomes, elementwise, when it is kept and when it is dropped."""
    a, b, dropped = reference.constants(case.config.rate)
    return a * x.astype(np.longdouble) + b, np.full(x.shape, dropped)


def _bounds(x: Array, layers: Layers, case: Case) -> tuple[Array, float]:
    """The error of either result."""
    ar, rate = bounds.arithmetic(case.dtype, subnormals=layers.declared("subnormals")), case.config.rate
    return bounds.alpha_kept(x.astype(np.longdouble), rate, ar), bounds.alpha_dropped(rate, ar)


# --- the rule itself


@law(
    "support",
    cases=cases.batches,
    level="core",
    formula="x′ ∈ {a·x + b, a·α′ + b}",
    source=SOURCE,
)
def support(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """In training every output is a·x + b or a·α′ + b."""
    x = case["x"]
    y = fresh(layers, case).forward(x, training=True)
    (kept, dropped), errors, seen = _results(x, case), _bounds(x, layers, case), family.kept(y, x, case)
    return within(y, np.where(seen, kept, dropped), np.where(seen, *errors), dims=case.dims["x"], what="x′")


@law(
    "two-values",
    cases=cases.middling_rates,
    level="core",
    kind="exact",
    formula="for equal x, x′ has two values, the same ones in all calls; that of dropped entries is the same for all x",
    source=SOURCE,
    examples=6,
)
def two_values(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """Equal entries become one of two values, in every call, and what is dropped becomes the same whatever it was."""
    layer, ones = fresh(layers, case), family.ones(case)
    first = layer.forward(ones, training=True)
    dropped = np.min(first)
    found = []
    for x in (ones, 3 * ones):
        kept = np.max(layer.forward(x, training=True))
        y = layer.forward(x, training=True)
        found.append(holds((y == kept) | (y == dropped), f"{kept} or {dropped}", y, what="x′ for equal x"))
    return found


@law(
    "zero-moves",
    cases=cases.middling_rates,
    level="core",
    formula="0′ ∈ {b, a·α′ + b}, b > 0 > a·α′ + b",
    source=SOURCE,
    examples=6,
)
def zero_moves(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """An exact 0 does not stay 0: it becomes b > 0 where it is kept and a·α′ + b < 0 where it is dropped.

    A right layer keeps all of 4096 units, or drops them all, with probability below 1e-17.
    """
    zeros = np.zeros_like(family.ones(case))
    y = fresh(layers, case).forward(zeros, training=True)
    (kept, dropped), errors, positive = _results(zeros, case), _bounds(zeros, layers, case), y > 0
    if y.shape != zeros.shape:
        return [same_bits(y, zeros, what="x′ for x = 0")]
    return [
        within(y, np.where(positive, kept, dropped), np.where(positive, *errors), what="x′ for x = 0"),
        holds(bool(positive.any()), "positive where kept", "positive nowhere", what="x′ for x = 0"),
        holds(not positive.all(), "negative where dropped", "negative nowhere", what="x′ for x = 0"),
    ]


@law(
    "affine-on-mask",
    cases=cases.batches,
    level="core",
    formula="(x + y)′ + 0′ = x′ + y′ on one mask",
    source=SOURCE,
)
def affine_on_mask(_family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """On one mask alpha dropout is affine: (x + y)′ + 0′ = x′ + y′."""
    layer, x, y = fresh(layers, case), case["x"], case["cotangent"]
    results, error = [], np.zeros(x.shape, np.longdouble)
    for v in (x + y, np.zeros_like(x), x, y):
        layer.seed(seed_of(case))
        results.append(layer.forward(v, training=True))
        error = error + np.maximum(*_bounds(v, layers, case))
    if any(r.shape != x.shape for r in results):
        return same_bits(results[0], x, what="x′")
    whole, zero, first, second = (r.astype(np.longdouble) for r in results)
    # x + y is rounded too, by half a unit at most, which a multiplies: within the bound for a·(x + y), once more.
    error = error + _bounds(x + y, layers, case)[0]
    return within(whole + zero, first + second, error, dims=case.dims["x"], what="(x + y)′ + 0′")


# --- what it is for


@law(
    "keeps-mean",
    cases=cases.rates,
    level="core",
    kind="statistical",
    formula="x ~ N(0, 1): E[x′] = 0",
    source=SOURCE,
    examples=len(cases.STATISTICAL_RATES),
)
def keeps_mean(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """Standard normal input keeps mean 0: finds a mean off by 0.01 standard deviations with power 0.999.

    That is beyond the roundings, and for an output whose density is tilted, exp(δx′) times the right one, which moves
    its mean by so much. A right layer is accused with probability 1e-12 at most, before the second, independent test.
    """
    return zero_mean(_of_normal(family, layers, case), reference.log_moment(case.config.rate), case, "x′")


@law(
    "keeps-variance",
    cases=cases.rates,
    level="core",
    kind="statistical",
    formula="x ~ N(0, 1): E[x′²] = 1",
    source=SOURCE,
    examples=len(cases.STATISTICAL_RATES),
)
def keeps_variance(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """Standard normal input keeps variance 1: finds a mean of x′² off by 0.01 standard deviations with power 0.999.

    That is beyond the roundings, and for an output whose density is tilted, exp(δx′²) times the right one. A right
    layer is accused with probability 1e-12 at most, before the second, independent test.
    """
    rate, spread = case.config.rate, reference.spread_of_square(case.config.rate)
    numbers = squares(_of_normal(family, layers, case), spread)
    return zero_mean(numbers, reference.log_moment_of_square(rate), case, f"(x′² − 1)/{spread:.3g}")


def _of_normal(family: Dropouts, layers: Layers, case: Case) -> Iterator[tuple[Array, Array]]:
    """Bounds of the x′ of exactly normal x, one of each unit, chunk by chunk, of a fresh layer's training calls."""
    layer, a = fresh(layers, case), float(reference.constants(case.config.rate).a)
    normal = np.random.Generator(np.random.Philox(seed_of(case)))
    while True:
        exact = normal.standard_normal(family.unit.many(*CHUNK, case.config))
        x = exact.astype(case.dtype)
        y = layer.forward(x, training=True)
        y = y.astype(np.longdouble) if y.shape == x.shape else np.full(x.shape, np.nan, np.longdouble)
        error = np.maximum(*_bounds(x, layers, case)) + a * np.abs(exact - x)
        yield family.unit.first(y - error), family.unit.first(y + error)


# --- conventions


@law(
    "dropped-nonfinite-as-declared",
    cases=cases.nonfinite,
    level="interface",
    formula="a dropped ±∞ or NaN gives a·α′ + b, as anything dropped does (`zero`), or NaN (`nan`); a kept one stays",
    kind="exact",
)
def dropped_nonfinite(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """A dropped infinity or NaN gives what any dropped entry gives, or NaN, as declared; a kept one stays."""
    x, layer, value = case["x"], fresh(layers, case), layers.declared("dropped_nonfinite") == "zero"
    y = layer.forward(x, training=True)
    if y.shape != x.shape:
        return [same_bits(y, x, what="x′")]
    _, expected = _results(np.zeros_like(x), case)
    error = bounds.alpha_dropped(case.config.rate, bounds.arithmetic(case.dtype))
    dropped = np.abs(y - expected) <= error if value else np.isnan(y)
    stays = (y == x) | (np.isnan(y) & np.isnan(x))
    words = f"the same, or {expected.flat[0] if value else 'NaN'}"
    either = holds(np.isfinite(x) | stays | dropped, words, y, dims=case.dims["x"], what="x′")
    return [either, *(some_kept(family, layer, case, v) for v in (np.nan, np.inf, -np.inf))]


LAWS = (support, two_values, zero_moves, affine_on_mask, keeps_mean, keeps_variance, dropped_nonfinite)
