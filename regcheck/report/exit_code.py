"""The exit code of a run, a pure function of its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regcheck.bench.records import BenchReport
    from regcheck.verdict import Cell, Report

INTERRUPTED = 130
INTERNAL = 4
USAGE = 2
INCONCLUSIVE = 3
FAILED = 1
NOTHING_JUDGED = 5
HELD = 0
INTERNAL_PREFIX = "internal error: "
MISJUDGED_PREFIX = "misjudged"


def exit_code(report: Report) -> int:
    """The first that applies: interrupted, internal error, canary, failed, inconclusive, nothing judged, held."""
    if not report.complete:
        return INTERRUPTED
    if any(problem.startswith(INTERNAL_PREFIX) for problem in report.problems):
        return INTERNAL
    if report.canaries.startswith(MISJUDGED_PREFIX):
        return INCONCLUSIVE
    if any(cell.verdict == "failed" and cell.level != "extreme" for cell in report.cells):
        return FAILED
    if report.summary.inconclusive:
        return INCONCLUSIVE
    judged = report.summary.passed + report.summary.failed + report.summary.deviates
    return HELD if judged else NOTHING_JUDGED


def of_cell(cell: Cell) -> int:
    """The exit code of one verdict, by the same order."""
    codes = {"failed": FAILED, "inconclusive": INCONCLUSIVE, "not-applicable": NOTHING_JUDGED}
    return codes.get(cell.verdict, HELD)


def of_performance(report: BenchReport) -> int:
    """The exit code of a run of benchmarks: a void row is a wrong layer, unless it said so."""
    if not report.complete:
        return INTERRUPTED
    seen = {row.status for row in report.rows}
    if "void" in seen:
        return FAILED
    return HELD if seen & {"measured", "deviates"} else NOTHING_JUDGED
