"""Every faulty layer of the museum fails by the property meant for it, and no right layer is accused of anything.

Each run judges by other cases; a failure names the seed that replays its own, `--hypothesis-seed=...`.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from regcheck import registry
from regcheck.host import Session
from regcheck.judge import CellJudge, Expected, Settings
from regcheck.processes import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regcheck.property import Property
    from regcheck.verdict import Cell

FOLDER = Path(__file__).parent
FRAMEWORKS = {"torch": "torch", "keras": "keras"}
# What an exhibit that spares no call is judged by.
ANY = {"layer_norm": "layer_norm.matches-definition"}
# These break one thing that the checker watches beside the result: nothing else may be held against them. The one
# that prints a gigabyte is left out: it would print one for every call of every law.
NOTHING_ELSE = ("OverwritesInput", "WritesThroughReadOnly", "PrintsEveryCall")
# Seconds by file: there are exhibits that hang, and nothing that takes long. A gigabyte takes a while.
PATIENCE = {"hostile": 1.0, "hostile_factories": 1.0, "hostile_results": 60.0}


@dataclass(frozen=True)
class Exhibit:
    """One implementation of the museum, read from its source: files that need a framework are never imported here."""

    file: Path
    attribute: str
    name: str
    expected: str | None

    @property
    def adapter(self) -> str:
        """The adapter that its file's name asks for."""
        return next((a for word, a in FRAMEWORKS.items() if word in self.file.stem.split("_")), "plain")

    @property
    def source(self) -> dict[str, str]:
        """Where a worker finds it."""
        return {"kind": "file", "path": str(self.file)}

    def __str__(self) -> str:
        return f"{self.file.stem}:{self.attribute}"


def exhibits(file: Path) -> Iterator[Exhibit]:
    """The file's implementations, each with the property that must catch it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    expected = next(ast.literal_eval(node.value) for node in tree.body if _assigns_expected(node))
    for node in tree.body:
        for call in getattr(node, "decorator_list", []):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "regcheck.implements":
                named = {k.arg: k.value for k in call.keywords}
                name = ast.literal_eval(named["name"]) if "name" in named else node.name
                yield Exhibit(file, node.name, name, expected.pop(name, None))
    assert not expected, f"{file.name} expects what it does not have: {expected}"


def _assigns_expected(node: ast.stmt) -> bool:
    target = node.target if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [None])[0]
    return isinstance(target, ast.Name) and target.id == "EXPECTED"


FILES = [file for file in sorted(FOLDER.glob("*.py")) if not file.name.startswith("test_")]
MUSEUM = [exhibit for file in FILES for exhibit in exhibits(file)]
FAULTY = [e for e in MUSEUM if not e.file.stem.startswith("correct_")]
RIGHT = [e for e in MUSEUM if e.file.stem.startswith("correct_")]


class Room:
    """Servers by adapter, what their workers tell of the exhibits, and the judge; `seed` chooses the cases."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.laws: dict[str, Property] = dict(registry.catalogue().properties)
        self.servers: dict[str, Server] = {}
        self.described: dict[str, dict[str, Any]] = {}

    def about(self, exhibit: Exhibit) -> dict[str, Any]:
        """What the worker's side tells of an exhibit."""
        key = str(exhibit)
        if key not in self.described:
            if exhibit.adapter == "plain":
                self.described[key] = _described_here(exhibit)
            else:
                self._probe(exhibit)
        return self.described[key]

    def _probe(self, exhibit: Exhibit) -> None:
        worker = self.server(exhibit.adapter).worker()
        reply = worker.ask({"calls": [{"do": "probe", "source": exhibit.source}]}, 120.0)
        worker.end()
        assert "error" not in reply, reply
        for about in reply["result"]["implementations"]:
            self.described[f"{exhibit.file.stem}:{about['attribute']}"] = about

    def server(self, adapter: str) -> Server:
        """The server that has imported an adapter."""
        if adapter not in self.servers:
            self.servers[adapter] = Server(sys.executable, (adapter,))
        return self.servers[adapter]

    def judge(self, exhibit: Exhibit, law: str, profile: str = "default") -> Cell:
        """One cell, over a worker."""
        about = self.about(exhibit)
        declares = {**about["defaults"], **about["declares"]}
        server, timeout = self.server(exhibit.adapter), PATIENCE.get(exhibit.file.stem, 10.0)
        session = Session(server, exhibit.source, exhibit.attribute, about["family"], declares, timeout)
        try:
            settings = Settings(profile, seed=self.seed)
            return CellJudge(self.laws[law], session, about, settings, _expected(about, law)).judge().cell
        finally:
            session.close()

    def laws_of(self, family: str) -> list[str]:
        """The laws that every layer of a family must hold."""
        return [law.id for law in self.laws.values() if law.applies_to(family) and law.level != "extreme"]

    def close(self) -> None:
        """End the servers."""
        for server in self.servers.values():
            with contextlib.suppress(OSError):
                server.close()


