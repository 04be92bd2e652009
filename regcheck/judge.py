"""One property on one layer → verdict."""

from __future__ import annotations

import contextlib
import functools
import itertools
import random
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hypothesis
from hypothesis import HealthCheck, Phase

from regcheck import sentinel
from regcheck.errors import WorkerError
from regcheck.evaluate import CheckerError, Outcome, evaluate
from regcheck.families import FAMILIES, WIDENING
from regcheck.implementation import DTYPES
from regcheck.plan import BUDGETS
from regcheck.property import Plan, Property
from regcheck.recur import Finding, NotRecurring, Recurrence
from regcheck.tally import REFUSED, Quota, Tally
from regcheck.verdict import Cell, Verdict, Witness, number
from regcheck.witness import witness_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hypothesis.strategies import SearchStrategy

    from regcheck.case import Case
    from regcheck.host import Session

# A cell that takes longer is inconclusive; a call that takes longer is the layer's failure instead.
CELL_SECONDS = {"quick": 60.0, "default": 120.0, "thorough": 1200.0}
# Laws whose cases come few at a time stop at so many batches of a dtype; `--examples` lifts this.
MAX_EXAMPLES = {"quick": 3, "default": 10, "thorough": 200}


@dataclass(frozen=True)
class Settings:
    """How much to judge: the profile, an explicit number of cases, and the run's seed."""

    profile: str = "default"
    examples: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Expected:
    """A declared deviation, as the judge needs it."""

    reason: str
    strata: tuple[str, ...] | None = None
    witness: Case | None = None

    def covers(self, dtype: str) -> bool:
        """Whether the deviation is declared in a dtype."""
        return self.strata is None or dtype in self.strata


@dataclass(frozen=True)
class Judgement:
    """A cell, and what its replay file needs."""

    cell: Cell
    finding: Finding | None = None


class _Enough(BaseException):
    """Stop generating."""


class OutOfTime(Exception):  # noqa: N818
    """The cell's own budget ran out."""


