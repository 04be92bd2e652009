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


def _cell(seen: Replayed) -> Cell:
    violation, unsupported = seen.outcome.violation, seen.outcome.unsupported
    verdict: Verdict = "failed" if violation is not None else "passed" if unsupported is None else "not-applicable"
    return Cell(
        implementation=seen.stored.name,
        framework=seen.stored.framework,
        family=seen.stored.family,
        property=seen.law.id,
        revision=seen.law.revision,
        level=seen.law.level,
        verdict=verdict,
        reason=unsupported or ("" if violation is not None else "the stored case does not fail any more"),
        examples=seen.outcome.cases,
        error_over_bound=number(violation.error if violation is not None else seen.outcome.peak),
        witness=witness_of(seen.stored.case, violation) if violation is not None else None,
    )
