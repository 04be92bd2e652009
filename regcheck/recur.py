"""Making a failure recur, and cutting it down: only what recurs is reported."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from regcheck import shrink
from regcheck.evaluate import Outcome, evaluate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from regcheck.case import Case
    from regcheck.host import Session
    from regcheck.property import Property

SHRINK_CALLS = {"value": 600, "raised": 300, "wrong-return": 300, "died": 80, "lost": 80, "hung": 40, "load": 0}
HANG_SHRINK_SECONDS = 0.5


@dataclass(frozen=True)
class Finding:
    """A failure that recurred: the smallest case, what was seen and printed, and the calls that must come before."""

    case: Case
    outcome: Outcome
    history: tuple[Case, ...] = ()
    output: str = ""


class NotRecurring(Exception):  # noqa: N818
    """A failure that was seen once and not again."""


class Recurrence:
    """Sees the failures of one property on one implementation again, on fresh workers."""

    def __init__(
        self,
        prop: Property,
        session: Session,
        deadline: float = math.inf,
        conventions: Mapping[str, Any] | None = None,
    ) -> None:
        self.prop, self.session, self.deadline, self.conventions = prop, session, deadline, conventions

    def recur(self, case: Case, outcome: Outcome, before: Sequence[Case]) -> Finding:
        """The failure again on a fresh worker: alone, else in its batch, else after all the cases `before` it."""
        if self.prop.kind == "statistical" and outcome.fault is None:
            return self._recur_independently(case)
        index = outcome.violation.index if outcome.violation else {}
        single = shrink.alone(case, index)
        for candidate in [case] if single is case else [single, case]:
            again = self._once_more(candidate, outcome)
            if again.same_kind(outcome):
                return Finding(candidate, again, output=self.session.output)
        self.session.renew()
        for earlier in before:
            self._evaluate(earlier)
        again = self._evaluate(case)
        if again.violation is None:
            violation = outcome.violation
            msg = (
                f"a failure did not recur: expected {violation.expected}, saw {violation.observed}" if violation else ""
            )
            raise NotRecurring(msg)
        return Finding(case, again, tuple(before), self.session.output)

    def _recur_independently(self, case: Case) -> Finding:
        self.session.renew()
        seed = (int(case.values.get("seed", 0)) + 0x9E3779B9) & 0xFFFFFFFF
        fresh = dataclasses.replace(case, values={**case.values, "seed": seed, "confirming": True})
        again = self._evaluate(fresh)
        if again.violation is None:
            msg = "a statistical failure was not confirmed by a second, independent test"
            raise NotRecurring(msg)
        return Finding(fresh, again, output=self.session.output)

    def smallest(self, finding: Finding, calls: int | None) -> Finding:
        """The failure cut down as far as some calls reach, and the time until the deadline (of `time.monotonic`)."""
        if finding.history or (self.prop.kind == "statistical" and finding.outcome.fault is None):
            return finding
        outcome = finding.outcome
        kind = outcome.fault.kind if outcome.fault else "value"

        def fails(case: Case) -> bool:
            # Once time is up nothing smaller is looked for, and what was found is reported.
            return time.monotonic() < self.deadline and self._evaluate(case).same_kind(outcome)

        with self._impatient(outcome):
            small = shrink.shrink(finding.case, fails, min(SHRINK_CALLS[kind], calls or SHRINK_CALLS[kind]))
        # A cut that a shorter time limit, or a worn worker, made look like a failure is not reported.
        for case in (small, finding.case):
            self.session.renew()
            last = self._evaluate(case)
            if last.same_kind(outcome):
                return Finding(case, last, output=self.session.output)
        msg = f"a failure did not recur: {outcome.violation.observed if outcome.violation else ''}"
        raise NotRecurring(msg)

    def _evaluate(self, case: Case) -> Outcome:
        return evaluate(self.prop, case, self.session, self.conventions)

    def _once_more(self, case: Case, outcome: Outcome) -> Outcome:
        """The case again on a fresh worker; a hang is confirmed with the full limit only when it is smallest."""
        self.session.renew()
        with self._impatient(outcome):
            return self._evaluate(case)

    @contextlib.contextmanager
    def _impatient(self, outcome: Outcome) -> Iterator[None]:
        patience = self.session.timeout
        if outcome.fault is not None and outcome.fault.kind == "hung":
            self.session.timeout = min(patience, HANG_SHRINK_SECONDS)
        try:
            yield
        finally:
            self.session.timeout = patience
