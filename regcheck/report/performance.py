"""A performance report, for the terminal and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from regcheck.report.layout import environment_line
from regcheck.report.markdown import escape
from regcheck.report.markdown import table as markdown_table
from regcheck.report.plain import configuration, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from regcheck.bench.records import BenchReport, Estimate, Row

HEAD = ("implementation", "pass", "problem", "median", "moved", "of copy", "ratio")
UNITS = ((1e-6, "ns", 1e9), (1e-3, "µs", 1e6), (1.0, "ms", 1e3))


def duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    for limit, unit, factor in UNITS:
        if seconds < limit:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds:.3g} s"


def moved(count: int | None) -> str:
    """Bytes in the unit that fits."""
    if count is None:
        return ""
    for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} B"


def _span(estimate: Estimate | None, form: str) -> str:
    if estimate is None:
        return ""
    return f"{estimate.value:{form}} [{estimate.low:{form}}, {estimate.high:{form}}]"


def row_texts(row: Row) -> list[str]:
    """One row as text; one that is void or not applicable says why in place of its times."""
    problem = f"{row.size}, {'×'.join(map(str, row.shape)) or 'scalar'} {row.dtype}"
    head = [one_line(row.implementation), one_line(row.timed), one_line(problem)]
    if row.timing is None:
        return [*head, f"{row.status}: {one_line(row.reason)}", "", "", ""]
    median = row.timing.median
    took = f"{duration(median.value)} [{duration(median.low)}, {duration(median.high)}]"
    ratio = f"{_span(row.ratio.times, '.2f')} {one_line(row.ratio.reference)}" if row.ratio else one_line(row.no_ratio)
    return [*head, took, moved(row.bytes_moved), _span(row.copy_share, ".0%"), ratio]


def by_family(report: BenchReport) -> dict[str, list[Row]]:
    """The rows by family, in the report's order."""
    families: dict[str, list[Row]] = {}
    for row in report.rows:
        families.setdefault(row.family, []).append(row)
    return families


def _facts(report: BenchReport) -> Iterator[str]:
    for environment in report.environments:
        yield environment_line(environment)
    yield f"machine: {configuration(report.platform)}"
    yield f"load: {', '.join(f'{x:.2f}' for x in report.load)}; {report.jobs} at once, {report.threads} thread each"
    if report.copy is not None:
        low, high = (moved(round(end)) for end in (report.copy.bandwidth.low, report.copy.bandwidth.high))
        block = moved(report.copy.block_bytes)
        rate = moved(round(report.copy.bandwidth.value))
        yield f"copy bandwidth: {rate}/s [{low}, {high}], copying {moved(report.copy.array_bytes)} by {block}"
    yield f"intervals: {report.confidence:.0%} bootstrap; {one_line(report.traffic_model)}"
    yield f"not installed: {', '.join(map(one_line, report.not_installed)) or 'nothing'}"
    for problem in report.problems:
        yield f"problem: {one_line(problem)}"
    if not report.complete:
        yield "interrupted, incomplete"


def counts(report: BenchReport) -> str:
    """The summary line."""
    words = ("measured", "void", "not-applicable")
    return ", ".join(f"{sum(row.status == word for row in report.rows)} {word}" for word in words)


def renderables(report: BenchReport) -> Iterator[RenderableType]:
    """What to print on a terminal."""
    for family, rows in by_family(report).items():
        table = Table(title=Text(one_line(family), "bold"), title_justify="left", box=None, pad_edge=False)
        for name in HEAD:
            table.add_column(Text(name), overflow="fold")
        for row in rows:
            table.add_row(*(Text(text, "" if row.status == "measured" else "yellow") for text in row_texts(row)))
        yield Text()
        yield table
    yield Text()
    for fact in _facts(report):
        yield Text(fact, "dim")
    yield Text(counts(report), "bold")


def markdown(report: BenchReport) -> str:
    """The whole report as Markdown."""
    lines = ["# Performance report", "", f"regcheck {escape(report.regcheck)}: **{escape(counts(report))}**.", ""]
    lines += [f"- {escape(fact)}" for fact in _facts(report)]
    for family, rows in by_family(report).items():
        lines += ["", f"## {escape(family)}", "", *_traffic(report, family)]
        lines += markdown_table(HEAD, ([escape(text) for text in row_texts(row)] for row in rows))
    return "\n".join(lines) + "\n"


def _traffic(report: BenchReport, family: str) -> Sequence[str]:
    passes = report.traffic.get(family, {})
    return [*(f"- {escape(name)}: {escape(arrays)}" for name, arrays in passes.items()), ""]
