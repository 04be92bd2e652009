"""A performance report, for the terminal and as Markdown."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from regcheck.report.layout import environment_line
from regcheck.report.markdown import code, escape, table
from regcheck.report.plain import configuration, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from regcheck.bench.records import BenchReport, Copy, Estimate, Row

HEAD = ("size", "pass", "implementation", "problem", "median", "95 %", "moved", "of copy", "× reference", "error/bound")
LEFT = ("size", "pass", "implementation", "problem")
STYLES = {"measured": "", "deviates": "yellow", "void": "red", "not-applicable": "dim"}
DISTURBED, THREADED = 0.9, 1.1  # processor time over wall time
UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))
READING = """
- A call is timed as regcheck makes it: NumPy arrays in, NumPy arrays out, eager, gradients recorded where the
  framework records them. What a framework copies on the way (TensorFlow and Keras do, both ways) is part of its
  time, and at the size `small` calling costs more than computing.
- *median*: of the rounds, per call, with a 95 % bootstrap interval. Rounds are timed by pytest-benchmark.
- *× reference*: the median over that of the reference, both timed in turns, round by round, on the same data, with a
  95 % bootstrap interval of the ratio of medians; 2 is twice the time. The reference is the first of PyTorch's and
  NumPy's stock implementations that takes the same problem and is right.
- *of copy*: bytes moved in the median time over the copy bandwidth; beyond 100 % the data stayed in a cache.
- *error/bound*: the largest error of the results that were checked, before and after the timing, in units of the
  largest error of a correct implementation. A result beyond 1 makes the row *void*: its time is not given. The
  row *deviates* instead, likewise without a time, where the implementation declared a deviation of that family.
- †: less than 90 % of a processor was had while the row was timed, so the machine was busy and the times are too
  long. ‡: more than 110 %, so there was more than one thread.
""".strip()


def markdown(report: BenchReport) -> str:
    """The whole report."""
    return "\n".join([*_head(report), *_reading(report), *_families(report)]) + "\n"


def renderables(report: BenchReport) -> Iterator[RenderableType]:
    """One table a family, then what the numbers depend on. All text is data: no markup is interpreted."""
    for family in dict.fromkeys(row.family for row in report.rows):
        yield Text(f"\n{one_line(family)}", "bold")
        yield _grid([row for row in report.rows if row.family == family])
    yield Text()
    for line in facts(report):
        yield Text(line, "yellow" if line.startswith("problem:") else "dim")
    if any(row.timing is not None for row in report.rows):
        yield Text(
            "† the machine was busy while this was timed · ‡ more than one thread · 2 × reference is twice the time",
            "dim",
        )
    yield Text(summary(report), "bold")


def _grid(rows: list[Row]) -> Table:
    grid = Table(box=None, pad_edge=False, header_style="dim")
    for name in HEAD:
        grid.add_column(name, justify="left" if name in LEFT else "right", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell, STYLES[row.status]) for cell in cells(row)))
    return grid


def summary(report: BenchReport) -> str:
    """How many rows there are of each kind."""
    counts = {word: sum(row.status == word for row in report.rows) for word in STYLES}
    text = ", ".join(f"{count} {word.replace('-', ' ')}" for word, count in counts.items())
    return text if report.complete else f"{text}; interrupted, incomplete"


def facts(report: BenchReport) -> Iterator[str]:
    """What the numbers depend on, one line each."""
    for environment in report.environments:
        yield environment_line(environment)
    yield f"machine: {', '.join(f'{one_line(k)} {one_line(v)}' for k, v in report.platform.items())}"
    threads = f"{report.threads} thread{'s' * (report.threads != 1)}"
    yield f"{threads}, {report.jobs} target{'s' * (report.jobs != 1)} at a time, {report.wall_seconds:.0f} s in all"
    if report.load:
        yield f"load average before and after: {', '.join(f'{load:.2f}' for load in report.load)}"
    if report.copy is not None:
        yield copy_line(report.copy)
    if report.not_installed:
        yield f"not installed: {', '.join(map(one_line, report.not_installed))}"
    for problem in report.problems:
        yield f"problem: {one_line(problem)}"


def copy_line(copy: Copy) -> str:
    """The machine's copy bandwidth, and how it was measured."""
    low, value, high = (f"{n / 1e9:.3g}" for n in (copy.bandwidth.low, copy.bandwidth.value, copy.bandwidth.high))
    cache = f"the largest cache: {_bytes(copy.cache_bytes)}" if copy.cache_bytes else "the caches' sizes are unknown"
    return (
        f"copy bandwidth: {value} GB/s [{low}, {high}], bytes read and bytes written; median of {len(copy.rates)} "
        f"NumPy copies of {_bytes(copy.block_bytes)} between the rows, walking through two arrays of "
        f"{_bytes(copy.array_bytes)} each ({cache})"
    )


