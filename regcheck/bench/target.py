"""All rows of one target, whatever its layers do to the process that measures them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regcheck.bench.process import Measuring

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck.plan import Target


class TargetRun:
    """Measures a target; an implementation that ends the process is given up, the others go on in a new one."""

    def __init__(self, target: Target, orders: dict[str, Any], tell: Callable[[str, dict[str, Any]], None]) -> None:
        self.target, self.orders, self.tell = target, orders, tell
        self.loaded = False
        self.planned: dict[int, dict[str, Any]] = {}
        self.rows: dict[int, dict[str, Any]] = {}
        self.records: dict[int, dict[str, Any]] = {}
        self.rates: list[float] = []
        self.versions: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.left_out: list[str] = []
        self.failed = ""
        self.lines: list[str] = []  # that `failed` asks to write
        self.interrupted = False
        self._process: Measuring | None = None
        self._started: int | None = None

    def run(self, timeout: float) -> None:
        """Measure until every row is settled, the target cannot be measured, or it was interrupted."""
        while not self._over():
            died = self._once(timeout)
            if not self._over():
                self._give_up(died)

    def _over(self) -> bool:
        settled = self.loaded and len(self.rows) == len(self.planned)
        return self.interrupted or bool(self.failed) or settled

    def interrupt(self) -> None:
        """Stop; what is measured is kept."""
        self.interrupted = True
        if self._process is not None:
            self._process.kill()

    def _once(self, timeout: float) -> str:
        """One process; how it ended."""
        self._started = None
        self._process = process = Measuring({**self.orders, "skip": sorted(self.rows)})
        if self.interrupted:  # between the last look and the start
            process.kill()
        try:
            for event in process.listen(timeout):
                self._take(event)
            if not self.loaded and not self.failed:
                self.failed = f"nothing could be measured: {process.died}. It said: {process.last_words()}"
            return process.died
        finally:
            process.close()

    def _take(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "failed":
            self.failed, self.lines = event["message"], event["lines"]
        elif kind == "started":
            self._started = event["number"]
        elif kind == "planned" and not self.loaded:
            self.loaded = True
            self.planned = {row.pop("number"): row for row in event["rows"]}
            self.left_out = event["left_out"]
            self.sizes = {k: event[k] for k in ("array_bytes", "cache_bytes")}
            self.tell("planned", {"rows": len(self.planned)})
        elif kind == "done":
            self.rates += event["rates"]
            self.versions |= event["versions"]
            if event["record"] is not None:
                self.records[event["number"]] = event["record"]
            self._settle(event["number"], event["row"])

    def _give_up(self, died: str) -> None:
        """Void the row that ended the process, and what is left of its implementation's."""
        culprit = self._started
        if culprit is None or culprit in self.rows:
            self.failed = f"the process that measures ended between two rows: {died}"
            return
        row = self.planned[culprit]
        self._settle(culprit, {**row, "status": "void", "reason": died})
        reason = f"not measured, because of {row['timed']}, {row['size']}: {died}"
        for number, other in self.planned.items():
            if number not in self.rows and other["implementation"] == row["implementation"]:
                self._settle(number, {**other, "status": "void", "reason": reason})

    def _settle(self, number: int, row: dict[str, Any]) -> None:
        self.rows[number] = row
        self.tell("row", row)
