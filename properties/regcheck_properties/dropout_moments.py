"""Whether a number that a dropout gives, known between two bounds, has the mean that its distribution has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, moments
from regcheck_properties.dropout_masks import CLOSER, EFFECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regcheck import Case

Array = np.ndarray[Any, np.dtype[Any]]


def zero_mean(chunks: Iterator[tuple[Array, Array]], log_moment: moments.LogMoment, case: Case, what: str) -> Evidence:
    """Evidence that the number has mean 0; its variance is 1 and its log moment known."""

    def draw() -> tuple[float, float, int]:
        low, high = next(chunks)
        return float(np.sum(low)), float(np.sum(high)), low.size

    found = moments.sequential_mean(draw, log_moment, effect(case))
    what = f"mean of {what}, {found.draws} draws at p = {case.config.rate}"
    return Evidence(np.array(found.error), np.array(0.0), np.array(found.observed), what=what)


def effect(case: Case) -> float:
    """The smallest deviation that is found, in standard deviations of one draw."""
    return CLOSER if case.values.get("confirming") else EFFECT


def squares(chunks: Iterator[tuple[Array, Array]], spread: float) -> Iterator[tuple[Array, Array]]:
    """(z² − 1)/spread for numbers z."""
    for low, high in chunks:
        nearest, farthest = np.maximum(0, np.maximum(low, -high)), np.maximum(-low, high)
        yield (nearest**2 - 1) / spread, (farthest**2 - 1) / spread
