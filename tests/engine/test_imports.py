"""The import contracts hold, and each of them can break."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


@pytest.fixture
def copy(tmp_path):
    """The two packages and their contracts, in a folder of their own."""
    shutil.copytree(ROOT / "regcheck", tmp_path / "regcheck", ignore=shutil.ignore_patterns("__pycache__"))
    catalogue = tmp_path / "regcheck_properties"
    shutil.copytree(
        ROOT / "properties" / "regcheck_properties", catalogue, ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder):
    """Run import-linter in `folder` on the packages that lie there: (exit code, text)."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_contracts_hold(copy):
    code, text = lint(copy)
    assert code == 0, text
    assert "0 broken" in text


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("regcheck/families.py", "import regcheck.cli", "Imports run one way"),
        ("regcheck/judge.py", "import regcheck_properties", "The engine never imports the catalogue"),
        ("regcheck_properties/l1.py", "import regcheck.host", "The catalogue imports what is public, no machinery"),
        ("regcheck/report/layout.py", "import hypothesis", "A report is made of records alone"),
        ("regcheck/judging.py", "import torch", "A framework is imported in its own file alone"),
        ("regcheck/worker.py", "import msgspec", "The worker's side needs NumPy and the standard library alone"),
        ("regcheck/implementation.py", "import numpy", "Families and implementations are known without NumPy"),
    ],
)
def test_each_contract_can_break(copy, file, line, contract):
    path = copy / file
    path.write_text(f"{path.read_text()}\n\n{line}\n")
    code, text = lint(copy)
    assert code == 1, text
    assert f"{contract} BROKEN" in text


def test_a_module_without_a_place_in_the_layers_is_refused(copy):
    (copy / "regcheck" / "placeless.py").write_text("")
    code, text = lint(copy)
    assert code == 1
    assert "placeless" in text
