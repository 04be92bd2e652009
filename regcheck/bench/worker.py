"""The process that measures: loads one target and the references, and tells the parent what comes of each row.

It is told what to do by a JSON file, named by the environment variable REGCHECK_BENCH, and tells by JSON lines on
a pipe. It is the only process of a benchmark that imports frameworks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from regcheck import loading
from regcheck.bench.bandwidth import Copies, cache_bytes
from regcheck.bench.check import check_first
from regcheck.bench.comparing import Wrong
from regcheck.bench.pair import Pair
from regcheck.bench.problems import PASSES, Pass, Problem, bytes_moved, candidates
from regcheck.bench.process import ORDERS
from regcheck.bench.subject import Subject
from regcheck.implementation import Unsupported
from regcheck.verdict import number as as_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regcheck.implementation import Implementation

LONGEST = 500


class Ordered(NamedTuple):
    """One row to measure."""

    implementation: Implementation
    timed: Pass
    size: str


class Outcome:
    """What came of a row: fields of its record, but for the times, which pytest-benchmark keeps."""

    def __init__(self, number: int, ordered: Ordered) -> None:
        self.number, self.ordered = number, ordered
        self.record: dict[str, Any] | None = None
        self.error = 0.0
        implementation = ordered.implementation
        self.fields: dict[str, Any] = {
            "implementation": implementation.name,
            "framework": implementation.framework or "numpy",
            "family": implementation.family,
            "timed": ordered.timed.name,
            "size": ordered.size,
            "deviations": sorted(implementation.deviations),
        }

    def found(self, subject: Subject, error: float) -> None:
        """Note the problem that was chosen, and how exact the layer is."""
        problem = subject.problem
        self.fields |= {
            "framework": subject.implementation.framework or {"plain": "numpy"}.get(subject.adapter, subject.adapter),
            "dtype": problem.dtype,
            "shape": list(problem.shape),
            "config": dataclasses.asdict(problem.config),
            "bytes_moved": bytes_moved(problem, self.ordered.timed),
        }
        self.error_after(error)

    def error_after(self, error: float) -> None:
        """Note the error of a checked result; the largest counts."""
        self.error = max(self.error, error)
        self.fields["error_over_bound"] = as_number(self.error)

    def declared(self) -> str:
        """Why a wrong result is none: the reasons of deviations from laws of the family, in this dtype; or empty."""
        implementation, versions = self.ordered.implementation, loading.versions()
        own = [d for law, d in implementation.deviations.items() if law.partition(".")[0] == implementation.family]
        reasons = [d.reason for d in own if d.covers(self.fields.get("dtype", ""), versions)]
        return "; ".join(dict.fromkeys(reasons))


class BenchWorker:
    """One target's implementations and the references that they are compared with."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self.orders = orders
        self.events = os.fdopen(orders["events"], "w", encoding="utf-8")
        sys.path.extend(p for p in orders["path"] if p not in sys.path)
        loading.register_adapters(orders["adapters"])
        self.prepared: set[str] = set()
        try:
            found = loading.load(orders["source"])
        except loading.LoadError as error:
            self.tell("failed", message=str(error), lines=error.lines)
            pytest.exit("the target cannot be loaded", 0)
        self.references = [found for source in orders["references"] for found in _references(source)]
        chosen = [i for i in found.values() if orders["family"] in (None, i.family)]
        self.rows = dict(enumerate(_rows(chosen, orders["sizes"])))
        self.copies = Copies()
        self._plan(chosen)

    @classmethod
    def from_environment(cls) -> BenchWorker:
        """The worker that the parent ordered."""
        return cls(json.loads(Path(os.environ[ORDERS]).read_text(encoding="utf-8")))

    def tell(self, event: str, **facts: Any) -> None:
        """Send the parent a line."""
        self.events.write(json.dumps({"event": event, **facts}) + "\n")
        self.events.flush()

    def _plan(self, chosen: list[Implementation]) -> None:
        rows = [Outcome(number, ordered).fields | {"number": number} for number, ordered in self.rows.items()]
        left_out = sorted({i.family for i in chosen if i.family not in PASSES})
        copies = {"array_bytes": self.copies.source.size, "cache_bytes": cache_bytes()}
        self.tell("planned", rows=rows, left_out=left_out, **copies)

    def numbers(self) -> list[int]:
        """The rows to measure now."""
        return [number for number in self.rows if number not in self.orders["skip"]]

    @contextlib.contextmanager
    def row(self, number: int) -> Iterator[Outcome]:
        """Tell that a row begins, and what came of it, whatever the layer raises."""
        outcome = Outcome(number, self.rows[number])
        self.tell("started", number=number)
        status, reason = "measured", ""
        try:
            yield outcome
        except Unsupported as error:
            status, reason = "not-applicable", str(error)
        except Wrong as error:
            declared = outcome.declared()
            status, reason = ("deviates", f"declared: {declared}; {error}") if declared else ("void", str(error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (whatever a layer raises is data)
            status, reason = "void", f"{type(error).__name__}: {error}"
        row = {**outcome.fields, "status": status, "reason": " ".join(reason.split())[:LONGEST]}
        record = _raw(outcome.record) if outcome.record is not None and status == "measured" else None
        self.tell("done", number=number, row=row, record=record, rates=self.copies.rates, versions=loading.versions())
        self.copies.rates = []

    def pair(self, outcome: Outcome) -> Pair:
        """The row's layer and its reference, both checked. Raises Unsupported, Wrong, or what the layer raises."""
        implementation, timed, size = outcome.ordered
        subject = self._first(implementation, timed.name, size)
        outcome.found(subject, check_first(subject))
        reference, why = self._reference(subject)
        outcome.fields["no_ratio"] = why
        return Pair(subject, reference, self.orders["seconds"])

    def _first(self, implementation: Implementation, timed: str, size: str) -> Subject:
        """The implementation on the first problem that it takes."""
        dtypes = implementation.dtypes or ("float32",)
        reasons = []
        for problem in candidates(implementation.family, size, "float32" if "float32" in dtypes else dtypes[0]):
            try:
                return self._subject(implementation, problem, timed)
            except Unsupported as error:
                reasons.append(str(error))
        raise Unsupported("; ".join(dict.fromkeys(reasons)))

    def _subject(self, implementation: Implementation, problem: Problem, timed: str) -> Subject:
        _, adapter = loading.build(implementation, problem.config, problem.dtype)
        if adapter not in self.prepared:
            self.prepared.add(adapter)
            loading.prepare([adapter])
        return Subject(implementation, problem, timed)

    def _reference(self, subject: Subject) -> tuple[Subject | None, str]:
        """The first reference that does this problem, and does it right; else none, and why."""
        problem, reasons = subject.problem, []
        for implementation in self.references:
            if implementation is subject.implementation:
                return None, "it is the reference"
            if implementation.family != problem.family or problem.dtype not in (
                implementation.dtypes or (problem.dtype,)
            ):
                continue
            try:
                reference = self._subject(implementation, problem, subject.timed)
                check_first(reference)
            except Exception as error:  # noqa: BLE001  (the next one is tried)
                reasons.append(f"{implementation.name}: {error}")
            else:
                return reference, ""
        return None, "; ".join(reasons)[:LONGEST] or "no reference does this problem"


def _rows(chosen: list[Implementation], sizes: list[str]) -> list[Ordered]:
    """Rows of one problem next to each other, so that its expected values are computed once."""
    rows = []
    for family, size in itertools.product(PASSES, sizes):
        own = [i for i in chosen if i.family == family]
        rows += [Ordered(i, timed, size) for timed in PASSES[family] for i in own]
    return rows


def _raw(record: dict[str, Any]) -> dict[str, Any]:
    """Of a pytest-benchmark record: the rounds' times, in the order they were taken, and our facts."""
    return {"seconds": record["stats"]["data"], **record["extra_info"]}


def _references(source: dict[str, Any]) -> list[Implementation]:
    try:
        return list(loading.load(source).values())
    except loading.LoadError:
        return []  # a broken stock plug-in is named where it is the target
