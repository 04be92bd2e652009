"""Judge what is right until many cells are judged, and count what was accused: reports/false-alarms.json and .md.

    python tests/faults/false_alarms.py [--cells N] [--profile P] [--jobs N] [--resume] [--only GLOB]

What is right: the stock implementations of every installed framework, and the right layers of this folder. Every law
that applies judges them, the level extreme apart, each round with a seed of its own. An alarm is a cell that failed or
was inconclusive. What was judged is written every few seconds, and once more when the run ends or is ended; `--resume`
adds to it, as long as the code, the versions and the profile are the same.

Exit: 0 without an alarm, 1 with one or with a run that was not whole, 2 for a record that cannot be added to, 130 when
interrupted.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import importlib.util
import json
import resource
import secrets
import signal
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import alarms
from museum import FOLDER, RIGHT, Exhibit

import regcheck
from regcheck import registry
from regcheck.errors import UsageError
from regcheck.files import write_atomically
from regcheck.plan import PROFILES, Request
from regcheck.run import Run
from regcheck.verdict import EDITION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from regcheck.verdict import Cell, Report

ROOT = FOLDER.parents[1]
CELLS = 30_000
SAVE_SECONDS = 10.0
STOCK = "stock"

Group = tuple[str, tuple[str, ...]]
"""What is judged in one run, and its targets: a file and its exhibits, or the stock. Names are unique in each."""


# --- what is right


def groups(globs: Sequence[str]) -> list[Group]:
    """The stock, then each file of right exhibits; of these, what a glob names and has its framework installed."""
    files: dict[Path, list[Exhibit]] = {}
    for exhibit in RIGHT:
        if _installed(exhibit):
            files.setdefault(exhibit.file, []).append(exhibit)
    chosen = [(file.stem, _targets(file, held, globs)) for file, held in files.items()]
    return [*_stock(globs), *((stem, targets) for stem, targets in chosen if targets)]


def _targets(file: Path, held: Sequence[Exhibit], globs: Sequence[str]) -> tuple[str, ...]:
    """The file where all of it is named, since each target costs a process that imports its framework."""
    named = [exhibit for exhibit in held if _named(str(exhibit), globs)]
    return (str(file),) if len(named) == len(held) else tuple(f"{file}:{e.attribute}" for e in named)


def _stock(globs: Sequence[str]) -> Iterator[Group]:
    if not globs:
        # No target at all means every one that is installed.
        yield STOCK, ()
        return
    named = [found.name for found in registry.implementations()[0] if _named(found.name, globs)]
    if named:
        yield STOCK, tuple(named)


def _named(name: str, globs: Sequence[str]) -> bool:
    return not globs or any(fnmatch.fnmatchcase(name, glob) for glob in globs)


def _installed(exhibit: Exhibit) -> bool:
    return exhibit.adapter == "plain" or importlib.util.find_spec(exhibit.adapter) is not None


# --- the record


def fresh(profile: str) -> dict[str, Any]:
    """A record of nothing yet, of the code as it is now."""
    about = {"regcheck": regcheck.__version__, "edition": EDITION, "code": digest(), "versions": versions()}
    empty: dict[str, Any] = {"rounds": [], "implementations": [], "counts": {}, "alarms": [], "problems": []}
    return {**about, "profile": profile, **empty}


def digest() -> str:
    """What the engine, the catalogue and the right layers are made of, as a hash of their sources."""
    catalogue = importlib.util.find_spec("regcheck_properties")
    assert catalogue is not None
    assert catalogue.submodule_search_locations is not None
    packages = [Path(regcheck.__file__).parent, *map(Path, catalogue.submodule_search_locations)]
    sources = [file for package in packages for file in sorted(package.rglob("*.py"))]
    sources += sorted(FOLDER.glob("correct_*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of Python, NumPy, Hypothesis and the frameworks that are installed; none of them is imported."""
    found = {"python": sys.version.partition(" ")[0]}
    owners = metadata.packages_distributions()
    for package in ("numpy", "hypothesis", *registry.adapters()):
        if package in owners:
            found[package] = metadata.version(owners[package][0])
    return found


def resumed(path: Path, profile: str) -> dict[str, Any]:
    """The record at `path`, to be added to. Raises UsageError where it was made by another code or profile."""
    now = fresh(profile)
    if not path.is_file():
        return now
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    same = ("regcheck", "edition", "code", "versions", "profile")
    other = [f"{key} {record.get(key)}, now {now[key]}" for key in same if record.get(key) != now[key]]
    if other:
        msg = f"{str(path)!r} cannot be added to: it was made with {'; '.join(other)}. Leave --resume out."
        raise UsageError(msg)
    return record


