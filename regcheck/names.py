"""Names that a user gave: whether they are known, and which one was meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regcheck.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

LISTED = 20


def near(name: str, known: Iterable[str]) -> str:
    """A sentence with the nearest known name, or with all where they are few; "" where neither helps."""
    import difflib  # noqa: PLC0415  (slow to import, and only a wrong name needs it)

    names = list(known)
    close = difflib.get_close_matches(name, names, 1, 0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Expected one of {', '.join(names)}." if 0 < len(names) <= LISTED else ""


def expect(what: str, name: str, known: Iterable[str], remedy: str = "") -> None:
    """Raise UsageError unless `name` is known."""
    names = list(known)
    if name not in names:
        msg = " ".join(filter(None, [f"There is no {what} {name!r}.", near(name, names), remedy]))
        raise UsageError(msg)
