"""Laws of dropout: training drops an entry with probability p and divides the rest by 1 − p; inference does nothing.

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, holds, prop, same_bits, statistical, within
from regcheck.cases import dropout as cases
from regcheck.families import DropoutConfig

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.host import HostedLayer

Array = np.ndarray[Any, np.dtype[Any]]

CHUNK = (512, 128)  # one call of a sequential test
EFFECT = 0.01  # smallest deviation of a rate that is found, in standard deviations √(p(1 − p)) of one draw
RESOLUTION = 2.0**-16  # a rate realised by whole numbers of 16 bits is the rate
VOLUME, CALLS = (16, 8, 17, 31), 8  # what independence is judged on: finds a correlation of 0.03 with power 0.999
LAGS = range(1, 65)
_TINY = 2.0**-1000  # nothing but equality is within this bound
EXACT_SHAPE = (64, 64)  # two independent masks of this size agree with probability below 1e-400


def _fresh(layers: Layers, case: Case, rate: float | None = None) -> HostedLayer:
    """A new layer, its stream restarted where it can be, so that a stored case replays."""
    layer = layers.make(case.config if rate is None else DropoutConfig(rate), case.dtype)
    if "seed" in layer.capabilities():
        layer.seed(_seed(case))
    return layer


def _seed(case: Case) -> int:
    return int(case.values["seed"]) % 2**31


def _kept(y: Array, x: Array) -> Array:
    """Where `y` is not 0; everywhere if its shape is wrong, which the comparison that follows shows."""
    return y != 0 if y.shape == x.shape else np.ones(x.shape, dtype=bool)


def _mask(layer: HostedLayer, x: Array) -> Array:
    """Where a training call keeps entries of `x`, which has no zeros."""
    return _kept(layer.forward(x, training=True), x)


def _scaled(x: Array, kept: Array, rate: float) -> Array:
    """x/(1 − p) where kept, else 0, in the widest float type."""
    factor = 1 / (1 - np.longdouble(rate)) if rate < 1 else np.longdouble(0)
    return np.where(kept, x.astype(np.longdouble) * factor, 0)


def _roundings(count: int, expected: Array, dtype: str) -> Array:
    """The bound of `count` roundings to nearest in `dtype`, each of relative size u = eps/2, and of our own."""
    info = np.finfo(dtype)
    relative = count * float(info.eps) / 2 + 4 * float(np.finfo(np.longdouble).eps)
    return np.abs(expected) * relative + float(info.smallest_subnormal)


def _masked(y: Array, x: Array, kept: Array, case: Case, what: str = "") -> Evidence:
    """Evidence that y is x/(1 − p) where kept and 0 elsewhere: 1 − p, its inverse and a product are three roundings."""
    expected = _scaled(x, kept, case.config.rate)
    return within(y, expected, _roundings(3, expected, case.dtype), dims=case.dims.get("x", ()), what=what)


# --- the rule itself


@prop(
    "dropout.support",
    cases=cases.batches,
    level="core",
    statements=["5.1", "5.3"],
    formula="x′ ∈ {0, x/(1 − p)}",
    source="Srivastava et al. 2014, section 10",
)
def support(layers: Layers, case: Case) -> Evidence:
    """In training every output is 0 or x/(1 − p), to three roundings."""
    x = case["x"]
    y = _fresh(layers, case).forward(x, training=True)
    return _masked(y, x, _kept(y, x), case, "x′")


@prop(
    "dropout.one-factor",
    cases=cases.batches,
    level="core",
    statements=["5.3"],
    formula="x′ᵢ = s·xᵢ or 0, one s for all i and all calls",
)
def one_factor(layers: Layers, case: Case) -> list[Evidence]:
    """All kept entries are multiplied by one and the same factor, in every call."""
    x, layer, ones = cases.nonzero(case["x"]), _fresh(layers, case), np.ones(EXACT_SHAPE, case.dtype)
    calls = [layer.forward(ones, training=True) for _ in range(2)]
    factor = np.max(calls[0])
    found = [holds((y == 0) | (y == factor), factor, y, what="x′ for x = 1") for y in calls]
    y = layer.forward(x, training=True)
    expected = np.where(_kept(y, x), x.astype(np.longdouble) * factor, 0)
    return [*found, within(y, expected, _roundings(3, expected, case.dtype), dims=case.dims["x"], what="x′")]


@prop(
    "dropout.rate",
    cases=cases.rates,
    level="core",
    kind="statistical",
    statements=["5.1"],
    formula="P(x′ᵢ = 0) = p",
    examples=len(cases.STATISTICAL_RATES),
)
def rate(layers: Layers, case: Case) -> Evidence:
    """Each entry is dropped with probability p: finds a rate that is off by 0.01·√(p(1 − p)) with power 0.999."""
    layer, p = _fresh(layers, case), case.config.rate
    return _sequential(layer, case, 1 - p, 1 - p, "share of kept entries")


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
    """The mean of x′ is x: the layer's own factor is one over the share of entries that it keeps."""
    layer = _fresh(layers, case)
    y = layer.forward(np.ones(CHUNK, case.dtype), training=True)
    factor = float(np.max(y)) if y.size else math.nan
    if not (math.isfinite(factor) and factor > 0):
        return holds(False, "a positive factor", factor, what="x′ for x = 1")
    slack = 3 * float(np.finfo(case.dtype).eps) / 2
    return _sequential(layer, case, (1 - slack) / factor, (1 + slack) / factor, "share of kept entries")


