"""Judge every faulty layer by every property of its family: reports/kills.json, kills.md and kills.svg.

    python tests/faults/matrix.py [--only 'plain_*'] [--meant] [--resume] [--seed SEED]

Each fault is judged by the property meant for it with many cases, its failure cut down; then by every property of its
family, in the default profile. `--meant` leaves the second out. What was judged is written after every fault, and
`--resume` goes on from there. It takes some seconds a fault on each of `--jobs` processes.

The layers that hang, crash or print a gigabyte are left out: a test of their own judges them.
"""

from __future__ import annotations

import argparse
import atexit
import fnmatch
import importlib.util
import json
import multiprocessing
import os
import secrets
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kills
from museum import FAULTY, Exhibit, Room, expected_of

from regcheck import __version__, registry
from regcheck.files import write_atomically
from regcheck.judge import CellJudge, Judgement, Settings
from regcheck.loading import versions
from regcheck.plan import BUDGETS
from regcheck.verdict import EDITION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regcheck.case import Case
    from regcheck.evaluate import Outcome
    from regcheck.host import Session
    from regcheck.property import Property
    from regcheck.recur import Finding

REPORTS = Path(__file__).resolve().parents[2] / "reports"
EXAMPLES = 500
HELD = [exhibit for exhibit in FAULTY if not exhibit.file.stem.startswith("hostile")]


class Meter(CellJudge):
    """Judges as ever, and notes the CPU seconds until the first failure, or until the budget is spent."""

    cpu = 0.0

    def metered(self) -> Judgement:
        """The verdict; the clock starts when the layer's process is ready."""
        self.session.renew()
        self.session.reset()
        self.session.ask({"do": "reset"})
        self.before = _cpu(self.session)
        return self.judge()

    def _generate(self, dtype: str, budget: int, most: int) -> tuple[Case, Outcome] | None:
        try:
            return super()._generate(dtype, budget, most)
        finally:
            self.cpu = _cpu(self.session) - self.before


class Hasty(Meter):
    """Does not cut a failure down: one call is the least that the search takes."""

    def _search(self, dtypes: list[str], shrink_calls: int | None = None) -> Finding | None:
        return super()._search(dtypes, 1)


def _cpu(session: Session) -> float:
    """CPU seconds of this process and of the worker, whose clock's number is made as clock_getcpuclockid(3) does."""
    theirs = time.clock_gettime(~session.worker.pid << 3 | 2) if session.worker is not None else 0.0
    return time.process_time() + theirs


def hunt(room: Room, exhibit: Exhibit, examples: int) -> dict[str, Any]:
    """The fault by the property meant for it, and how many numbers its witness holds."""
    judge, judged = _judged(Meter, room, exhibit, exhibit.expected or "", Settings(examples=examples, seed=room.seed))
    found = judged.finding
    size = sum(array.size for array in found.case.arrays.values()) if found is not None else None
    return {"hunt": _cell(judge, judged), "witness": size}


def row(room: Room, exhibit: Exhibit) -> dict[str, Any]:
    """The fault by every property of its family."""
    family, settings = room.about(exhibit)["family"], Settings(seed=room.seed)
    laws = [law.id for law in room.laws.values() if law.applies_to(family)]
    return {"cells": {law: _cell(*_judged(Hasty, room, exhibit, law, settings)) for law in laws}}


def _judged(kind: type[Meter], room: Room, exhibit: Exhibit, law: str, settings: Settings) -> tuple[Meter, Judgement]:
    about, session = room.about(exhibit), room.session(exhibit, law)
    try:
        judge = kind(room.laws[law], session, about, settings, expected_of(about, law))
        return judge, judge.metered()
    finally:
        session.close()


def _cell(judge: Meter, judged: Judgement) -> list[Any]:
    return [judged.cell.verdict, judged.cell.examples, round(judge.cpu, 5)]


# --- the record


def fresh(seed: int, examples: int) -> dict[str, Any]:
    """A record of nothing yet."""
    about = {"regcheck": __version__, "edition": EDITION, "versions": versions()}
    return {**about, "seed": seed, "examples": examples, "budget": BUDGETS["default"], "faults": {}}


