"""The JSON report: written so that every strict parser reads it, read as untrusted data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from regcheck.errors import UsageError
from regcheck.verdict import SCHEMA, Report, summarise

if TYPE_CHECKING:
    from pathlib import Path

REMEDY = "Run `regcheck verify --json FILE` to write one."


def dumps(report: Report) -> str:
    """The report as JSON: all keys present, and numbers that JSON cannot hold as strings."""
    plain = msgspec.to_builtins(report, enc_hook=_foreign)
    return msgspec.json.format(msgspec.json.encode(_finite(plain)), indent=1).decode() + "\n"


def _foreign(value: Any) -> Any:
    item = getattr(value, "item", None)  # a NumPy scalar
    return item() if callable(item) else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return str(value)
    # A lone surrogate has no UTF-8 form.
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def loads(text: bytes | str, name: str = "the text") -> Report:
    """The report in `text`. Raises UsageError, with one sentence, for anything that is not a whole report."""
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
        version = found.get("schema")
        if version != SCHEMA:
            msg = f"{name!r} has schema {version!r}. Expected a regcheck report of schema {SCHEMA}. {REMEDY}"
            raise UsageError(msg)
        report = msgspec.convert(found, Report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        msg = f"{name!r} is not a whole regcheck report: {error}. {REMEDY}"
        raise UsageError(msg) from error
    _check(report, name)
    return report


def _check(report: Report, name: str) -> None:
    if summarise(report.cells) != report.summary:
        msg = f"{name!r} contradicts itself: its summary does not count its cells. {REMEDY}"
        raise UsageError(msg)
    if report.conformant and not _could_conform(report):
        msg = f"{name!r} contradicts itself: it says conformant, and its cells do not. {REMEDY}"
        raise UsageError(msg)


def _could_conform(report: Report) -> bool:
    failed = any(cell.verdict == "failed" and cell.level != "extreme" for cell in report.cells)
    whole = report.complete and not report.partial and not report.in_process
    return whole and bool(report.cells) and not failed and not report.summary.inconclusive


def read(path: Path) -> Report:
    """The report in a file. Raises UsageError."""
    return loads(_content(path), str(path))


def kind(path: Path) -> str:
    """What the file says that it is: "performance", else "conformance". Raises UsageError where there is no file."""
    try:
        found = msgspec.json.decode(_content(path), type=_Kind).kind
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "conformance"
    return found


class _Kind(msgspec.Struct):
    kind: str = "conformance"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror}. Expected a JSON report. Check the path."
        raise UsageError(msg) from error
