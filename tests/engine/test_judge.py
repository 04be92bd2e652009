"""Whatever a layer does is data: every kind of behaviour has its verdict, over a real worker process."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import strategies as st

from regcheck import Case, Evidence, Layers, Unsupported, holds, judge, prop, registry, within
from regcheck.evaluate import evaluate
from regcheck.families import PenaltyConfig
from regcheck.host import Session
from regcheck.judge import CellJudge, Expected, Judgement, Settings
from regcheck.processes import Server
from regcheck.property import SENTINELS
from regcheck.recur import Finding, Recurrence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regcheck.property import Plan, Property

FILE = Path(__file__).with_name("layers_under_test.py")
SOURCE = {"kind": "file", "path": str(FILE)}


def weights(plan: Plan) -> st.SearchStrategy[Case]:
    """Cases of one to eight small whole weights."""

    def make(values: list[int]) -> Case:
        return Case(PenaltyConfig(l1=1.0), plan.dtype, {"w": np.array(values, plan.dtype)}, {"w": ("W",)}, (), {})

    return st.lists(st.integers(-9, 9), min_size=1, max_size=8).map(make)


@prop("l1.test-value", cases=weights, level="core", formula="ℓ(w) = Σ|w|")
def value(layers: Layers, case: Case) -> Evidence:
    """The value is the sum of absolute weights."""
    layer = layers.make(case.config, case.dtype)
    return within(layer.value(case["w"]), np.abs(case["w"].astype(np.float64)).sum(), 1e-9)


@prop("l1.test-raises", cases=weights, level="core", formula="")
def broken(_layers: Layers, _case: Case) -> Evidence:
    """The law itself raises."""
    raise ZeroDivisionError


def five_lengths(plan: Plan) -> list[st.SearchStrategy[Case]]:
    """Five strata: vectors of one to five ones."""

    def ones(length: int) -> st.SearchStrategy[Case]:
        return st.just(Case(PenaltyConfig(l1=1.0), plan.dtype, {"w": np.ones(length, plan.dtype)}, {"w": ("W",)}))

    return [ones(length) for length in range(1, 6)]


@prop("l1.test-length", cases=five_lengths, level="core", formula="n < 5", dtypes=["float64"])
def short(layers: Layers, case: Case) -> Evidence:
    """No vector is long, which the last stratum refutes."""
    layer = layers.make(case.config, case.dtype)
    return within(layer.value(case["w"]), np.minimum(case["w"].sum(), 4.0), 1e-9)


def four_strata(plan: Plan) -> list[st.SearchStrategy[Case]]:
    """Four strata of the same cases."""
    return [weights(plan)] * 4


@prop("l1.test-strata", cases=four_strata, level="core", formula="ℓ(w) = Σ|w|", dtypes=["float64"])
def stratified(layers: Layers, case: Case) -> Evidence:
    """The value is the sum of absolute weights, in four strata."""
    layer = layers.make(case.config, case.dtype)
    return within(layer.value(case["w"]), np.abs(case["w"]).sum(), 1e-9)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this interpreter."""
    found = Server(sys.executable, ("plain",))
    yield found
    found.close()


def judged(server: Server | None, attribute: str, law: Property = value, **keywords: Any) -> Judgement:
    """One cell."""
    timeout = keywords.pop("timeout", 10.0)
    expected = keywords.pop("expected", None)
    family = keywords.pop("family", "l1")
    session = Session(server, SOURCE, attribute, family, keywords.pop("declares", {}), timeout)
    about = {"name": attribute, "framework": "numpy", "family": family, "dtypes": None}
    try:
        return CellJudge(law, session, about, Settings(**keywords), expected).judge()
    finally:
        session.close()


def test_a_right_layer_passes(server: Server) -> None:
    cell = judged(server, "right").cell
    assert (cell.verdict, cell.reason) == ("passed", "")
    assert cell.examples >= 20


def test_the_strata_spend_the_whole_budget(server: Server) -> None:
    assert judged(server, "right", stratified, examples=60).cell.examples == 60


FAULTS = {
    "segfault": ("SIGSEGV", 3),
    "leaves": ("exit code 0", 1),
    "skips": ("SkipTest: not today", 2),
    "interrupts": ("KeyboardInterrupt", 2),
    "exits": ("SystemExit: 0", 2),
    "lists": ("Received: list", 1),
    "objects": ("dtype object", 1),
    "wide": ("shape (2, 2)", 1),
    "nan": ("nan", 1),
    "doubled": ("", 4),
    "escape": ("RuntimeError", 1),
    "unprintable": ("UnprintableError", 1),
    "raises": ("OSError: no licence", 1),
    "nonsense": ("no adapter knows", 1),
}