def publish(record: dict[str, Any], folder: Path) -> None:
    """Write the record and the report."""
    write_atomically(folder / "false-alarms.json", json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    write_atomically(folder / "false-alarms.md", alarms.markdown(record))


# --- judging


class Round:
    """One seed's run over one group, added to the record cell by cell."""

    def __init__(self, record: dict[str, Any], group: Group, seed: int, save: Callable[[], None]) -> None:
        self.record, self.save = record, save
        self.group, self.targets = group
        self.seen: set[tuple[str, str]] = set()
        self.about = {"group": self.group, "seed": seed, "cells": 0, "complete": False, "wall": 0.0, "cpu": 0.0}
        record["rounds"].append(self.about)
        self.saved = time.monotonic()

    def judge(self, jobs: int) -> Report:
        """Judge everything in the group. An interruption ends it early, with what it has."""
        wall, cpu = time.monotonic(), _cpu()
        seed = self.about["seed"]
        request = Request(targets=self.targets, profile=self.record["profile"], seed=seed, jobs=jobs)
        report = Run(request, self._progress).verify()
        if report.complete:
            # What was planned and gave no record is inconclusive.
            for cell in report.cells:
                self._take(cell)
        self.about |= {"complete": report.complete, "wall": time.monotonic() - wall, "cpu": _cpu() - cpu}
        known = {*self.record["implementations"], *(self._name(i["name"]) for i in report.implementations)}
        self.record["implementations"] = sorted(known)
        troubles = [*report.problems, *([report.canaries] if report.canaries.startswith("misjudged") else [])]
        self.record["problems"] += [f"{self.group}, seed {seed}: {trouble}" for trouble in troubles]
        self.save()
        return report

    def _progress(self, event: str, cell: Cell | None, done: int, planned: int) -> None:
        if cell is None:
            return
        self._take(cell)
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self.saved = time.monotonic()
            self.save()

    def _take(self, cell: Cell) -> None:
        if (cell.implementation, cell.property) in self.seen:
            return
        self.seen.add((cell.implementation, cell.property))
        counts = self.record["counts"].setdefault(cell.framework, {}).setdefault(cell.family, {})
        counts[cell.verdict] = counts.get(cell.verdict, 0) + 1
        self.about["cells"] += cell.verdict != "not-applicable"
        if cell.verdict in alarms.ALARMING:
            self.record["alarms"].append(self._alarm(cell))

    def _alarm(self, cell: Cell) -> dict[str, Any]:
        witness = cell.witness
        told = {"config": witness.config, "expected": witness.expected, "observed": witness.observed} if witness else {}
        return {
            "implementation": self._name(cell.implementation),
            "framework": cell.framework,
            "family": cell.family,
            "property": cell.property,
            "verdict": cell.verdict,
            "reason": cell.reason,
            "seed": self.about["seed"],
            "witness": {**told, "inputs": witness.inputs, "where": witness.where} if witness else None,
            "again": f"regcheck verify {self._target(cell.implementation)} --property {cell.property} "
            f"--profile {self.record['profile']} --seed {self.about['seed']}",
        }

    def _name(self, name: str) -> str:
        return name if self.group == STOCK else f"{self.group}:{name}"

    def _target(self, name: str) -> str:
        """What to verify to judge an implementation again, from the root of the project."""
        attributes = {(e.file.stem, e.name): e.attribute for e in RIGHT}
        if (self.group, name) not in attributes:
            return name
        return f"{(FOLDER / self.group).relative_to(ROOT)}.py:{attributes[self.group, name]}"


def _cpu() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def run(record: dict[str, Any], among: Sequence[Group], cells: int, jobs: int, save: Callable[[], None]) -> bool:
    """Round after round until the record holds `cells` judged cells; whether it came so far."""
    while alarms.judged(record) < cells:
        seed, before = secrets.randbits(32), alarms.judged(record)
        for group in among:
            report = Round(record, group, seed, save).judge(jobs)
            print(f"{group[0]}, seed {seed}: {alarms.line(record)}", flush=True)  # noqa: T201
            if not report.complete:
                return False
        if alarms.judged(record) == before:
            msg = "A whole round judged no cell. Expected a right layer that is installed and a property that applies."
            raise UsageError(msg)
    return True


def main() -> int:
    """Judge and write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=CELLS, metavar="N", help=f"judge so many (default: {CELLS})")
    parser.add_argument("--profile", choices=PROFILES, default="quick")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="judge processes (default: one a core)")
    parser.add_argument("--resume", action="store_true", help="add to the record that is there")
    parser.add_argument(
        "--only", action="append", default=[], metavar="GLOB", help="exhibits as file:name, stock by name; repeatable"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "reports", metavar="FOLDER")
    given = parser.parse_args()
    among = groups(given.only)
    if not among:
        parser.error(f"--only {' '.join(given.only)} names nothing that is installed")
    # What ends the run from outside leaves what it has, as Ctrl-C does; also where it was started in the background.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        path = given.output / "false-alarms.json"
        record = resumed(path, given.profile) if given.resume else fresh(given.profile)
        whole = run(record, among, given.cells, given.jobs, lambda: publish(record, given.output))
    except UsageError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    if not whole:
        return 130
    return 1 if record["alarms"] or record["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
