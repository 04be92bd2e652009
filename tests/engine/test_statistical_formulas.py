"""Every statistic is the formula of its derivation, written here a second time with plain numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from regcheck import statistical

RNG = np.random.default_rng()
CLOSE = {"rel": 1e-9, "abs": 1e-12}


def divergence(s: float, r: float) -> float:
    hit = s * math.log(s / r) if s else 0.0
    return hit + ((1 - s) * math.log((1 - s) / (1 - r)) if s < 1 else 0.0)


def tail(count: int, sample: int, rate: float) -> float:
    return min(0.0, math.log(2) - sample * divergence(count / sample, rate)) if sample else 0.0


def test_the_error_rates_are_those_of_the_contract() -> None:
    assert (statistical.ALPHA, statistical.BETA) == (1e-12, 1e-3)


@pytest.mark.parametrize("rate", [0.07, 0.5, 0.9])
@pytest.mark.parametrize("share", [0.0, 1e-9, 0.2, 0.5, 0.83, 1.0])
def test_the_divergence(share: float, rate: float) -> None:
    assert float(statistical.divergence(share, rate)) == pytest.approx(divergence(share, rate), **CLOSE)


def test_the_divergence_of_a_certain_event_from_an_impossible_one_is_infinite() -> None:
    assert [float(statistical.divergence(*pair)) for pair in ((1.0, 0.0), (0.0, 1.0))] == [math.inf, math.inf]
    assert [float(statistical.divergence(*pair)) for pair in ((0.0, 0.0), (1.0, 1.0))] == [0.0, 0.0]


def test_a_divergence_is_not_negative_where_rounding_would_make_it_so() -> None:
    rates = RNG.uniform(0.01, 0.99, 10_000)
    assert np.all(statistical.divergence(np.nextafter(rates, 1), rates) >= 0)


def test_the_tail() -> None:
    counts = np.arange(21)
    found = statistical.log_tail(counts, 20, 0.3)
    assert found.tolist() == pytest.approx([tail(k, 20, 0.3) for k in range(21)], **CLOSE)
    assert statistical.log_tail(np.zeros(3), 0, 0.3).tolist() == [0.0] * 3


# --- the sequential test

RANGES = [(0.3, 0.3, 0.01), (0.7, 0.7, 0.01), (0.2, 0.6, 0.02), (0.4, 0.9, 0.02), (0.001, 0.001, 0.01)]
RANGES += [(0.995, 0.995, 0.01), (0.05, 0.95, 0.04)]


def sides(low: float, high: float, effect: float) -> list[tuple[float, float]]:
    return [(p, r) for p, r in ((high, high + effect), (low, low - effect)) if 0 < r < 1]


def ratio(side: tuple[float, float], hits: int, draws: int) -> float:
    null, rate = side
    return hits * math.log(rate / null) + (draws - hits) * math.log((1 - rate) / (1 - null))


def decided(side: tuple[float, float], draws: int, alpha: float, beta: float) -> bool:
    """Whether the alternative lies beyond the count that convicts, and by so much that beta is kept."""
    null, rate = side
    hit, miss = math.log(rate / null), math.log((1 - rate) / (1 - null))
    share = (math.log(2 / alpha) - draws * miss) / (draws * (hit - miss))
    beyond = share < rate if rate > null else share > rate
    return beyond and draws * divergence(share, rate) >= math.log(2 / beta)


@pytest.mark.parametrize(("low", "high", "effect"), RANGES)
@pytest.mark.parametrize(("alpha", "beta"), [(1e-12, 1e-3), (0.05, 0.2)])
def test_the_most_draws_are_the_fewest_that_decide_both_sides(low, high, effect, alpha, beta) -> None:
    both = sides(low, high, effect)
    most = statistical.most_draws(low, high, effect, alpha=alpha, beta=beta)
    assert all(decided(side, most, alpha, beta) for side in both)
    assert not all(decided(side, most - 1, alpha, beta) for side in both)


def test_defaults_are_the_contracts_rates() -> None:
    rates = {"alpha": statistical.ALPHA, "beta": statistical.BETA}
    assert statistical.most_draws(0.3, 0.3, 0.01) == statistical.most_draws(0.3, 0.3, 0.01, **rates)
    a = RNG.random(50) < 0.5
    assert statistical.strongest_shift(a, a) == statistical.strongest_shift(a, a, alpha=statistical.ALPHA)


def test_where_no_rate_lies_so_far_out_nothing_is_drawn() -> None:
    assert statistical.most_draws(0.0, 1.0, 0.1) == 0
    assert statistical.most_draws(0.1, 0.9, 0.1) == 0  # 0 and 1 themselves are no alternative
    found = statistical.sequential_rate(lambda: (1, 1), 0.0, 1.0, 0.1)
    assert (found.error, found.draws) == (0.0, 0)
    assert math.isnan(found.observed)


@pytest.mark.parametrize(("low", "high"), [(1.1, 1.2), (-0.2, -0.1)])
def test_a_range_without_any_rate_accuses_undrawn(low: float, high: float) -> None:
    found = statistical.sequential_rate(lambda: (1, 1), low, high, 0.1)
    assert (found.error, found.draws) == (math.inf, 0)


@pytest.mark.parametrize(("low", "high"), [(0.9, 1.0), (0.0, 0.1)])
def test_a_range_that_ends_at_a_certain_rate_is_tested_on_its_other_side(low: float, high: float) -> None:
    assert statistical.sequential_rate(lambda: (50, 100), low, high, 0.05).error > 1


def walked(chunks: list[tuple[int, int]], both: list[tuple[float, float]], limit: int, alpha: float, beta: float):
    """The test by its description, over chunks given."""
    hits, draws, peak = 0, 0, 0.0
    for more, size in chunks:
        hits, draws = hits + more, draws + size
        ratios = [(side, ratio(side, hits, draws)) for side in both]
        peak = max([peak, *(found for _, found in ratios)])
        both = [side for side, found in ratios if found > math.log(beta / 2)]
        if not both or draws >= limit or peak >= math.log(2 / alpha):
            return peak / math.log(2 / alpha), hits / draws, draws
    pytest.fail("the chunks did not suffice")


@pytest.mark.parametrize(("low", "high", "effect"), RANGES)
@pytest.mark.parametrize("off", [-1.0, -0.5, 0.0, 0.5, 1.0])
def test_the_sequential_test_goes_on_until_it_knows_and_no_further(low, high, effect, off) -> None:
    alpha, beta = 1e-3, 1e-2
    rate = min(max((high if off > 0 else low) + off * effect, 0.0), 1.0)
    chunks = [(int(RNG.binomial(100, rate)), 100) for _ in range(4000)]
    given = iter(chunks)
    found = statistical.sequential_rate(lambda: next(given), low, high, effect, alpha=alpha, beta=beta)
    limit = statistical.most_draws(low, high, effect, alpha=alpha, beta=beta)
    assert tuple(found) == pytest.approx(walked(chunks, sides(low, high, effect), limit, alpha, beta), **CLOSE)


# --- dependence


def pairs(a: np.ndarray, b: np.ndarray) -> float:
    """The log p-value, the smaller side of either total counted."""
    a, b = (~v if 2 * np.count_nonzero(v) > v.size else v for v in (a, b))
    few, many = sorted((int(np.count_nonzero(a)), int(np.count_nonzero(b))))
    return tail(int(np.count_nonzero(a & b)), few, many / a.size)


MASKS = [(0.2, 0.3), (0.8, 0.3), (0.3, 0.8), (0.7, 0.9), (0.5, 0.5)]


@pytest.mark.parametrize(("rate_a", "rate_b"), MASKS)
def test_the_dependence_of_pairs(rate_a: float, rate_b: float) -> None:
    a = np.arange(40) < 40 * rate_a
    for linked in (0.0, 0.7):
        b = RNG.permutation(np.arange(40) < 40 * rate_b)
        b = np.where(np.arange(40) < 40 * linked, np.roll(np.sort(b)[::-1], 1), b)
        if np.unique(b).size < 2:
            continue
        found = statistical.dependence(a, b)
        assert found == pytest.approx((pairs(a, b), np.corrcoef(a, b)[0, 1]), **CLOSE)


@pytest.mark.parametrize(("rate_a", "rate_b"), MASKS)
def test_the_dependence_of_shifts(rate_a: float, rate_b: float) -> None:
    a, b = RNG.permutation(np.arange(40) < 40 * rate_a), RNG.permutation(np.arange(40) < 40 * rate_b)
    log_p, correlation = statistical.shifted(a, b)
    assert log_p.tolist() == pytest.approx([pairs(a, np.roll(b, -k)) for k in range(40)], **CLOSE)
    assert correlation.tolist() == pytest.approx([np.corrcoef(a, np.roll(b, -k))[0, 1] for k in range(40)], **CLOSE)
    k = int(np.argmin([pairs(a, np.roll(b, -k)) for k in range(40)]))
    found = statistical.strongest_shift(a, b, alpha=1e-3)
    assert found.error == pytest.approx(-pairs(a, np.roll(b, -k)) / math.log(40 / 1e-3), **CLOSE)
    assert (found.where, found.correlation) == (f"shifted by {k}", pytest.approx(float(correlation[k])))


@pytest.mark.parametrize("constant", [np.zeros(9, bool), np.ones(9, bool)])
def test_what_never_changes_depends_on_nothing(constant: np.ndarray) -> None:
    other = np.arange(9) < 4
    for pair in ((constant, other), (other, constant)):
        assert statistical.dependence(*pair) == (0.0, 0.0)
        assert [found.tolist() for found in statistical.shifted(*pair)] == [[0.0] * 9] * 2


def test_the_strongest_of_several_pays_for_their_number() -> None:
    a = np.arange(60) < 20
    weak, strong = np.roll(a, 15), np.roll(a, 3)
    found = statistical.strongest([("weak", a, weak), ("strong", a, strong), ("none", a, a[::-1])], alpha=1e-3)
    assert found.where == "strong"
    assert found.error == pytest.approx(-pairs(a, strong) / math.log(3 / 1e-3), **CLOSE)
    assert found.correlation == pytest.approx(np.corrcoef(a, strong)[0, 1])
    assert statistical.strongest([]) == (0.0, 0.0, "")


def test_the_pairs_of_a_lag() -> None:
    found = [(a.tolist(), b.tolist()) for a, b in statistical.at_lag(np.arange(11), 2)]
    assert found == [([[0, 1], [4, 5]], [[2, 3], [6, 7]]), ([[2, 3], [6, 7]], [[4, 5], [8, 9]])]
    # Five elements hold one block of a lag of two, and none begun two later.
    assert [(a.tolist(), b.tolist()) for a, b in statistical.at_lag(np.arange(5), 2)] == [([[0, 1]], [[2, 3]])]
    assert list(statistical.at_lag(np.arange(3), 2)) == []
