"""The package as it is installed, and the documents that are generated from it."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import regcheck
from regcheck import registry

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def fresh(code):
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_every_public_name_loads():
    for name in regcheck.__all__:
        assert getattr(regcheck, name) is not None


def test_an_unknown_name_is_an_attribute_error_with_the_known_ones():
    with pytest.raises(AttributeError, match="Public names: Case"):
        _ = regcheck.nonsense


def test_dir_names_what_is_public():
    assert dir(regcheck) == sorted(regcheck.__all__)


def test_importing_the_package_imports_nothing_else():
    assert (
        fresh("import sys, regcheck; print(sorted(m for m in sys.modules if m.startswith(('regcheck.', 'numpy'))))")
        == "[]"
    )


def test_declaring_an_implementation_imports_no_numpy():
    assert fresh("import sys; from regcheck import implements, Unsupported; print('numpy' in sys.modules)") == "False"


@pytest.mark.parametrize("group", ["regcheck.adapters", "regcheck.implementations", "regcheck.properties"])
def test_every_entry_point_is_installed_as_it_is_declared(group):
    installed = {entry.name: entry.value for entry in registry.entries(group) if entry.distribution == "regcheck"}
    assert installed == PROJECT["entry-points"][group]


def test_every_entry_point_names_a_file():
    for group, entries in PROJECT["entry-points"].items():
        for value in entries.values():
            path = Path(*value.split(".")).with_suffix(".py")
            assert (ROOT / path).is_file() or (ROOT / "properties" / path).is_file(), (group, value)


def test_no_framework_is_a_dependency():
    names = " ".join(PROJECT["dependencies"])
    assert not any(framework in names for framework in ("torch", "tensorflow", "keras", "scikit", "pytest"))


def test_both_packages_are_typed():
    for module in ("regcheck", "regcheck_properties"):
        file = fresh(f"import {module}; print({module}.__file__)")
        assert Path(file).with_name("py.typed").is_file()


def test_the_generated_tables_are_current():
    command = [sys.executable, str(ROOT / "tests" / "tables.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_continuous_integration_runs_the_command_that_the_readme_gives():
    command = "pip install tox && tox run-parallel --parallel-live\n"
    assert command in (ROOT / "README.md").read_text(encoding="utf-8")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