def _sequential(layer: HostedLayer, case: Case, low: float, high: float, what: str) -> Evidence:
    x, p = np.ones(CHUNK, case.dtype), case.config.rate

    def draw() -> tuple[int, int]:
        return int(np.count_nonzero(_mask(layer, x))), x.size

    found = statistical.sequential_rate(draw, low - RESOLUTION, high + RESOLUTION, EFFECT * math.sqrt(p * (1 - p)))
    error, expected = np.array(found.error), np.array((low + high) / 2)
    return Evidence(error, expected, np.array(found.observed), what=f"{what} of {found.draws} draws")


# --- where it does nothing, and where it drops everything


@prop(
    "dropout.inference-identity",
    cases=cases.nonfinite,
    level="core",
    statements=["5.4"],
    formula="x′ = x in inference",
    kind="exact",
)
def inference_identity(layers: Layers, case: Case) -> Evidence:
    """In inference dropout returns its input bit by bit, after training calls too."""
    layer = _fresh(layers, case)
    layer.forward(case["x"], training=True)
    return same_bits(layer.forward(case["x"], training=False), case["x"], dims=case.dims["x"], what="x′ in inference")


@prop(
    "dropout.rate-zero-identity",
    cases=cases.batches_at(0.0),
    level="core",
    statements=["5.1", "5.3", "5.5"],
    formula="p = 0: x′ = x, ∂x′/∂x = 1",
    kind="exact",
)
def rate_zero_identity(layers: Layers, case: Case) -> list[Evidence]:
    """At rate 0 a training call returns its input, and its gradient is the cotangent."""
    return _exactly(layers, case, case["x"], case["cotangent"])


@prop(
    "dropout.rate-one-zero",
    cases=cases.batches_at(1.0),
    level="core",
    statements=["5.1", "5.5"],
    formula="p = 1: x′ = 0, ∂x′/∂x = 0",
    kind="exact",
)
def rate_one_zero(layers: Layers, case: Case) -> list[Evidence]:
    """At rate 1 a training call returns zeros, and its gradient is zero."""
    return _exactly(layers, case, np.zeros_like(case["x"]), np.zeros_like(case["x"]))


def _exactly(layers: Layers, case: Case, result: Array, gradient: Array) -> list[Evidence]:
    """Evidence that a training call gives `result` and, where it is offered, the gradient `gradient`."""
    layer, dims = _fresh(layers, case), case.dims["x"]
    found = [within(layer.forward(case["x"], training=True), result, _TINY, dims=dims, what="x′")]
    if "backward" in layer.capabilities():
        found.append(within(layer.backward(case["cotangent"])["x"], gradient, _TINY, dims=dims, what="dx"))
    return found


# --- gradients and linearity


