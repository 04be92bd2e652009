"""The progress of a run, on a terminal's standard error; silent elsewhere."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regcheck.verdict import Cell

    Progress = Callable[[str, Cell | None, int, int], None]


def _silent(stage: str, cell: Cell | None, done: int, total: int) -> None:
    """Say nothing."""


@contextmanager
def progress() -> Iterator[Progress]:
    """Yield what a run tells its progress to: (stage, cell, done, total)."""
    if not sys.stderr.isatty():
        yield _silent
        return
    from rich.console import Console  # noqa: PLC0415  (not for a run without a terminal)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from regcheck.report.plain import one_line  # noqa: PLC0415

    class Last(TextColumn):
        def render(self, task: object) -> Text:
            return Text(getattr(task, "description", ""), overflow="ellipsis", no_wrap=True)

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    shown = Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), Last(""), console=console, transient=True)
    task = shown.add_task("looking for implementations", total=None)
    failed = 0

    def tell(stage: str, cell: Cell | None, done: int, total: int) -> None:
        nonlocal failed
        failed += cell is not None and cell.verdict == "failed"
        about = f"{one_line(cell.implementation)} {one_line(cell.property)}" if cell is not None else one_line(stage)
        text = f"{failed} failed  {about}" if failed else about
        shown.update(task, completed=done, total=total or None, description=text)

    with shown:
        yield tell