@pytest.mark.parametrize("attribute", FAULTS)
def test_a_misbehaving_layer_fails_with_its_smallest_witness(server: Server, attribute: str) -> None:
    text, size = FAULTS[attribute]
    judgement = judged(server, attribute)
    assert judgement.cell.verdict == "failed"
    assert judgement.finding is not None
    assert judgement.cell.witness is not None
    assert text in judgement.cell.witness.observed
    assert judgement.finding.case["w"].size == size


def test_an_endless_call_is_killed_and_the_witness_is_minimal(server: Server) -> None:
    judgement = judged(server, "endless", timeout=1.0)
    assert judgement.cell.verdict == "failed"
    assert "no result within 1 s" in judgement.cell.reason
    assert judgement.finding is not None
    assert judgement.finding.case["w"].size == 3


@prop("l1.test-together", cases=weights, level="core", formula="ℓ(w) = Σ|w|", dtypes=["float64"], examples=1)
def together(layers: Layers, case: Case) -> Evidence:
    """The value is the sum of absolute weights, eight times."""
    seen = layers.make(case.config, case.dtype).values([case["w"]] * 8)
    return within(np.array(seen), np.full(8, np.abs(case["w"]).sum()), 1e-9)


def test_many_calls_in_a_message_are_timed_one_by_one(server: Server) -> None:
    assert judged(server, "slow", together, timeout=1.0).cell.verdict == "passed"
    assert "no result within 0.1 s" in judged(server, "slow", together, timeout=0.1).cell.reason


def test_a_declared_convention_excuses_no_other_fault(server: Server) -> None:
    declared: dict[str, Any] = {"family": "l2", "declares": {"l2_factor": "0.5"}}
    assert judged(server, "half_or_more", halving, **declared).cell.verdict == "failed"


@prop("l2.test-halving", cases=weights, level="core", formula="", document={"l2_factor": "1"})
def halving(layers: Layers, case: Case) -> Evidence:
    """The value is Σ|w| or, as declared, half of it."""
    factor = float(layers.declared("l2_factor"))
    wanted = factor * np.abs(case["w"].astype(np.float64)).sum()
    return within(layers.make(case.config, case.dtype).value(case["w"]), wanted, 1e-9)


def test_a_fault_that_only_a_sequence_of_calls_shows_is_reported_with_the_sequence(server: Server) -> None:
    judgement = judged(server, "third_call")
    assert judgement.cell.verdict == "failed"
    assert judgement.finding is not None
    assert len(judgement.finding.history) == 3


@prop("l2.test-hint", cases=weights, level="core", formula="")
def asking(layers: Layers, case: Case) -> Evidence:
    """The value is 0; the law asks for the factor, whatever it is."""
    layers.declared("l2_factor")
    return not_asking.law(layers, case)  # type: ignore[return-value]


@prop("l2.test-no-hint", cases=weights, level="core", formula="")
def not_asking(layers: Layers, case: Case) -> Evidence:
    """The value is 0."""
    return within(layers.make(case.config, case.dtype).value(case["w"]), np.zeros(()), 1e-9)


@pytest.mark.parametrize(("law", "hint"), [(asking, "matches l2_factor=0.5"), (not_asking, "")])
def test_a_hint_names_a_convention_that_the_law_asks_for_and_no_other(server: Server, law: Property, hint: str) -> None:
    cell = judged(server, "first_call", law, family="l2").cell
    assert cell.verdict == "failed"
    assert cell.reason.startswith(hint)
    assert bool(cell.reason) == bool(hint)


def test_a_failure_that_does_not_recur_is_inconclusive(server: Server) -> None:
    cell = judged(server, "once").cell
    assert cell.verdict == "inconclusive"
    assert "did not recur" in cell.reason


@pytest.mark.parametrize("settings", [{"profile": "quick"}, {"profile": "default"}, {"examples": 1}])
def test_every_stratum_is_judged_however_small_the_run(server: Server, settings: dict[str, Any]) -> None:
    assert judged(server, "right", short, **settings).cell.verdict == "failed"


@prop("l1.test-vacuous", cases=weights, level="core", formula="")
def vacuous(layers: Layers, case: Case) -> Evidence:
    """The value is compared with itself."""
    seen = layers.make(case.config, case.dtype).value(case["w"])
    return within(seen, seen, 1e-9)


@prop("l1.test-lenient", cases=weights, level="core", formula="ℓ(w) = Σ|w|")
def lenient(layers: Layers, case: Case) -> Evidence:
    """The value is the sum of absolute weights, within a bound that nothing exceeds."""
    seen = layers.make(case.config, case.dtype).value(case["w"])
    return within(seen, np.abs(case["w"].astype(np.float64)).sum(), np.inf)


