"""The tests that pytest-benchmark runs, one a row. Not part of any test suite: `regcheck bench` starts them.

Each round times the reference first, then the layer: a, b, a, b. The problem, both results and both paces are
checked and taken before; the last timed results are checked after.
"""

from __future__ import annotations

import functools
import gc
import time
from typing import TYPE_CHECKING, Any

from regcheck.bench.worker import BenchWorker, Outcome

if TYPE_CHECKING:
    import pytest


@functools.cache
def worker() -> BenchWorker:
    """The one worker of this process; it reads its orders from the file that REGCHECK_BENCH names."""
    return BenchWorker.from_environment()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each row that was ordered."""
    numbers = worker().numbers()
    metafunc.parametrize("number", numbers, ids=[f"row-{number}" for number in numbers])


def test_row(number: int, request: pytest.FixtureRequest) -> None:
    """Measure a row, tell what came of it."""
    with worker().row(number) as outcome:
        _measure(outcome, request)


def _measure(outcome: Outcome, request: pytest.FixtureRequest) -> None:
    pair = worker().pair(outcome)
    # Only now: pytest-benchmark warns of a fixture that was not used, and a void row does not use it.
    benchmark: Any = request.getfixturevalue("benchmark")
    worker().copies.sample()
    gc.collect()
    gc.disable()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        result = benchmark.pedantic(pair.timed_round, setup=pair.reference_round, rounds=pair.rounds)
    finally:
        gc.enable()
    outcome.fields["cpu_share"] = round((time.process_time() - cpu) / (time.perf_counter() - wall), 3)
    worker().copies.sample()
    outcome.error_after(pair.check_after(result))
    # What --benchmark-json would write at the end of the session; told now, it outlives a layer that ends the process.
    outcome.record = {**benchmark.stats.as_dict(include_data=True), "extra_info": pair.facts()}
