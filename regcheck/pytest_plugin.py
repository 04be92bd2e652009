"""The pytest plug-in: a layer's cells as items of its author's own test suite.

The items of one factory are judged together by one `regcheck verify` in a process of its own, since the
test module has long imported its framework here. Nothing heavy is imported where nothing is parametrised.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from regcheck.property import Property
    from regcheck.report.layout import Claims
    from regcheck.verdict import Cell, Report

REPORTED = (0, 1, 3, 5)  # the exit codes of `regcheck verify` with which a whole report is written


@dataclass(frozen=True)
class Order:
    """What `parametrize` was asked for."""

    factory: Callable[..., Any]
    family: str | None
    globs: tuple[str, ...]
    options: tuple[str, ...]


@dataclass(frozen=True)
class Item:
    """One cell: a property of an order's factory."""

    order: Order
    target: str
    law: str


@dataclass
class Docket:
    """The cells that this session selected, and the verdicts on them so far."""

    selected: dict[Order, list[Item]] = field(default_factory=dict)
    cells: dict[Order, dict[str, Cell]] = field(default_factory=dict)
    troubles: dict[Order, str] = field(default_factory=dict)
    laws: Mapping[str, Property] = field(default_factory=dict)

    def verdict(self, item: Item) -> Cell:
        """The verdict on an item; the first of an order has them all judged. Fails where there is none."""
        order = item.order
        if order not in self.cells and order not in self.troubles:
            self._judge(order)
        if order in self.troubles:
            pytest.fail(self.troubles[order], pytrace=False)
        cell = self.cells[order].get(item.law)
        if cell is None:
            pytest.fail(f"regcheck gave no verdict on {item.law}.", pytrace=False)
        return cell

    def _judge(self, order: Order) -> None:
        items = self.selected.get(order, [])
        with tempfile.TemporaryDirectory(prefix="regcheck-") as folder:
            path = Path(folder) / "report.json"
            laws = [part for law in dict.fromkeys(item.law for item in items) for part in ("--property", law)]
            command = [*_COMMAND, "verify", items[0].target, *order.options, *laws, "--jobs", "1", "--json", str(path)]
            done = subprocess.run(command, capture_output=True, env=_environment(), check=False)  # noqa: S603
            if done.returncode not in REPORTED:
                said = done.stderr.decode(errors="replace").strip()
                self.troubles[order] = said or f"regcheck verify ended with status {done.returncode}."
                return
            report = _read(path)
        if isinstance(report, str):
            self.troubles[order] = report
            return
        if report.canaries.startswith("misjudged"):
            self.troubles[order] = f"No verdict can be believed: a canary was {report.canaries}."
        self.cells[order] = {cell.property: cell for cell in report.cells}

    def claims(self) -> Claims:
        """Sentence and formula of each property."""
        return {name: (law.title, law.formula) for name, law in self.laws.items()}


_DOCKET = pytest.StashKey[Docket]()
_COMMAND = (sys.executable, "-P", "-m", "regcheck")


def parametrize(  # noqa: PLR0913  (the options of `regcheck verify`)
    factory: Callable[..., Any],
    property: str | Sequence[str] = "*",  # noqa: A002  (the report's word)
    *,
    family: str | None = None,
    profile: str = "quick",
    levels: Sequence[str] = (),
    examples: int | None = None,
    seed: int | None = None,
    timeout: float | None = None,
) -> Callable[[Any], Any]:
    """Make the decorated test one item per property of the layer that `factory` builds.

    `factory` is marked with `implements`, or is a class of a known framework; it must be importable by
    name. `property` is a glob or several. Each item is judged before the test's body runs; the body may
    take the fixture `regcheck_cell`, the record of the verdict. A declared deviation is an expected
    failure, what is not applicable is skipped with its reason.
    """
    options = {"family": family, "profile": profile, "examples": examples, "seed": seed, "timeout": timeout}
    given = [part for key, value in options.items() if value is not None for part in (f"--{key}", str(value))]
    given += [part for level in levels for part in ("--level", level)]
    globs = (property,) if isinstance(property, str) else tuple(property)
    order = Order(factory, family, globs, tuple(given))

    def mark(test: Any) -> Any:
        return pytest.mark.usefixtures("regcheck_cell")(pytest.mark.regcheck(order)(test))

    return mark


def pytest_configure(config: pytest.Config) -> None:
    """Name our marker."""
    config.addinivalue_line("markers", "regcheck(order): set by regcheck.parametrize; one item per property")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a parametrised test its items."""
    mark = metafunc.definition.get_closest_marker("regcheck")
    if mark is None:
        return
    docket = metafunc.config.stash.setdefault(_DOCKET, Docket())
    from regcheck import registry  # noqa: PLC0415  (loads the catalogue, once something is parametrised)
    from regcheck.errors import UsageError  # noqa: PLC0415

    docket.laws = docket.laws or registry.catalogue().properties
    order: Order = mark.args[0]
    try:
        items = _items(order, docket.laws)
    except UsageError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    metafunc.parametrize("regcheck_cell", items, ids=[item.law for item in items], indirect=True)


def _items(order: Order, laws: Mapping[str, Property]) -> list[Item]:
    from regcheck.plan import Request, select  # noqa: PLC0415
    from regcheck.targets import family_of, target_of  # noqa: PLC0415

    target, family = target_of(order.factory), family_of(order.factory, order.family)
    levels = tuple(b for a, b in zip(order.options, order.options[1:], strict=False) if a == "--level")
    chosen = select(Request(properties=order.globs, levels=levels), laws)
    return [Item(order, target, law.id) for law in chosen if law.applies_to(family)]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note which cells were selected."""
    docket = session.config.stash.get(_DOCKET, None)
    for item in session.items if docket is not None else ():
        found = getattr(item, "callspec", None)
        wanted = found.params.get("regcheck_cell") if found is not None else None
        if docket is not None and isinstance(wanted, Item):
            docket.selected.setdefault(wanted.order, []).append(wanted)


@pytest.fixture
def regcheck_cell(request: pytest.FixtureRequest) -> Any:
    """The record of the verdict on this item's cell (`regcheck.verdict.Cell`)."""
    if not hasattr(request, "param"):
        msg = "`regcheck_cell` has no cell here. Expected a test under @regcheck.parametrize(factory). Add it."
        pytest.fail(msg, pytrace=False)
    return request.config.stash[_DOCKET].verdict(request.param)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Let the verdict decide before the test's own body runs."""
    if pyfuncitem.get_closest_marker("regcheck") is not None:
        _settle(pyfuncitem, pyfuncitem.funcargs["regcheck_cell"])
    return (yield)


def _settle(item: pytest.Function, cell: Any) -> None:
    measured = ("implementation", "verdict", "examples", "seconds", "error_over_bound")
    item.user_properties += [(f"regcheck.{key}", getattr(cell, key)) for key in measured]
    if cell.verdict == "deviates":
        pytest.xfail(cell.reason)
    if cell.verdict == "not-applicable":
        pytest.skip(cell.reason)
    if cell.verdict != "passed":
        from regcheck.report.failure import text  # noqa: PLC0415

        pytest.fail(text(cell, item.config.stash[_DOCKET].claims()), pytrace=False)


def _environment() -> dict[str, str]:
    """Our environment, with the path on which this process found the factory's module."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _read(path: Path) -> Report | str:
    """The report, or a sentence on why there is none."""
    from regcheck.errors import UsageError  # noqa: PLC0415
    from regcheck.report.records import read  # noqa: PLC0415

    try:
        return read(path)
    except UsageError as error:
        return str(error)
