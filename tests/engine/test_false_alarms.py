"""The false-alarm run counts what it judged, tells every alarm, and adds to its own record alone."""

from __future__ import annotations

import json

import alarms
import false_alarms
import pytest

from regcheck.errors import UsageError

LAYERS = """
import numpy as np, regcheck

class Penalty:
    def __init__(self, config):
        self.strength = config.l1
    def value(self, w):
        with np.errstate(over="ignore"):
            return w.dtype.type(self.strength * np.sum(np.abs(w), dtype=np.promote_types(w.dtype, np.float32)))

@regcheck.implements("l1")
class Right(Penalty):
    pass

@regcheck.implements("l1", name="off by one")
class Faulty(Penalty):
    def value(self, w):
        return super().value(w) + w.dtype.type(1)
"""


@pytest.fixture
def group(tmp_path):
    file = tmp_path / "layers.py"
    file.write_text(LAYERS)
    return "layers", (str(file),)


def test_a_faulty_layer_among_right_ones_is_an_alarm(group):
    record, saved = false_alarms.fresh("quick"), []
    assert false_alarms.run(record, [group], 1, 1, lambda: saved.append(alarms.judged(record)))
    (about,) = record["rounds"]
    assert saved[-1] == alarms.judged(record) == about["cells"] > 10
    assert {a["implementation"] for a in record["alarms"]} == {"layers:off by one"}
    assert len(record["alarms"]) == alarms.totals(record)["failed"]
    (alarm,) = [a for a in record["alarms"] if a["property"] == "l1.zero-at-zero"]
    assert alarm["witness"]["inputs"]
    assert alarm["seed"] == about["seed"]
    assert f"--property l1.zero-at-zero --profile quick --seed {about['seed']}" in alarm["again"]
    text = alarms.markdown(record)
    assert "### `l1.zero-at-zero` of `layers:off by one`: failed" in text
    assert alarm["again"] in text


def test_a_run_that_is_interrupted_keeps_what_it_judged(group, monkeypatch):
    monkeypatch.setattr(false_alarms, "SAVE_SECONDS", 0.0)
    record, saved = false_alarms.fresh("quick"), []

    def save():
        saved.append(alarms.judged(record))
        if len(saved) == 3:
            raise KeyboardInterrupt

    assert not false_alarms.run(record, [group], 1000, 1, save)
    (about,) = record["rounds"]
    assert saved[-1] == alarms.judged(record) == about["cells"]
    assert not about["complete"]
    # What was planned and never judged is no alarm.
    assert not any("interrupted" in a["reason"] for a in record["alarms"])
    assert alarms.totals(record).total() == 3


def test_a_run_is_added_to_by_the_same_code_alone(tmp_path, monkeypatch):
    record = false_alarms.fresh("quick")
    record["counts"] = {"numpy": {"l1": {"passed": 7, "not-applicable": 2}}}
    false_alarms.publish(record, tmp_path)
    path = tmp_path / "false-alarms.json"
    assert alarms.judged(false_alarms.resumed(path, "quick")) == 7
    with pytest.raises(UsageError, match="profile quick, now thorough"):
        false_alarms.resumed(path, "thorough")
    monkeypatch.setattr(false_alarms, "digest", lambda: "another")
    with pytest.raises(UsageError, match="now another"):
        false_alarms.resumed(path, "quick")
    assert alarms.judged(json.loads(path.read_text())) == 7


def test_the_digest_follows_the_right_layers(monkeypatch, tmp_path):
    (tmp_path / "correct_one.py").write_text("a = 1")
    monkeypatch.setattr(false_alarms, "FOLDER", tmp_path)
    before = false_alarms.digest()
    (tmp_path / "correct_one.py").write_text("a = 2")
    assert false_alarms.digest() != before


def test_a_glob_names_exhibits_and_stock_implementations():
    found = dict(false_alarms.groups(["correct_penalties:L1E*", "numpy.*"]))
    assert set(found) == {"correct_penalties", "stock"}
    assert [target.partition(":")[2] for target in found["correct_penalties"]] == ["L1Exact"]
    assert found["stock"]
    assert all(name.startswith("numpy.") for name in found["stock"])
    everything = dict(false_alarms.groups([]))
    assert everything["stock"] == ()
    # A file of which everything is named is one target.
    assert [len(targets) for stem, targets in everything.items() if stem != "stock"] == [1] * (len(everything) - 1)
    assert "correct_penalties" in everything


def test_the_report_says_what_no_alarm_among_so_many_cells_means():
    record = false_alarms.fresh("quick")
    record["counts"] = {"numpy": {"l1": {"passed": 2990, "deviates": 10, "not-applicable": 5}}}
    text = alarms.markdown(record)
    assert "**3000 cells judged, 0 alarms.**" in text
    assert "rarer than one in 1001 of them" in text  # (1 - 1/1001)**3000 = 0.05
