"""In which order values are offered to Hypothesis, whose first example takes the first of everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from regcheck.implementation import DTYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regcheck.property import Plan

T = TypeVar("T")


def turned(values: Sequence[T], plan: Plan, stratum: int, strata: int) -> tuple[T, ...]:
    """`values` turned round, by another number of places in every stratum of every dtype.

    A small budget sees little more than first examples; so they differ, and short lists are covered by them alone.
    """
    start = (DTYPES.index(plan.dtype) * strata + stratum) % len(values)
    return (*values[start:], *values[:start])
