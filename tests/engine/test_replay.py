"""A replay file holds the bits; what is not one is refused in a sentence."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from regcheck import Case, Evidence, Layers, prop, replay, storage, within
from regcheck.errors import UsageError
from regcheck.evaluate import Outcome
from regcheck.families import LayerNormConfig, PenaltyConfig
from regcheck.processes import Server
from regcheck.property import Violation
from regcheck.recur import Finding
from regcheck.replayed import cell_of

FILE = Path(__file__).with_name("layers_under_test.py")
SOURCE = {"kind": "file", "path": str(FILE)}


@prop("l1.test-stored", cases=lambda _plan: None, level="core", formula="")  # type: ignore[arg-type, return-value]
def stored_law(layers: Layers, case: Case) -> Evidence:
    """The value is the sum of absolute weights."""
    return within(layers.make(case.config, case.dtype).value(case["w"]), np.abs(case["w"]).sum(), 1e-9)


def finding() -> Finding:
    """A finding on five weights."""
    w = np.array([0.5, 0.1, -3.0, 1.5, 2.0], "f8")
    case = Case(PenaltyConfig(l1=1.0), "float64", {"w": w}, {"w": ("W",)}, (), {"seed": 3})
    return Finding(case, Outcome(Violation(2.0, "1", "2", "value")), (case,))


def written(folder: Path, attribute: str, monkeypatch: pytest.MonkeyPatch, deviates: str = "") -> Path:
    """A replay file for one of the layers under test."""
    monkeypatch.chdir(folder)
    about = {"attribute": attribute, "name": "../../x<script>", "framework": "numpy", "adapter": "plain"}
    about |= {"family": "l1", "declares": {}, "defaults": {}}  # type: ignore[dict-item]
    unit = {"about": about, "source": SOURCE, "python": sys.executable, "partners": {}}
    return folder / replay.write(finding(), stored_law, unit, deviates)


def test_a_file_replays_on_the_layer_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(sys.executable, ("plain",))
    try:
        wrong = replay.read(written(tmp_path, "doubled", monkeypatch))
        right = replay.read(written(tmp_path, "right", monkeypatch))
        assert replay.judge_again(wrong, stored_law, server).violation is not None
        assert replay.judge_again(right, stored_law, server).violation is None
    finally:
        server.close()


@pytest.mark.parametrize(
    ("attribute", "reason", "verdict"),
    [
        ("doubled", "gives twice the value", "deviates"),
        ("doubled", "", "failed"),
        ("right", "gives twice the value", "passed"),
        ("segfault", "gives twice the value", "failed"),
    ],
)
def test_a_declared_deviation_replays_as_one_while_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, reason: str, verdict: str
) -> None:
    file = written(tmp_path, attribute, monkeypatch, reason)
    cell, _ = cell_of(file, {stored_law.id: stored_law})
    assert cell.verdict == verdict, cell
    assert (cell.reason == reason) == (verdict == "deviates" or not reason)


def test_a_published_case_replays_by_the_interpreter_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = replay.publish(written(tmp_path, "doubled", monkeypatch), tmp_path / "witnesses")
    assert replay.read(file).python == ""
    assert cell_of(file, {stored_law.id: stored_law})[0].verdict == "failed"


def test_what_one_run_reports_no_other_overwrites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = written(tmp_path, "right", monkeypatch)
    assert written(tmp_path, "doubled", monkeypatch) != first
    assert written(tmp_path, "right", monkeypatch) == first
    assert replay.read(first).attribute == "right"


def test_a_hostile_name_stays_a_file_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "right", monkeypatch)
    assert path.parent == tmp_path / ".regcheck"
    assert "<" not in path.name


def changed(text: str, **fields: Any) -> str:
    """The file with fields replaced and the old digest kept."""
    return json.dumps({**json.loads(text), **fields})


DAMAGE = {
    "truncated": (lambda text: text[: len(text) // 2], "truncated"),
    "tampered": (lambda text: changed(text, attribute="other"), "digest"),
    "another format": (lambda text: changed(text, format=99), "format"),
    "not an object": (lambda _text: "[]", "format"),
    "binary": (lambda _text: "\x00\x01", "truncated"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_refused_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    damage, word = DAMAGE[kind]
    path = written(tmp_path, "right", monkeypatch)
    path.write_text(damage(path.read_text()))  # type: ignore[no-untyped-call]
    with pytest.raises(UsageError, match=word):
        replay.read(path)


def test_a_file_with_a_right_digest_and_no_case_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "right", monkeypatch)
    body = json.loads(path.read_text())
    body["case"]["arrays"]["w"]["dtype"] = "object"
    body["sha256"] = replay._digest(body)
    path.write_text(json.dumps(body))
    with pytest.raises(UsageError, match="holds no case"):
        replay.read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        replay.read(tmp_path / "none.json")


def test_a_case_keeps_bits_layout_and_config() -> None:
    x = np.asfortranarray(np.array([[np.nan, -0.0, 5e-324], [np.inf, 1.1, 2.2]]))
    x.flags.writeable = False
    case = Case(LayerNormConfig((3,), eps=0.25), "float64", {"x": x}, {"x": ("N", "F0")}, ("N",), {"training": True})
    got = storage.case_from_json("layer_norm", json.loads(json.dumps(storage.case_to_json(case))))
    assert got["x"].tobytes() == x.tobytes()
    assert got["x"].strides == x.strides
    assert not got["x"].flags.writeable
    assert (got.config, got.dims, got.independent, got.values) == (
        case.config,
        case.dims,
        case.independent,
        case.values,
    )
