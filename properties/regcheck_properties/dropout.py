"""Laws of dropout: training drops an entry with probability p and divides the rest by 1 − p; inference does nothing.

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, holds, prop, same_bits, within
from regcheck.cases import dropout as cases
from regcheck_properties.dropout_masks import (
    SQUARE,
    expectation_preserved,
    fresh,
    fresh_mask,
    kept,
    layers_differ,
    mask,
    mask_independence,
    random_stream,
    rate,
    replayed,
    reseed_replays,
    seed_of,
    seeds_differ,
)

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.host import HostedLayer

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "backward_mask",
    "dropped_nonfinite",
    "expectation_preserved",
    "fresh_mask",
    "inference_identity",
    "layers_differ",
    "linear_on_mask",
    "mask_independence",
    "mask_independent_of_values",
    "mask_order",
    "one_factor",
    "random_stream",
    "rate",
    "rate_one_zero",
    "rate_zero_identity",
    "reseed_replays",
    "seeds_differ",
    "support",
]


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
    y = fresh(layers, case).forward(x, training=True)
    return _masked(y, x, kept(y, x), case, "x′")


@prop(
    "dropout.one-factor",
    cases=cases.batches,
    level="core",
    statements=["5.3"],
    formula="x′ᵢ = s·xᵢ or 0, one s for all i and all calls",
)
def one_factor(layers: Layers, case: Case) -> list[Evidence]:
    """All kept entries are multiplied by one and the same factor, in every call."""
    x, layer, ones = cases.nonzero(case["x"]), fresh(layers, case), np.ones(SQUARE, case.dtype)
    calls = [layer.forward(ones, training=True) for _ in range(2)]
    factor = np.max(calls[0])
    found = [holds((y == 0) | (y == factor), factor, y, what="x′ for x = 1") for y in calls]
    y = layer.forward(x, training=True)
    expected = np.where(kept(y, x), x.astype(np.longdouble) * factor, 0)
    return [*found, within(y, expected, _roundings(3, expected, case.dtype), dims=case.dims["x"], what="x′")]


# --- where it does nothing, and where it drops everything


@prop(
    "dropout.inference-identity",
    cases=cases.nonfinite,
    level="core",
    statements=["5.4"],
    formula="x′ = x and ∂x′/∂x = 1 in inference",
    kind="exact",
)
def inference_identity(layers: Layers, case: Case) -> list[Evidence]:
    """In inference dropout returns its input bit by bit, also after training, and its gradient is the cotangent."""
    layer, x = fresh(layers, case), case["x"]
    layer.forward(x, training=True)
    same = same_bits(layer.forward(x, training=False), x, dims=case.dims["x"], what="x′ in inference", nan=True)
    return [same, *_gradient(layer, case, case["cotangent"], "dx in inference")]


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
    layer = fresh(layers, case)
    y = within(layer.forward(case["x"], training=True), result, 0.0, dims=case.dims["x"], what="x′")
    return [y, *_gradient(layer, case, gradient, "dx")]


def _gradient(layer: HostedLayer, case: Case, expected: Array, what: str) -> list[Evidence]:
    """Evidence that the gradient of the last forward, where it is offered, is exactly `expected`."""
    if "backward" not in layer.capabilities():
        return []
    return [within(layer.backward(case["cotangent"])["x"], expected, 0.0, dims=case.dims["x"], what=what)]


# --- gradients and linearity


@prop(
    "dropout.backward-mask",
    cases=cases.batches,
    level="gradients",
    statements=["5.5"],
    formula="dx = cotangent/(1 − p) where x was kept, 0 where it was dropped",
    revision=2,
)
def backward_mask(layers: Layers, case: Case) -> list[Evidence]:
    """The gradient passes through the forward pass's own mask, also where x is 0."""
    layer, x, cotangent = fresh(layers, case), cases.nonzero(case["x"]), case["cotangent"]
    mask(layer, x)
    seen = mask(layer, x)
    found = [_masked(layer.backward(cotangent)["x"], cotangent, seen, case, "dx")]
    if not _replays(layer, case):
        return found + _at_zero(layer, case)
    seen = replayed(layer, case, np.ones_like(x))
    for some, what in ((case["x"], "dx, x with zeros"), (np.zeros_like(x), "dx at x = 0")):
        replayed(layer, case, some)
        found.append(_masked(layer.backward(cotangent)["x"], cotangent, seen, case, what))
    return found