def completed(record: dict[str, Any], laws: Mapping[str, Property]) -> dict[str, Any]:
    """The record with what the museum and the catalogue hold now, in their order."""
    museum = dict(Counter(exhibit.file.stem for exhibit in HELD))
    meant = dict(Counter(exhibit.expected for exhibit in FAULTY))
    known = {str(e): record["faults"][str(e)] for e in HELD if str(e) in record["faults"]}
    levels = {law.id: law.level for law in laws.values()}
    return {**record, "museum": museum, "meant": meant, "properties": levels, "faults": known}


def publish(record: dict[str, Any], folder: Path) -> None:
    """Write the record, the report and the figure."""
    write_atomically(folder / "kills.json", _json(record))
    write_atomically(folder / "kills.md", kills.markdown(record))
    write_atomically(folder / "kills.svg", kills.svg(kills.faults_of(record), record["examples"]))


def _json(record: dict[str, Any]) -> str:
    """JSON with a line for every fact and every fault."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in record.items() if key != "faults"]
    faults = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in record["faults"].items()]
    return "{\n" + ",\n".join(lines) + ',\n"faults": {\n' + ",\n".join(faults) + "\n}\n}\n"


def wanted(globs: Sequence[str]) -> list[Exhibit]:
    """The exhibits to judge: those that a glob names and whose framework is installed."""
    named = [e for e in HELD if not globs or any(fnmatch.fnmatch(str(e), glob) for glob in globs)]
    return [e for e in named if e.adapter == "plain" or importlib.util.find_spec(e.adapter) is not None]


_ROOMS: list[Room] = []


def _enter(seed: int) -> None:
    """A process has a room of its own."""
    _ROOMS.append(Room(seed))
    atexit.register(_ROOMS[0].close)


def _step(step: str, position: int, examples: int) -> dict[str, Any]:
    room, exhibit = _ROOMS[0], HELD[position]
    found = hunt(room, exhibit, examples) if step == "hunt" else row(room, exhibit)
    return {"family": room.about(exhibit)["family"], "meant": exhibit.expected, **found}


def run(record: dict[str, Any], exhibits: Sequence[Exhibit], folder: Path, *, steps: Sequence[str], jobs: int) -> None:
    """Judge what the record lacks; all faults by the property meant first, then by every property."""
    laws = registry.catalogue().properties
    own = {"mp_context": multiprocessing.get_context("spawn"), "initializer": _enter, "initargs": (record["seed"],)}
    with ProcessPoolExecutor(jobs, **own) as pool:
        for step in steps:
            todo = [e for e in exhibits if step not in record["faults"].get(str(e), {})]
            begun = {pool.submit(_step, step, HELD.index(e), record["examples"]): str(e) for e in todo}
            for future in as_completed(begun):
                name = begun[future]
                record["faults"].setdefault(name, {}).update(future.result())
                record = completed(record, laws)
                publish(record, folder)
                print(f"{name} {step} {record['faults'][name].get('hunt', '')}", flush=True)  # noqa: T201
    publish(completed(record, laws), folder)


def main() -> None:
    """Judge and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", action="append", default=[], metavar="GLOB", help="exhibits, as file:name; repeatable"
    )
    parser.add_argument("--meant", action="store_true", help="only by the property meant for each fault")
    parser.add_argument(
        "--resume", action="store_true", help="keep what the record holds, its seed and its examples too"
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--examples", type=int, help=f"cases of the property meant (default: {EXAMPLES})")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--output", type=Path, default=REPORTS, metavar="FOLDER")
    given = parser.parse_args()
    path = given.output / "kills.json"
    if given.resume and (given.seed is not None or given.examples is not None):
        parser.error("--resume goes on with the record's own seed and examples. Leave --seed and --examples out.")
    if given.resume and path.is_file():
        record = json.loads(path.read_text(encoding="utf-8"))
    else:
        seed = secrets.randbits(32) if given.seed is None else given.seed
        record = fresh(seed, given.examples or EXAMPLES)
    print(f"seed {record['seed']}", flush=True)  # noqa: T201
    steps = ["hunt"] if given.meant else ["hunt", "cells"]
    run(record, wanted(given.only), given.output, steps=steps, jobs=given.jobs)


if __name__ == "__main__":
    main()
