"""What a longer run costs in time and memory; no framework is imported here, so that the judge's memory is its own."""

from __future__ import annotations

import multiprocessing
import os
import sys

import speed_clock as clock

from regcheck.judge import Settings
from regcheck.processes import Server

ITEM = "6. Cost against length"
SOURCE = {"kind": "module", "name": "regcheck.stock.numpy"}
LAW = "layer_norm.matches-definition"
BASE = 2000
TIMES = (1, 3, 10)


def longer(examples, number):
    """(cases, batches, seconds, MiB of the judge, MiB of the worker) of so many cases by a fresh judge and worker."""
    server = Server(sys.executable, ("plain",))
    subject = clock.Subject("layer_norm", SOURCE, server=server)
    subject.judge(clock.of_length(LAW), "float32", Settings(examples=1))  # what is made once: imports, the worker
    before = clock.own() + clock.of_worker(subject.session)
    judge, found = subject.judge(clock.of_length(LAW), "float32", Settings(examples=examples, seed=number))
    seconds = clock.own() + clock.of_worker(subject.session) - before
    if found.cell.verdict != "passed":
        sys.exit(f"{LAW}: {found.cell.verdict}, {found.cell.reason}")
    peaks = clock.peak_mib(os.getpid()), clock.peak_mib(subject.session.worker.pid)
    subject.session.close()
    server.close()
    return found.cell.examples, judge.tally.examples, seconds, *peaks


def measure(rounds):
    """Rows of item 6."""
    seen = {times: [] for times in TIMES}
    for number in range(rounds):
        for times in TIMES:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seen[times].append(pool.apply(longer, (times * BASE, number)))
    return [row for times in TIMES[1:] for row in _rows(seen[times], seen[TIMES[0]], times)]


def _rows(long, short, times):
    """Time a case, time a batch, and peaks of a long run over those of a short one."""
    idea = f"{LAW} on rows of {clock.LENGTH}, `--examples {times * BASE}` over `--examples {BASE}`"
    for index, unit in ((0, "case"), (1, "batch")):
        costs = tuple([1e6 * one[2] / one[index] for one in side] for side in (long, short))
        yield clock.compared(ITEM, f"{times}×, CPU a {unit}", f"{idea}, both processes", "{:,.0f} µs", costs)
    for index, process in ((3, "judge"), (4, "worker")):
        peaks = tuple([one[index] for one in side] for side in (long, short))
        yield clock.compared(ITEM, f"{times}×, peak of the {process}", f"{idea}, memory", "{:.1f} MiB", peaks)
