"""Each published finding shows on the installed library, by a script that needs nothing of this project."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FINDINGS = ROOT / "reports" / "findings"
MARKS = {"torch": pytest.mark.torch, "keras": pytest.mark.tensorflow, "tensorflow": pytest.mark.tensorflow}
SCRIPTS = sorted(FINDINGS.glob("*.py"))


def library(script: Path) -> str:
    return script.stem.partition("-")[0]


@pytest.mark.parametrize("script", [pytest.param(s, id=s.stem, marks=MARKS[library(s)]) for s in SCRIPTS])
def test_a_script_shows_what_is_promised_and_what_is_observed(script: Path) -> None:
    done = subprocess.run([sys.executable, "-I", str(script)], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout.startswith("promised: ")
    assert "\nobserved: " in done.stdout
    assert done.returncode == 1, f"the defect is gone: {done.stdout}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.stem)
def test_a_script_imports_nothing_of_ours(script: Path) -> None:
    nodes = list(ast.walk(ast.parse(script.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= {"math", "os", "sys", "keras", "tensorflow", "torch"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda s: s.stem)
def test_a_finding_has_a_page_and_the_stock_points_to_it(script: Path) -> None:
    page = script.with_suffix(".md")
    assert f"`python {script.name}`" in page.read_text(encoding="utf-8")
    assert page.name in (FINDINGS / "README.md").read_text(encoding="utf-8")
    stock = (ROOT / "regcheck" / "stock" / f"{library(script)}.py").read_text(encoding="utf-8")
    assert f"reports/findings/{page.name}" in stock


def test_there_are_findings() -> None:
    assert SCRIPTS
