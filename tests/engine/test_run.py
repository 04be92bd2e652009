"""A run over real judge and worker processes: its record is whole, and what cannot be met is said in a sentence."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from regcheck import canaries
from regcheck.court import Court
from regcheck.errors import UsageError
from regcheck.plan import Request
from regcheck.run import verify

if TYPE_CHECKING:
    from regcheck.verdict import Report

LAYERS = str(Path(__file__).with_name("layers_under_test.py"))


def run(*targets: str, **keywords: Any) -> Report:
    """A run without progress."""
    keywords.setdefault("profile", "quick")
    return verify(Request(targets=targets, **keywords), lambda *_: None)


def test_every_planned_cell_has_a_record_and_the_report_is_conformant() -> None:
    report = run(f"{LAYERS}:right")
    counts = report.summary
    assert counts.planned == len(report.cells) > 10
    assert (
        counts.planned == counts.passed + counts.failed + counts.deviates + counts.not_applicable + counts.inconclusive
    )
    assert (counts.failed, counts.inconclusive) == (0, 0), [c for c in report.cells if c.verdict == "failed"]
    assert report.canaries == "judged rightly"
    assert report.complete
    assert report.conformant


def test_other_cells_are_unharmed_by_a_layer_that_kills_its_process() -> None:
    report = run(f"{LAYERS}:segfault", f"{LAYERS}:right")
    verdicts = {c.verdict for c in report.cells if c.implementation == "right"}
    assert verdicts <= {"passed", "not-applicable"}
    assert any(c.verdict == "failed" and "SIGSEGV" in c.reason for c in report.cells if c.implementation == "segfault")


def test_a_judge_that_broke_is_replaced_and_leaves_nothing_open() -> None:
    court = Court(1)
    try:
        broken = court.judges[0]
        broken.process.kill()
        events = [event for _, event in court.run([{"do": "canaries", "python": sys.executable}])]
        assert [event["event"] for event in events] == ["internal"]
        assert court.judges[0] is not broken
        assert broken.process.stdin is not None
        assert broken.process.stdout is not None
        assert broken.process.stdin.closed
        assert broken.process.stdout.closed
    finally:
        court.close()


def test_a_filtered_run_is_partial_and_not_conformant() -> None:
    report = run(f"{LAYERS}:right", properties=("l1.value*",))
    assert {c.property for c in report.cells} == {"l1.value-matches-definition"}
    assert report.partial
    assert not report.conformant


def test_equal_names_are_told_apart_by_their_target(tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text(Path(LAYERS).read_text())
    report = run(f"{LAYERS}:right", f"{copy}:right", properties=("l1.value*",))
    assert sorted(c.implementation for c in report.cells) == sorted([f"right@{LAYERS}:right", f"right@{copy}:right"])


def test_a_misjudged_canary_makes_the_run_not_conformant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(canaries.EXPECTED, "wrong_numbers", "passed")
    report = run(f"{LAYERS}:right", properties=("l1.value*",), in_process=True)
    assert "wrong_numbers was judged failed" in report.canaries
    assert not report.conformant


REFUSING = """
import numpy as np, regcheck

class Zero:
    def value(self, w):
        return w.dtype.type(0)

@regcheck.implements("l1")
def never(config):
    raise regcheck.Unsupported("not today")

@regcheck.implements("l1", name="same")
def one(config):
    return Zero()

@regcheck.implements("l1", name="same")
def two(config):
    return Zero()

