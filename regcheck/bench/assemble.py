"""What a process told and what pytest-benchmark recorded → rows with their estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from regcheck.bench import estimate
from regcheck.bench.bandwidth import BLOCK
from regcheck.bench.records import Copy, Ratio, Row, Timing

if TYPE_CHECKING:
    from collections.abc import Iterable

DIGITS = 6


def copy_of(rates: list[float], sizes: dict[str, int]) -> Copy:
    """The copy bandwidth from all its samples of the run."""
    rounded = _rounded(rates)
    return Copy(bandwidth=estimate.median(rounded), block_bytes=BLOCK, rates=rounded, **sizes)


def row_of(about: dict[str, Any], record: dict[str, Any] | None, rates: list[float]) -> Row:
    """A row's record; only one that is `measured` gets times."""
    row = msgspec.convert(about, Row)
    if row.status != "measured" or record is None:
        return row
    seconds = _rounded(value / record["calls"] for value in record["seconds"])
    moved = row.bytes_moved or 0
    return msgspec.structs.replace(
        row,
        timing=_timing(seconds, record["calls"]),
        copy_share=estimate.share(moved, seconds, _rounded(rates)) if rates else None,
        ratio=_ratio(seconds, record),
    )


def _timing(seconds: list[float], calls: int) -> Timing:
    return Timing(median=estimate.median(seconds), calls=calls, seconds=seconds)


def _ratio(seconds: list[float], record: dict[str, Any]) -> Ratio | None:
    if "reference" not in record:
        return None
    base = _rounded(record["reference_seconds"])
    return Ratio(
        reference=record["reference"],
        times=estimate.ratio_of_medians(seconds, base),
        reference_timing=_timing(base, record["reference_calls"]),
    )


def _rounded(values: Iterable[float]) -> list[float]:
    """To six digits: the clock has no more, and the file is a third as long."""
    return [float(f"{value:.{DIGITS}g}") for value in values]
