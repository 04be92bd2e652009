"""Verdicts, cells and summaries: frozen records, the content of the JSON report."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Verdict = Literal["passed", "failed", "deviates", "not-applicable", "inconclusive"]
VERDICTS: tuple[Verdict, ...] = ("passed", "failed", "deviates", "not-applicable", "inconclusive")
Number = float | str
SCHEMA = 1
EDITION = "2026.11"


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest case that shows a failure; numbers also in hexadecimal."""

    config: dict[str, Any]
    inputs: dict[str, Any]
    expected: str
    observed: str
    where: str = ""
    replay: str = ""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one property of one implementation in one environment."""

    implementation: str
    framework: str
    family: str
    environment: int = 0
    variant: str = "eager"
    property: str
    revision: int
    level: str
    verdict: Verdict
    reason: str = ""
    examples: int = 0
    left_out: int = 0
    ill_conditioned: int = 0
    seconds: float = 0.0
    error_over_bound: Number | None = None
    witness: Witness | None = None
    output: str = ""


class Summary(msgspec.Struct, frozen=True, kw_only=True, rename={"not_applicable": "not-applicable"}):
    """Counts of cells; planned is the sum of the other five."""

    planned: int = 0
    passed: int = 0
    failed: int = 0
    deviates: int = 0
    not_applicable: int = 0
    inconclusive: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Every other format is a pure function of this record."""

    schema: int = SCHEMA
    regcheck: str
    edition: str = EDITION
    conformant: bool
    complete: bool
    in_process: bool
    partial: bool
    canaries: str
    seed: int
    profile: str
    platform: dict[str, Any]
    environments: list[dict[str, Any]]
    implementations: list[dict[str, Any]]
    not_installed: list[str]
    problems: list[str]
    summary: Summary
    cells: list[Cell]
    wall_seconds: float = 0.0
    peak_memory_mib: dict[str, float] = {}


def summarise(cells: list[Cell]) -> Summary:
    """Count `cells` by verdict."""
    counts = {v.replace("-", "_"): sum(c.verdict == v for c in cells) for v in VERDICTS}
    return Summary(planned=len(cells), **counts)


def number(value: float) -> Number:
    """`value` as JSON can hold it: a non-finite number becomes the string "nan", "inf" or "-inf"."""
    return float(value) if value - value == 0 else str(float(value))