@pytest.mark.parametrize("law", [vacuous, lenient])
def test_a_law_that_notices_no_spoiled_result_is_inconclusive(server: Server, law: Property) -> None:
    cell = judged(server, "right", law).cell
    assert cell.verdict == "inconclusive"
    assert "spoiled" in cell.reason


@prop("l1.test-repeated", cases=weights, level="core", formula="", sentinels=["stuck"])
def not_repeated(layers: Layers, case: Case) -> Evidence:
    """The value of w and of half of w differ, which spoiled values do too; the same value twice does not."""
    layer = layers.make(case.config, case.dtype)
    first, second = layer.value(case["w"]), layer.value(case["w"] / 2)
    return holds((first != second) | (first == 0), first, second)


def test_a_law_is_tried_on_the_spoiled_results_that_it_names(server: Server) -> None:
    assert judged(server, "right", not_repeated).cell.verdict == "passed"


def test_a_law_that_names_no_known_way_to_spoil_results_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sentinel 'burnt'\. Expected some of values"):
        prop("l1.test-burnt", cases=weights, level="core", formula="", sentinels=["burnt"])(value.law)


def test_every_way_to_spoil_results_is_one_that_some_law_must_notice() -> None:
    named = {way for law in registry.catalogue().properties.values() for way in law.sentinels}
    assert named == set(SENTINELS)


@pytest.mark.parametrize(("left_out", "verdict"), [(0.1, "passed"), (0.9, "inconclusive")])
def test_a_law_that_judged_few_of_its_cases_is_inconclusive(server: Server, left_out: float, verdict: str) -> None:
    @prop("l1.test-missing", cases=of_one_length, level="core", formula="ℓ(w) = Σ|w|", dtypes=["float64"])
    def missing(layers: Layers, case: Case) -> Evidence:
        """The value is the sum of absolute weights, of what the layer takes."""
        if case.values["share"] < left_out:
            msg = "the layer has no parameter 'scale'"
            raise Unsupported(msg)
        return value.law(layers, case)  # type: ignore[return-value]

    cell = judged(server, "right", missing).cell
    assert cell.verdict == verdict
    assert cell.left_out > 0
    if verdict == "inconclusive":
        assert re.search(r"judged \d+ of \d+ cases .* no parameter 'scale'", cell.reason)


@prop("l1.test-empty", cases=weights, level="core", formula="", dtypes=["float64"])
def empty(layers: Layers, case: Case) -> Evidence:
    """The value is the sum of absolute weights; of fewer than three, nothing is compared."""
    seen = np.repeat(layers.make(case.config, case.dtype).value(case["w"]), case["w"].size > 2)
    return within(seen, np.full(seen.shape, np.abs(case["w"]).sum()), 1e-9)


def test_a_comparison_of_nothing_judges_nothing(server: Server) -> None:
    cell = judged(server, "right", empty).cell
    assert cell.verdict == "inconclusive"
    assert "in the rest nothing was compared" in cell.reason


def of_one_length(plan: Plan) -> st.SearchStrategy[Case]:
    """Cases of four weights and a number from 0 to 1."""

    def make(share: int) -> Case:
        arrays = {"w": np.arange(4).astype(plan.dtype)}
        return Case(PenaltyConfig(l1=1.0), plan.dtype, arrays, {"w": ("W",)}, ("W",), {"share": share / 100})

    return st.integers(0, 100).map(make)


def test_a_law_that_raises_is_inconclusive_and_never_the_layers_fault(server: Server) -> None:
    cell = judged(server, "right", broken).cell
    assert cell.verdict == "inconclusive"
    assert "ZeroDivisionError" in cell.reason


def test_a_config_that_is_not_offered_is_left_out_and_counted(server: Server) -> None:
    cell = judged(server, "refuses").cell
    assert (cell.verdict, cell.reason) == ("not-applicable", "only on Sundays")
    assert cell.left_out > 0


def of_some_strength(plan: Plan) -> st.SearchStrategy[Case]:
    """Cases of which one in four has the strength 4."""

    def make(strength: float, w: float) -> Case:
        arrays = {"w": np.full(10, w, plan.dtype)}
        return Case(PenaltyConfig(l1=strength), plan.dtype, arrays, {"w": ("W",)}, ("W",), {})

    return st.builds(make, st.sampled_from((0.5, 1.0, 2.0, 4.0)), st.integers(0, 9))


