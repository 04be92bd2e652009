"""One cell that failed or could not be judged: its facts as (label, text), in the order in which they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regcheck.report import layout
from regcheck.report.plain import configuration, one_line, times_bound, witness_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regcheck.report.layout import Claims
    from regcheck.verdict import Cell


def facts(cell: Cell, claims: Claims) -> Iterator[tuple[str, str]]:
    """Yield claim, formula, reason, witness, error and replay command."""
    sentence, formula = layout.claim(claims, cell)
    yield "claim", one_line(sentence)
    if formula:
        yield "formula", one_line(formula)
    if cell.reason:
        yield "reason", one_line(cell.reason)
    yield from _witness(cell)
    if cell.error_over_bound is not None:
        yield "error", times_bound(cell.error_over_bound)
    if cell.output:
        yield "printed", one_line(cell.output)
    if cell.witness is not None and cell.witness.replay:
        yield "replay", one_line(cell.witness.replay)


def _witness(cell: Cell) -> Iterator[tuple[str, str]]:
    witness = cell.witness
    if witness is None:
        return
    yield "config", configuration(witness.config)
    yield from witness_lines(witness.inputs)
    for label in ("where", "expected", "observed"):
        if getattr(witness, label):
            yield label, one_line(getattr(witness, label))


def text(cell: Cell, claims: Claims) -> str:
    """The facts as lines of plain text."""
    pairs = list(facts(cell, claims))
    width = max(len(label) for label, _ in pairs)
    head = f"{one_line(cell.implementation)} {cell.verdict}: {one_line(cell.property)}"
    return "\n".join([head, *(f"  {label.ljust(width)}  {said}" for label, said in pairs)])
