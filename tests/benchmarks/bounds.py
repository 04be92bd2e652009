"""Validates the bounds: how near correct implementations, written in different ways, come to them.

    python tests/benchmarks/bounds.py [--rows N] [--seed S] [--resume] [--output FILE]

Rows are drawn by the recipes of the cases and judged by the hundred thousand, in this process. `--output` writes the
report and, beside it, a .json file that `--resume` goes on from.
"""

import argparse
import itertools
import json
import platform
import secrets
import sys
from pathlib import Path

import bounds_frameworks as frameworks
import bounds_norms as norms
import bounds_report as report
import numpy as np
from bounds_tally import Tally

from regcheck import files

ROWS = 10**8
LENGTHS = (1, 2, 3, 5, 8, 17, 32, 33, 64, 127, 128, 1025, 4097)
ELEMENTS = 2**16  # of a chunk
SLOWER = 4  # float16 is slow in NumPy: so many times fewer
NORMS = ("layer_norm", "batch_norm")


def plan():
    """(what, kind, n) of every chunk of a round."""
    kinds = (*norms.KINDS, *(norms.BFLOAT16 if "torch" in frameworks.installed()[0] else ()))
    return list(itertools.product(NORMS, kinds, LENGTHS))


def groups(kind, n):
    """Rows of a chunk: at least one batch of layer_norm's."""
    elements = ELEMENTS // SLOWER if kind.inner == "float16" else ELEMENTS
    return max(norms.BATCH, elements // n // norms.BATCH * norms.BATCH)


def judge(tally, seed, number, family, kind, n):  # noqa: PLR0913, PLR0917  (a chunk's address)
    """Add chunk `number` to the tally: the seed and the number fix its data."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number])))
    chunk = norms.draw(rng, family, kind, n, groups(kind, n))
    observed = [] if kind in norms.BFLOAT16 else norms.observe(chunk)
    where = f"chunk {number}, n = {n}, ε = {chunk.eps:g}"
    for seen in itertools.chain(observed, frameworks.observe(chunk)):
        tally.add(seen, where)
    tally.data += chunk.x.shape[1]


def run(tally, rows, seed, saved=lambda: None):
    """Whole rounds of chunks until `rows` rows were judged."""
    chunks = plan()
    while tally.rows < rows:
        for family, kind, n in chunks:
            judge(tally, seed, tally.chunks, family, kind, n)
            tally.chunks += 1
        saved()


def facts(seed):
    """What the report names beside its figures."""
    versions = {"python": platform.python_version(), "numpy": np.__version__}
    there, missing = frameworks.installed()
    versions |= {name: str(sys.modules[name].__version__) for name in there if name in sys.modules}
    return {"seed": seed, "versions": versions, "missing": missing, "machine": platform.machine()}


def main():
    """Judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="judged in all, by all implementations together")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--resume", action="store_true", help="go on from the .json file beside --output")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    if given.resume and not given.output:
        parser.error("--resume goes on from the .json file beside --output; give --output")
    frameworks.quiet()
    tally, seed = Tally(), given.seed if given.seed is not None else secrets.randbits(32)
    beside = given.output.with_suffix(".json") if given.output else None
    if given.resume:
        record = json.loads(beside.read_text(encoding="utf-8"))
        tally, seed = Tally.of(record), record["seed"]

    def save():
        if beside:
            files.write_atomically(beside, json.dumps({**facts(seed), **tally.record()}, ensure_ascii=False) + "\n")

    run(tally, given.rows, seed, save)
    text = report.text(tally, facts(seed), given.rows)
    sys.stdout.write(text)
    if given.output:
        files.write_atomically(given.output, text)


if __name__ == "__main__":
    main()
