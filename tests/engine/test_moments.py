"""The test of a mean keeps the error rates that it states, seen on fresh random numbers in every run."""

from __future__ import annotations

import math

import numpy as np
import pytest

from regcheck import moments

EFFECT = 0.05
CHUNK = 4096


def sampler(statistic, mean=0.0, scale=1.0, chunk=CHUNK, width=0.0):
    rng = np.random.default_rng()

    def draw():
        t = statistic(rng.standard_normal(chunk) * scale + mean)
        return float(np.sum(t - width)), float(np.sum(t + width)), chunk

    return draw


def itself(z):
    return z


def squared(z):
    return (z**2 - 1) / math.sqrt(2)


KINDS = [(moments.normal, itself), (moments.square, squared)]


@pytest.mark.parametrize(("law", "statistic"), KINDS)
def test_a_right_mean_is_accepted(law, statistic):
    found = [moments.sequential_mean(sampler(statistic), law, EFFECT) for _ in range(100)]
    assert max(f.error for f in found) < 1
    assert max(f.draws for f in found) <= moments.most_draws(law, EFFECT) + CHUNK


# At power 0.999, more than five of a hundred are missed with probability 1e-9.
@pytest.mark.parametrize("sign", [1, -1])
def test_a_mean_off_by_the_stated_effect_is_found(sign):
    shifted = [moments.sequential_mean(sampler(itself, sign * EFFECT), moments.normal, EFFECT) for _ in range(100)]
    assert sum(f.error < 1 for f in shifted) <= 5
    scale = math.sqrt(1 + sign * math.sqrt(2) * EFFECT)
    wider = [moments.sequential_mean(sampler(squared, 0, scale), moments.square, EFFECT) for _ in range(100)]
    assert sum(f.error < 1 for f in wider) <= 5


@pytest.mark.parametrize(("law", "statistic"), KINDS)
def test_false_alarms_stay_below_alpha_where_alpha_can_be_seen(law, statistic):
    draws = [sampler(statistic, chunk=20) for _ in range(1000)]
    accused = sum(moments.sequential_mean(draw, law, 0.2, alpha=0.05).error >= 1 for draw in draws)
    # 50 expected at most, 100 with probability 1e-11; and it is seen at work.
    assert 1 <= accused <= 100


def test_what_the_bounds_hide_accuses_nobody():
    hidden = sampler(itself, 0.9 * EFFECT, width=EFFECT)
    assert moments.sequential_mean(hidden, moments.normal, EFFECT).error < 1
    seen = sampler(itself, 2.5 * EFFECT, width=EFFECT)
    assert moments.sequential_mean(seen, moments.normal, EFFECT).error > 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_accused_at_once(value):
    found = moments.sequential_mean(lambda: (value, value, 10), moments.normal, EFFECT)
    assert (found.error, found.draws) == (math.inf, 10)


def test_tilting_a_normal_number_shifts_it_and_tilting_its_square_scales_it():
    assert moments._side(moments.normal, EFFECT).delta == pytest.approx(EFFECT)
    for effect in (EFFECT, -EFFECT):
        scaled = 1 + math.sqrt(2) * effect  # E[z²] of the tilted number, 1/(1 − 2t)
        assert moments._side(moments.square, effect).delta == pytest.approx((1 - 1 / scaled) / math.sqrt(2))
