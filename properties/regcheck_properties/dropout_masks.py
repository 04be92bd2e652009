"""Laws of dropout's randomness: how often it drops, what its seed decides, and that no entry knows of another.

`dropout` takes these laws in, so that the family has one list.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, holds, prop, same_bits, statistical
from regcheck.cases import dropout as cases

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.host import HostedLayer

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK = (512, 128)  # one call of a sequential test
EFFECT = 0.01  # smallest deviation of a rate that is found, in standard deviations √(p(1 − p)) of one draw
# A second test, `values["confirming"]`, looks closer: a deviation that the first saw by luck it sees with power 0.999.
CLOSER = EFFECT / 3
RESOLUTION = 2.0**-16  # a rate realised by whole numbers of 16 bits is the rate
LAGS = range(1, 65)  # in 8 calls of 67 000 entries a correlation of 0.03 is found with power 0.999
SEVERAL = (1.0, -1.0, 0.25, -3.0, 8.0, -0.5, 2.0)
SQUARE = (64, 64)  # two independent masks of this size agree with probability below 1e-400


def fresh(layers: Layers, case: Case) -> HostedLayer:
    """A new layer, its stream restarted where it can be, so that a stored case replays."""
    layer = layers.make(case.config, case.dtype)
    if "seed" in layer.capabilities():
        layer.seed(seed_of(case))
    return layer


def seed_of(case: Case) -> int:
    """The case's seed, in the 31 bits that every library takes."""
    return int(case.values["seed"]) % 2**31


def kept(y: Array, x: Array) -> Array:
    """Where `y` is not 0; everywhere if its shape is wrong, which `common.shape` shows."""
    return y != 0 if y.shape == x.shape else np.ones(x.shape, dtype=bool)


def mask(layer: HostedLayer, x: Array) -> Array:
    """Where a training call keeps entries of `x`, which has no zeros."""
    return kept(layer.forward(x, training=True), x)


def replayed(layer: HostedLayer, case: Case, x: Array) -> Array:
    """The mask of a training call right after the case's seed."""
    layer.seed(seed_of(case))
    return mask(layer, x)


def masks(layer: HostedLayer, count: int, case: Case, shape: tuple[int, ...] = SQUARE) -> list[Array]:
    """The masks of so many training calls."""
    ones = np.ones(shape, case.dtype)
    return [mask(layer, ones) for _ in range(count)]


# --- how often


@prop(
    "dropout.rate",
    cases=cases.rates,
    level="core",
    kind="statistical",
    statements=["5.1"],
    formula="P(x′ᵢ = 0) = p",
    source="Wald 1945, Sequential tests of statistical hypotheses",
    examples=len(cases.STATISTICAL_RATES),
)
def rate(layers: Layers, case: Case) -> Evidence:
    """Each entry is dropped with probability p: finds a rate that is off by 0.01·√(p(1 − p)) with power 0.999.

    A right layer is accused with probability 1e-12 at most, before the second, independent test.
    """
    keep = 1 - case.config.rate
    return _sequential(fresh(layers, case), case, keep, keep)


@prop(
    "dropout.expectation-preserved",
    cases=cases.rates,
    level="core",
    kind="statistical",
    statements=["5.2", "5.3"],
    formula="E[x′] = x, that is P(kept) = 1/s for the layer's own factor s",
    examples=len(cases.STATISTICAL_RATES),
)
def expectation_preserved(layers: Layers, case: Case) -> Evidence:
    """The mean of x′ is x: the layer's own factor is one over the share of entries that it keeps.

    Found with power 0.999 is a share off by 0.01·√(p(1 − p)) beyond the factor's own three roundings, which in half
    precision alone matter (1.5e-3 of the share). A right layer is accused with probability 1e-12 at most.
    """
    layer = fresh(layers, case)
    y = layer.forward(np.ones(CHUNK, case.dtype), training=True)
    factor = float(np.max(y)) if y.size else math.nan
    if not 0 < factor < math.inf:
        return holds(condition=False, expected="a positive factor", observed=factor, what="x′ for x = 1")
    slack = 3 * float(np.finfo(case.dtype).eps) / 2  # the factor's own three roundings
    return _sequential(layer, case, (1 - slack) / factor, (1 + slack) / factor)


def _sequential(layer: HostedLayer, case: Case, low: float, high: float) -> Evidence:
    """Evidence that entries are kept at a rate in [low, high]."""
    # Of both signs and several sizes: what is dropped may depend on none of them.
    p, x = case.config.rate, np.resize(np.array(SEVERAL, case.dtype), CHUNK)

    def draw() -> tuple[int, int]:
        return int(np.count_nonzero(mask(layer, x))), x.size

    effect = (CLOSER if case.values.get("confirming") else EFFECT) * math.sqrt(p * (1 - p))
    found = statistical.sequential_rate(draw, low - RESOLUTION, high + RESOLUTION, effect)
    expected, what = np.array((low + high) / 2), f"share of kept entries, {found.draws} draws at p = {p}"
    return Evidence(np.array(found.error), expected, np.array(found.observed), what=what)


# --- seeds and calls


def _all_differ(drawn: list[Array], what: str) -> list[Evidence]:
    pairs = itertools.combinations(drawn, 2)
    return [holds(not np.array_equal(a, b), "another mask", "the same mask", what=what) for a, b in pairs]


@prop(
    "dropout.fresh-mask",
    cases=cases.middling_rates,
    level="lifecycle",
    kind="exact",
    statements=["5.1"],
    formula="mask of call i ≠ mask of call j",
    examples=6,
)
def fresh_mask(layers: Layers, case: Case) -> list[Evidence]:
    """Every training call draws a new mask, whatever lies between."""
    layer = fresh(layers, case)
    first = masks(layer, 2, case)
    layer.forward(np.ones(SQUARE, case.dtype), training=False)
    return _all_differ([*first, *masks(layer, 1, case)], "two calls")


