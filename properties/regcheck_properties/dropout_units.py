"""Laws of dropouts of whole channels or samples: a unit drops as a whole, and no two units share one draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, holds
from regcheck.cases import dropout as cases
from regcheck_properties.dropouts import distinct, fresh, law

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck_properties.dropouts import Dropouts

Array = np.ndarray[Any, np.dtype[Any]]

# Two units with 256 draws each have equal masks with probability 0.63²⁵⁶ < 1e-51 at the rates of these cases.
FEW, MANY = 16, 256
CALLS = 128  # in which a unit is never dropped, or never kept, with probability 0.75¹²⁸ < 2e-16


@law(
    "whole-{units}",
    cases=cases.batches,
    level="core",
    kind="exact",
    statements=["5.1"],
    formula="mask(x)ᵤᵥ is the same for all entries v of a unit u",
    sentinels=["shuffled"],
)
def whole_units(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """Every {unit} is kept or dropped as a whole: all its entries share one mask."""
    layer, unit, found = fresh(layers, case), family.unit, []
    for x, dims in family.shown(case):
        seen = family.mask(layer, x, case)
        first = unit.first(seen)
        expected = np.broadcast_to(first.reshape(*first.shape, *(1,) * (seen.ndim - first.ndim)), seen.shape)
        found.append(holds(seen == expected, expected, seen, dims=dims, what="kept"))
    return found


@law(
    "samples-independent",
    cases=cases.middling_rates,
    level="core",
    kind="exact",
    statements=["5.1"],
    formula="mask of sample i ≠ mask of sample j, of 256 channels",
    examples=6,
    sentinels=["nan"],
)
def samples_independent(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """No two samples of a batch share a mask: each draws its own."""
    return distinct(_drawn(family, layers, case, (FEW, MANY)), "first sample with the mask of sample")


@law(
    "channels-independent",
    cases=cases.middling_rates,
    level="core",
    kind="exact",
    statements=["5.1"],
    formula="mask of channel i ≠ mask of channel j, over 256 samples",
    examples=6,
    sentinels=["nan"],
)
def channels_independent(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """No two channels share a mask: each draws its own, in every sample."""
    return distinct(_drawn(family, layers, case, (MANY, FEW)).T, "first channel with the mask of channel")


@law(
    "samples-independent",
    cases=cases.middling_rates,
    level="core",
    kind="exact",
    statements=["5.1"],
    formula="of 4096 samples of a batch some are kept and some dropped",
    examples=6,
)
def samples_differ(family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """The samples of a batch do not share one draw: some are kept, and others dropped."""
    seen = family.unit.first(family.masks(fresh(layers, case), 1, case)[0])
    return [
        holds(bool(seen.any()), "some sample kept", "all dropped", what="one call"),
        holds(not seen.all(), "some sample dropped", "all kept", what="one call"),
    ]


@law(
    "every-{unit}-drops",
    cases=cases.middling_rates,
    level="core",
    kind="exact",
    statements=["5.1"],
    formula="0 < how often {unit} i is dropped in 128 calls < 128, for all i",
    examples=4,
    sentinels=["nan"],
)
def every_unit_drops(family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """Every {unit} is dropped in some calls and kept in others, the first and the last too."""
    layer, unit = fresh(layers, case), family.unit
    ones = np.ones(unit.many(FEW // 4, 4, case.config), case.dtype)
    kept = sum(unit.first(family.mask(layer, ones, case)).astype(int) for _ in range(CALLS))
    return holds((kept != 0) & (kept != CALLS), f"neither 0 nor {CALLS}", kept, what=f"kept in {CALLS} calls")


def _drawn(family: Dropouts, layers: Layers, case: Case, sizes: tuple[int, int]) -> Array:
    """The units that a training call keeps, of so many samples and channels."""
    ones = np.ones(family.unit.many(*sizes, case.config), case.dtype)
    return family.unit.first(family.mask(fresh(layers, case), ones, case))


CHANNELS = (whole_units, every_unit_drops, samples_independent, channels_independent)
SAMPLES = (whole_units, every_unit_drops, samples_differ)
