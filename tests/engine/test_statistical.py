"""Statistical tests keep the error rates that they state, seen on fresh random numbers in every run."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from regcheck import statistical

RATES = (0.75, 0.5, 0.1, 0.999)
EFFECT = 0.01  # standard deviations of one draw


def binomial(rate: float, chunk: int = 16384):
    rng = np.random.default_rng()
    return lambda: (int(rng.binomial(chunk, rate)), chunk)


def effect_at(rate: float) -> float:
    return EFFECT * math.sqrt(rate * (1 - rate))


@pytest.mark.parametrize("rate", RATES)
def test_a_right_rate_is_accepted_after_some_200_000_draws(rate):
    found = [statistical.sequential_rate(binomial(rate), rate, rate, effect_at(rate)) for _ in range(40)]
    assert max(f.error for f in found) < 1
    assert np.mean([f.draws for f in found]) < 300_000
    assert all(abs(f.observed - rate) < 5 * effect_at(rate) for f in found)


# At power 0.999, more than five of a hundred are missed with probability 1e-9.
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_rate_off_by_the_stated_effect_is_found(rate, sign):
    off = rate + sign * effect_at(rate)
    found = [statistical.sequential_rate(binomial(off), rate, rate, effect_at(rate)) for _ in range(100)]
    assert sum(f.error < 1 for f in found) <= 5


def test_both_ends_of_an_interval_are_right():
    for rate in (0.49, 0.5, 0.51):
        assert statistical.sequential_rate(binomial(rate), 0.49, 0.51, 0.005).error < 1


@pytest.mark.parametrize("rate", [0.484, 0.516])
def test_beyond_an_interval_is_wrong(rate):
    assert statistical.sequential_rate(binomial(rate), 0.49, 0.51, 0.005).error > 1


def test_larger_deviations_are_found_sooner():
    draws = [statistical.sequential_rate(binomial(rate), 0.5, 0.5, 0.005).draws for rate in (0.505, 0.55, 0.9)]
    assert draws == sorted(draws, reverse=True)
    assert draws[-1] == 16384


@pytest.mark.parametrize("constant", [0, 1])
def test_a_stuck_generator_is_found(constant):
    assert statistical.sequential_rate(lambda: (1000 * constant, 1000), 0.5, 0.5, 0.005).error > 1


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_a_certain_event_that_fails_once_in_a_thousand_is_found(rate):
    low, high = rate - 1e-5, rate + 1e-5
    seen = 999 if rate else 1
    assert statistical.sequential_rate(lambda: (seen, 1000), low, high, 1e-4).error > 1
    assert statistical.sequential_rate(lambda: (int(1000 * rate), 1000), low, high, 1e-4).error < 1


def test_false_alarms_stay_below_alpha_where_alpha_can_be_seen():
    found = [statistical.sequential_rate(binomial(0.5, 50), 0.5, 0.5, 0.05, alpha=0.05) for _ in range(1000)]
    accused = sum(f.error >= 1 for f in found)
    # A bound that is nearly attained: 50 expected at most, 100 with probability 1e-11; and it is seen at work.
    assert 1 <= accused <= 100


def test_the_number_of_draws_is_bounded():
    most = statistical.most_draws(0.5, 0.5, 0.005)
    assert 10**6 < most < 2 * 10**6
    # Half way to the alternative the test knows least.
    found = statistical.sequential_rate(binomial(0.5025), 0.5, 0.5, 0.005)
    assert found.draws <= most + 16384


@pytest.mark.parametrize("sample", [7, 40])
@pytest.mark.parametrize("rate", [0.1, 0.5, 0.93])
def test_the_tail_bound_is_above_the_exact_tail(sample, rate):
    weights = [math.comb(sample, k) * rate**k * (1 - rate) ** (sample - k) for k in range(sample + 1)]
    for count in range(sample + 1):
        above, below = sum(weights[count:]), sum(weights[: count + 1])
        exact = min(1.0, 2 * min(above, below))
        assert math.exp(float(statistical.log_tail(count, sample, rate))) >= exact * (1 - 1e-9)


def test_the_bound_on_pairs_holds_over_every_pairing():
    a = np.array([True] * 4 + [False] * 3)
    bounds = []
    for chosen in itertools.combinations(range(7), 3):
        b = np.isin(np.arange(7), chosen)
        bounds.append(math.exp(statistical.dependence(a, b)[0]))
    for level in set(bounds):
        assert np.mean(np.array(bounds) <= level) <= level + 1e-12


def test_divergence_is_zero_only_at_equality():
    assert statistical.divergence(0.3, 0.3) == 0
    assert statistical.divergence(0.0, 0.5) == pytest.approx(math.log(2))
    assert statistical.divergence(0.5, 1.0) == math.inf


# --- dependence


def masks(count: int, size: int, correlation: float = 0.0, rate: float = 0.7):
    """Rows of Bernoulli entries, each row correlated with the first."""
    rng = np.random.default_rng()
    first = rng.random(size) < rate
    share = rng.random((count, size)) < correlation
    rows = np.where(share, first, rng.random((count, size)) < rate)
    rows[0] = first
    return rows


def test_independent_masks_are_not_accused():
    flat = masks(1, 50_000).ravel()
    lags = [(f"lag {k}", *pair) for k in range(1, 65) for pair in statistical.at_lag(flat, k)]
    assert len(lags) == 128
    found = statistical.strongest(lags)
    assert 0 < found.error < 1
    assert abs(found.correlation) < 0.1


def test_a_correlation_of_three_in_a_hundred_is_found():
    size = 269_824  # the pairs that a lag has in the catalogue: 8 calls of 67 456 entries, every second
    found = [statistical.strongest([("", *masks(2, size, 0.03))] + [("", *masks(2, 10))] * 137) for _ in range(100)]
    assert sum(f.error < 1 for f in found) <= 5


@pytest.mark.parametrize("lag", [1, 2, 3, 17, 64])
def test_a_repeated_word_is_found_at_its_own_lag(lag):
    rng = np.random.default_rng()
    word = rng.random((400, 1, lag)) < 0.7
    flat = np.concatenate([word, word], axis=1).ravel()
    tests = [(f"lag {k}", *pair) for k in range(1, 65) for pair in statistical.at_lag(flat, k)]
    found = statistical.strongest(tests)
    assert found.error > 1
    assert found.where == f"lag {lag}"


def test_pairs_of_a_lag_are_disjoint_and_complete():
    flat = np.arange(41)
    for lag in (1, 3, 5):
        sets = [np.stack([a.ravel(), b.ravel()]) for a, b in statistical.at_lag(flat, lag)]
        assert all(np.unique(s).size == s.size for s in sets)
        assert all((s[1] - s[0] == lag).all() for s in sets)
        assert sum(s.shape[1] for s in sets) >= 41 - 3 * lag


@pytest.mark.parametrize("shift", [0, 1, 700])
def test_a_shifted_copy_is_found_with_its_shift(shift):
    mask = masks(1, 5003).ravel()
    found = statistical.strongest_shift(mask, np.roll(mask, shift))
    assert found.error > 1
    assert found.where == f"shifted by {shift}"
    assert found.correlation == pytest.approx(1)


def test_unrelated_masks_have_no_shift_in_common():
    assert statistical.strongest_shift(*masks(2, 5003)).error < 1


def test_a_shift_is_counted_as_the_pairs_are():
    a, b = masks(2, 101)
    log_p, correlation = statistical.shifted(a, b)
    for k in (0, 1, 50, 100):
        assert (log_p[k], correlation[k]) == pytest.approx(statistical.dependence(a, np.roll(b, -k)))


def test_a_constant_mask_says_nothing():
    ones = np.ones(100, bool)
    assert statistical.dependence(ones, ones) == (0, 0)
    assert statistical.strongest([]).error == 0
