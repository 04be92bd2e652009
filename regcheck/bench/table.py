"""A benchmark's report for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from regcheck.report.performance import HEAD, cells, facts, summary
from regcheck.report.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from regcheck.bench.records import BenchReport, Row

STYLES = {"measured": "", "void": "red", "not-applicable": "dim"}
LEFT = ("size", "pass", "implementation", "problem")


def renderables(report: BenchReport) -> Iterator[RenderableType]:
    """One table a family, then what the numbers depend on. All text is data: no markup is interpreted."""
    for family in dict.fromkeys(row.family for row in report.rows):
        yield Text(f"\n{one_line(family)}", "bold")
        yield _table([row for row in report.rows if row.family == family])
    yield Text()
    for line in facts(report):
        yield Text(line, "yellow" if line.startswith("problem:") else "dim")
    if any(row.timing is not None for row in report.rows):
        yield Text("† the machine was busy while this was timed · ‡ more than one thread · × 2 is twice as slow", "dim")
    yield Text(summary(report), "bold")


def _table(rows: list[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in HEAD:
        table.add_column(name, justify="left" if name in LEFT else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, STYLES[row.status]) for cell in cells(row)))
    return table
