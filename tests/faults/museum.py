"""The museum of faulty and right layers: what is in it, and a room in which a property judges them."""

from __future__ import annotations

import ast
import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regcheck import registry
from regcheck.host import PartnerSession, Session
from regcheck.judge import CellJudge, Expected, Settings
from regcheck.processes import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regcheck.property import Property
    from regcheck.verdict import Cell

FOLDER = Path(__file__).parent
FRAMEWORKS = {"torch": "torch", "keras": "keras", "sklearn": "sklearn"}
# Files beside the exhibits that hold none.
MACHINERY = ("alarms", "false_alarms", "kills", "matrix", "museum")
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


FILES = [
    file for file in sorted(FOLDER.glob("*.py")) if not file.stem.startswith("test_") and file.stem not in MACHINERY
]
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
        self.stock: dict[str, list[dict[str, Any]]] = {}

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
        for about in self._probed(exhibit.adapter, exhibit.source):
            self.described[f"{exhibit.file.stem}:{about['attribute']}"] = about

    def _probed(self, adapter: str, source: dict[str, str]) -> list[dict[str, Any]]:
        worker = self.server(adapter).worker()
        reply = worker.ask({"calls": [{"do": "probe", "source": source}]}, 120.0)
        worker.end()
        assert "error" not in reply, reply
        found: list[dict[str, Any]] = reply["result"]["implementations"]
        return found

    def _partner(self, adapter: str, family: str | None) -> PartnerSession | None:
        """A right layer of another family, from the stock of the exhibit's framework."""
        source = {"kind": "module", "name": f"regcheck.stock.{'numpy' if adapter == 'plain' else adapter}"}
        if family is not None and adapter not in self.stock:
            self.stock[adapter] = self._probed(adapter, source)
        about = next((a for a in self.stock.get(adapter, []) if a["family"] == family), None)
        return PartnerSession(self.server(adapter), {**about, "source": source}) if about else None

    def server(self, adapter: str) -> Server:
        """The server that has imported an adapter."""
        if adapter not in self.servers:
            self.servers[adapter] = Server(sys.executable, (adapter,))
        return self.servers[adapter]

    def judge(self, exhibit: Exhibit, law: str, profile: str = "default") -> Cell:
        """One cell, over a worker."""
        about, session = self.about(exhibit), self.session(exhibit, law)
        try:
            settings = Settings(profile, seed=self.seed)
            return CellJudge(self.laws[law], session, about, settings, expected_of(about, law)).judge().cell
        finally:
            session.close()

    def session(self, exhibit: Exhibit, law: str) -> Session:
        """Fresh layers of an exhibit for a law, over a worker; to be closed."""
        about = self.about(exhibit)
        declares = {**about["defaults"], **about["declares"]}
        server, timeout = self.server(exhibit.adapter), PATIENCE.get(exhibit.file.stem, 10.0)
        session = Session(server, exhibit.source, exhibit.attribute, about["family"], declares, timeout)
        session.partner = self._partner(exhibit.adapter, self.laws[law].partner)
        return session

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


def expected_of(about: dict[str, Any], law: str) -> Expected | None:
    """The deviation from a law that is declared, if there is one."""
    deviation = about["deviations"].get(law)
    return Expected(deviation["reason"]) if deviation else None
