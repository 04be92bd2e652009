"""Standard output and standard error: where a report, a listing or a sentence is printed."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import Console, RenderableType

    from regcheck.bench.records import BenchReport
    from regcheck.report.layout import Claims
    from regcheck.verdict import Report

WIDTH = 200  # where there is no terminal: wide enough for a command that is to be copied


def forgive_encodings() -> None:
    """Let a character that a stream's encoding does not have be escaped, instead of ending the run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def console() -> Console:
    """A console that takes everything for data: no markup, no emoji codes, no highlighting."""
    from rich.console import Console  # noqa: PLC0415  (a listing starts without it)

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH
    return Console(width=width, markup=False, highlight=False, emoji=False)


def rendered(to: Console, pieces: Iterable[RenderableType]) -> str:
    """The text of pieces, without the blanks that a table fills its lines with."""
    with to.capture() as captured:
        for piece in pieces:
            to.print(piece, crop=False)
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def say(sentence: str, lines: Iterable[str] = ()) -> None:
    """One sentence on standard error, and the lines of code that it announces."""
    from regcheck.report.plain import one_line  # noqa: PLC0415

    for line in (f"regcheck: {one_line(sentence)}", *map(one_line, lines)):
        click.echo(line, err=True)


def abandon() -> None:
    """Whoever read our output has closed it; what is still buffered must not raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def show(report: Report) -> int:
    """Print a report for people; its exit code."""
    from regcheck.report.exit_code import exit_code  # noqa: PLC0415

    try:
        show_as(report, "terminal")
        sys.stdout.flush()
    except BrokenPipeError:
        abandon()
    return exit_code(report)


def read(path: Path) -> Report | BenchReport:
    """A stored report of either kind. Raises UsageError."""
    from regcheck.report import records  # noqa: PLC0415

    if records.kind(path) == "performance":
        from regcheck.bench import read  # noqa: PLC0415

        return read(path)
    return records.read(path)


def show_as(report: Report | BenchReport, form: str, file: Path | None = None) -> None:
    """Print a report as "terminal", "markdown" or "json", or write it to a file. Raises UsageError."""
    if file is None:
        click.echo(_text(report, form, console()), nl=False, color=True)
        return
    from rich.console import Console  # noqa: PLC0415

    from regcheck.files import write_atomically  # noqa: PLC0415

    write_atomically(file, _text(report, form, Console(width=WIDTH, no_color=True, force_terminal=False)))


def _text(report: Report | BenchReport, form: str, to: Console) -> str:
    from regcheck.verdict import Report  # noqa: PLC0415

    if form == "terminal":
        return rendered(to, _pieces(report, to) if isinstance(report, Report) else _rows(report))
    return _conformance(report, form) if isinstance(report, Report) else _performance(report, form)


def _pieces(report: Report, to: Console) -> Iterable[RenderableType]:
    from regcheck.report.terminal import renderables  # noqa: PLC0415

    return renderables(report, claims(), width=to.width, unicode=to.encoding.startswith("utf"))


def _rows(report: BenchReport) -> Iterable[RenderableType]:
    from regcheck.report.performance import renderables  # noqa: PLC0415

    return renderables(report)


def _conformance(report: Report, form: str) -> str:
    from regcheck.report.markdown import markdown  # noqa: PLC0415
    from regcheck.report.records import dumps  # noqa: PLC0415

    return dumps(report) if form == "json" else markdown(report, claims())


def _performance(report: BenchReport, form: str) -> str:
    from regcheck.bench import dumps  # noqa: PLC0415
    from regcheck.report.performance import markdown  # noqa: PLC0415

    return dumps(report) if form == "json" else markdown(report)


def claims() -> Claims:
    """Sentence and formula of every installed property by its id."""
    from regcheck import registry  # noqa: PLC0415

    return {name: (law.title, law.formula) for name, law in registry.catalogue().properties.items()}
