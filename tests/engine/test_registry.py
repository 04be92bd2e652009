"""The entry points are read from disk, and a broken plug-in is named without harm to the others."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy  # noqa: F401, ICN001  (it is imported once a process: `site` must not take it out again)
import pytest

import regcheck
from regcheck import registry, replay


def install(folder, name, entry_points, **modules):
    """A distribution in `folder`: its metadata and its modules."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\n")
    if entry_points is not None:
        (info / "entry_points.txt").write_text(textwrap.dedent(entry_points))
    for module, source in modules.items():
        (folder / f"{module}.py").write_text(textwrap.dedent(source))


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if not name.startswith("regcheck"):
            del sys.modules[name]


def listed(name):
    return [found for found in registry.implementations()[0] if found.entry.distribution == name]


def test_every_declaration_of_the_stock_names_its_evidence():
    own = listed("regcheck")
    assert len(own) > 40
    bare = {one.name: set(one.declares) - set(one.evidence) for one in own}
    assert {name: conventions for name, conventions in bare.items() if conventions} == {}


def test_every_deviation_of_the_stock_has_a_stored_witness():
    # Without one it has to be found anew, and a small budget may miss it.
    folder = Path(regcheck.__file__).parent / "stock" / "witnesses"
    names = [replay.witness_name(one.name, law) for one in listed("regcheck") for law in one.deviations]
    assert len(names) > 80
    assert [name for name in names if not (folder / name).is_file()] == []


def problems_of(name):
    return [text for text in registry.implementations()[1] if f"of {name} " in text]


MARKED = """
    from regcheck import Deviation, implements

    @implements("dropout", name="mine.Dropout", framework="framework_that_is_absent",
                declares={"random_stream": "process"}, deviations={"dropout.rate": "known, issue 1"})
    def make(config): ...
"""


def test_only_regchecks_groups_are_read(tmp_path):
    text = "[console_scripts]\na = b:c\n[regcheck.adapters]\nx = pkg.x\n# y = pkg.y\nz=pkg.z [extra]\n"
    install(tmp_path, "one", text)
    assert [e[1:] for e in registry.entries("regcheck.adapters", [str(tmp_path)])] == [
        ("x", "pkg.x", "one"),
        ("z", "pkg.z", "one"),
    ]


def test_the_first_distribution_of_a_name_wins(tmp_path):
    install(tmp_path / "a", "My_Plugin", None)
    install(tmp_path / "b", "my.plugin", "[regcheck.adapters]\nx = pkg.x\n")
    assert registry.entries("regcheck.adapters", [str(tmp_path / "a"), str(tmp_path / "b")]) == []


def test_entry_points_of_one_name_are_all_kept(site):
    install(site, "second", "[regcheck.implementations]\nnumpy = second_layers:make\n")
    sources = [entry.source() for entry in registry.entries(registry.IMPLEMENTATIONS) if entry.name == "numpy"]
    assert {"kind": "module", "name": "second_layers", "attribute": "make"} in sources
    assert {"kind": "module", "name": "regcheck.stock.numpy"} in sources


def test_a_missing_folder_on_the_path_is_no_error(tmp_path):
    assert registry.entries("regcheck.adapters", [str(tmp_path / "absent")]) == []


def test_regchecks_own_parts_come_in_by_the_same_door():
    assert {"plain", "torch", "keras", "tensorflow", "sklearn"} <= set(registry.adapters())
    assert registry.missing_entry_points() == []


def test_a_foreign_implementation_is_listed_with_what_it_declares(site):
    install(site, "foreign", "[regcheck.implementations]\nmine = foreign_layers\n", foreign_layers=MARKED)
    (found,) = listed("foreign")
    assert found[:6] == (
        "mine.Dropout",
        "framework_that_is_absent",
        "dropout",
        False,
        {"random_stream": "process"},
        {"dropout.rate": "known, issue 1"},
    )


@pytest.mark.parametrize(
    "source",
    ["import jax\n", "try:\n    import jax\nexcept ImportError:\n    jax = None\n"],
    ids=["plain", "hidden"],
)
def test_a_module_that_imports_a_framework_is_listed_by_name_alone(site, source):
    install(site, "heavy", "[regcheck.implementations]\nmine = heavy_layers\n", heavy_layers=source)
    (found,) = listed("heavy")
    assert found[:6] == ("mine", None, None, None, None, None)
    assert "heavy_layers" not in sys.modules
    assert problems_of("heavy") == []


@pytest.mark.parametrize("source", ["1/0", "raise SystemExit(0)", "import absent_module", "def f(:"])
def test_a_broken_plugin_is_named_and_the_others_are_listed(site, source):
    install(site, "broken", "[regcheck.implementations]\nbad = broken_layers\n", broken_layers=source)
    install(site, "sound", "[regcheck.implementations]\ngood = sound_layers:make\n", sound_layers=MARKED)
    (problem,) = problems_of("broken")
    assert "broken_layers" in problem
    assert problem.endswith("Repair or uninstall broken.")
    assert len(listed("sound")) == 1


def test_an_entry_that_names_an_unmarked_factory_is_a_problem(site):
    install(site, "bare", "[regcheck.implementations]\nx = bare_layers:f\n", bare_layers="def f(config): ...")
    assert "not marked with implements" in problems_of("bare")[0]


PROPERTY = """
    from regcheck import prop

    @prop("{id}", cases=lambda plan: None, level="core", formula="1 = 1")
    def law(layers, case):
        '''{title}'''
"""


def test_a_module_may_list_its_properties(site):
    listed = "\n    PROPERTIES = [law]\n    del law\n"
    text = PROPERTY.format(id="dropout.listed", title="Listed.") + listed
    install(site, "laws", "[regcheck.properties]\na = laws_a\n", laws_a=text)
    assert registry.catalogue().properties["dropout.listed"].title == "Listed."


def test_a_foreign_property_joins_the_catalogue(site):
    install(
        site,
        "laws",
        "[regcheck.properties]\na = laws_a\nb = laws_b\nc = laws_c\n",
        laws_a=PROPERTY.format(id="dropout.foreign", title="First."),
        laws_b=PROPERTY.format(id="dropout.foreign", title="Second."),
        laws_c=PROPERTY.format(id="nonsense.foreign", title="Third."),
    )
    found = registry.catalogue()
    assert found.properties["dropout.foreign"].title == "First."
    assert "nonsense.foreign" not in found.properties
    mine = [text for text in found.problems if " of laws " in text]
    assert "defined twice" in mine[0]
    assert "names no family" in mine[1]


def test_a_listing_imports_no_framework_no_numpy_and_no_hypothesis():
    code = (
        "import sys; from regcheck import registry; registry.implementations();"
        "heavy = ('numpy', 'hypothesis', 'msgspec', 'torch', 'tensorflow', 'keras', 'sklearn');"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
