"""The plug-ins: what installed distributions offer through the entry-point groups of regcheck.

Three groups, and our own parts come in through them too: `regcheck.adapters`,
`regcheck.implementations` and `regcheck.properties`. A broken plug-in is named, never fatal to the others.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from regcheck.implementation import Implementation
    from regcheck.property import Property

ADAPTERS = "regcheck.adapters"
IMPLEMENTATIONS = "regcheck.implementations"
PROPERTIES = "regcheck.properties"
HEAVY = ("hypothesis", "jax", "numpy", "pandas", "scipy")


class Entry(NamedTuple):
    """One line of a distribution's entry points: `name = value`, the value being module or module:attribute."""

    group: str
    name: str
    value: str
    distribution: str

    def source(self) -> dict[str, Any]:
        """Where a worker finds it: {"kind": "module", "name": …} with an optional "attribute"."""
        module, _, attribute = self.value.partition(":")
        found = {"kind": "module", "name": module}
        return {**found, "attribute": attribute} if attribute else found


class Listed(NamedTuple):
    """An implementation as far as it is known without importing foreign frameworks; None is unknown."""

    name: str
    framework: str | None
    family: str | None
    available: bool | None
    declares: dict[str, Any] | None
    deviations: dict[str, str] | None
    entry: Entry
    attribute: str | None = None
    evidence: dict[str, str] | None = None


@dataclass(frozen=True)
class Catalogue:
    """All installed properties by id, the statements that they serve, and the plug-ins that broke."""

    properties: Mapping[str, Property]
    statements: Mapping[str, Any]
    problems: tuple[str, ...]


def entries(group: str, path: Sequence[str] | None = None) -> list[Entry]:
    """The entry points of `group` on the import path, in its order."""
    # importlib.metadata alone costs four bare interpreter starts to import, and one more to parse every
    # distribution beside TensorFlow; this reads the few files that name us, and imports nothing.
    found: list[Entry] = []
    seen: set[str] = set()
    for folder in sys.path if path is None else path:
        for name, text in _distributions(folder or ".", seen):
            found += [Entry(*line, name) for line in _parse(text) if line[0] == group]
    return found


