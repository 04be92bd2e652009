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
import bounds_minimisers as minimisers
import bounds_norms as norms
import bounds_penalties as penalties
import bounds_penalties_frameworks as natives
import bounds_report as report
import numpy as np
from bounds_tally import Tally

from regcheck import files

ROWS = 10**8
LENGTHS = (1, 2, 3, 5, 8, 17, 32, 33, 64, 127, 128, 1025, 4097)
SIZES = (1, 2, 3, 5, 8, 17, 33, 64, 127, 1025)
ELEMENTS = 2**16  # of a chunk; of weights a quarter
SLOWER = 4  # float16 is slow in NumPy: so many times fewer
PROBLEMS = 200
SAVED = 50  # chunks between two savings
NORMS = ("layer_norm", "rms_norm", "batch_norm")
CENTRED = ("layer_norm", "batch_norm")
WEIGHTS = ("float32", "float64", "float16")


def plan():
    """What every chunk of a round is of: a function and its arguments after the random generator."""
    half = norms.BFLOAT16 if "torch" in frameworks.installed()[0] else ()
    hostile = itertools.product([normalised], NORMS, (*norms.KINDS, *half), LENGTHS)
    lost = itertools.product([ill_conditioned], CENTRED, norms.KINDS[:2], LENGTHS[1:])
    weights = itertools.product([penalised], penalties.FAMILIES, WEIGHTS, SIZES)
    problems = ((minimised, *shape) for shape in (*minimisers.cases.TALL, *minimisers.cases.WIDE))
    return [*hostile, *lost, *weights, *problems]


def normalised(rng, family, kind, n, *, lost=False):
    """(rows of data, what they are, what every implementation makes of them)."""
    elements = ELEMENTS // SLOWER if kind.inner == "float16" else ELEMENTS
    groups = max(norms.BATCH, elements // n // norms.BATCH * norms.BATCH)
    chunk = norms.draw(rng, family, kind, n, groups, lost=lost)
    observed = [] if kind in norms.BFLOAT16 else norms.observe(chunk)
    return groups, f"n = {n}, ε = {chunk.eps:g}", itertools.chain(observed, frameworks.observe(chunk))


def ill_conditioned(rng, family, kind, n):
    """As `normalised`, of rows that differ in their last bits alone."""
    return normalised(rng, family, kind, n, lost=True)


def penalised(rng, family, dtype, n):
    """As `normalised`, of weights."""
    chunk = penalties.draw(rng, family, dtype, n, max(7, ELEMENTS // 4 // n))
    observed = itertools.chain(penalties.observe(chunk), natives.observe(chunk))
    return len(chunk.w), f"n = {n}", observed


def minimised(rng, n, k):
    """As `normalised`, of least-squares problems."""
    chunk = minimisers.draw(rng, n, k, PROBLEMS)
    return PROBLEMS, f"A {n} × {k}", minimisers.observe(chunk, rng)


def judge(tally, seed, number, what, *of):
    """Add chunk `number` to the tally: the seed and the number fix its data."""
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, number])))
    rows, where, observed = what(rng, *of)
    for seen in observed:
        tally.add(seen, f"chunk {number}, {where}")
    tally.data += rows


def run(tally, rows, seed, saved=lambda: None):
    """Rounds of chunks, one whole at least, until `rows` rows were judged."""
    chunks = plan()
    while tally.rows < rows or tally.chunks < len(chunks):
        judge(tally, seed, tally.chunks, *chunks[tally.chunks % len(chunks)])
        tally.chunks += 1
        if tally.chunks % SAVED == 0:
            saved()
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
