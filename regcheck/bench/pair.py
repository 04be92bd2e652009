"""A layer and its reference, timed in turns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from regcheck.bench.check import check
from regcheck.bench.comparing import Wrong
from regcheck.bench.subject import repeated

if TYPE_CHECKING:
    from regcheck.bench.subject import Result, Subject

ROUNDS = 60
FEWEST_ROUNDS = 11
MOST_CALLS = 1000


class Pair:
    """Rounds of a layer, each after a round of its reference (if it has one).

    A round is as many calls as fit into its part of `seconds`, the time for all rounds of both sides; slow layers
    get fewer rounds, never fewer than FEWEST_ROUNDS.
    """

    def __init__(self, subject: Subject, reference: Subject | None, seconds: float) -> None:
        self.subject, self.reference = subject, reference
        sides = [subject] if reference is None else [subject, reference]
        paces = {side: side.pace() for side in sides}
        part = seconds / len(sides) / ROUNDS
        self.calls = {side: min(max(1, int(part / pace)), MOST_CALLS) for side, pace in paces.items()}
        cost = sum(paces[side] * self.calls[side] for side in sides)
        self.rounds = min(max(FEWEST_ROUNDS, int(seconds / cost)), ROUNDS)
        self.timed_round = repeated(subject.call, self.calls[subject])
        self.reference_seconds: list[float] = []
        self._reference_result: Result = None
        self._reference_calls = None if reference is None else repeated(reference.call, self.calls[reference])

    def reference_round(self) -> None:
        """Time one round of the reference, by the clock that pytest-benchmark uses."""
        if self.reference is None or self._reference_calls is None:
            return
        start = time.perf_counter()
        self._reference_result = self._reference_calls()
        elapsed = time.perf_counter() - start
        self.reference_seconds.append(elapsed / self.calls[self.reference])

    def check_after(self, result: Result) -> float:
        """The error of the last timed result over its bound. Raises Wrong, for the reference's too."""
        error = check(self.subject, result)
        if self.reference is not None:
            try:
                check(self.reference, self._reference_result)
            except Wrong as wrong:
                msg = f"its reference {self.reference.implementation.name} went wrong while it was timed: {wrong}"
                raise Wrong(msg) from wrong
        return error

    def facts(self) -> dict[str, Any]:
        """What pytest-benchmark's record of the rounds does not hold."""
        if self.reference is None:
            return {"calls": self.calls[self.subject]}
        return {
            "calls": self.calls[self.subject],
            "reference": self.reference.implementation.name,
            "reference_calls": self.calls[self.reference],
            "reference_seconds": self.reference_seconds,
        }
