"""Two runs of one machine, row by row: how the times changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from regcheck.bench.estimate import ratio_of_independent
from regcheck.errors import UsageError

if TYPE_CHECKING:
    from regcheck.bench.records import BenchReport, Estimate, Row


class Change(NamedTuple):
    """A row that both runs measured: its median after over that before."""

    row: Row
    times: Estimate


def compare(before: BenchReport, after: BenchReport) -> list[Change]:
    """The rows that both runs measured on the same problem. Raises UsageError for runs of different machines."""
    for what in ("platform", "threads", "jobs"):
        if getattr(before, what) != getattr(after, what):
            msg = (
                f"The two runs cannot be compared: their {what} differs ({getattr(before, what)} and "
                f"{getattr(after, what)}). Times of different machines say nothing of the code. Run both on one."
            )
            raise UsageError(msg)
    earlier = {_key(row): row for row in before.rows}
    found = []
    for row in after.rows:
        old = earlier.get(_key(row))
        if old is not None and old.timing is not None and row.timing is not None:
            found.append(Change(row, ratio_of_independent(row.timing.seconds, old.timing.seconds)))
    return found


def _key(row: Row) -> tuple[object, ...]:
    return (
        row.implementation,
        row.family,
        row.timed,
        row.size,
        row.dtype,
        tuple(row.shape),
        str(row.config),
        row.variant,
    )
