"""Mutate the core by machine and see what notices: reports/mutants.json and mutants.md.

    python tests/mutants/mutants.py [--only 'regcheck/bounds/*'] [--sample N | --all] [--jobs J] [--seed SEED]
    python tests/mutants/mutants.py --resume …  as the first, keeping the other modules of the record
    python tests/mutants/mutants.py --again     only the survivors of the record, after a change of the tests
    python tests/mutants/mutants.py --render    the report anew, after a change of equivalent.toml

Every module of `modules.toml` is mutated in a copy of the tree, one mutant at a time, and judged by what is listed
there, in that order, until something notices. First all of it must pass on the right module, and must notice one that
cannot be imported. What was judged is written after every mutant. Survivors that nothing can kill stand in
`equivalent.toml`; an entry that names no mutant, or one that was killed, is an error. Ends with 1 if one is left.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import queue
import random
import secrets
import sys
import tempfile
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import scores
from listed import Module, equivalents, modules
from mutations import Mutant, mutant, places
from trees import LEAST, ROOT, TIMES, Outcome, Tree

from regcheck.files import write_atomically
from regcheck.loading import versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAMPLE = 40
BROKEN = "raise ImportError\n"


def wanted(globs: Sequence[str]) -> list[Module]:
    """The modules that a glob names."""
    return [m for m in modules() if not globs or any(fnmatch.fnmatch(m.path, glob) for glob in globs)]


def chosen(module: Module, sample: int | None, seed: int) -> tuple[int, list[Mutant]]:
    """How many mutants a module has, and those to judge: all, or `sample` of them.

    In an order at random, so that those judged until the time is up are a random sample. Of a sample alone the others
    are not made: those few of them that do not compile, or are one another, count too.
    """
    source = module.source
    order = places(source)
    random.Random(f"{seed} {module.path}").shuffle(order)  # noqa: S311
    different: dict[str, Mutant] = {}
    for place in order:
        if len(different) == sample:
            return len(order), list(different.values())
        made = mutant(module.path, source, *place)
        if made is not None:
            different.setdefault(made.source, made)
    return len(different), list(different.values())


class Workshop:
    """Some copies of the tree, each for one mutant at a time."""

    def __init__(self, folder: Path, jobs: int, seed: int) -> None:
        self.seed = seed
        self.took: dict[str, float] = {}
        self.trees: queue.Queue[Tree] = queue.Queue()
        self.pool = ThreadPoolExecutor(jobs)
        for k in range(jobs):
            self.trees.put(Tree(folder / str(k)))

    def limits(self, module: Module) -> list[float]:
        """Seconds for each killer; the right module must pass all of them, and one that breaks none of them."""
        return list(self.pool.map(lambda killer: self._limit(module, killer), module.killers))

    def _limit(self, module: Module, killer: str) -> float:
        with self._tree() as tree:
            if killer not in self.took:
                begun = time.monotonic()
                wrong = tree.run(killer, self.seed)
                if wrong is not None:
                    msg = f"`{killer}` finds {wrong} in the right tree. Expected nothing. Mend that first."
                    raise SystemExit(msg)
                self.took[killer] = time.monotonic() - begun
            limit = max(LEAST, TIMES * self.took[killer])
            if tree.judge(module.path, BROKEN, [killer], self.seed, [limit]).killer is None:
                msg = f"`{killer}` never imports {module.path}. Expected a killer of it. Name another."
                raise SystemExit(msg)
        return limit

    def judged(self, module: Module, mutants: Sequence[Mutant], minutes: float) -> Iterator[tuple[Mutant, Outcome]]:
        """What becomes of mutants of one module, as far as the minutes go."""
        limits = self.limits(module)
        deadline = time.monotonic() + 60 * minutes

        def one(it: Mutant) -> tuple[Mutant, Outcome] | None:
            if time.monotonic() > deadline:
                return None
            with self._tree() as tree:
                seed = zlib.crc32(f"{self.seed} {it.key}".encode())
                outcome = tree.judge(module.path, it.source, module.killers, seed, limits)
            print(f"{outcome.killer or 'survived'}: {it.key}", flush=True)  # noqa: T201
            return it, outcome

        return (found for found in self.pool.map(one, mutants) if found is not None)

    @contextlib.contextmanager
    def _tree(self) -> Iterator[Tree]:
        tree = self.trees.get()
        try:
            yield tree
        finally:
            self.trees.put(tree)


# --- the record


def fresh(seed: int) -> dict[str, Any]:
    """A record of nothing yet."""
    named = {"cosmic-ray": version("cosmic-ray"), **versions()}
    return {"seed": seed, "versions": named, "modules": {}}


def row(it: Mutant, outcome: Outcome) -> list[Any]:
    """A judged mutant as the record holds it."""
    return [*it.key[1:], it.operator, outcome.killer, outcome.named, round(outcome.seconds, 2)]


def publish(record: dict[str, Any], folder: Path) -> None:
    """Write the record and the report."""
    write_atomically(folder / "mutants.json", _json(record))
    write_atomically(folder / "mutants.md", scores.markdown(record, equivalents(), [m.path for m in modules()]))


def _json(record: dict[str, Any]) -> str:
    """JSON with a line for every fact and every mutant."""
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in record.items() if key != "modules"]
    held = []
    for path, about in record["modules"].items():
        judged = ",\n    ".join(json.dumps(row, ensure_ascii=False) for row in about["mutants"])
        facts = f'"group": {json.dumps(about["group"])}, "places": {about["places"]}'
        held.append(f'  {json.dumps(path)}: {{{facts}, "mutants": [\n    {judged}\n  ]}}')
    return "{\n" + ",\n".join(lines) + ',\n"modules": {\n' + ",\n".join(held) + "\n}\n}\n"


def run(
    shop: Workshop, record: dict[str, Any], named: Sequence[Module], sample: int | None, given: argparse.Namespace
) -> None:
    """Judge the named modules afresh, `sample` mutants of each or all."""
    order = [m.path for m in modules()]
    for module in named:
        count, mutants = chosen(module, sample, record["seed"])
        print(f"{module.path}: {len(mutants)} of {count}", flush=True)  # noqa: T201
        about: dict[str, Any] = {"group": module.group, "places": count, "mutants": []}
        for result in shop.judged(module, mutants, given.minutes):
            about["mutants"].append(row(*result))
            record["modules"][module.path] = about
            record["modules"] = {path: record["modules"][path] for path in order if path in record["modules"]}
            publish(record, given.output)


def again(shop: Workshop, record: dict[str, Any], named: Sequence[Module], given: argparse.Namespace) -> None:
    """Judge the survivors of the record that are not known to be equivalent."""
    left = {one.key for one in scores.unexplained(record, equivalents())}
    for module in named:
        if any(key[0] == module.path for key in left):
            _, mutants = chosen(module, None, record["seed"])
            about = record["modules"][module.path]
            for result in shop.judged(module, [m for m in mutants if m.key in left], given.minutes):
                now = row(*result)
                about["mutants"] = [now if old[:3] == now[:3] else old for old in about["mutants"]]
                publish(record, given.output)


def stale(record: dict[str, Any]) -> list[str]:
    """What is wrong with the list of equivalents."""
    known = equivalents()
    listed = {m.path: m for m in modules() if any(e.module == m.path for e in known)}
    made = {m.key for module in listed.values() for m in chosen(module, None, 0)[1]}
    missing = [f"no such mutant: {key}" for entry in known for key in entry.excuses if key not in made]
    return missing + [f"killed: {key}" for key in scores.killed_though_equivalent(record, known)]


def arguments() -> argparse.Namespace:
    """What the command was given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="GLOB", help="modules, by path; repeatable")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--sample", type=int, default=SAMPLE, help=f"mutants a module (default: {SAMPLE})")
    size.add_argument("--all", action="store_true", help="every mutant")
    parser.add_argument("--again", action="store_true", help="only the survivors of the record")
    parser.add_argument("--render", action="store_true", help="judge nothing, write the report of the record")
    parser.add_argument("--resume", action="store_true", help="keep the other modules of the record, and its seed")
    parser.add_argument("--minutes", type=float, default=600.0, help="for one module; what is judged by then counts")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--output", type=Path, default=ROOT / "reports", metavar="FOLDER")
    return parser.parse_args()


def main() -> int:
    """Judge and write."""
    given = arguments()
    path = given.output / "mutants.json"
    if given.again or given.render or given.resume:
        record = json.loads(path.read_text(encoding="utf-8"))
    else:
        seed = secrets.randbits(32) if given.seed is None else given.seed
        record = fresh(seed)
    if not given.render:
        print(f"seed {record['seed']}", flush=True)  # noqa: T201
        with tempfile.TemporaryDirectory() as folder:
            shop = Workshop(Path(folder), given.jobs, record["seed"])
            if given.again:
                again(shop, record, wanted(given.only), given)
            else:
                run(shop, record, wanted(given.only), None if given.all else given.sample, given)
    publish(record, given.output)
    wrong = stale(record)
    for line in wrong:
        print(line, file=sys.stderr)  # noqa: T201
    return 1 if wrong or scores.unexplained(record, equivalents()) else 0


if __name__ == "__main__":
    sys.exit(main())
