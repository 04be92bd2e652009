"""A stored case, judged on the layer as it is now, as a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regcheck import replay
from regcheck.errors import UsageError
from regcheck.evaluate import CheckerError
from regcheck.verdict import Cell, Verdict, number
from regcheck.witness import witness_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from regcheck.property import Property
    from regcheck.replay import Replayed


def cell_of(path: Path, properties: Mapping[str, Property]) -> tuple[Cell, tuple[str, ...]]:
    """The cell, and what changed since the case was stored. Raises UsageError."""
    try:
        seen = replay.replay(path, properties)
    except CheckerError as error:
        msg = f"The case in {str(path)!r} cannot be judged any more: {error}. {replay.REMEDY}"
        raise UsageError(msg) from error
    return _cell(seen), seen.notes


def _verdict(seen: Replayed) -> tuple[Verdict, str]:
    if seen.outcome.unsupported is not None:
        return "not-applicable", seen.outcome.unsupported
    if seen.outcome.violation is None:
        return "passed", "the stored case does not fail any more"
    declared = seen.stored.deviates
    return ("deviates", declared) if declared and seen.outcome.named_in(declared) else ("failed", "")


def _cell(seen: Replayed) -> Cell:
    violation, (verdict, reason) = seen.outcome.violation, _verdict(seen)
    return Cell(
        implementation=seen.stored.name,
        framework=seen.stored.framework,
        family=seen.stored.family,
        property=seen.law.id,
        revision=seen.law.revision,
        level=seen.law.level,
        verdict=verdict,
        reason=reason,
        examples=seen.outcome.cases,
        error_over_bound=number(violation.error if violation is not None else seen.outcome.peak),
        witness=witness_of(seen.stored.case, violation) if violation is not None else None,
    )
