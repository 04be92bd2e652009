"""`regcheck bench`: targets → processes that measure → a report."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regcheck import __version__, files, machine, registry
from regcheck.bench.assemble import copy_of, row_of
from regcheck.bench.problems import PASSES, SIZES, TRAFFIC_MODEL
from regcheck.bench.records import BenchReport, dumps
from regcheck.bench.target import TargetRun
from regcheck.errors import UsageError
from regcheck.families import FAMILIES
from regcheck.names import expect
from regcheck.plan import Request, Target, stock, targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from regcheck.bench.records import Row

REFERENCES = ("torch", "numpy")  # the first that does a problem rightly is the one to compare with
SECONDS = 0.1  # of timed calls a row, both sides together


def run(  # noqa: PLR0913  (the options of the command)
    targets: tuple[str, ...] = (),
    *,
    family: str | None = None,
    json: Path | None = None,
    jobs: int = 1,
    sizes: Sequence[str] = SIZES,
    timeout: float = 60.0,
    seconds: float = SECONDS,
    progress: Callable[[str, dict[str, Any] | None, int, int], None] | None = None,
) -> BenchReport:
    """Measure `targets`, or every stock implementation whose framework is installed.

    `jobs` targets are measured at once: more than one disturb each other. `timeout` bounds one row; `seconds` is the
    time of timed calls that a row gets. `progress(event, row, done, planned)` hears "planned" and "row".
    Ctrl-C ends it early with what is measured, `complete` being false. Raises UsageError.
    """
    _check(family, sizes)
    bench = Bench(json, jobs, progress)
    request = Request(targets=targets, family=family)
    chosen = targets_of(request, stock(registry.entries(registry.IMPLEMENTATIONS), registry.adapters()))
    orders = {"family": family, "sizes": list(sizes), "seconds": seconds}
    return bench.run(chosen, orders, timeout)


def _check(family: str | None, sizes: Sequence[str]) -> None:
    missing = [name for name in ("pytest", "pytest_benchmark") if importlib.util.find_spec(name) is None]
    if missing:
        msg = (
            f"Benchmarks need {' and '.join(m.replace('_', '-') for m in missing)}, not installed here. "
            "Install them: pip install pytest pytest-benchmark."
        )
        raise UsageError(msg)
    if family is not None:
        expect("family", family, FAMILIES)
        expect("benchmark for the family", family, PASSES)
    for size in sizes:
        expect("size", size, SIZES)


class Bench:
    """One run of `regcheck bench`."""

    def __init__(
        self,
        json: Path | None,
        jobs: int,
        progress: Callable[[str, dict[str, Any] | None, int, int], None] | None,
    ) -> None:
        self.json, self.jobs, self.progress = json, max(1, jobs), progress
        self.lock = threading.Lock()
        self.done = self.planned = 0
        self.runs: list[TargetRun] = []
        self.not_installed: list[str] = []
        self.started = time.monotonic()
        self.load = _load()

    def run(self, targets: list[Target], orders: dict[str, Any], timeout: float) -> BenchReport:
        """Measure, a process a target. Raises UsageError."""
        for target in targets:
            if target.stock and not registry.installed(target.adapter):
                self.not_installed.append(target.label)
            else:
                self.runs.append(TargetRun(target, _orders(target, orders), self._tell))
        self._save(complete=False)  # an output that cannot be written is told at once
        complete = self._measure(timeout)
        broken = [one for one in self.runs if one.failed and not one.target.stock]
        report = self._save(complete=complete and not broken)
        if broken:
            raise UsageError(broken[0].failed, broken[0].lines)
        return report

    def _measure(self, timeout: float) -> bool:
        with ThreadPoolExecutor(self.jobs) as pool:
            futures = [pool.submit(one.run, timeout) for one in self.runs]
            try:
                for future in futures:
                    future.result()
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                for one in self.runs:
                    one.interrupt()
                return False
        return True

    def _tell(self, event: str, about: dict[str, Any]) -> None:
        with self.lock:
            if event == "planned":
                self.planned += about["rows"]
            else:
                self.done = min(self.done + 1, self.planned)
            if self.progress is not None:
                self.progress(event, None if event == "planned" else about, self.done, self.planned)

    def _save(self, *, complete: bool) -> BenchReport:
        report = self.report(complete=complete)
        if self.json is not None:
            files.write_atomically(self.json, dumps(report))
        return report

    def report(self, *, complete: bool) -> BenchReport:
        """The report of what is measured now."""
        rates = [rate for one in self.runs for rate in one.rates]
        sizes = next((one.sizes for one in self.runs if one.sizes), {})
        copy = copy_of(rates, sizes) if rates else None
        versions = {k: v for one in self.runs for k, v in one.versions.items()}
        return BenchReport(
            regcheck=__version__,
            complete=complete,
            jobs=self.jobs,
            platform=machine.facts(),
            load=[*self.load, *_load()],
            environments=[{"id": 0, **versions}],
            copy=copy,
            traffic_model=TRAFFIC_MODEL,
            traffic={family: {p.name: p.traffic() for p in passes} for family, passes in PASSES.items()},
            not_installed=sorted(self.not_installed),
            problems=self._problems(),
            rows=self._rows(rates),
            wall_seconds=round(time.monotonic() - self.started, 2),
        )

    def _problems(self) -> list[str]:
        broken = [f"plug-in {one.target.label}: {one.failed}" for one in self.runs if one.failed]
        gaps = [(one.target.label, ", ".join(one.left_out)) for one in self.runs if one.left_out]
        return broken + [f"{label}: there is no benchmark yet for {families}" for label, families in gaps]

    def _rows(self, rates: list[float]) -> list[Row]:
        """All rows, by family, size and pass; an implementation's name that two targets have gets an `@target`."""
        found = [(one, number, row) for one in self.runs for number, row in sorted(one.rows.items())]
        names = Counter(name for one in self.runs for name in {row["implementation"] for row in one.rows.values()})
        rows = []
        for one, number, row in found:
            name = row["implementation"] + (f"@{one.target.label}" if names[row["implementation"]] > 1 else "")
            rows.append(row_of({**row, "implementation": name}, one.records.get(number), rates))
        families, order = list(PASSES), {size: i for i, size in enumerate(SIZES)}
        return sorted(rows, key=lambda r: (families.index(r.family), order[r.size], _position(r)))


def _position(row: Row) -> int:
    return [p.name for p in PASSES[row.family]].index(row.timed)


def _orders(target: Target, orders: dict[str, Any]) -> dict[str, Any]:
    stock = {e.name: e.source() for e in registry.entries(registry.IMPLEMENTATIONS) if e.distribution == "regcheck"}
    references = [stock[name] for name in REFERENCES if name in stock and registry.installed(name)]
    path = [str(Path.cwd())]
    adapters = registry.adapters()
    return {**orders, "source": target.source, "references": references, "path": path, "adapters": adapters}


def _load() -> list[float]:
    with contextlib.suppress(OSError, AttributeError):
        return [round(os.getloadavg()[0], 2)]
    return []
