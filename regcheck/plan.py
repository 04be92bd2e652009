"""What a run is asked for, and the cells that follow from it."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regcheck.errors import UsageError
from regcheck.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from regcheck.partners import Found
    from regcheck.property import Property
    from regcheck.registry import Entry

BUDGETS = {"quick": 20, "default": 200, "thorough": 2000}  # cases a cell
PROFILES = tuple(BUDGETS)


@dataclass(frozen=True)
class Request:
    """The command line of `regcheck verify`, decoded."""

    targets: tuple[str, ...] = ()
    family: str | None = None
    properties: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    profile: str = "default"
    examples: int | None = None
    seed: int | None = None
    jobs: int = 0
    timeout: float = 10.0
    pythons: tuple[str, ...] = ()
    json: Path | None = None
    in_process: bool = False

    @property
    def partial(self) -> bool:
        """Whether cells were filtered out, judged by fewer cases than the profile's, or without isolation."""
        fewer = self.examples is not None and self.examples < BUDGETS.get(self.profile, 0)
        return bool(self.properties or self.levels or self.in_process or fewer)


@dataclass(frozen=True)
class Target:
    """One place where implementations are looked for."""

    label: str
    source: dict[str, Any]
    adapter: str = "plain"
    stock: bool = False


def stock(entries: Sequence[Entry], adapters: Mapping[str, str]) -> list[Target]:
    """Every installed entry point of implementations."""
    counts = Counter(entry.name for entry in entries)
    return [
        Target(
            entry.name if counts[entry.name] == 1 else f"{entry.distribution}:{entry.name}",
            entry.source(),
            entry.name if entry.name in adapters else "plain",
            stock=True,
        )
        for entry in entries
    ]


def targets_of(request: Request, installed: list[Target]) -> list[Target]:
    """The request's targets, or all that is installed when it names none. Raises UsageError."""
    if not request.targets:
        return installed
    return [_target(text, request.family) for text in dict.fromkeys(request.targets)]


def _target(text: str, family: str | None) -> Target:
    if re.search(r"\.py(:\w+)?$", text) or "/" in text:
        path, _, attribute = text.partition(":")
        if not Path(path).is_file():
            msg = f"There is no file {path!r}. Expected a Python file with marked factories. Check the path."
            raise UsageError(msg)
        return Target(text, _source({"kind": "file", "path": str(Path(path).resolve())}, attribute, family))
    listed = _listed(text)
    if listed is not None:
        return listed
    module, _, attribute = text.partition(":")
    if not all(part.isidentifier() for part in module.split(".")) or (attribute and not attribute.isidentifier()):
        msg = (
            f"{text!r} is not a target. Expected path/to/file.py[:factory], package.module[:factory] or "
            "package.module:Class. See `regcheck verify --help`."
        )
        raise UsageError(msg)
    return Target(text, _source({"kind": "module", "name": module}, attribute, family))


def _source(place: dict[str, Any], attribute: str, family: str | None) -> dict[str, Any]:
    """A place, what to take there, and the family that a bare class claims to be."""
    return place | ({"attribute": attribute} if attribute else {}) | ({"family": family} if family else {})


def _listed(name: str) -> Target | None:
    """The target that `regcheck list implementations` calls `name`."""
    from regcheck import registry  # noqa: PLC0415  (imports the stock modules)

    for found in registry.implementations()[0] if ":" not in name else ():
        if found.name == name and found.attribute is not None:
            return Target(name, {**found.entry.source(), "attribute": found.attribute})
    return None


def select(request: Request, properties: Mapping[str, Property]) -> list[Property]:
    """The properties that the request plans. Raises UsageError for a glob that matches none."""
    for glob in request.properties:
        if not fnmatch.filter(properties, glob):
            msg = (
                f"No property matches {glob!r}. Expected an id or a glob such as 'dropout.*'. {_near(glob, properties)}"
            )
            raise UsageError(msg)
    if request.family is not None and request.family not in FAMILIES:
        known = ", ".join(FAMILIES)
        msg = f"There is no family {request.family!r}. Expected one of {known}. {_near(request.family, FAMILIES)}"
        raise UsageError(msg)

    def wanted(law: Property) -> bool:
        level = law.level in request.levels if request.levels else law.level != "extreme"
        return level and (not request.properties or any(fnmatch.fnmatch(law.id, g) for g in request.properties))

    return [law for law in properties.values() if wanted(law)]


def _near(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415

    close = difflib.get_close_matches(name, list(known), 1)
    return f"Did you mean {close[0]!r}?" if close else "`regcheck list` names them all."


def named_apart(found: list[Found]) -> list[Found]:
    """Give implementations of equal name an `@target` suffix, and those of one target their attribute's too."""
    names = _apart([about["name"] for _, about in found], [f"@{target.label}" for target, _ in found])
    names = _apart(names, [f":{about['attribute']}" for _, about in found])
    return [one._replace(about={**one.about, "name": name}) for one, name in zip(found, names, strict=True)]


def _apart(names: list[str], suffixes: list[str]) -> list[str]:
    counts = Counter(names)
    return [name + suffix if counts[name] > 1 else name for name, suffix in zip(names, suffixes, strict=True)]


def check_deviations(about: Mapping[str, Any], properties: Mapping[str, Property]) -> None:
    """Raise UsageError for a deviation from a property that does not exist."""
    for name in about["deviations"]:
        if name not in properties:
            msg = f"{about['name']} declares a deviation from {name!r}, which is no property. {_near(name, properties)}"
            raise UsageError(msg)