@prop(
    "dropout.backward-mask",
    cases=cases.batches,
    level="gradients",
    statements=["5.5"],
    formula="dx = cotangent/(1 − p) where x was kept, 0 where it was dropped",
)
def backward_mask(layers: Layers, case: Case) -> list[Evidence]:
    """The gradient passes through the forward pass's own mask, also where x is 0."""
    layer, x, cotangent = _fresh(layers, case), cases.nonzero(case["x"]), case["cotangent"]
    kept = _mask(layer, x)
    found = [_masked(layer.backward(cotangent)["x"], cotangent, kept, case, "dx")]
    if "seed" in layer.capabilities():
        kept = _replayed(layer, case, np.ones_like(x))
        _replayed(layer, case, case["x"])
        found.append(_masked(layer.backward(cotangent)["x"], cotangent, kept, case, "dx, x with zeros"))
    return found


def _replayed(layer: HostedLayer, case: Case, x: Array) -> Array:
    """The mask of a training call right after the case's seed."""
    layer.seed(_seed(case))
    return _mask(layer, x)


@prop(
    "dropout.linear-on-mask",
    cases=cases.batches,
    level="core",
    statements=["5.1"],
    formula="(x + y)′ = x′ + y′ on one mask",
)
def linear_on_mask(layers: Layers, case: Case) -> Evidence:
    """On one mask dropout is additive; each term carries at most four roundings, so eight in all."""
    layer, x, y = _fresh(layers, case), case["x"], case["cotangent"]
    results = []
    for v in (x, y, x + y):
        layer.seed(_seed(case))
        results.append(layer.forward(v, training=True))
    if any(r.shape != x.shape for r in results):
        return same_bits(results[0], x, what="x′")
    a, b, c = (r.astype(np.longdouble) for r in results)
    return within(c, a + b, _roundings(8, np.abs(a) + np.abs(b), case.dtype), dims=case.dims["x"], what="(x + y)′")


@prop(
    "dropout.mask-independent-of-values",
    cases=cases.batches,
    level="core",
    statements=["5.1"],
    formula="mask(x) = mask(1) after one seed",
    kind="exact",
)
def mask_independent_of_values(layers: Layers, case: Case) -> list[Evidence]:
    """The mask does not depend on the values of x."""
    layer, x = _fresh(layers, case), case["x"]
    kept = _replayed(layer, case, np.ones_like(x))
    found = []
    for v in (x, cases.nonzero(-x), cases.nonzero(case["cotangent"])):
        seen = _replayed(layer, case, v)
        found.append(holds((seen == kept) | (v == 0), kept, seen, dims=case.dims["x"], what="kept"))
    return found


# --- seeds and calls


def _masks(layer: HostedLayer, count: int, case: Case, shape: tuple[int, ...] = EXACT_SHAPE) -> list[Array]:
    ones = np.ones(shape, case.dtype)
    return [_mask(layer, ones) for _ in range(count)]


def _all_differ(masks: list[Array], what: str) -> list[Evidence]:
    pairs = itertools.combinations(masks, 2)
    return [holds(not np.array_equal(a, b), "another mask", "the same mask", what=what) for a, b in pairs]


@prop(
    "dropout.fresh-mask",
    cases=cases.middling_rates,
    level="lifecycle",
    statements=["5.1"],
    formula="mask of call i ≠ mask of call j",
    kind="exact",
    examples=6,
)
def fresh_mask(layers: Layers, case: Case) -> list[Evidence]:
    """Every training call draws a new mask, whatever lies between."""
    layer = _fresh(layers, case)
    masks = _masks(layer, 2, case)
    layer.forward(np.ones(EXACT_SHAPE, case.dtype), training=False)
    return _all_differ([*masks, *_masks(layer, 1, case)], "two calls")


@prop(
    "dropout.reseed-replays",
    cases=cases.batches,
    level="lifecycle",
    statements=["5.1"],
    formula="seed(s); mask, mask, … is the same sequence each time",
    kind="exact",
)
def reseed_replays(layers: Layers, case: Case) -> list[Evidence]:
    """The same seed gives the same sequence of masks again, whatever was called before."""
    layer, x = layers.make(case.config, case.dtype), cases.nonzero(case["x"])
    layer.seed(_seed(case))
    first = [layer.forward(x, training=True) for _ in range(2)]
    layer.forward(x, training=False)
    layer.seed(_seed(case))
    again = [layer.forward(x, training=True) for _ in range(2)]
    return [same_bits(b, a, dims=case.dims["x"], what="x′ replayed") for a, b in zip(first, again, strict=True)]


