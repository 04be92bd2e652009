"""Laws of a dropout's randomness: how often it drops, what its seed decides, and that no unit knows of another.

They are about masks alone, whatever a family does to what it keeps and what it drops.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, holds, same_bits, statistical
from regcheck.cases import dropout as cases
from regcheck_properties.dropouts import distinct, fresh, law, seed_of

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.host import HostedLayer
    from regcheck_properties.dropouts import Dropouts

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK = (512, 128)  # units of one call of a sequential test
EFFECT = 0.01  # smallest deviation of a rate that is found, in standard deviations √(p(1 − p)) of one draw
# A second test, `values["confirming"]`, looks closer: a deviation that the first saw by luck it sees with power 0.999.
CLOSER = EFFECT / 3
FEW_CALLS, CALLS = 128, 40  # of `few_units`, and of `fresh_mask`
RESOLUTION = 2.0**-16  # a rate realised by whole numbers of 16 bits is the rate
LAGS = range(1, 65)  # in 8 calls of 67 000 units a correlation of 0.03 is found with power 0.999
SEVERAL = (1.0, -1.0, 0.25, -3.0, 8.0, -0.5, 2.0)


# --- how often


@law(
    "rate",
    cases=cases.rates,
    level="core",
    kind="statistical",
    statements=["5.1"],
    formula="P(xᵢ is dropped) = p",
    source="Wald 1945, Sequential tests of statistical hypotheses",
    examples=len(cases.STATISTICAL_RATES),
)
def rate(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """Each {unit} is dropped with probability p: finds a rate that is off by 0.01·√(p(1 − p)) with power 0.999.

    A right layer is accused with probability 1e-12 at most, before the second, independent test.
    """
    keep = 1 - case.config.rate
    return sequential(family, fresh(layers, case), case, keep, keep)


def sequential(family: Dropouts, layer: HostedLayer, case: Case, low: float, high: float) -> Evidence:
    """Evidence that units are kept at a rate in [low, high]."""
    # Of both signs and several sizes: what is dropped may depend on none of them.
    p, x = case.config.rate, np.resize(np.array(SEVERAL, case.dtype), family.unit.many(*CHUNK, case.config))

    def draw() -> tuple[int, int]:
        kept = family.unit.first(family.mask(layer, x, case))
        return int(np.count_nonzero(kept)), kept.size

    effect = (CLOSER if case.values.get("confirming") else EFFECT) * math.sqrt(p * (1 - p))
    found = statistical.sequential_rate(draw, low - RESOLUTION, high + RESOLUTION, effect)
    expected, what = np.array((low + high) / 2), f"share of kept {family.unit.plural}, {found.draws} draws at p = {p}"
    return Evidence(np.array(found.error), expected, np.array(found.observed), what=what)


@law(
    "few-{units}",
    cases=cases.few_units,
    level="core",
    kind="statistical",
    statements=["5.1"],
    formula="of n = 1, 2, 3: P(all dropped) = pⁿ, P(none dropped) = (1 − p)ⁿ",
    source="Hoeffding 1963, theorem 1",
    examples=len(cases.FEW),
    sentinels=["stuck"],
)
def few_units(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """Of one, two or three {units} each has a draw of its own: over 128 calls all drop, or none, as often as that says.

    Finds such a share that is off by 0.5, or is 0 instead of 0.25 or more, with power 0.999. A right layer is accused
    with probability 1e-12 at most, before the second, independent test.
    """
    layer, n, p = fresh(layers, case), int(case.values["units"]), family.share(case.config.rate)
    ones = np.ones(family.unit.many(1, n, case.config), case.dtype)
    calls = FEW_CALLS * (2 if case.values.get("confirming") else 1)
    kept = np.array([family.unit.first(family.mask(layer, ones, case)).reshape(-1) for _ in range(calls)])
    tests = (
        (~kept, p, "what is dropped"),
        (np.asarray(~kept.any(axis=1)), p**n, "calls with all dropped"),
        (np.asarray(kept.all(axis=1)), (1 - p) ** n, "calls with none dropped"),
    )
    return [_share(seen, share, f"{what}, of {n} {family.unit.plural}", len(tests)) for seen, share, what in tests]


def _share(seen: Array, expected: float, what: str, of: int) -> Evidence:
    """Evidence, one of so many tests', that events happen with the expected probability."""
    tail = statistical.log_tail(int(np.count_nonzero(seen)), seen.size, expected)
    error = tail / math.log(statistical.ALPHA / of)
    return Evidence(np.array(error), np.array(expected), np.array(seen.mean()), what=f"share of {what}")


