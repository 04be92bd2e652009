"""Performance records: frozen, the content of the JSON that `regcheck bench --json` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from regcheck.errors import UsageError
from regcheck.verdict import Number  # noqa: TC001  (msgspec reads the annotations)

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
KIND = "performance"
CONFIDENCE = 0.95
Status = Literal["measured", "deviates", "void", "not-applicable"]
REMEDY = "Run `regcheck bench --json FILE` to write one."


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A number and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of one call: the median over rounds of `calls` calls each; `seconds` is the raw data, a call's share."""

    median: Estimate
    calls: int
    seconds: list[float]


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """The median time over the reference's, both measured in turns, round by round, on the same problem."""

    reference: str
    times: Estimate
    reference_timing: Timing


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One pass of one implementation at one size. Only a row that is `measured` has times.

    `cpu_share` is the processor time of the process over the wall time while the row was timed: less than 1 says that
    the machine did other things (or the layer slept), more that there were more threads than one. `deviations` are the
    properties from which the implementation declared to deviate; a row whose result is wrong `deviates` if one of
    them, of the row's family and dtype, was declared, and is void otherwise.
    """

    implementation: str
    framework: str
    family: str
    timed: str
    size: str
    dtype: str = ""
    shape: list[int] = []
    config: dict[str, Any] = {}
    environment: int = 0
    variant: str = "eager"
    status: Status
    reason: str = ""
    error_over_bound: Number | None = None
    timing: Timing | None = None
    bytes_moved: int | None = None
    copy_share: Estimate | None = None
    ratio: Ratio | None = None
    no_ratio: str = ""
    cpu_share: float | None = None
    deviations: list[str] = []


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's copy bandwidth: median of `rates` (bytes read and written, per second), sampled between rows."""

    bandwidth: Estimate
    array_bytes: int
    block_bytes: int
    cache_bytes: int
    rates: list[float]


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `regcheck bench`. Every other format is a pure function of this record."""

    kind: str = KIND
    schema: int = SCHEMA
    regcheck: str
    complete: bool
    jobs: int
    threads: int = 1
    confidence: float = CONFIDENCE
    platform: dict[str, Any]
    load: list[float]
    environments: list[dict[str, Any]]
    copy: Copy | None
    traffic_model: str
    traffic: dict[str, dict[str, str]]
    not_installed: list[str]
    problems: list[str]
    rows: list[Row]
    wall_seconds: float


def dumps(report: BenchReport) -> str:
    """The report as JSON, all keys present, one row a line."""
    fields = msgspec.to_builtins(report)
    # One row a line: raw data, one number a line, would be ten times as long.
    rows = ",\n  ".join(msgspec.json.encode(row).decode("utf-8", "backslashreplace") for row in fields.pop("rows"))
    head = msgspec.json.encode(fields).decode("utf-8", "backslashreplace")
    return f'{head[:-1]},\n "rows":[\n  {rows}\n ]}}\n'


def read(path: Path) -> BenchReport:
    """The report in a file. Raises UsageError, with one sentence, for anything that is not a whole one."""
    try:
        return loads(path.read_bytes(), str(path))
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror}. Expected a performance report. Check the path."
        raise UsageError(msg) from error


def loads(text: bytes, name: str = "the text") -> BenchReport:
    """The report in `text`. Raises UsageError."""
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
        if (found.get("kind"), found.get("schema")) != (KIND, SCHEMA):
            msg = f"{name!r} is no performance report of schema {SCHEMA}. {REMEDY}"
            raise UsageError(msg)
        return msgspec.convert(found, BenchReport)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        msg = f"{name!r} is not a whole performance report: {error}. {REMEDY}"
        raise UsageError(msg) from error