@prop(
    "dropout.seeds-differ",
    cases=cases.middling_rates,
    level="lifecycle",
    statements=["5.1"],
    formula="mask after seed s ≠ mask after seed t",
    kind="exact",
    examples=4,
)
def seeds_differ(layers: Layers, case: Case) -> list[Evidence]:
    """Different seeds give different masks: neighbours, and seeds that differ in a high bit."""
    layer, s = layers.make(case.config, case.dtype), _seed(case) % 2**28
    masks = []
    for seed in (s, s + 1, s ^ 1 << 16, s ^ 1 << 29):
        layer.seed(seed)
        masks += _masks(layer, 1, case)
    return _all_differ(masks, "two seeds")


@prop(
    "dropout.mask-independence",
    cases=cases.independence,
    level="core",
    kind="statistical",
    statements=["5.1"],
    formula="mask entries are independent: lags 1…64, along every axis, between calls and seeds",
    examples=2,
)
def mask_independence(layers: Layers, case: Case) -> list[Evidence]:
    """Mask entries are independent along memory and every axis, between calls and between seeds."""
    layer = _fresh(layers, case)
    masks = _masks(layer, CALLS, case, VOLUME)
    flat, half = np.concatenate([m.ravel() for m in masks]), masks[0].size // 2
    lags = {lag: f"lag {lag}" for lag in LAGS}
    lags |= {k * math.prod(VOLUME[i + 1 :]): f"{k} along axis {i}" for i in range(3) for k in (1, 2, 3)}
    lags |= {k * masks[0].size: f"{k} calls apart" for k in (1, 2, 3)}
    found = [statistical.strongest((name, *p) for lag, name in lags.items() for p in statistical.at_lag(flat, lag))]
    found.append(statistical.strongest_shift(masks[0], masks[1]))
    found.append(statistical.strongest_shift(flat[:half], flat[half : 2 * half]))
    if "seed" in layer.capabilities():
        layer.seed(_seed(case) + 1)
        found.append(statistical.strongest_shift(masks[0], _masks(layer, 1, case, VOLUME)[0]))
    kinds = ("", "next call, ", "second half, ", "next seed, ")
    return [_correlation(f, kind) for f, kind in zip(found, kinds, strict=False)]


def _correlation(found: statistical.Dependence, kind: str) -> Evidence:
    what = f"correlation, {kind}{found.where}"
    return Evidence(np.array(found.error), np.array(0.0), np.array(found.correlation), what=what)


# --- conventions


@prop(
    "dropout.dropped-nonfinite-as-declared",
    cases=cases.nonfinite,
    level="interface",
    formula="a dropped ±∞ or NaN gives 0 (`zero`) or NaN (`nan`), a kept one stays",
    kind="exact",
)
def dropped_nonfinite(layers: Layers, case: Case) -> Evidence:
    """A dropped infinity or NaN gives 0 or NaN, as declared in `dropped_nonfinite`."""
    x, zero = case["x"], layers.declared("dropped_nonfinite") == "zero"
    y = _fresh(layers, case).forward(x, training=True)
    if y.shape != x.shape:
        return same_bits(y, x, what="x′")
    dropped = y == 0 if zero else np.isnan(y)
    stays = (y == x) | (np.isnan(y) & np.isnan(x))
    expected = "the same, or " + ("0" if zero else "NaN")
    return holds(np.isfinite(x) | stays | dropped, expected, y, dims=case.dims["x"], what="x′")


@prop(
    "dropout.random-stream-as-declared",
    cases=cases.middling_rates,
    level="lifecycle",
    formula="another layer's calls change this layer's masks iff `random_stream` is `process`",
    kind="exact",
    examples=4,
)
def random_stream(layers: Layers, case: Case) -> Evidence:
    """A layer's masks depend on another layer's calls if `random_stream` is declared `process`, else not."""
    layer, other = layers.make(case.config, case.dtype), layers.make(case.config, case.dtype)
    layer.seed(_seed(case))
    alone = _masks(layer, 2, case)[1]
    layer.seed(_seed(case))
    _masks(layer, 1, case)
    _masks(other, 1, case)
    same = np.array_equal(_masks(layer, 1, case)[0], alone)
    words = {True: "the same mask", False: "another mask"}
    own = layers.declared("random_stream") == "own"
    return holds(same == own, words[own], words[same], what="mask after another layer's call")
