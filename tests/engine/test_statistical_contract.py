"""The simulation of the error rates sees a rule that breaks its promise, and none where it is kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from regcheck import statistical

PATH = Path(__file__).parents[1] / "benchmarks" / "statistical_contract.py"
RULE, DEPENDENCE = statistical.sequential_rate, statistical.dependence


@pytest.fixture(scope="module")
def contract():
    spec = importlib.util.spec_from_file_location(PATH.stem, PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.remembered():
        yield module


def rng():
    return np.random.default_rng()


def test_rules_as_they_are_break_no_promise(contract):
    rows = [
        contract.right(rng(), 500, 0.1),
        contract.often(rng(), 500, 1e-2),
        contract.off(rng(), 500, 0.3),
        *contract.below(contract.logs_of_pairs(rng(), 500)),
        *contract.means(rng(), 100, alpha=1e-2),
        *contract.means(rng(), 100, off=0.1),
    ]
    assert not [row for row in rows if contract.verdict(row) == "broken"]


def test_a_rule_that_takes_alpha_100_times_too_large_is_seen(contract, monkeypatch):
    def rule(*args, alpha):
        return RULE(*args, alpha=100 * alpha)

    monkeypatch.setattr(statistical, "sequential_rate", rule)
    assert contract.verdict(contract.often(rng(), 1000, 1e-3)) == "broken"


def test_a_rule_that_finds_ten_times_the_effect_alone_is_seen(contract, monkeypatch):
    def rule(draw, low, high, effect, alpha):
        return RULE(draw, low, high, 10 * effect, alpha=alpha)

    monkeypatch.setattr(statistical, "sequential_rate", rule)
    assert contract.verdict(contract.off(rng(), 500, 0.3)) == "broken"


def test_p_values_that_are_too_small_are_seen(contract, monkeypatch):
    def rule(a, b):
        log_p, correlation = DEPENDENCE(a, b)
        return 10 * log_p, correlation

    monkeypatch.setattr(statistical, "dependence", rule)
    assert "broken" in map(contract.verdict, contract.below(contract.logs_of_pairs(rng(), 1000)))


def test_a_correlation_that_is_too_small_is_missed(contract):
    (row, *_) = contract.missed_shifts(rng(), 1, 0.001)
    assert contract.verdict(row) == "broken"


def test_an_interval_is_clopper_and_pearsons(contract):
    assert contract.interval(0, 10**6) == pytest.approx((0, 1 - 0.025**1e-6))
    assert contract.interval(5, 10) == pytest.approx((0.1870860284, 0.8129139716))
    assert contract.interval(10, 10) == pytest.approx((0.6915028921, 1))


def test_echoes_have_the_correlation_that_they_are_given(contract):
    flat = contract.echoing(rng(), 200_003, 0.7, 17, 0.2)
    assert flat.size == 200_003
    assert np.corrcoef(flat[17:], flat[:-17])[0, 1] == pytest.approx(0.2, abs=0.02)  # nine standard deviations
    assert np.mean(flat) == pytest.approx(0.7, abs=0.015)


def test_a_test_of_means_that_finds_twice_the_effect_alone_is_seen(contract):
    assert "broken" in map(contract.verdict, contract.means(rng(), 200, off=0.05))