def _distributions(folder: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """Yield (name, entry points) of distributions in `folder` that name regcheck; the first of a name wins."""
    try:
        with os.scandir(folder) as scan:
            names = sorted(e.name for e in scan if e.name.endswith((".dist-info", ".egg-info")))
    except OSError:
        return
    here = set()
    for name in names:
        distribution = re.sub(r"[-_.]+", "-", name.rpartition(".")[0].partition("-")[0]).lower()
        here.add(distribution)
        if distribution in seen:
            continue
        try:
            with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:  # noqa: PTH118, PTH123
                content = file.read()
        except OSError:
            continue
        if b"regcheck." in content:
            yield distribution, content.decode(errors="replace")
    seen |= here


def _parse(text: str) -> Iterator[tuple[str, str, str]]:
    group = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield group, name.strip(), value.partition("[")[0].replace(" ", "")


def adapters() -> dict[str, str]:
    """Module by framework; the first distribution that adapts a framework wins."""
    found: dict[str, str] = {}
    for entry in entries(ADAPTERS):
        found.setdefault(entry.name, entry.value)
    return found


@cache
def installed(framework: str) -> bool:
    """Whether a framework's package can be imported, without importing it; asked of the disk once."""
    root = {"plain": "numpy"}.get(framework, framework)
    if root in sys.modules:
        return True
    # What importlib.util.find_spec does, without its import.
    return any(finder.find_spec(root, None) is not None for finder in sys.meta_path)


def implementations() -> tuple[list[Listed], list[str]]:
    """The implementations on offer and the plug-ins that broke; imports neither a framework nor NumPy."""
    blocker = _Blocker((*HEAVY, *adapters()))
    listed: list[Listed] = []
    problems = missing_entry_points()
    for entry in entries(IMPLEMENTATIONS):
        try:
            listed += _list(entry, blocker)
        except (Exception, SystemExit) as error:  # noqa: BLE001  (foreign code may raise anything)
            problems.append(broken(entry, error))
    return listed, problems


def _list(entry: Entry, blocker: _Blocker) -> list[Listed]:
    from regcheck.implementation import implementation_of, implementations_in  # noqa: PLC0415

    try:
        module = blocker.load(entry)
    except _BlockedError:
        return [Listed(entry.name, None, None, None, None, None, entry)]
    attribute = entry.source().get("attribute")
    if attribute is None:
        return [_describe(found, entry, name) for name, found in implementations_in(module)]
    found = implementation_of(getattr(module, attribute))
    if found is None:
        msg = f"{entry.value} is not marked with implements"
        raise TypeError(msg)
    return [_describe(found, entry, attribute)]


def _describe(found: Implementation, entry: Entry, attribute: str) -> Listed:
    framework = found.framework
    available = None if framework is None else installed(framework)
    deviations = {key: deviation.reason for key, deviation in found.deviations.items()}
    about = framework, found.family, available, found.declares, deviations
    return Listed(found.name, *about, entry, attribute, found.evidence)


class _BlockedError(ImportError):
    """A foreign module wanted a framework at its top."""


class _Blocker:
    """A finder that refuses packages too heavy for a listing."""

    def __init__(self, roots: Sequence[str]) -> None:
        self.roots = frozenset(roots)
        self.fired = False

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        """Refuse a heavy package, and leave the others to the next finder."""
        if name.partition(".")[0] not in self.roots:
            return None
        self.fired = True
        msg = f"{name} is not imported for a listing"
        raise _BlockedError(msg)

    def load(self, entry: Entry) -> ModuleType:
        """Import an entry's module. Raises _BlockedError, also where the module hides that."""
        self.fired = False
        before = set(sys.modules)
        sys.meta_path.insert(0, self)
        try:
            module = importlib.import_module(entry.source()["name"])
        finally:
            sys.meta_path.remove(self)
            if self.fired:
                # What was imported without its framework must not be mistaken for the whole later on.
                for name in set(sys.modules) - before:
                    if not name.startswith("regcheck."):
                        del sys.modules[name]
        if self.fired:
            raise _BlockedError(entry.value)
        return module


def catalogue() -> Catalogue:
    """Import every plug-in of properties; an id that comes twice belongs to the first."""
    found: dict[str, Property] = {}
    statements: dict[str, Any] = {}
    problems = missing_entry_points()
    for entry in entries(PROPERTIES):
        try:
            module = importlib.import_module(entry.source()["name"])
            for law in _laws(module, entry.source().get("attribute")):
                _add(found, law, entry, problems)
            statements.update(getattr(module, "STATEMENTS", {}))
        except (Exception, SystemExit) as error:  # noqa: BLE001  (foreign code may raise anything)
            problems.append(broken(entry, error))
    return Catalogue(dict(sorted(found.items(), key=_rank)), statements, tuple(problems))


def _laws(module: ModuleType, attribute: str | None) -> list[Property]:
    from regcheck.property import Property  # noqa: PLC0415  (imports NumPy, which a listing does not)

    # A module may also list its laws, where they have no names of their own.
    named = [*vars(module).values(), *getattr(module, "PROPERTIES", ())]
    values = named if attribute is None else [getattr(module, attribute)]
    return [value for value in values if isinstance(value, Property)]


def _add(found: dict[str, Property], law: Property, entry: Entry, problems: list[str]) -> None:
    from regcheck.families import FAMILIES  # noqa: PLC0415

    if law.family != "common" and law.family not in FAMILIES:
        problems.append(f"Property {law.id!r} of {entry.distribution} names no family. Begin its id with a family.")
    elif found.setdefault(law.id, law) is not law:
        problems.append(f"Property {law.id!r} of {entry.distribution} is defined twice. Rename one; the first is used.")


def _rank(item: tuple[str, Property]) -> int:
    from regcheck.families import FAMILIES  # noqa: PLC0415

    order = ["common", *FAMILIES]
    return order.index(item[1].family)


def missing_entry_points() -> list[str]:
    """A sentence where regcheck's own entry points are not to be found: then nothing at all would be judged."""
    if any(entry.distribution == "regcheck" for entry in entries(PROPERTIES)):
        return []
    return ["regcheck's own entry points are missing. Expected an installed package. Install it: pip install ."]


def broken(entry: Entry, error: BaseException) -> str:
    """One sentence on a plug-in that cannot be loaded."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return (
        f"The plug-in {entry.name!r} ({entry.group}, {entry.value}) of {entry.distribution} cannot be loaded: {text}. "
        f"Repair or uninstall {entry.distribution}."
    )
