"""The score of the mutants counts what it says, every module of the core is mutated, and no excuse is stale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import scores
import trees
from listed import FOLDERS, equivalents, modules

ROOT = Path(__file__).resolve().parents[2]


def record(*killers: str | None, places: int = 0) -> dict[str, Any]:
    mutants = [["f", "x = 1", f"x = {k}", "NumberReplacer", killer, "law", 1.0] for k, killer in enumerate(killers)]
    about = {"group": "layers", "places": places or len(killers), "mutants": mutants}
    return {"seed": 1, "versions": {}, "modules": {"m.py": about}}


EXCUSE = scores.Equivalent("m.py", "f", "x = 1", ("x = 2",), "It is never read.")


def test_the_score_is_the_share_killed_of_those_that_can_be() -> None:
    found = scores.score(record("catalogue quick l1", "tests a.py", None, None), ["m.py"], [EXCUSE])
    assert (found.judged, found.killed, found.by_catalogue, found.equivalent) == (4, 2, 1, 1)
    assert found.share == 2 / 3
    assert found.interval == (2 / 3, 2 / 3)


def test_a_sample_gives_an_interval_and_all_mutants_none() -> None:
    found = scores.score(record(*["tests a.py"] * 8, None, None, places=100), ["m.py"], [])
    # Wilson's interval for 8 of 10, from the roots of its quadratic.
    low, high = found.interval
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert "80.0 % (49–94)" in scores.markdown(record(*["tests a.py"] * 8, None, None, places=100), [])


def test_a_survivor_without_an_excuse_is_shown_and_one_with_it_is_shown_as_equivalent() -> None:
    lived = record("tests a.py", None, None)
    assert [one.key[3] for one in scores.unexplained(lived, [EXCUSE])] == ["x = 1"]
    text = scores.markdown(lived, [EXCUSE])
    assert "`f`: `x = 1` → `x = 1`" in text
    assert "It is never read." in text


def test_an_excuse_for_a_mutant_that_was_killed_is_named() -> None:
    assert scores.killed_though_equivalent(record(None, None, "tests a.py"), [EXCUSE]) == EXCUSE.excuses
    assert scores.killed_though_equivalent(record(None, None, None), [EXCUSE]) == []


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("FAILED tests/a/test_b.py::test_c[x] - AssertionError\n", "test_c[x]"),
        ("ERROR tests/a/test_b.py\n", "tests/a/test_b.py"),
        ("layer_norm.output-bound\n", "layer_norm.output-bound"),
        ("Traceback\n", "exit code 3"),
    ],
)
def test_a_killer_is_named(said: str, named: str) -> None:
    assert trees.named_in(said, 3) == named


def test_every_module_of_the_core_is_mutated() -> None:
    core = {str(file.relative_to(ROOT)) for folder in FOLDERS for file in (ROOT / folder).glob("*.py")}
    empty = {name for name in core if name.endswith("__init__.py")}
    assert core - empty <= {module.path for module in modules()}


def test_what_must_notice_is_there() -> None:
    for module in modules():
        assert (ROOT / module.path).is_file()
        assert module.group in scores.GROUPS
        files = [word for killer in module.killers for word in killer.split() if word.startswith("tests/")]
        assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_excuse_is_for_a_line_that_is_there_and_has_a_reason() -> None:
    for known in equivalents():
        text = " ".join((ROOT / known.module).read_text(encoding="utf-8").split())
        assert known.line in text, known
        assert known.reason
        assert len(set(known.mutants)) == len(known.mutants) > 0


def test_a_module_that_was_not_judged_is_named() -> None:
    assert "Not judged: `n.py`." in scores.markdown(record("tests a.py"), [], ["m.py", "n.py"])
