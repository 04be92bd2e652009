"""Errors of use and of the machine room."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class UsageError(Exception):
    """Something the user asked for cannot be done; the message is one sentence with the remedy.

    `lines` are lines of code that the remedy asks to write.
    """

    def __init__(self, message: str, lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.lines = tuple(lines)


class WorkerError(Exception):
    """A worker could not be started or reached: no fault of the layer under test."""