def cells(row: Row) -> tuple[str, ...]:
    """A row as text under HEAD: foreign text made safe for one line, no markup."""
    name = one_line(row.implementation)
    problem = f"{'×'.join(map(str, row.shape))} {one_line(row.dtype)}".strip()
    start = (one_line(row.size), one_line(row.timed), name, problem)
    if row.timing is None:
        return (*start, row.status.replace("-", " "), "", "", "", one_line(row.reason), "")
    return (
        *start,
        f"{duration(row.timing.median.value)}{mark(row)}",
        _interval(row.timing.median),
        _bytes(row.bytes_moved or 0),
        _percent(row.copy_share),
        ratio(row),
        _error(row.error_over_bound),
    )


def mark(row: Row) -> str:
    """Whether the machine was busy, or the layer had more than one thread."""
    share = 1.0 if row.cpu_share is None else row.cpu_share
    return " †" if share < DISTURBED else " ‡" if share > THREADED else ""


def ratio(row: Row) -> str:
    """The ratio with its interval and its reference, or why there is none."""
    if row.ratio is None:
        return one_line(row.no_ratio)
    times = row.ratio.times
    return f"{times.value:.3g} [{times.low:.3g}, {times.high:.3g}] {one_line(row.ratio.reference)}"


def duration(seconds: float) -> str:
    """Three digits in the unit that suits."""
    unit, size = next(((u, s) for u, s in UNITS if seconds >= s), UNITS[-1])
    return f"{_three(seconds / size)} {unit}"


def _interval(estimate: Estimate) -> str:
    """Low and high end, in the unit of the high one."""
    unit, size = next(((u, s) for u, s in UNITS if estimate.high >= s), UNITS[-1])
    return f"[{_three(estimate.low / size)}, {_three(estimate.high / size)}] {unit}"


def _three(value: float) -> str:
    """Three significant digits, without an exponent."""
    if value <= 0 or not math.isfinite(value):
        return str(value)
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"


def _percent(share: Estimate | None) -> str:
    """Two digits at least, so that a small share does not read as none."""
    if share is None:
        return ""
    return f"{share.value:.0%}" if share.value >= 0.1 else f"{100 * share.value:.2g}%"


def _bytes(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{_three(count / size)} {unit}"
    return f"{count} B"


def _error(error: float | str | None) -> str:
    return "" if error is None else f"{error:.2g}" if isinstance(error, float | int) else one_line(error)


def _head(report: BenchReport) -> Iterator[str]:
    yield "# Performance report"
    yield ""
    yield f"regcheck {escape(report.regcheck)}: **{escape(summary(report))}**."
    yield ""
    for line in facts(report):
        yield f"- {escape(line)}"
    yield ""


def _reading(report: BenchReport) -> Iterator[str]:
    yield "## How to read it"
    yield ""
    yield READING
    yield f"- *moved*: {escape(report.traffic_model)}"
    yield ""
    rows = ((family, name, text) for family, passes in report.traffic.items() for name, text in passes.items())
    yield from table(("family", "pass", "bytes moved"), (map(escape, row) for row in rows))
    yield ""


def _families(report: BenchReport) -> Iterator[str]:
    for family in dict.fromkeys(row.family for row in report.rows):
        rows = [row for row in report.rows if row.family == family]
        yield f"## {escape(family)}"
        yield ""
        configs = dict.fromkeys(configuration(row.config) for row in rows if row.config)
        yield f"Configurations: {'; '.join(map(code, configs)) or 'none'}."
        yield ""
        yield from table(HEAD, (map(escape, cells(row)) for row in rows))
        yield ""
