"""A foreign project plugs in, and is judged like everything else."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROJECT = HERE / "foreign"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder of the import path in which the foreign project is installed, as pip would leave it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(PROJECT / "foreign_norms", folder / "foreign_norms")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    info = folder / "foreign_norms-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
    groups = project["entry-points"].items()
    lines = [line for group, names in groups for line in (f"[{group}]", *(f"{k} = {v}" for k, v in names.items()))]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return folder


def run(site, *arguments, cwd=None):
    """A command with the foreign project on its path."""
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)


def test_its_layer_is_listed_by_name_alone_because_it_imports_numpy(site):
    done = run(site, "regcheck", "list", "implementations", "--json")
    (found,) = [one for one in json.loads(done.stdout) if one["name"] == "foreign"]
    assert found == {**dict.fromkeys(found), "name": "foreign"}


def test_its_property_is_listed_beside_ours(site):
    done = run(site, "regcheck", "list", "properties", "--json")
    (found,) = [one for one in json.loads(done.stdout) if one["id"] == "layer_norm.foreign-zero-gives-shift"]
    assert found["title"] == "A sample of zeros gives the shift."
    assert found["family"] == "layer_norm"


def test_its_layer_is_judged_by_our_properties_and_by_its_own(site, tmp_path):
    done = run(
        site, "regcheck", "verify", "foreign_norms.layers", "--profile", "quick", "--json", "r.json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = json.loads((tmp_path / "r.json").read_text())["cells"]
    verdicts = {cell["property"]: cell["verdict"] for cell in cells if cell["implementation"] == "foreign.LayerNorm"}
    assert verdicts["layer_norm.foreign-zero-gives-shift"] == "passed"
    assert verdicts["layer_norm.matches-definition"] == "passed"


def test_its_property_judges_our_layers(site, tmp_path):
    glob = ["--property", "layer_norm.foreign-*", "--profile", "quick", "--json", "r.json"]
    done = run(site, "regcheck", "verify", "regcheck.stock.numpy", *glob, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (cell,) = json.loads((tmp_path / "r.json").read_text())["cells"]
    assert (cell["implementation"], cell["verdict"]) == ("numpy.layer_norm", "passed")


def test_its_author_s_suite_has_one_item_per_cell(site, tmp_path):
    shutil.copy(HERE / "author_suite.py", tmp_path / "test_author.py")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = run(site, "pytest", "-v", "-p", "no:cacheprovider", "test_author.py", cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()

    def outcome(item):
        return next(line.split()[1] for line in lines if line.startswith(f"test_author.py::{item} "))

    assert outcome("test_right[layer_norm.matches-definition]") == "PASSED"
    assert outcome("test_right[layer_norm.foreign-zero-gives-shift]") == "PASSED"
    assert outcome("test_declared[layer_norm.matches-definition]") == "XFAIL"
    assert outcome("test_wrong[layer_norm.matches-definition]") == "FAILED"
    assert "replay" in done.stdout
