"""Laws of what a dropout makes of its input: what it gives, what its gradient is, and where it does nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, holds, same_bits, within
from regcheck.cases import dropout as cases
from regcheck_properties.dropout_masks import CHUNK, sequential
from regcheck_properties.dropouts import fresh, law, roundings, seed_of

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.host import HostedLayer
    from regcheck_properties.dropouts import Dropouts

Array = np.ndarray[Any, np.dtype[Any]]


def scaled(family: Dropouts, x: Array, kept: Array, case: Case) -> Array:
    """x times the family's factor where kept, else 0, in the widest float type."""
    return np.where(kept, x.astype(np.longdouble) * family.factor(case.config.rate), 0)


def multiplied(family: Dropouts, y: Array, expected: Array, case: Case, what: str) -> Evidence:
    """Evidence that y is the expected x times the family's factor, or 0."""
    return within(y, expected, family.error(expected, case.dtype), dims=case.dims["x"], what=what)


# --- the rule itself


@law(
    "support",
    cases=cases.batches,
    level="core",
    statements=["5.1", "5.3"],
    formula="x′ ∈ {0, x/(1 − p)}",
    source="Srivastava et al. 2014, section 10",
)
def support(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """In training every output is 0 or x/(1 − p), to three roundings."""
    x = case["x"]
    y = fresh(layers, case).forward(x, training=True)
    return multiplied(family, y, scaled(family, x, family.kept(y, x, case), case), case, "x′")


@law(
    "one-factor",
    cases=cases.batches,
    level="core",
    statements=["5.3"],
    formula="x′ᵢ = s·xᵢ or 0, one s for all i and all calls",
)
def one_factor(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """All kept entries are multiplied by one and the same factor, in every call."""
    x, layer, ones = cases.nonzero(case["x"]), fresh(layers, case), family.ones(case)
    calls = [layer.forward(ones, training=True) for _ in range(2)]
    factor = np.max(calls[0])
    found = [holds((y == 0) | (y == factor), factor, y, what="x′ for x = 1") for y in calls]
    y = layer.forward(x, training=True)
    expected = np.where(family.kept(y, x, case), x.astype(np.longdouble) * factor, 0)
    return [*found, within(y, expected, roundings(3, expected, case.dtype), dims=case.dims["x"], what="x′")]


@law(
    "expectation-preserved",
    cases=cases.rates,
    level="core",
    kind="statistical",
    statements=["5.2", "5.3"],
    formula="E[x′] = x, that is P(kept) = 1/s for the layer's own factor s",
    examples=len(cases.STATISTICAL_RATES),
)
def expectation_preserved(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """The mean of x′ is x: the layer's own factor is one over the share of {units} that it keeps.

    Found with power 0.999 is a share off by 0.01·√(p(1 − p)) beyond the factor's own three roundings, which in half
    precision alone matter (1.5e-3 of the share). A right layer is accused with probability 1e-12 at most.
    """
    layer = fresh(layers, case)
    y = layer.forward(np.ones(family.unit.many(*CHUNK, case.config), case.dtype), training=True)
    factor = float(np.max(y)) if y.size else math.nan
    if not 0 < factor < math.inf:
        return holds(condition=False, expected="a positive factor", observed=factor, what="x′ for x = 1")
    slack = 3 * float(np.finfo(case.dtype).eps) / 2  # the factor's own three roundings
    return sequential(family, layer, case, (1 - slack) / factor, (1 + slack) / factor)


# --- where it does nothing, and where it drops everything


@law(
    "inference-identity",
    cases=cases.nonfinite,
    level="core",
    statements=["5.4"],
    formula="x′ = x and ∂x′/∂x = 1 in inference",
    kind="exact",
)
def inference_identity(_family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """In inference dropout returns its input bit by bit, also after training, and its gradient is the cotangent."""
    layer, x = fresh(layers, case), case["x"]
    layer.forward(x, training=True)
    same = same_bits(layer.forward(x, training=False), x, dims=case.dims["x"], what="x′ in inference", nan=True)
    return [same, *_gradient(layer, case, case["cotangent"], "dx in inference")]


@law(
    "rate-zero-identity",
    cases=cases.batches_at(0.0),
    level="core",
    statements=["5.1", "5.3", "5.5"],
    formula="p = 0: x′ = x, ∂x′/∂x = 1",
    kind="exact",
)
def rate_zero_identity(_family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """At rate 0 a training call returns its input, and its gradient is the cotangent."""
    return _exactly(layers, case, case["x"], case["cotangent"])


@law(
    "rate-one-zero",
    cases=cases.batches_at(1.0),
    level="core",
    statements=["5.1", "5.5"],
    formula="p = 1: x′ = 0, ∂x′/∂x = 0",
    kind="exact",
)
def rate_one_zero(_family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
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


@law(
    "backward-mask",
    cases=cases.batches,
    level="gradients",
    statements=["5.5"],
    formula="dx = s·cotangent where x was kept, s being what kept entries are multiplied by, else 0",
    revision=2,
)
def backward_mask(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """The gradient passes through the forward pass's own mask, also where x is 0."""
    layer, x, cotangent = fresh(layers, case), family.visible(case["x"]), case["cotangent"]
    family.mask(layer, x, case)
    seen = family.mask(layer, x, case)
    found = [multiplied(family, layer.backward(cotangent)["x"], scaled(family, cotangent, seen, case), case, "dx")]
    if not _replays(family, layer, case):
        return found + _at_zero(family, layer, case)
    expected = scaled(family, cotangent, family.replayed(layer, np.ones_like(x), case), case)
    for some, what in ((case["x"], "dx, x with zeros"), (np.zeros_like(x), "dx at x = 0")):
        family.replayed(layer, some, case)
        found.append(multiplied(family, layer.backward(cotangent)["x"], expected, case, what))
    return found


def _at_zero(family: Dropouts, layer: HostedLayer, case: Case) -> list[Evidence]:
    """Evidence that the gradient at x = 0, where no output need show the mask, has a mask of its own.

    A right layer keeps all of 4096 units, drops them all, or repeats the last mask with probability below 1e-17.
    """
    ones = family.ones(case)
    last = family.mask(layer, ones, case)
    layer.forward(np.zeros_like(ones), training=True)
    dx = layer.backward(ones)["x"]
    seen = dx != 0 if dx.shape == ones.shape else np.ones(ones.shape, bool)
    expected, what = scaled(family, ones, seen, case), "dx at x = 0"
    return [
        within(dx, expected, family.error(expected, case.dtype), what=what),
        holds(bool(seen.any()), "some entry kept", "all dropped", what=what),
        holds(not seen.all(), "some entry dropped", "all kept", what=what),
        holds(not np.array_equal(seen, last), "a new mask", "the last call's", what=what),
    ]


def _replays(family: Dropouts, layer: HostedLayer, case: Case) -> bool:
    """Whether the seed decides the mask; if not, `reseed-replays` says so."""
    if "seed" not in layer.capabilities():
        return False
    first, again = (family.replayed(layer, family.ones(case), case) for _ in range(2))
    return np.array_equal(first, again)


@law(
    "linear-on-mask",
    cases=cases.batches,
    level="core",
    statements=["5.1"],
    formula="(x + y)′ = x′ + y′ on one mask",
)
def linear_on_mask(_family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """On one mask dropout is additive; each term carries at most four roundings, so eight in all."""
    layer, x, y = fresh(layers, case), case["x"], case["cotangent"]
    results = []
    for v in (x, y, x + y):
        layer.seed(seed_of(case))
        results.append(layer.forward(v, training=True))
    if any(r.shape != x.shape for r in results):
        return same_bits(results[0], x, what="x′")
    a, b, c = (r.astype(np.longdouble) for r in results)
    return within(c, a + b, roundings(8, np.abs(a) + np.abs(b), case.dtype), dims=case.dims["x"], what="(x + y)′")


# --- conventions


@law(
    "dropped-nonfinite-as-declared",
    cases=cases.nonfinite,
    level="interface",
    formula="a dropped ±∞ or NaN gives 0 (`zero`) or NaN (`nan`), a kept one stays",
    kind="exact",
    revision=2,
)
def dropped_nonfinite(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """A dropped infinity or NaN gives 0 or NaN, as declared in `dropped_nonfinite`, and a kept one stays."""
    x, zero, layer = case["x"], layers.declared("dropped_nonfinite") == "zero", fresh(layers, case)
    y = layer.forward(x, training=True)
    if y.shape != x.shape:
        return [same_bits(y, x, what="x′")]
    dropped = y == 0 if zero else np.isnan(y)
    stays = (y == x) | (np.isnan(y) & np.isnan(x))
    expected = "the same, or " + ("0" if zero else "NaN")
    either = holds(np.isfinite(x) | stays | dropped, expected, y, dims=case.dims["x"], what="x′")
    return [either, *(some_kept(family, layer, case, value) for value in (np.nan, np.inf, -np.inf))]


def some_kept(family: Dropouts, layer: HostedLayer, case: Case, value: float) -> Evidence:
    """Evidence that not every entry of this one value is dropped: of 4096 units, with probability below 1e-17."""
    y = layer.forward(np.full_like(family.ones(case), value), training=True)
    stays = np.isnan(y) if np.isnan(value) else y == value
    return holds(bool(stays.any()), f"{value} where it is kept", f"{value} nowhere", what=f"x′ for x = {value}")


IDENTITIES = (inference_identity, rate_zero_identity)
MULTIPLICATION = (
    support,
    one_factor,
    expectation_preserved,
    rate_one_zero,
    backward_mask,
    linear_on_mask,
    dropped_nonfinite,
)