# --- seeds and calls


@law(
    "fresh-mask",
    cases=cases.middling_rates,
    level="lifecycle",
    kind="exact",
    statements=["5.1"],
    formula="mask of call i ≠ mask of call j",
    examples=6,
    sentinels=["stuck"],
)
def fresh_mask(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """Every training call draws a new mask, whatever lies between; none of 40 calls has another one's."""
    layer = fresh(layers, case)
    first = family.masks(layer, 2, case)
    layer.forward(family.ones(case), training=False)
    return distinct([*first, *family.masks(layer, CALLS - len(first), case)], "first call with the mask of call")


@law(
    "reseed-replays",
    cases=cases.batches,
    level="lifecycle",
    kind="exact",
    statements=["5.1"],
    formula="seed(s); mask, mask, … is the same sequence each time",
)
def reseed_replays(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """The same seed gives the same sequence of masks again, whatever was called before."""
    layer, shown = layers.make(case.config, case.dtype), family.shown(case)
    layer.seed(seed_of(case))
    first = [layer.forward(x, training=True) for x, _ in shown for _ in range(2)]
    layer.forward(case["x"], training=False)
    layer.seed(seed_of(case))
    again = [(layer.forward(x, training=True), dims) for x, dims in shown for _ in range(2)]
    return [same_bits(b, a, dims=dims, what="x′ replayed") for a, (b, dims) in zip(first, again, strict=True)]


@law(
    "seeds-differ",
    cases=cases.middling_rates,
    level="lifecycle",
    kind="exact",
    statements=["5.1"],
    formula="mask after seed s ≠ mask after seed t",
    examples=4,
    sentinels=["stuck"],
)
def seeds_differ(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """Different seeds give different masks: neighbours, small and large, and seeds that differ in a high bit."""
    layer, s = layers.make(case.config, case.dtype), seed_of(case) % 2**28
    large = s ^ 1 << 29  # generated seeds are small more often than not: a seed that is rounded shows in large ones
    drawn = []
    for seed in (s, s + 1, s ^ 1 << 16, large, large + 1):
        layer.seed(seed)
        drawn += family.masks(layer, 1, case)
    return distinct(drawn, "first seed with the mask of seed")


@law(
    "layers-differ",
    cases=cases.middling_rates,
    level="lifecycle",
    kind="exact",
    statements=["5.1"],
    formula="mask of a new layer ≠ mask of the next",
    examples=4,
    sentinels=["stuck"],
)
def layers_differ(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """New layers draw different masks, also where one is made after the other's call.

    No observation tells a seed that is fixed in the layer from one that its factory gives: who gives all layers one
    seed on purpose declares a deviation.
    """
    drawn = [family.masks(layers.make(case.config, case.dtype), 1, case)[0] for _ in range(2)]
    return distinct(drawn, "first layer with the mask of layer")


@law(
    "random-stream-as-declared",
    cases=cases.middling_rates,
    level="lifecycle",
    kind="exact",
    formula="another layer's calls change this layer's masks iff `random_stream` is `process`",
    examples=4,
    sentinels=["stuck", "shuffled"],
)
def random_stream(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """A layer's masks depend on another layer's calls if `random_stream` is declared `process`, else not."""
    layer, other = layers.make(case.config, case.dtype), layers.make(case.config, case.dtype)
    layer.seed(seed_of(case))
    alone = family.masks(layer, 2, case)[1]
    family.replayed(layer, family.ones(case), case)
    family.masks(other, 1, case)
    same = np.array_equal(family.masks(layer, 1, case)[0], alone)
    words = {True: "the same mask", False: "another mask"}
    own = layers.declared("random_stream") == "own"
    return holds(same == own, words[own], words[same], what="mask after another layer's call")


@law(
    "mask-order-as-declared",
    cases=cases.grids,
    level="interface",
    kind="exact",
    formula="entry (i, j) has the same mask in any layout (`logical`), or the k-th entry in memory has (`memory`)",
    sentinels=["shuffled"],
)
def mask_order(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """One seed gives one mask, by position or by place in memory, as declared in `mask_order`."""
    layer, x = layers.make(case.config, case.dtype), family.visible(case["x"])
    logical = layers.declared("mask_order") == "logical"
    turned = np.ascontiguousarray(np.swapaxes(x, 0, 1))
    expected = family.replayed(layer, x if logical else turned, case)
    expected = expected if logical else np.swapaxes(expected, 0, 1)
    seen = family.replayed(layer, np.swapaxes(turned, 0, 1), case)
    return holds(seen == expected, expected, seen, dims=case.dims["x"], what="kept in Fortran order")


# --- independence


@law(
    "mask-independent-of-values",
    cases=cases.batches,
    level="core",
    statements=["5.1"],
    formula="mask(x) = mask(1) after one seed",
    kind="exact",
    sentinels=["shuffled"],
)
def mask_independent_of_values(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """The mask does not depend on the values of x."""
    layer, x = fresh(layers, case), case["x"]
    expected = family.replayed(layer, np.ones_like(x), case)
    found = []
    for v in (x, family.visible(-x), family.visible(case["cotangent"])):
        seen = family.replayed(layer, v, case)
        found.append(holds((seen == expected) | ~family.shows(v), expected, seen, dims=case.dims["x"], what="kept"))
    return found


@law(
    "mask-independence",
    cases=cases.independence,
    level="core",
    kind="statistical",
    statements=["5.1"],
    formula="mask entries are independent: lags 1…64, along every axis, between calls and seeds",
    source="Hoeffding 1963, Probability inequalities for sums of bounded random variables, section 6",
    examples=max(map(len, cases.ARRANGEMENTS.values())),
    sentinels=["stuck"],
)
def mask_independence(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """Mask entries are independent along memory and axes, between calls and seeds: finds a correlation of 0.03.

    That is at a lag, with power 0.999. Under the many shifts against the next call, the next seed and the second half
    of a mask, where one pair of masks must do, it is 0.08. A right layer is accused with probability 1e-12 at most.
    `reports/statistical.md` shows the rates.
    """
    layer, ones = fresh(layers, case), np.ones(case.values["shape"], case.dtype)

    def draw() -> Array:
        return family.unit.first(family.mask(layer, ones, case))

    drawn = [draw() for _ in range(case.values["calls"])]
    flat, half = np.concatenate([m.ravel() for m in drawn]), drawn[0].size // 2
    pairs = ((where, a, b) for lag, where in _lags(drawn[0].shape).items() for a, b in statistical.at_lag(flat, lag))
    found = [_correlation(statistical.strongest(pairs), "")]
    found.append(_correlation(statistical.strongest_shift(drawn[0], drawn[1]), "next call "))
    found.append(_correlation(statistical.strongest_shift(flat[:half], flat[half : 2 * half]), "second half "))
    if "seed" in layer.capabilities():
        layer.seed(seed_of(case) + 1)
        found.append(_correlation(statistical.strongest_shift(drawn[0], draw()), "next seed "))
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


# All but `rate`, which families without dropped entries have no like of.
LAWS = (
    few_units,
    fresh_mask,
    reseed_replays,
    seeds_differ,
    layers_differ,
    random_stream,
    mask_order,
    mask_independent_of_values,
    mask_independence,
)
