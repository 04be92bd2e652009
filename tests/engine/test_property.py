"""Comparisons are written so that NaN fails."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck import same_bits, within

NAN = np.array([np.nan, 1.0])


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
