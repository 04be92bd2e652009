"""What a comparison says of its elements: where the worst one stands, what was left out, and what a law is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import strategies as st

from regcheck import holds, same_bits, within
from regcheck.property import Evidence, Plan, Property, Violation, prop, text, worst

TWO = ("row", "column")


def evidence(error: object, **about: object) -> Evidence:
    found = np.asarray(error, float)
    numbers = np.arange(found.size, dtype=float).reshape(found.shape)
    return Evidence(found, numbers, numbers + 0.5, **about)  # type: ignore[arg-type]


# --- the worst element


def test_the_worst_element_is_named_with_its_place_and_its_values() -> None:
    found = worst(evidence([[0.1, 0.2, 0.0], [0.3, 3.0, 2.0]], dims=TWO, what="y"))
    assert (found.error, found.where, found.index) == (3.0, "y[1, 1]", {"row": 1, "column": 1})
    assert (found.expected, found.observed) == (text(4.0), text(4.5))


def test_nan_is_worse_than_anything() -> None:
    found = worst([evidence([5.0]), evidence([1.0, np.nan, 9.0], what="dx")])
    assert (found.error, found.where) == (np.inf, "dx[1]")


def test_of_several_comparisons_the_worst_counts_and_the_first_of_equals() -> None:
    pieces = [evidence([0.5], what="a"), evidence([2.0], what="b"), evidence([2.0], what="c"), evidence([1.0])]
    assert worst(pieces).where == "b[0]"
    assert worst(pieces[::-1]).where == "c[0]"


def test_an_error_of_zero_is_shown_too_and_a_comparison_of_nothing_is_not() -> None:
    nothing, right = evidence(np.empty((0, 2)), what="nothing"), evidence([0.0, 0.0], what="y")
    assert worst(nothing) == Violation(0.0, "", "", "")
    assert worst([nothing, right]).where == "y[0]"
    assert worst([right, evidence([0.0], what="z"), nothing]).where == "y[0]"


def test_a_single_number_has_no_place_but_a_name() -> None:
    assert worst(evidence(2.0)).where == "result"
    assert worst(evidence(2.0, what="value")) == Violation(2.0, text(0.0), text(0.5), "value")


@pytest.mark.parametrize("number", [1.5, np.float32(1.5), np.longdouble(1.5)])
def test_numbers_are_shown_in_both_bases(number: float) -> None:
    assert text(number) == "1.5 (0x1.8000000000000p+0)"


def test_what_is_no_float_is_shown_as_it_is() -> None:
    assert (text(3), text(np.str_("shape (2,)"))) == ("3", "shape (2,)")


def test_an_axis_without_a_name_is_an_error_where_others_have_one() -> None:
    with pytest.raises(ValueError, match="zip"):
        worst(evidence([1.0, 2.0], dims=TWO))


# --- within


def test_within_compares_in_the_type_of_what_is_expected() -> None:
    close = within(np.array([1.0], "float16"), np.array([1 + 2.0**-30]), 2.0**-31)
    assert (close.error.tolist(), close.error.dtype) == ([2.0], np.float64)
    assert close.observed.dtype == np.float16


def test_an_error_below_its_expectation_counts_as_one_above() -> None:
    assert within(np.array([0.0, 2.0]), np.ones(2), 0.5).error.tolist() == [2.0, 2.0]


def test_a_bound_of_zero_lets_equal_numbers_pass_and_no_other() -> None:
    assert within(np.array([1.0, 1.0]), np.array([1.0, 2.0]), 0.0).error.tolist() == [0.0, np.inf]


def test_each_element_has_its_own_bound() -> None:
    found = within(np.zeros((2, 2)), np.ones((2, 2)), np.array([[1.0], [4.0]]), dims=TWO, what="y")
    assert (found.error.tolist(), found.dims, found.what) == ([[1.0, 1.0], [0.25, 0.25]], TWO, "y")


def test_names_of_axes_that_the_result_does_not_have_are_left_out() -> None:
    assert within(np.zeros(2), np.zeros(2), 1.0, dims=TWO).dims == ()
    assert holds(True, 1, 1, dims=TWO).dims == ()  # noqa: FBT003
    assert holds(np.ones((1, 1), bool), 1, 1, dims=TWO).dims == TWO


def test_every_label_counts_and_what_is_labelled_has_no_error() -> None:
    found = within(np.full((2, 3), 9.0), np.zeros((2, 3)), 1.0, judged=np.array([[True], [False]]))
    assert (found.error.tolist(), found.ill_conditioned) == ([[9.0] * 3, [0.0] * 3], 3)
    assert within(np.zeros(3), np.zeros(3), 1.0).ill_conditioned == 0


@pytest.mark.parametrize("compare", [lambda a, b: within(a, b, 1e9, what="y"), lambda a, b: same_bits(a, b, what="y")])
def test_another_shape_fails_and_is_named(compare) -> None:
    found = worst(compare(np.zeros((2, 1), "float32"), np.zeros(2)))
    assert (found.error, found.where) == (np.inf, "y")
    assert (found.expected, found.observed) == ("shape (2,), float64", "shape (2, 1), float32")


def test_whole_numbers_do_not_overflow_to_infinity() -> None:
    assert within(np.array([7]), np.array([7.5]), 1.0).error.tolist() == [0.5]


def test_infinity_is_right_only_where_the_bound_reaches_beyond_the_dtype() -> None:
    top = float(np.finfo("float16").max)
    observed, expected = np.full(3, np.inf, "float16"), np.full(3, top)
    found = within(observed, expected, np.array([0.0, 1e-9, 16.0]))
    assert found.error.tolist() == [np.inf, 0.0, 0.0]


# --- bits


def test_bits_tell_zeros_and_dtypes_apart() -> None:
    found = same_bits(np.array([0.0, -0.0]), np.zeros(2), dims=("i",), what="y")
    assert (found.error.tolist(), found.dims, found.what) == ([0.0, np.inf], ("i",), "y")
    assert worst(same_bits(np.zeros(2, "float32"), np.zeros(2))).error == np.inf


def test_bits_are_compared_in_place_whatever_the_layout() -> None:
    x = np.arange(6.0).reshape(2, 3)
    other = x.copy()
    other[1, 0] = 7
    assert same_bits(np.asfortranarray(other), x).error.tolist() == [[0, 0, 0], [np.inf, 0, 0]]


# --- what holds or not


def test_a_truth_has_the_error_zero_and_anything_else_infinity() -> None:
    found = holds(np.array([True, False]), "zeros", np.array([0.0, 3.0]), what="dropped")
    assert found.error.tolist() == [0.0, np.inf]
    assert worst(found) == Violation(np.inf, "zeros", text(3.0), "dropped[1]")
    narrow = np.float16(0.1)
    assert worst(holds(False, narrow, narrow)).observed == text(narrow) != text(float(narrow))  # noqa: FBT003


# --- a property


def law(layers: object, case: object) -> list[Evidence]:
    """A claim.

    And more.
    """
    return []


def test_a_property_keeps_what_it_was_declared_with() -> None:
    one = st.nothing()
    found = prop(
        "l1.made-up.twice",
        cases=lambda plan: one,
        level="core",
        formula="0 = 0",
        statements=["1.1"],
        source="here",
        revision=3,
        document={"subnormals": "kept"},
        dtypes=["float64"],
        families=["l1"],
        examples=5,
    )(law)
    assert (found.family, found.title, found.kind, found.revision, found.examples) == ("l1", "A claim.", "bound", 3, 5)
    assert (found.statements, found.dtypes, found.families) == (("1.1",), ("float64",), ("l1",))
    assert found.document == {"subnormals": "kept"}
    assert found.strata(Plan("l1", "float64")) == (one,)


def declared(id: str, families: list[str] | None = None) -> Property:  # noqa: A002
    strategies = [st.nothing(), st.none()]
    return prop(id, cases=lambda plan: strategies, level="core", formula="0 = 0", families=families)(law)


def test_what_is_not_said_is_left_open() -> None:
    found = declared("common.made-up")
    assert (found.dtypes, found.families, found.document, found.statements) == (None, None, {}, ())
    assert (found.revision, found.examples, len(found.strata(Plan("l1", "float64")))) == (1, None, 2)


def test_a_property_that_is_built_by_hand_has_the_same_defaults() -> None:
    made, about = declared("l1.made-up"), ("id", "family", "level", "kind", "statements", "title", "formula", "source")
    assert Property(**{name: getattr(made, name) for name in (*about, "law", "cases")}) == made


def test_a_law_is_of_its_family_alone_and_a_common_one_of_those_named_or_all() -> None:
    assert [declared("l1.made-up").applies_to(f) for f in ("l1", "l2", "common")] == [True, False, False]
    assert [declared("common.made-up").applies_to(f) for f in ("l1", "l2")] == [True, True]
    assert [declared("common.made-up", ["l2"]).applies_to(f) for f in ("l1", "l2")] == [False, True]


def test_a_law_without_a_sentence_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Property 'l1.mute' has no sentence\. Expected .*"):
        prop("l1.mute", cases=lambda plan: st.nothing(), level="core", formula="")(lambda layers, case: [])


def test_a_plan_takes_every_config_unless_told_otherwise() -> None:
    plan = Plan("l1", "float64")
    assert (plan.profile, plan.seed, dict(plan.declares), plan.axes) == ("default", 0, {}, ())
    assert plan.takes(math.nan) is True
