"""A report as Markdown: the conformance report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from regcheck.report import layout
from regcheck.report.failure import facts
from regcheck.report.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from regcheck.report.layout import Claims, Sheet
    from regcheck.verdict import Cell, Report


def markdown(report: Report, claims: Claims) -> str:
    """The whole report; `claims` gives sentence and formula of a property by its id."""
    return "\n".join([*_head(report), *_families(report), *_details(report, claims)]) + "\n"


def escape(text: object) -> str:
    """Foreign text as Markdown text on one line: no markup, no HTML."""
    shown = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # An underscore within a word marks nothing.
    return re.sub(r"([\\`*\[\]#~]|(?<!\w)_|_(?!\w))", r"\\\1", shown)


def code(text: object) -> str:
    """Foreign text as a code span that it cannot leave."""
    shown = one_line(text)
    longest = max(map(len, re.findall(r"`+", shown)), default=0)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{'`' * (longest + 1)}{pad}{shown}{pad}{'`' * (longest + 1)}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Lines of a table whose cells are Markdown already; a bar within a cell does not end it."""
    names = list(head)
    yield f"| {' | '.join(names)} |"
    yield f"|{'|'.join(' --- ' for _ in names)}|"
    for row in rows:
        cells = [cell.replace("|", "\\|") for cell in row]
        yield f"| {' | '.join(cells)} |"


def _head(report: Report) -> Iterator[str]:
    yield "# Conformance report"
    yield ""
    yield (
        f"regcheck {escape(report.regcheck)}, edition {escape(report.edition)}, profile {escape(report.profile)}, "
        f"seed {report.seed}: **{escape(layout.conformance(report))}**."
    )
    yield ""
    words, numbers = zip(*layout.counts(report), strict=True)
    yield from table(words, [map(str, numbers)])
    yield ""
    yield from _facts(report)


def _facts(report: Report) -> Iterator[str]:
    for environment in report.environments:
        yield f"- {escape(layout.environment_line(environment))}"
    yield f"- machine: {escape(', '.join(f'{k} {v}' for k, v in report.platform.items()) or 'unknown')}"
    yield f"- canaries: {escape(report.canaries)}"
    yield f"- not installed: {escape(', '.join(report.not_installed) or 'nothing')}"
    yield f"- wall time {report.wall_seconds:.1f} s"
    for name, peak in report.peak_memory_mib.items():
        yield f"- peak memory of {escape(name)}: {peak:.0f} MiB"
    for problem in report.problems:
        yield f"- problem: {escape(problem)}"
    yield ""


def _families(report: Report) -> Iterator[str]:
    for sheet in layout.sheets(report):
        yield f"## {escape(sheet.family)}"
        yield ""
        yield from _sheet(sheet)
        yield ""


def _sheet(sheet: Sheet) -> Iterator[str]:
    rows = ([code(row), *(_mark(sheet.cells.get((row, name))) for name in sheet.columns)] for row in sheet.rows)
    yield from table(["property", *map(escape, sheet.columns)], rows)


def _mark(cell: Cell | None) -> str:
    if cell is None:
        return ""
    error = cell.error_over_bound
    # A quiet exact law has error 0: only a measured part of the bound says something.
    share = f" {error:.2g}" if cell.verdict == "passed" and isinstance(error, float) and error > 0 else ""
    return f"{layout.GLYPHS[cell.verdict]} {cell.verdict}{share}"


def _details(report: Report, claims: Claims) -> Iterator[str]:
    yield "A number beside *passed* is the largest error that was seen, in units of its bound."
    yield ""
    failures = layout.failures(report)
    if failures:
        yield "## Failures"
        yield ""
    for cells in failures:
        yield from _failure(report, cells[0], claims)
        if len(cells) > 1:
            yield escape(layout.others(cells))
            yield ""
    yield from _list("Deviations, as declared", layout.by_verdict(report, "deviates"), report)
    yield from _list("Inconclusive", layout.by_verdict(report, "inconclusive"), report)
    yield from _left_out(report)
    yield from _declarations(report)


def _failure(report: Report, cell: Cell, claims: Claims) -> Iterator[str]:
    yield f"### {escape(layout.column(report, cell))}: {escape(cell.property)}"
    yield ""
    for label, text in facts(cell, claims):
        # What the author of a property wrote is prose; the rest are numbers and foreign text.
        yield f"- {escape(label)}: {escape(text) if label in {'claim', 'reason', 'error'} else code(text)}"
    yield ""


def _list(title: str, cells: list[Cell], report: Report) -> Iterator[str]:
    if not cells:
        return
    yield f"## {title}"
    yield ""
    rows = ([escape(layout.column(report, c)), code(c.property), escape(c.reason)] for c in cells)
    yield from table(["implementation", "property", "reason"], rows)
    yield ""


def _left_out(report: Report) -> Iterator[str]:
    groups = layout.by_reason(report, "not-applicable")
    if not groups:
        return
    yield "## Not applicable"
    yield ""
    for reason, cells in groups.items():
        named = ", ".join(dict.fromkeys(f"{layout.column(report, c)} {c.property}" for c in cells))
        yield f"- {escape(reason)}: {escape(named)}"
    yield ""


def _declarations(report: Report) -> Iterator[str]:
    """What each implementation declared, and what its adapter said for it."""
    rows = []
    for about in report.implementations:
        for origin in ("declares", "defaults"):
            values = about.get(origin)
            pairs = values.items() if isinstance(values, dict) else ()
            who = {"declares": "the author", "defaults": "the adapter"}[origin]
            rows += [[escape(about.get("name", "")), escape(key), escape(value), who] for key, value in pairs]
    if rows:
        yield "## Conventions"
        yield ""
        yield from table(["implementation", "convention", "value", "declared by"], rows)
        yield ""
