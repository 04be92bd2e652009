"""The validation of the bounds sees a wrong implementation, counts what it judged, and goes on where it stopped."""

from __future__ import annotations

import json

import bounds as validation
import bounds_algorithms as algorithms
import bounds_minimisers as minimisers
import bounds_norms as norms
import bounds_penalties as penalties
import bounds_report as report
import numpy as np
import pytest
from bounds_tally import Line, Seen, Tally

LENGTHS = (2, 3, 8, 33)
ROWS = 350


def rng():
    return np.random.default_rng()


def judged(family, kind, implementations):
    tally = Tally()
    for n in LENGTHS:
        chunk = norms.draw(rng(), family, kind, n, ROWS)
        for seen in norms.observe(chunk, implementations):
            tally.add(seen, f"n = {n}")
    return tally


def alarms(tally, quantity):
    return sum(line.alarms for key, line in tally.lines.items() if key[1] == quantity)


@pytest.mark.parametrize("family", validation.NORMS)
@pytest.mark.parametrize("kind", norms.KINDS, ids=lambda kind: kind.name)
def test_right_implementations_raise_no_alarm_and_come_near_their_bounds(family, kind):
    tally = judged(family, kind, algorithms.UNCENTRED if family == "rms_norm" else algorithms.COVERED)
    assert not [key for key, line in tally.lines.items() if line.alarms]
    assert all(line.worst > 0.02 for line in tally.lines.values())
    assert tally.rows > 10 * ROWS


@pytest.mark.parametrize("family", validation.CENTRED)
def test_a_variance_of_one_pass_raises_the_alarm_in_a_tenth_of_all_rows(family):
    tally = judged(family, norms.Kind("float32"), algorithms.WRONG)
    assert alarms(tally, "y") > 0.1 * len(LENGTHS) * ROWS
    assert alarms(tally, "dx") > 0
    assert family == "layer_norm" or alarms(tally, "running variance") > 0


def test_a_variance_for_the_mean_of_squares_raises_the_alarm_in_most_rows():
    tally = judged("rms_norm", norms.Kind("float32"), algorithms.VARIANCE)
    assert alarms(tally, "y") > 0.5 * len(LENGTHS) * ROWS
    assert alarms(tally, "dx") > 0.5 * len(LENGTHS) * ROWS


@pytest.mark.parametrize("kind", norms.KINDS[:2], ids=lambda kind: kind.name)
def test_ill_conditioned_rows_keep_the_limit_but_for_one_pass(kind):
    chunk = norms.draw(rng(), "layer_norm", kind, 3, 10 * ROWS, lost=True)
    right, wrong = Tally(), Tally()
    for tally, implementations in ((right, algorithms.COVERED), (wrong, algorithms.WRONG)):
        for seen in norms.observe(chunk, implementations):
            tally.add(seen, "")
    assert {key[1] for key in right.lines} == {"y, ill-conditioned"}
    assert not [key for key, line in right.lines.items() if line.alarms]
    assert alarms(wrong, "y, ill-conditioned") > ROWS


@pytest.mark.parametrize("family", penalties.FAMILIES)
@pytest.mark.parametrize("dtype", validation.WEIGHTS)
def test_right_penalties_raise_no_alarm_and_half_a_square_does(family, dtype):
    right, wrong = Tally(), Tally()
    for n in LENGTHS:
        chunk = penalties.draw(rng(), family, dtype, n, ROWS)
        for tally, values in ((right, None), (wrong, penalties.WRONG)):
            for seen in penalties.observe(chunk, values):
                tally.add(seen, "")
    assert not [key for key, line in right.lines.items() if line.alarms]
    assert (alarms(wrong, "value") > ROWS) == (family != "l1")


def test_a_solver_that_goes_as_far_as_it_promised_reaches_the_bounds_and_breaks_none():
    tally = Tally()
    for shape in ((5, 2), (2, 3)):
        for seen in minimisers.observe(minimisers.draw(rng(), *shape, 50), rng()):
            tally.add(seen, "")
    assert not [key for key, line in tally.lines.items() if line.alarms]
    assert tally.lines["minimiser", "excess", "float64", "as far as promised, any way"].worst > 0.98


def test_a_row_that_is_no_number_is_an_alarm_and_an_ill_conditioned_one_is_labelled():
    line = Line()
    ratio = np.array([[0.5, np.inf, 3.0, 0.1]])
    line.add(Seen("layer_norm", "y", "float32", "any", ratio, np.array([True, True, False, True])), "here")
    assert (line.rows, line.labelled, line.alarms, line.worst, line.where) == (3, 1, 1, np.inf, "here")


def test_a_chunk_is_the_same_by_its_seed_and_number():
    tallies = [Tally(), Tally()]
    for tally in tallies:
        validation.judge(tally, 5, 3, validation.ill_conditioned, "layer_norm", norms.Kind("float32"), 5)
    assert tallies[0] == tallies[1]


def test_a_tally_is_whole_again_from_its_record():
    tally = judged("layer_norm", norms.Kind("float32"), algorithms.COVERED)
    assert Tally.of(json.loads(json.dumps(tally.record()))) == tally


def test_the_report_keeps_what_is_not_covered_apart():
    tally = judged("layer_norm", norms.Kind("float32"), None)
    about = {"seed": 1, "versions": {"numpy": "2"}, "missing": ["keras"], "machine": "any"}
    first, second = report.text(tally, about, 10).split("## Not covered")
    assert "not installed: keras" in first
    assert not any(name in first for name in algorithms.NOT_COVERED)
    assert all(name in second for name in algorithms.NOT_COVERED)
