"""One law on one case: whatever it returns or meets is an outcome, and a law that breaks is an error of its own."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from regcheck import families, holds, within
from regcheck.case import Case
from regcheck.evaluate import CheckerError, Outcome, evaluate
from regcheck.host import Fault, Refused, TooSlowTogether
from regcheck.implementation import Unsupported
from regcheck.property import Evidence, prop

CONFIG = families.PenaltyConfig(l1=1.0)
CASE = Case(CONFIG, "float64", {"w": np.zeros((3, 2))}, {"w": ("row", "column")}, ("row",))


class Session:
    """What a law needs of one."""

    family = "l1"
    together = True
    resets = 0

    def reset(self) -> None:
        self.resets += 1

    def make(self, config: Any, dtype: str) -> tuple[Any, str]:
        return config, dtype

    def declared(self, convention: str) -> str:
        return f"declared {convention}"


def seen(law: Any, session: Any = None, conventions: Any = None, **about: Any) -> Outcome:
    law.__doc__ = "A claim."
    made = prop("l1.made-up", cases=lambda plan: st.nothing(), level="core", formula="", **about)(law)
    return evaluate(made, CASE, session or Session(), conventions)


def errors(*found: float, left: int = 0) -> Evidence:
    return Evidence(np.array(found), np.zeros(len(found)), np.zeros(len(found)), ("i",), "y", left)


def test_a_law_that_holds_shows_its_peak_and_counts_the_cases() -> None:
    found = seen(lambda layers, case: [errors(0.25), errors(0.5, 1.0), errors()])
    assert found == Outcome(peak=1.0, cases=CASE.count())


def test_an_outcome_is_of_nothing_until_more_is_said() -> None:
    assert Outcome() == Outcome(None, None, None, 0.0, 0, 0, False, frozenset())  # noqa: FBT003


def test_one_piece_of_evidence_is_enough() -> None:
    assert seen(lambda layers, case: errors(0.5)).peak == 0.5


@pytest.mark.parametrize("error", [1.0000001, np.inf, np.nan])
def test_an_error_above_one_is_a_violation_by_the_worst_element(error: float) -> None:
    found = seen(lambda layers, case: [errors(0.0, error), errors(1.0)])
    assert found.violation is not None
    assert (found.violation.where, found.violation.index) == ("y[1]", {"i": 1})
    assert (found.peak, found.cases) == (np.inf if np.isnan(error) else error, CASE.count())


def test_what_was_only_labelled_judged_no_case() -> None:
    both = seen(lambda layers, case: [errors(0.0, 0.0, left=2), errors(0.0, left=1)])
    assert (both.cases, both.ill_conditioned) == (0, 3)
    assert seen(lambda layers, case: [errors(0.0, 0.0, left=2), errors(0.0)]).cases == CASE.count()
    assert seen(lambda layers, case: []).cases == 0


def test_a_law_computes_without_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = seen(lambda layers, case: within(np.ones(1) / np.zeros(1), np.full(1, np.inf), 1.0))
    assert found.peak == 0


def raising(error: BaseException) -> Any:
    def law(layers: Any, case: Any) -> Any:
        raise error

    return law


def test_a_layers_fault_is_a_violation() -> None:
    fault = Fault("raised", "OSError", "no licence", "value")
    found = seen(raising(fault))
    assert found.violation is not None
    assert (found.violation.expected, found.violation.observed) == ("a result", fault.sentence())
    assert (found.violation.where, found.violation.error, found.peak) == ("value", np.inf, np.inf)
    assert (found.fault, found.cases) == (fault, 1)
    alone = seen(raising(Fault("died", "", "exit code 1"))).violation
    assert alone is not None
    assert alone.where == "make"


def test_what_is_not_offered_is_no_failure() -> None:
    assert seen(raising(Unsupported("only 1-D"))) == Outcome(unsupported="only 1-D")
    assert seen(raising(Unsupported())) == Outcome(unsupported="Unsupported")
    assert seen(raising(Refused("only 1-D"))) == Outcome(unsupported="only 1-D", refused=True)


def test_a_law_that_raises_is_the_catalogues_error() -> None:
    with pytest.raises(CheckerError, match=r"the law l1\.made-up raised ZeroDivisionError: by zero"):
        seen(raising(ZeroDivisionError("by zero")))


def test_calls_that_are_too_slow_together_are_made_again_one_by_one() -> None:
    session = Session()

    def law(layers: Any, case: Any) -> Evidence:
        if session.together:
            raise TooSlowTogether
        return holds(layers.declared("subnormals") == "flushed", 0, 1)

    assert seen(law, session, {"subnormals": "flushed"}).peak == 0
    assert (session.together, session.resets) == (False, 2)


def test_conventions_are_those_given_else_the_documents_own_else_declared() -> None:
    asked: list[Any] = []

    def law(layers: Any, case: Any) -> Evidence:
        asked.append((layers.family, layers.make(1, "float32"), layers.declared("a"), layers.declared("b")))
        return errors(0.0)

    found = seen(law, document={"a": "document"})
    assert found.asked == {"a", "b"}
    seen(law, conventions={}, document={"a": "document"})
    seen(law, conventions={"b": "given"}, document={"a": "document"})
    made = ("l1", (1, "float32"))
    assert asked == [
        (*made, "document", "declared b"),
        (*made, "declared a", "declared b"),
        (*made, "declared a", "given"),
    ]


def test_failures_are_of_one_kind_where_both_are_values_or_faults_of_one_kind() -> None:
    value, other = (seen(lambda layers, case: errors(2.0)) for _ in range(2))
    right = seen(lambda layers, case: errors(0.0))
    died, hung = (seen(raising(Fault(kind, "", "gone"))) for kind in ("died", "hung"))
    assert value.same_kind(other)
    assert died.same_kind(seen(raising(Fault("died", "", "otherwise"))))
    assert not any(a.same_kind(b) for a, b in ((value, right), (right, value), (right, right), (value, died)))
    assert not died.same_kind(hung)
