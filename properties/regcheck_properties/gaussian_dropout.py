"""Laws of Gaussian dropout: training multiplies by noise n ~ N(1, p/(1 − p)); inference does nothing.

Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014), section 10.
Nothing drops; where laws of dropouts speak of a mask, it tells where the noise is above 1, its mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, bounds, holds, same_bits, within
from regcheck.cases import dropout as cases
from regcheck_properties import dropout_masks, dropout_values, gaussian_noise
from regcheck_properties.dropouts import Dropouts, declared, fresh, law, seed_of, thrice
from regcheck_properties.gaussian_noise import arithmetic, noise, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regcheck import Case, Layers
    from regcheck.host import HostedLayer

Array = np.ndarray[Any, np.dtype[Any]]

MEDIAN = 0.6744897501960817  # of |z|, z standard normal


def _above_mean(y: Array, x: Array, _case: Case) -> Array:
    return np.asarray(noise(y, x) > 1)


def _far_from_mean(y: Array, x: Array, case: Case) -> Array:
    return np.asarray(np.abs(noise(y, x) - 1) > MEDIAN * spread(case))


def _nonzero(x: Array) -> Array:
    return np.asarray(x != 0)


FAMILY = Dropouts("gaussian_dropout", _above_mean, _nonzero, np.longdouble, thrice, lambda _rate: 1 / 2)
FAR = Dropouts("gaussian_dropout", _far_from_mean, _nonzero, np.longdouble, thrice)


@law(
    "zero-stays-zero",
    cases=cases.batches,
    level="core",
    formula="0·n = 0",
    kind="exact",
)
def zero_stays_zero(_family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """In training an exact 0 stays 0."""
    x, layer = case["x"], fresh(layers, case)
    found = []
    for v in (x, np.zeros_like(x)):
        y = layer.forward(v, training=True)
        found.append(within(np.where(v == 0, y, 0) if y.shape == v.shape else y, np.zeros_like(v), 0.0, what="x′"))
    return found


@law(
    "noise-independent-of-values",
    cases=cases.batches,
    level="core",
    formula="x′ = x·n, where n = 1′ after the same seed",
    source="Srivastava et al. 2014, section 10",
)
def noise_independent_of_values(_family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """Each entry is multiplied by a factor that does not depend on x: after one seed x′ is x times what 1 becomes."""
    layer, x, ones = layers.make(case.config, case.dtype), case["x"], np.ones_like(case["x"])
    n = noise(_after_seed(layer, case, ones), ones)
    return [
        _multiplied(layers, case, _after_seed(layer, case, v), v, n, ones, "x′") for v in (x, -x, case["cotangent"])
    ]


@law(
    "backward-noise",
    cases=cases.batches,
    level="gradients",
    statements=["5.5"],
    formula="dx = cotangent·n, n of the forward pass",
)
def backward_noise(_family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """The gradient is multiplied by the forward pass's own noise, also where x is 0."""
    layer, x, cotangent = fresh(layers, case), cases.nonzero(case["x"]), case["cotangent"]
    layer.forward(x, training=True)
    n = noise(layer.forward(x, training=True), x)
    found = [_multiplied(layers, case, layer.backward(cotangent)["x"], cotangent, n, x, "dx")]
    if "seed" not in layer.capabilities():
        return found
    ones = np.ones_like(x)
    n = noise(_after_seed(layer, case, ones), ones)
    if not np.array_equal(noise(_after_seed(layer, case, ones), ones), n):
        return found  # no seed decides the noise, which `reseed-replays` shows
    for some, what in ((case["x"], "dx, x with zeros"), (np.zeros_like(x), "dx at x = 0")):
        _after_seed(layer, case, some)
        found.append(_multiplied(layers, case, layer.backward(cotangent)["x"], cotangent, n, ones, what))
    return found


def _after_seed(layer: HostedLayer, case: Case, x: Array) -> Array:
    """What a training call gives right after the case's seed."""
    layer.seed(seed_of(case))
    return layer.forward(x, training=True)


def _multiplied(layers: Layers, case: Case, y: Array, x: Array, n: Array, at: Array, what: str) -> Evidence:  # noqa: PLR0913, PLR0917
    """Evidence that y is x·n, n having been read from the result for `at`."""
    expected = x.astype(np.longdouble) * n
    return within(y, expected, bounds.noised(x, n, at, arithmetic(layers, case)), dims=case.dims["x"], what=what)


@law(
    "nonfinite-propagates",
    cases=cases.nonfinite,
    level="interface",
    formula="∞·n = ±∞, NaN·n = NaN",
    kind="exact",
)
def nonfinite_propagates(_family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """In training NaN stays NaN and an infinity stays one, of either sign; where the noise is exactly 0 it is NaN."""
    x = case["x"]
    y = fresh(layers, case).forward(x, training=True)
    if y.shape != x.shape:
        return same_bits(y, x, what="x′")
    return holds(
        np.isfinite(x) | np.isnan(y) | (np.isinf(x) & np.isinf(y)), "∞ or NaN", y, dims=case.dims["x"], what="x′"
    )


@law("distance-independence", **dropout_masks.mask_independence.about)
def distance_independence(_family: Dropouts, layers: Layers, case: Case) -> Evidence | Sequence[Evidence]:
    """How far the noise is from 1 is independent along memory and axes, between calls and seeds.

    As `mask-independence`, of the entries whose noise is beyond the median distance, whatever the side.
    """
    return dropout_masks.mask_independence.law(FAR, layers, case)


PROPERTIES = declared(
    FAMILY,
    (gaussian_noise.expectation_preserved, gaussian_noise.variance, gaussian_noise.normal),
    (zero_stays_zero, noise_independent_of_values, backward_noise, nonfinite_propagates),
    dropout_values.IDENTITIES,
    # What `mask-independent-of-values` says of masks, `noise-independent-of-values` says of factors.
    [each for each in dropout_masks.LAWS if each is not dropout_masks.mask_independent_of_values],
    (distance_independence,),
)