def _at_zero(layer: HostedLayer, case: Case) -> list[Evidence]:
    """Evidence that the gradient at x = 0, where no output shows the mask, has a mask of its own.

    A right layer keeps all of 4096 entries, drops them all, or repeats the last mask with probability below 1e-17.
    """
    ones = np.ones(SQUARE, case.dtype)
    last = mask(layer, ones)
    layer.forward(np.zeros_like(ones), training=True)
    dx = layer.backward(ones)["x"]
    seen = kept(dx, ones)
    expected, what = _scaled(ones, seen, case.config.rate), "dx at x = 0"
    return [
        within(dx, expected, _roundings(3, expected, case.dtype), what=what),
        holds(bool(seen.any()), "some entry kept", "all dropped", what=what),
        holds(not seen.all(), "some entry dropped", "all kept", what=what),
        holds(not np.array_equal(seen, last), "a new mask", "the last call's", what=what),
    ]


def _replays(layer: HostedLayer, case: Case) -> bool:
    """Whether the seed decides the mask; if not, `dropout.reseed-replays` says so."""
    ones = np.ones(SQUARE, case.dtype)
    return "seed" in layer.capabilities() and np.array_equal(replayed(layer, case, ones), replayed(layer, case, ones))


@prop(
    "dropout.linear-on-mask",
    cases=cases.batches,
    level="core",
    statements=["5.1"],
    formula="(x + y)′ = x′ + y′ on one mask",
)
def linear_on_mask(layers: Layers, case: Case) -> Evidence:
    """On one mask dropout is additive; each term carries at most four roundings, so eight in all."""
    layer, x, y = fresh(layers, case), case["x"], case["cotangent"]
    results = []
    for v in (x, y, x + y):
        layer.seed(seed_of(case))
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
    sentinels=["shuffled"],
)
def mask_independent_of_values(layers: Layers, case: Case) -> list[Evidence]:
    """The mask does not depend on the values of x."""
    layer, x = fresh(layers, case), case["x"]
    expected = replayed(layer, case, np.ones_like(x))
    found = []
    for v in (x, cases.nonzero(-x), cases.nonzero(case["cotangent"])):
        seen = replayed(layer, case, v)
        found.append(holds((seen == expected) | (v == 0), expected, seen, dims=case.dims["x"], what="kept"))
    return found


# --- conventions


@prop(
    "dropout.dropped-nonfinite-as-declared",
    cases=cases.nonfinite,
    level="interface",
    formula="a dropped ±∞ or NaN gives 0 (`zero`) or NaN (`nan`), a kept one stays",
    kind="exact",
    revision=2,
)
def dropped_nonfinite(layers: Layers, case: Case) -> list[Evidence]:
    """A dropped infinity or NaN gives 0 or NaN, as declared in `dropped_nonfinite`, and a kept one stays."""
    x, zero, layer = case["x"], layers.declared("dropped_nonfinite") == "zero", fresh(layers, case)
    y = layer.forward(x, training=True)
    if y.shape != x.shape:
        return [same_bits(y, x, what="x′")]
    dropped = y == 0 if zero else np.isnan(y)
    stays = (y == x) | (np.isnan(y) & np.isnan(x))
    expected = "the same, or " + ("0" if zero else "NaN")
    either = holds(np.isfinite(x) | stays | dropped, expected, y, dims=case.dims["x"], what="x′")
    return [either, *(_some_kept(layer, case, value) for value in (np.nan, np.inf, -np.inf))]


def _some_kept(layer: HostedLayer, case: Case, value: float) -> Evidence:
    """Evidence that not every entry of this one value is dropped: of 4096, with probability below 1e-17."""
    y = layer.forward(np.full(SQUARE, value, case.dtype), training=True)
    stays = np.isnan(y) if np.isnan(value) else y == value
    return holds(bool(stays.any()), f"{value} where it is kept", f"{value} nowhere", what=f"x′ for x = {value}")


@prop(
    "dropout.mask-order-as-declared",
    cases=cases.matrices,
    level="interface",
    kind="exact",
    formula="entry (i, j) has the same mask in any layout (`logical`), or the k-th entry in memory has (`memory`)",
    sentinels=["shuffled"],
)
def mask_order(layers: Layers, case: Case) -> Evidence:
    """One seed gives one mask, by position or by place in memory, as declared in `mask_order`."""
    layer, x = layers.make(case.config, case.dtype), cases.nonzero(case["x"])
    logical = layers.declared("mask_order") == "logical"
    expected = replayed(layer, case, x) if logical else replayed(layer, case, np.ascontiguousarray(x.T)).T
    seen = replayed(layer, case, np.asfortranarray(x))
    return holds(seen == expected, expected, seen, dims=case.dims["x"], what="kept in Fortran order")
