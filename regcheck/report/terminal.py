"""A report for the terminal: tables, every failure with its witness, and the summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from regcheck.report import layout
from regcheck.report.failure import facts
from regcheck.report.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from regcheck.report.layout import Claims, Sheet
    from regcheck.verdict import Cell, Report, Verdict

STYLES: dict[Verdict, str] = {
    "passed": "green",
    "failed": "bold red",
    "deviates": "yellow",
    "not-applicable": "dim",
    "inconclusive": "magenta",
}
ASCII_GLYPHS: dict[Verdict, str] = {
    "passed": "+",
    "failed": "x",
    "deviates": "~",
    "not-applicable": "-",
    "inconclusive": "?",
}
CELL_WIDTH = 18
EXAMPLES_NAMED = 3


def renderables(report: Report, claims: Claims, *, width: int = 120, unicode: bool = True) -> Iterator[RenderableType]:
    """What to print, piece by piece; `claims` gives sentence and formula of a property by its id."""
    glyphs = layout.GLYPHS if unicode else ASCII_GLYPHS
    yield from _head(report)
    for sheet in layout.sheets(report):
        yield from _tables(sheet, width, glyphs)
    yield from _list("Deviations, as declared", layout.by_verdict(report, "deviates"), report)
    yield from _list("Inconclusive", layout.by_verdict(report, "inconclusive"), report)
    yield from _left_out(report)
    for cells in layout.failures(report):
        yield Text()
        yield from _failure(report, cells[0], claims, glyphs)
        if len(cells) > 1:
            yield Padding(Text(layout.others(cells), "red"), (0, 0, 0, 2))
    yield from _foot(report)


def _head(report: Report) -> Iterator[RenderableType]:
    yield Text(
        f"regcheck {one_line(report.regcheck)}, edition {one_line(report.edition)}, "
        f"profile {one_line(report.profile)}, seed {report.seed}"
    )
    for environment in report.environments:
        yield Text(layout.environment_line(environment))


def _tables(sheet: Sheet, width: int, glyphs: dict[Verdict, str]) -> Iterator[RenderableType]:
    longest = max(len(one_line(row)) for row in sheet.rows)
    at_once = max(1, (width - longest - 2) // (CELL_WIDTH + 2))
    for start in range(0, len(sheet.columns), at_once):
        yield Text()
        yield _table(sheet, sheet.columns[start : start + at_once], glyphs)


def _table(sheet: Sheet, columns: tuple[str, ...], glyphs: dict[Verdict, str]) -> Table:
    table = Table(title=Text(one_line(sheet.family), "bold"), title_justify="left", box=None, pad_edge=False)
    table.add_column(Text("property"), no_wrap=True)
    for name in columns:
        # A long name is broken after its framework first.
        shown = name if len(name) <= CELL_WIDTH else name.replace(".", ".\n", 1)
        table.add_column(Text(shown), min_width=CELL_WIDTH, max_width=CELL_WIDTH, overflow="fold")
    for row in sheet.rows:
        cells = (sheet.cells.get((row, name)) for name in columns)
        table.add_row(Text(one_line(row)), *(_mark(cell, glyphs) for cell in cells))
    return table


def _mark(cell: Cell | None, glyphs: dict[Verdict, str]) -> Text:
    if cell is None:
        return Text("")
    return Text(f"{glyphs[cell.verdict]} {cell.verdict}", STYLES[cell.verdict])


def _list(title: str, cells: list[Cell], report: Report) -> Iterator[RenderableType]:
    if not cells:
        return
    yield Text(f"\n{title}", "bold")
    for cell in cells:
        line = Text(f"{layout.column(report, cell)}  {one_line(cell.property)}: ")
        yield Padding(line.append(one_line(cell.reason) or "no reason given"), (0, 0, 0, 2))


def _left_out(report: Report) -> Iterator[RenderableType]:
    groups = layout.by_reason(report, "not-applicable")
    if not groups:
        return
    yield Text("\nNot applicable", "bold")
    for reason, cells in groups.items():
        named = list(dict.fromkeys(f"{layout.column(report, c)} {one_line(c.property)}" for c in cells))
        more = f" and {len(named) - EXAMPLES_NAMED} more" if len(named) > EXAMPLES_NAMED else ""
        yield Padding(Text(f"{reason}: {', '.join(named[:EXAMPLES_NAMED])}{more}"), (0, 0, 0, 2))


def _failure(report: Report, cell: Cell, claims: Claims, glyphs: dict[Verdict, str]) -> Iterator[RenderableType]:
    title = f"{glyphs['failed']} {layout.column(report, cell)}  {one_line(cell.property)}"
    yield Text(title, STYLES["failed"])
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in facts(cell, claims):
        if label != "replay":
            grid.add_row(Text(label, "dim"), Text(text))
    yield Padding(grid, (0, 0, 0, 2))
    if cell.witness is not None and cell.witness.replay:
        # A command that is to be copied stays on one line, however narrow the terminal is.
        yield Group(Text(f"  {one_line(cell.witness.replay)}", "bold", no_wrap=True, overflow="ignore"))


def _foot(report: Report) -> Iterator[RenderableType]:
    yield Text()
    for problem in report.problems:
        yield Text(f"problem: {one_line(problem)}", "yellow")
    yield Text(", ".join(f"{count} {word}" for word, count in layout.counts(report)), "bold")
    yield Text(layout.conformance(report), "green" if report.conformant else "yellow")
    if report.not_installed:
        yield Text(f"not installed: {', '.join(map(one_line, report.not_installed))}")
    memory = ", ".join(f"{one_line(name)} {peak:.0f} MiB" for name, peak in report.peak_memory_mib.items())
    yield Text(f"{report.wall_seconds:.1f} s{'; peak memory: ' if memory else ''}{memory}", "dim")