@prop(
    "dropout.reseed-replays",
    cases=cases.batches,
    level="lifecycle",
    kind="exact",
    statements=["5.1"],
    formula="seed(s); mask, mask, … is the same sequence each time",
)
def reseed_replays(layers: Layers, case: Case) -> list[Evidence]:
    """The same seed gives the same sequence of masks again, whatever was called before."""
    layer, x = layers.make(case.config, case.dtype), cases.nonzero(case["x"])
    layer.seed(seed_of(case))
    first = [layer.forward(x, training=True) for _ in range(2)]
    layer.forward(x, training=False)
    layer.seed(seed_of(case))
    again = [layer.forward(x, training=True) for _ in range(2)]
    return [same_bits(b, a, dims=case.dims["x"], what="x′ replayed") for a, b in zip(first, again, strict=True)]


@prop(
    "dropout.seeds-differ",
    cases=cases.middling_rates,
    level="lifecycle",
    kind="exact",
    statements=["5.1"],
    formula="mask after seed s ≠ mask after seed t",
    examples=4,
)
def seeds_differ(layers: Layers, case: Case) -> list[Evidence]:
    """Different seeds give different masks: neighbours, small and large, and seeds that differ in a high bit."""
    layer, s = layers.make(case.config, case.dtype), seed_of(case) % 2**28
    large = s ^ 1 << 29  # generated seeds are small more often than not: a seed that is rounded shows in large ones
    drawn = []
    for seed in (s, s + 1, s ^ 1 << 16, large, large + 1):
        layer.seed(seed)
        drawn += masks(layer, 1, case)
    return _all_differ(drawn, "two seeds")


@prop(
    "dropout.layers-differ",
    cases=cases.middling_rates,
    level="lifecycle",
    kind="exact",
    statements=["5.1"],
    formula="mask of a new layer ≠ mask of the next",
    examples=4,
)
def layers_differ(layers: Layers, case: Case) -> list[Evidence]:
    """New layers draw different masks, also where one is made after the other's call.

    No observation tells a seed that is fixed in the layer from one that its factory gives: who gives all layers one
    seed on purpose declares a deviation.
    """
    return _all_differ([masks(layers.make(case.config, case.dtype), 1, case)[0] for _ in range(2)], "two new layers")


@prop(
    "dropout.random-stream-as-declared",
    cases=cases.middling_rates,
    level="lifecycle",
    kind="exact",
    formula="another layer's calls change this layer's masks iff `random_stream` is `process`",
    examples=4,
    sentinels=["stuck", "shuffled"],
)
def random_stream(layers: Layers, case: Case) -> Evidence:
    """A layer's masks depend on another layer's calls if `random_stream` is declared `process`, else not."""
    layer, other = layers.make(case.config, case.dtype), layers.make(case.config, case.dtype)
    layer.seed(seed_of(case))
    alone = masks(layer, 2, case)[1]
    replayed(layer, case, np.ones(SQUARE, case.dtype))
    masks(other, 1, case)
    same = np.array_equal(masks(layer, 1, case)[0], alone)
    words = {True: "the same mask", False: "another mask"}
    own = layers.declared("random_stream") == "own"
    return holds(same == own, words[own], words[same], what="mask after another layer's call")


# --- independence


@prop(
    "dropout.mask-independence",
    cases=cases.independence,
    level="core",
    kind="statistical",
    statements=["5.1"],
    formula="mask entries are independent: lags 1…64, along every axis, between calls and seeds",
    source="Hoeffding 1963, Probability inequalities for sums of bounded random variables, section 6",
    examples=len(cases.VOLUMES),
    sentinels=["stuck"],
)
def mask_independence(layers: Layers, case: Case) -> list[Evidence]:
    """Mask entries are independent along memory and axes, between calls and seeds: finds a correlation of 0.03.

    That is at a lag, with power 0.999. Under the many shifts against the next call, the next seed and the second half
    of a mask, where one pair of masks must do, it is 0.08. A right layer is accused with probability 1e-12 at most.
    `reports/statistical.md` shows the rates.
    """
    layer, shape = fresh(layers, case), tuple(case.values["shape"])
    drawn = masks(layer, case.values["calls"], case, shape)
    flat, half = np.concatenate([m.ravel() for m in drawn]), drawn[0].size // 2
    pairs = ((where, a, b) for lag, where in _lags(shape).items() for a, b in statistical.at_lag(flat, lag))
    found = [_correlation(statistical.strongest(pairs), "")]
    found.append(_correlation(statistical.strongest_shift(drawn[0], drawn[1]), "next call "))
    found.append(_correlation(statistical.strongest_shift(flat[:half], flat[half : 2 * half]), "second half "))
    if "seed" in layer.capabilities():
        layer.seed(seed_of(case) + 1)
        found.append(_correlation(statistical.strongest_shift(drawn[0], masks(layer, 1, case, shape)[0]), "next seed "))
    return found


def _lags(shape: tuple[int, ...]) -> dict[int, str]:
    """Distances in memory that are looked at, and what each means."""
    strides = [math.prod(shape[axis:]) for axis in range(len(shape))]
    steps = {k * stride: f"{k} along axis {axis}" for axis, stride in enumerate(strides[1:]) for k in (1, 2, 3)}
    calls = {k * strides[0]: f"{k} calls apart" for k in (1, 2, 3)}
    return {lag: f"lag {lag}" for lag in LAGS} | steps | calls


def _correlation(found: statistical.Dependence, kind: str) -> Evidence:
    what = f"correlation, {kind}{found.where}"
    return Evidence(np.array(found.error), np.array(0.0), np.array(found.correlation), what=what)