def _described_here(exhibit: Exhibit) -> dict[str, Any]:
    """An exhibit that needs NumPy alone, described without being built: a factory may be the fault."""
    from regcheck.loading import load  # noqa: PLC0415  (brings NumPy)

    found = load(exhibit.source)[exhibit.attribute]
    named = {"name": found.name, "framework": "numpy", "family": found.family, "dtypes": found.dtypes}
    return {**named, "declares": found.declares, "defaults": {}, "deviations": {}}


def _expected(about: dict[str, Any], law: str) -> Expected | None:
    deviation = about["deviations"].get(law)
    return Expected(deviation["reason"]) if deviation else None


@pytest.fixture(scope="module")
def room(request: pytest.FixtureRequest) -> Iterator[Room]:
    """The museum's one room."""
    given = request.config.getoption("--hypothesis-seed", None)
    found = Room(secrets.randbits(32) if given is None else int(given))
    yield found
    found.close()


def _installed(exhibit: Exhibit) -> None:
    if exhibit.adapter != "plain" and importlib.util.find_spec(exhibit.adapter) is None:
        pytest.skip(f"{exhibit.file.name} needs {exhibit.adapter}, which is not installed")


def _marked(exhibit: Exhibit) -> Any:
    marks = {"torch": [pytest.mark.torch], "keras": [pytest.mark.tensorflow]}.get(exhibit.adapter, [])
    return pytest.param(exhibit, id=str(exhibit), marks=marks)


def test_every_faulty_layer_names_the_property_that_must_catch_it(room: Room) -> None:
    unknown = {str(e): e.expected for e in FAULTY if e.expected not in {"any", *room.laws}}
    assert not unknown
    assert not [str(e) for e in RIGHT if e.expected is not None]


@pytest.mark.parametrize("exhibit", [_marked(e) for e in FAULTY])
def test_a_faulty_layer_fails_by_the_property_meant_for_it(room: Room, exhibit: Exhibit) -> None:
    _installed(exhibit)
    law = exhibit.expected if exhibit.expected != "any" else ANY[room.about(exhibit)["family"]]
    assert law is not None
    cell = room.judge(exhibit, law)
    assert cell.verdict == "failed", f"{law}: {cell.verdict}, {cell.reason}; --hypothesis-seed={room.seed}"
    assert cell.witness is not None


@pytest.mark.slow
@pytest.mark.parametrize("exhibit", [_marked(e) for e in RIGHT])
def test_no_property_accuses_a_right_layer(room: Room, exhibit: Exhibit) -> None:
    _installed(exhibit)
    # Some forty cells a layer: few cases in each, others in every run.
    cells = [room.judge(exhibit, law, "quick") for law in room.laws_of(room.about(exhibit)["family"])]
    accused = {c.property: (c.reason, c.witness) for c in cells if c.verdict in {"failed", "inconclusive"}}
    assert not accused, f"{accused}; --hypothesis-seed={room.seed}"
    assert any(c.verdict == "passed" for c in cells)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTHING_ELSE)
def test_what_the_checker_watches_beside_the_result_spoils_one_property_alone(room: Room, name: str) -> None:
    exhibit = next(e for e in FAULTY if e.name == name)
    failed = [law for law in room.laws_of("layer_norm") if room.judge(exhibit, law, "quick").verdict == "failed"]
    assert failed == [exhibit.expected], f"--hypothesis-seed={room.seed}"