@pytest.mark.parametrize("examples", [None, 4])
def test_refused_configs_use_up_no_budget(server: Server, examples: int | None) -> None:
    @prop("l1.test-strength", cases=of_some_strength, level="core", formula="", examples=examples)
    def strength(layers: Layers, case: Case) -> Evidence:
        """The value is the sum of absolute weights, times the strength."""
        layer = layers.make(case.config, case.dtype)
        return within(layer.value(case["w"]), case.config.l1 * np.abs(case["w"].astype(np.float64)).sum(), 1e-9)

    for seed in range(10):
        cell = judged(server, "one_in_four", strength, seed=seed).cell
        assert cell.verdict == "passed"
        assert cell.examples >= (200 if examples is None else 3 * 4 * 10)
        assert cell.left_out > 0


def test_a_declared_deviation_deviates_with_its_witness(server: Server) -> None:
    cell = judged(server, "deviating", expected=Expected("doubles")).cell
    assert (cell.verdict, cell.reason) == ("deviates", "doubles")
    assert cell.witness is not None


def test_a_deviation_that_does_not_show_is_stale(server: Server) -> None:
    assert judged(server, "stale", expected=Expected("no")).cell.verdict == "failed"
    assert judged(server, "stale", expected=Expected("no"), profile="quick").cell.verdict == "inconclusive"


def test_a_deviation_covers_no_crash_that_it_does_not_name(server: Server) -> None:
    assert judged(server, "crash_declared", expected=Expected("gives other numbers")).cell.verdict == "failed"
    assert judged(server, "crash_declared", expected=Expected("crashes beyond two")).cell.verdict == "deviates"


def test_a_deviation_outside_its_strata_is_judged_as_usual(server: Server) -> None:
    cell = judged(server, "deviating", expected=Expected("doubles", ("float16",))).cell
    assert cell.verdict == "failed"


def test_a_deviation_of_which_no_case_is_judged_is_not_stale(server: Server) -> None:
    outside = judged(server, "refuses_half", expected=Expected("no", ("float16",))).cell
    assert (outside.verdict, outside.left_out > 0) == ("passed", True)


@prop("l2.test-document", cases=weights, level="core", formula="", document={"l2_factor": "1"})
def stating(layers: Layers, case: Case) -> Evidence:
    """The value is 0, or below it where the factor is ½."""
    wanted = 0.0 if layers.declared("l2_factor") == "1" else -1.0
    return within(layers.make(case.config, case.dtype).value(case["w"]), np.array(wanted), 1e-9)


@pytest.mark.parametrize(("strata", "verdict"), [(None, "deviates"), (("float16",), "failed")])
def test_a_deviation_is_looked_at_where_a_declared_convention_does_not_hold_either(
    server: Server, strata: tuple[str, ...] | None, verdict: str
) -> None:
    declared: dict[str, Any] = {"family": "l2", "declares": {"l2_factor": "0.5"}}
    expected = Expected("gives one", strata)
    assert judged(server, "gives_one", stating, expected=expected, **declared).cell.verdict == verdict


def test_when_time_is_up_a_failure_is_reported_as_it_is(server: Server) -> None:
    case = Case(PenaltyConfig(l1=1.0), "float32", {"w": np.arange(9, dtype="f4")}, {"w": ("W",)}, (), {})
    session = Session(server, SOURCE, "doubled", "l1", {})
    try:
        finding = Finding(case, evaluate(value, case, session))
        assert Recurrence(value, session, deadline=0.0).smallest(finding, None).case["w"].size == 9
        assert Recurrence(value, session).smallest(finding, None).case["w"].size == 4
    finally:
        session.close()


def test_a_stored_witness_is_tried_first_and_not_cut_again(server: Server) -> None:
    stored = Case(PenaltyConfig(l1=1.0), "float32", {"w": np.arange(9, dtype="f4")}, {"w": ("W",)}, (), {})
    judgement = judged(server, "deviating", expected=Expected("doubles", None, stored))
    assert judgement.finding is not None
    assert judgement.finding.case is stored
    assert judgement.cell.examples == 1


def test_the_cells_own_time_limit_is_inconclusive(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(judge.CELL_SECONDS, "default", 0.0)
    cell = judged(server, "right").cell
    assert cell.verdict == "inconclusive"
    assert "time ran out" in cell.reason


def test_in_process_a_layer_is_judged_alike() -> None:
    assert judged(None, "right").cell.verdict == "passed"
    assert judged(None, "doubled").cell.verdict == "failed"


def test_two_runs_with_one_seed_judge_the_same_cases(server: Server) -> None:
    first, second = (judged(server, "doubled", seed=7) for _ in range(2))
    assert first.cell.witness == second.cell.witness
    assert first.cell.examples == second.cell.examples
