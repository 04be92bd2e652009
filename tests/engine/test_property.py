"""Evidence: what a comparison lets pass, and what never."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck import same_bits, within

NAN = np.array([np.nan, 1.0])


def errors(observed: list[float], expected: list[float], bound: float = 1.0, dtype: str = "float16") -> list[float]:
    return within(np.array(observed, dtype), np.array(expected), bound).error.tolist()


def test_an_error_is_in_units_of_the_bound() -> None:
    assert errors([1.5, 2.0], [1.0, 1.0], 0.5) == [1.0, 2.0]


@pytest.mark.parametrize("expected", [67040.0, 65504.5, -1e300])
def test_infinity_is_right_where_the_dtype_cannot_hold_the_value(expected: float) -> None:
    assert errors([np.copysign(np.inf, expected)], [expected]) == [0.0]


@pytest.mark.parametrize(("observed", "expected"), [(np.inf, 60000.0), (-np.inf, 67040.0), (0.0, 67040.0)])
def test_what_is_not_the_rounded_value_fails_at_the_end_of_the_range(observed: float, expected: float) -> None:
    assert errors([observed], [expected])[0] > 1


def test_an_unbounded_error_does_not_let_infinity_pass() -> None:
    assert errors([np.inf], [1e300], np.inf) == [np.inf]


@pytest.mark.parametrize(("observed", "expected"), [(NAN, NAN), (NAN, np.ones(2)), (np.ones(2), NAN)])
def test_nan_is_within_no_bound_of_anything(observed: np.ndarray, expected: np.ndarray) -> None:
    assert within(observed, expected, np.inf).error.tolist() == [np.inf, 0.0]


def test_an_infinity_is_within_any_bound_of_itself_alone() -> None:
    infinite = np.array([np.inf, -np.inf])
    assert within(infinite, infinite, 1.0).error.tolist() == [0.0, 0.0]
    assert within(infinite, -infinite, 1.0).error.tolist() == [np.inf, np.inf]


def test_what_is_not_judged_may_be_nan() -> None:
    evidence = within(NAN, NAN, 1.0, judged=np.array([False, True]))
    assert (evidence.error.tolist(), evidence.ill_conditioned) == ([0.0, 0.0], 1)


def test_the_same_bits_of_nan_are_the_same_only_where_the_law_says_so() -> None:
    assert same_bits(NAN, NAN).error.tolist() == [np.inf, 0.0]
    assert same_bits(NAN, NAN, nan=True).error.tolist() == [0.0, 0.0]
    assert same_bits(NAN, -NAN, nan=True).error.tolist() == [np.inf, np.inf]