class CellJudge:
    """Judges one property on one implementation."""

    def __init__(
        self, prop: Property, session: Session, about: Mapping[str, Any], settings: Settings, expected: Expected | None
    ) -> None:
        self.prop, self.session, self.about, self.settings, self.expected = prop, session, about, settings, expected
        self.tally = Tally()
        self.conventions: Mapping[str, Any] | None = None  # what cases are judged by, if not by the document's choice
        self.started = time.monotonic()

    def judge(self) -> Judgement:
        """The verdict, whatever happens."""
        try:
            return self._judge()
        except CheckerError as error:
            return self._cell("inconclusive", f"the checker raised: {error}")
        except WorkerError as error:
            return self._cell("inconclusive", f"no worker: {error}")
        except NotRecurring as error:
            return self._cell("inconclusive", str(error))
        except OutOfTime:
            limit = CELL_SECONDS[self.settings.profile]
            return self._cell("inconclusive", f"the cell's time ran out after {limit:g} s and {self.tally.cases} cases")

    def _judge(self) -> Judgement:
        dtypes = [d for d in self.about["dtypes"] or DTYPES if d in (self.prop.dtypes or DTYPES)]
        if not dtypes:
            return self._cell("not-applicable", f"judged in {self.prop.dtypes}, the layer has {self.about['dtypes']}")
        if self.prop.partner is not None and self.session.partner is None:
            where = f"neither beside this layer nor among the stock of {self.about['framework']}"
            return self._cell("not-applicable", f"no {self.prop.partner} to compare with: {where}")
        differs = self._declared_otherwise()
        if differs:
            return self._judge_convention(dtypes, differs)
        if self.expected is not None:
            return self._judge_deviation(dtypes, self.expected)
        finding = self._search(dtypes)
        return self._failed(finding) if finding else self._held()

    # --- the three ways to a verdict

    def _held(self) -> Judgement:
        if not self.tally.cases:
            if self.tally.reasons:
                return self._cell("not-applicable", "; ".join(self.tally.reasons))
            return self._cell("inconclusive", "no case was judged: every one was ill-conditioned or empty")
        shortfall = self.tally.shortfall()
        if shortfall:
            return self._cell("inconclusive", shortfall)
        if self._notices():
            return self._cell("passed", "")
        ways = ", ".join(self.prop.sentinels)
        return self._cell("inconclusive", f"the law holds of spoiled results ({ways}) too: it proves nothing here")

    def _notices(self) -> bool:
        """Whether the law fails on a case that it passed, once results are spoiled."""
        for case in reversed(self.tally.judged):
            if sentinel.notices(self.prop, case, self.session, self.conventions):
                return True
            self._check_time()
        return False

    def _check_time(self) -> None:
        if time.monotonic() - self.started > CELL_SECONDS[self.settings.profile]:
            raise OutOfTime

    def _declared_otherwise(self) -> dict[str, Any]:
        declared = {c: self.session.declared(c) for c in self.prop.document}
        return {c: v for c, v in declared.items() if v != self.prop.document[c]}

    def _judge_convention(self, dtypes: list[str], differs: dict[str, Any]) -> Judgement:
        said = "declared: " + ", ".join(f"{c}={v}" for c, v in differs.items())
        # What no deviation covers comes first.
        ordered = sorted(dtypes, key=lambda d: self.expected is not None and self.expected.covers(d))
        finding = self._search(ordered, shrink_calls=60)
        if finding is None:
            if not self.tally.cases:
                return self._held()
            return self._stale(f"{said}, but the document's own choice holds")
        # One case on which the declared value holds is no law: all of them are judged by it.
        self.conventions = differs
        broken = self._search(ordered, shrink_calls=60)
        if broken is None:
            return self._cell("deviates", said, finding)
        if self.expected is not None and self.expected.covers(broken.case.dtype):
            return self._deviating(broken, self.expected)
        return self._failed(broken, f"neither the document's choice holds nor what is {said}")

    def _judge_deviation(self, dtypes: list[str], expected: Expected) -> Judgement:
        inside = [d for d in dtypes if expected.covers(d)]
        usual = self._search([d for d in dtypes if d not in inside])
        if usual is not None:
            return self._failed(usual)
        before = self.tally.cases
        finding = self._stored(expected) or self._search(inside, shrink_calls=60)
        if finding is not None:
            return self._deviating(finding, expected)
        if self.tally.cases == before:
            return self._held()
        return self._stale(f"the declared deviation does not show: {expected.reason}")

    def _deviating(self, finding: Finding, expected: Expected) -> Judgement:
        if not finding.outcome.named_in(expected.reason):
            return self._failed(finding, "a deviation is declared, but its reason does not name this")
        return self._cell("deviates", expected.reason, finding)

    def _stored(self, expected: Expected) -> Finding | None:
        if expected.witness is None:
            return None
        outcome = evaluate(self.prop, expected.witness, self.session)
        self.tally.add(expected.witness, outcome)
        return Finding(expected.witness, outcome) if outcome.violation is not None else None

    def _stale(self, reason: str) -> Judgement:
        full = self.settings.profile != "quick" and (self.settings.examples or BUDGETS["default"]) >= BUDGETS["default"]
        return self._cell("failed" if full else "inconclusive", f"stale: {reason}")

    def _failed(self, finding: Finding, reason: str = "") -> Judgement:
        words = [reason, self._hint(finding), self._suspect()]
        violation = finding.outcome.violation
        if finding.outcome.fault is not None and violation is not None:
            words.insert(0, violation.observed)
        return self._cell("failed", "; ".join(w for w in words if w), finding)

    def _suspect(self) -> str:
        """The other layer of a relation, which may be the one that is wrong."""
        partner = self.session.partner
        if self.prop.partner is None or partner is None:
            return ""
        return f"compared with {partner.name}, which may be the one that is wrong: look at its own verdicts first"

    def _hint(self, finding: Finding) -> str:
        """The value of a convention that the law asks for, if there is one, with which the failing case holds."""
        if finding.outcome.fault is not None or finding.history:
            return ""
        for convention, values in FAMILIES[self.session.family].conventions.items():
            if convention in WIDENING or convention not in finding.outcome.asked:
                continue
            for value in values:
                if value == self.session.declared(convention):
                    continue
                trial = {**self.prop.document, convention: value}
                outcome = evaluate(self.prop, finding.case, self.session, trial)
                # A value that only takes the case out of the law's domain explains nothing.
                if outcome.violation is None and outcome.cases:
                    return f"matches {convention}={value}; declare it if that is intended"
        return ""

    # --- searching

    def _search(self, dtypes: list[str], shrink_calls: int | None = None) -> Finding | None:
        total = self.settings.examples or BUDGETS[self.settings.profile]
        for dtype in dtypes:
            most = total if self.settings.examples else MAX_EXAMPLES[self.settings.profile]
            seen = self._generate(dtype, -(-total // len(dtypes)), most)
            if seen is not None:
                deadline = self.started + CELL_SECONDS[self.settings.profile]
                recurrence = Recurrence(self.prop, self.session, deadline, self.conventions)
                recurred = recurrence.recur(*seen, self.tally.history[:-1])
                return recurrence.smallest(recurred, shrink_calls)
        return None

    def _generate(self, dtype: str, budget: int, most: int) -> tuple[Case, Outcome] | None:
        """Judge batches of one dtype, each stratum its share, until the budget is spent; the first that fails, or None.

        Where configs are refused, the others get their share in another round.
        """
        quota = Quota(self.tally, self.prop, budget, self.prop.examples or most)
        live: list[int] | None = None
        for again in itertools.count():
            seed, refused = self._seed(dtype, again), self.tally.refused
            strata = dict(enumerate(self.prop.strata(self._plan(dtype, seed))))
            taking: list[int] = []
            visited = list(strata) if live is None else live
            for position, index in enumerate(visited):
                part = quota.share(len(visited) - position)
                seen = self._visit(strata[index], part, seed + index)
                if seen is not None:
                    return seen
                taking += [index] if part.taken() else []
            live = taking
            if not live or self.tally.refused == refused or not quota.wants_more():
                return None
        return None

    def _plan(self, dtype: str, seed: int) -> Plan:
        axes = self.session.offered_axes(dtype)
        about = self.session.family, dtype, self.settings.profile, seed & 0x7FFFFFFF, self.session.declares, axes
        return Plan(*about, functools.partial(self._takes, dtype))

    def _takes(self, dtype: str, config: Any) -> bool:
        """Whether the layer takes a config; asked once one was refused: most layers are not built twice."""
        return not (self.tally.refused and self.session.refusal(config, dtype))

    def _visit(self, cases: SearchStrategy[Case], quota: Quota, seed: int) -> tuple[Case, Outcome] | None:
        """Judge a stratum's share of batches; the first that fails, or None."""
        failing: list[tuple[Case, Outcome]] = []

        def visit(case: Case) -> None:
            refusal = self.session.refusals.get((case.config, case.dtype), "")
            outcome = Outcome(unsupported=refusal, refused=True) if refusal else self._evaluate(case)
            self.tally.add(case, outcome)
            if outcome.violation is not None:
                failing.append((case, outcome))
            if outcome.violation is not None or quota.spent():
                raise _Enough
            self._check_time()

        _generate_cases(cases, visit, quota.most + REFUSED, seed)
        return failing[0] if failing else None

    def _evaluate(self, case: Case) -> Outcome:
        return evaluate(self.prop, case, self.session, self.conventions)

    def _seed(self, dtype: str, number: int = 0) -> int:
        text = f"{self.settings.seed}/{self.about['name']}/{self.prop.id}/{dtype}" + (f"/{number}" if number else "")
        return zlib.crc32(text.encode()) | (self.settings.seed & 0xFFFFFFFF) << 32

    # --- the record

    def _cell(self, verdict: Verdict, reason: str, finding: Finding | None = None) -> Judgement:
        judged = self.tally.cases or finding is not None
        peak = self.tally.peak
        witness: Witness | None = None
        if finding is not None and finding.outcome.violation is not None:
            peak = finding.outcome.violation.error
            witness = witness_of(finding.case, finding.outcome.violation)
        cell = Cell(
            implementation=self.about["name"],
            framework=self.about["framework"],
            family=self.about["family"],
            property=self.prop.id,
            revision=self.prop.revision,
            level=self.prop.level,
            verdict=verdict,
            reason=reason,
            examples=self.tally.cases,
            left_out=self.tally.left_out,
            ill_conditioned=self.tally.ill_conditioned,
            seconds=round(time.monotonic() - self.started, 4),
            error_over_bound=number(peak) if judged else None,
            witness=witness,
            output=finding.output if finding is not None and verdict == "failed" else "",
        )
        return Judgement(cell, finding)


def _generate_cases(strategy: SearchStrategy[Case], visit: Callable[[Case], None], count: int, seed: int) -> None:
    """Let Hypothesis generate up to `count` cases; it neither stores nor shrinks: the judge works on literal values.

    `find` starts in 0.6 of the time of a test under `given`, which digests its own source first.
    """

    def never(case: Case) -> bool:
        visit(case)
        return False

    with contextlib.suppress(_Enough, hypothesis.errors.NoSuchExample):
        hypothesis.find(strategy, never, settings=_settings(count), random=random.Random(seed), database_key=b"")  # noqa: S311


@functools.lru_cache
def _settings(count: int) -> hypothesis.settings:
    return hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
