"""Medians, ratios of medians and of sums, with percentile bootstrap intervals (Efron 1979)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.bench.records import CONFIDENCE, Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = np.ndarray[Any, np.dtype[Any]]
RESAMPLES = 2000
SEED = 20261  # the interval is a function of the data


def median(values: Sequence[float]) -> Estimate:
    """The median of `values` and its interval."""
    data = np.asarray(values)
    return _estimate(float(np.median(data)), _medians(data, _resamples(data.size)))


def ratio_of_medians(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """median(values)/median(others) of rounds that were measured in turns: round by round, so both are resampled alike.

    What slows the machine for a while slows neighbours alike, and cancels.
    """
    data, base = np.asarray(values), np.asarray(others)
    chosen = _resamples(data.size)
    return _estimate(float(np.median(data) / np.median(base)), _medians(data, chosen) / _medians(base, chosen))


def ratio_of_independent(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """median(values)/median(others) of two runs, which know nothing of each other."""
    data, base = np.asarray(values), np.asarray(others)
    spread = _medians(data, _resamples(data.size)) / _medians(base, _resamples(base.size, SEED + 1))
    return _estimate(float(np.median(data) / np.median(base)), spread)


def ratio_of_sums(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """sum(values)/sum(others) of parts that belong together one by one, so both are resampled alike."""
    data, base = np.asarray(values), np.asarray(others)
    chosen = _resamples(data.size)
    return _estimate(float(data.sum() / base.sum()), data[chosen].sum(1) / base[chosen].sum(1))


def share(moved: int, seconds: Sequence[float], rates: Sequence[float]) -> Estimate:
    """Bytes moved in the median time, over the median of copy rates measured apart from it."""
    data, base = np.asarray(seconds), np.asarray(rates)
    spread = moved / (_medians(data, _resamples(data.size)) * _medians(base, _resamples(base.size, SEED + 1)))
    return _estimate(float(moved / (np.median(data) * np.median(base))), spread)


def _resamples(size: int, seed: int = SEED) -> Array:
    return np.random.default_rng(seed).integers(0, size, (RESAMPLES, size))


def _medians(data: Array, chosen: Array) -> Array:
    return np.asarray(np.median(data[chosen], axis=1))


def _estimate(value: float, spread: Array) -> Estimate:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(spread, [tail, 1 - tail])
    return Estimate(value=value, low=float(low), high=float(high))