alias = one
"""


def test_a_layer_of_which_nothing_was_judged_is_not_conformant(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(REFUSING)
    report = run(f"{tmp_path / 'layers.py'}:never")
    assert report.summary.not_applicable == report.summary.planned > 10
    assert not report.conformant


def test_equal_names_in_one_file_are_told_apart_and_an_alias_is_no_other(tmp_path: Path) -> None:
    path = tmp_path / "layers.py"
    path.write_text(REFUSING)
    report = run(str(path), properties=("l1.value*",))
    assert sorted(c.implementation for c in report.cells) == ["never", f"same@{path}:one", f"same@{path}:two"]


def test_a_run_of_one_family_of_several_is_partial(tmp_path: Path) -> None:
    path = tmp_path / "layers.py"
    path.write_text(REFUSING.replace('"l1", name="same"', '"l2", name="same"'))
    assert run(str(path), family="l2").partial
    assert run(f"{path}:one", examples=1).partial


@pytest.mark.parametrize(
    ("error", "missing"), [("RuntimeError('half installed')", False), ("ModuleNotFoundError", True)]
)
def test_a_broken_framework_is_no_missing_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: str,
    missing: bool,  # noqa: FBT001
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(f"raise {error}")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    report = run(properties=("l1.zero-at-zero",))
    assert ("torch" in " ".join(report.not_installed)) == missing
    assert any("half installed" in problem for problem in report.problems) != missing
    assert report.summary.passed
    with pytest.raises(UsageError, match=f"cannot be imported: {error.partition('(')[0]}"):
        run("regcheck.stock.torch:l1")


def test_an_environment_names_the_version_of_the_target_s_own_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "versioned_norms.py").write_text(Path(LAYERS).read_text() + "\n__version__ = '9.8.7'\n")
    monkeypatch.chdir(tmp_path)
    report = run("versioned_norms:right", properties=("l1.value*",))
    assert report.environments[0]["versioned_norms"] == "9.8.7"
    assert report.summary.passed == 1


def test_a_family_that_no_target_has_is_named() -> None:
    report = run(f"{LAYERS}:right", family="rms_norm")
    assert report.summary.planned == 0
    assert any("rms_norm" in problem for problem in report.problems)


def test_in_process_is_said_and_not_conformant() -> None:
    report = run(f"{LAYERS}:right", properties=("l1.value*",), in_process=True)
    assert report.in_process
    assert not report.conformant


USAGE = {
    "no/such/file.py": "There is no file 'no/such/file.py'",
    "no.such.module": "'no.such.module' cannot be imported: ModuleNotFoundError",
    "not a target": "is not a target",
    f"{LAYERS}:absent": "has no implementation 'absent'",
    "json:dumps": "has no implementation 'dumps'",
    "json": "marks no implementation",
}


@pytest.mark.parametrize("target", USAGE)
def test_a_target_that_is_none_is_said_in_a_sentence(target: str) -> None:
    with pytest.raises(UsageError, match=re.escape(USAGE[target])):
        run(target)


FILES = {
    "raise RuntimeError('no')": "cannot be imported: RuntimeError: no",
    "import sys; sys.exit(0)": "cannot be imported: SystemExit: 0",
    "def f(:": "cannot be imported: SyntaxError",
    "import os; os._exit(0)": "exit code 0",
    "x = 1": "marks no implementation",
    "import regcheck\n@regcheck.implements('l3')\ndef f(c): ...": "Invalid value for `family`",
    "import regcheck\n@regcheck.implements('l1', declares={'momentum': 'old'})\ndef f(c): ...": "for `declares`",
    "import regcheck\n@regcheck.implements('l1', deviations={'l1.no': 'so'})\ndef f(c): ...": "which is no property",
}


@pytest.mark.parametrize("text", FILES)
def test_a_file_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "layer.py"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(FILES[text])):
        run(str(path))


@pytest.mark.parametrize("keywords", [{"properties": ("l1.valeu",)}, {"family": "l3"}])
def test_an_unknown_name_is_said_in_a_sentence(keywords: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"No property matches|There is no family"):
        run(f"{LAYERS}:right", **keywords)


def test_an_interpreter_that_is_none_is_said_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="no/python"):
        run(f"{LAYERS}:right", pythons=("/no/python",))


def test_an_unwritable_output_is_refused_before_anything_is_judged(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(UsageError, match="cannot be written"):
        run(f"{LAYERS}:right", json=blocked / "report.json")


def test_the_report_on_disk_is_the_report(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report = run(f"{LAYERS}:nan", f"{LAYERS}:escape", properties=("l1.value*",), json=path)
    stored = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert stored["summary"]["failed"] == report.summary.failed == 2
    assert [c["verdict"] for c in stored["cells"]] == [c.verdict for c in report.cells]


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("ended_by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_it_judged(tmp_path: Path, ended_by: signal.Signals) -> None:
    path = tmp_path / "report.json"
    command = [sys.executable, "-P", "-m", "regcheck", "verify", f"{LAYERS}:right", f"{LAYERS}:endless"]
    command += ["--json", str(path), "--jobs", "1"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        while not (path.exists() and json.loads(path.read_text())["cells"]):
            assert process.poll() is None, process.communicate()
            os.sched_yield()
        process.send_signal(ended_by)
        process.communicate(timeout=60)
    finally:
        process.kill()
    stored = json.loads(path.read_text())
    assert process.returncode == 130
    assert stored["complete"] is False
    assert stored["conformant"] is False
    assert stored["cells"]


ONCE = """
import pathlib, regcheck

seen = pathlib.Path(__file__).with_suffix(".seen")
if seen.exists():
    raise OSError("licence in use")
seen.touch()

@regcheck.implements("l1")
def once(config):
    raise AssertionError
"""


def test_a_file_that_can_be_imported_once_alone_fails_with_that_reason(tmp_path: Path) -> None:
    (tmp_path / "once.py").write_text(ONCE)
    report = run(str(tmp_path / "once.py"), properties=("l1.value*",))
    assert not [problem for problem in report.problems if "internal" in problem]
    assert [cell.verdict for cell in report.cells] == ["failed"]
    assert "licence in use" in report.cells[0].reason
