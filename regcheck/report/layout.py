"""How the cells of a report fall into tables: one sheet a family, properties by implementations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from regcheck.report.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regcheck.verdict import Cell, Report, Verdict

    Claims = Mapping[str, tuple[str, str]]

GLYPHS: dict[Verdict, str] = {
    "passed": "✓",
    "failed": "✗",
    "deviates": "≠",
    "not-applicable": "–",
    "inconclusive": "?",
}


@dataclass(frozen=True)
class Sheet:
    """The cells of one family: rows are properties, columns implementations."""

    family: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: dict[tuple[str, str], Cell]


def sheets(report: Report) -> list[Sheet]:
    """The report's cells by family, in the report's order."""
    families: dict[str, list[Cell]] = {}
    for cell in report.cells:
        families.setdefault(cell.family, []).append(cell)
    return [_sheet(report, family, cells) for family, cells in families.items()]


def _sheet(report: Report, family: str, cells: list[Cell]) -> Sheet:
    placed = {(cell.property, column(report, cell)): cell for cell in cells}
    rows = dict.fromkeys(row for row, _ in placed)
    columns = dict.fromkeys(name for _, name in placed)
    return Sheet(family, tuple(rows), tuple(columns), placed)


def column(report: Report, cell: Cell) -> str:
    """What heads a cell's column: the implementation, and what else tells it apart in this run."""
    name = one_line(cell.implementation)
    if cell.variant != "eager":
        name += f" ({one_line(cell.variant)})"
    return name + (f" [{cell.environment}]" if len(report.environments) > 1 else "")


def by_verdict(report: Report, verdict: Verdict) -> list[Cell]:
    """The cells with this verdict, in the report's order."""
    return [cell for cell in report.cells if cell.verdict == verdict]


def failures(report: Report) -> list[list[Cell]]:
    """The failed cells; those of a layer that did not return, always in the same way, are told as one."""
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in by_verdict(report, "failed"):
        observed = cell.witness.observed if cell.witness is not None else ""
        apart = cell.property if not observed or not cell.reason.startswith(observed) else ""
        key = (apart, column(report, cell), cell.reason)
        groups.setdefault(key, []).append(cell)
    return list(groups.values())


def others(cells: list[Cell]) -> str:
    """What else fails in the same way as the first of some cells, in one line; empty if nothing does."""
    names = ", ".join(one_line(cell.property) for cell in cells[1:])
    return f"and {len(cells) - 1} more in the same way: {names}" if names else ""


def by_reason(report: Report, verdict: Verdict) -> dict[str, list[Cell]]:
    """The cells with this verdict, by family and reason: what a run left out, in few lines."""
    groups: dict[str, list[Cell]] = {}
    for cell in by_verdict(report, verdict):
        groups.setdefault(f"{one_line(cell.family)}: {one_line(cell.reason) or 'no reason given'}", []).append(cell)
    return groups


def counts(report: Report) -> list[tuple[str, int]]:
    """The summary as (word, count), planned first."""
    s = report.summary
    return [
        ("planned", s.planned),
        ("passed", s.passed),
        ("failed", s.failed),
        ("deviates", s.deviates),
        ("not applicable", s.not_applicable),
        ("inconclusive", s.inconclusive),
    ]


def conformance(report: Report) -> str:
    """Whether the run is conformant, and if not, why, in one line."""
    if report.conformant:
        return "conformant"
    s = report.summary
    reasons = {
        "interrupted, incomplete": not report.complete,
        "partial: filtered": report.partial and not report.in_process,
        "partial: judged in this process, without isolation": report.in_process,
        "a canary was misjudged": report.canaries.startswith("misjudged"),
        "nothing was judged": not s.passed + s.failed + s.deviates,
        f"{s.failed} failed": s.failed,
        f"{s.inconclusive} inconclusive": s.inconclusive,
    }
    return f"not conformant ({'; '.join(text for text, holds in reasons.items() if holds) or 'see the problems'})"


def environment_line(environment: Mapping[str, object]) -> str:
    """Versions of one environment."""
    parts = [f"{one_line(key)} {one_line(value)}" for key, value in environment.items() if key != "id"]
    return f"environment {one_line(environment.get('id', 0))}: {', '.join(parts) or 'unknown'}"


def claim(claims: Claims, cell: Cell) -> tuple[str, str]:
    """The sentence and the formula of a cell's property, as far as they are known here."""
    return claims.get(cell.property, ("(the property is not installed here)", ""))
