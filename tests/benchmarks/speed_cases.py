"""Cases judged per second of processor time, against plain Hypothesis, the layer alone, and PyTorch's gradcheck."""

from __future__ import annotations

import cProfile
import pstats
import re
import sys
from typing import Any
from unittest import mock

import numpy as np
import speed_clock as clock
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regcheck import bounds, reference
from regcheck.cases import norms
from regcheck.families import LayerNormConfig
from regcheck.judge import Settings
from regcheck.processes import Server

LENGTH = clock.LENGTH
CASES = 2000
GRADIENT_CASES = 600
TOP = 12
PACKAGES = ("built in", "hypothesis", "numpy", "regcheck", "regcheck_properties", "torch")
RATES = "1. Cases judged"
LAYER = "2. Over the layer alone"
GRADIENTS = "5. Gradient checks"
WIDE = "7. Batches of one size"
WIDTHS = (16, 64, 256, 1024, 4096)  # rows
WIDE_BATCHES = 20
PLAIN = {
    "`arrays` as it is": {"rows": 1, "examples": 120},
    "`arrays` with every element drawn": {"rows": 1, "examples": 60, "fill": st.nothing()},
    "`arrays` of 24 rows, each counted as a case": {"rows": 24, "examples": 60},
}


def judged(subject, law, dtype, number, count):
    """(cases, batches, seconds of the judge, seconds of the worker) of one passing cell."""
    before = clock.own(), clock.of_worker(subject.session)
    judge, found = subject.judge(law, dtype, Settings(examples=count, seed=number))
    after = clock.own(), clock.of_worker(subject.session)
    if found.cell.verdict != "passed":
        sys.exit(f"{law.id}: {found.cell.verdict}, {found.cell.reason}")
    return found.cell.examples, judge.tally.history, after[0] - before[0], after[1] - before[1]


# --- the same property, written plainly


def plain(number, rows, examples, fill=None):
    """Cases per second of the definition under `given`, on `rows` rows of LENGTH elements an example."""
    layer, check = _layer_and_check(np.random.default_rng(number))
    elements = st.floats(-1000, 1000, width=32)
    seen = 0

    @seed(number)
    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(arrays(np.float32, (rows, LENGTH), elements=elements, fill=fill))
    def holds(x):
        nonlocal seen
        seen += 1
        check(x, layer(torch.from_numpy(x)).detach().numpy())

    before = clock.own()
    holds()
    return rows * seen / (clock.own() - before)


def _layer_and_check(rng):
    config = LayerNormConfig((LENGTH,), 1e-5, affine=True)
    scale, shift = (rng.standard_normal(LENGTH).astype(np.float32) for _ in range(2))
    layer = torch.nn.LayerNorm(config.shape, config.eps)
    layer.load_state_dict({"weight": torch.from_numpy(scale), "bias": torch.from_numpy(shift)})
    return layer, _check(config, scale, shift)


def _check(config, scale, shift):
    """A function of x and y that asserts the definition: oracle, bound and comparison."""
    gamma, beta = reference.widen(scale), reference.widen(shift)
    ar = bounds.arithmetic("float32")

    def check(x, y):
        norm = reference.layer_norm.standardise(x, config)
        standard = bounds.standard(norm, ar)
        want = gamma * norm.z + beta
        bound = bounds.affine(standard, norm.z, want, ar, gamma)
        assert np.all((np.abs(y - want) <= bound) | ~standard.judged)

    return check


def checked(batches):
    """Seconds of the oracle, the bound and the comparison alone, of the float32 batches."""
    ready = []
    for case in batches:
        scale, shift = (case.arrays.get(name, np.float32(one)) for name, one in (("scale", 1), ("shift", 0)))
        ready.append((_check(case.config, scale, shift), case["x"], _built(case)(torch.from_numpy(case["x"]))))
    ready = [(check, x, y.detach().numpy()) for check, x, y in ready]
    before = clock.own()
    for check, x, y in ready:
        check(x, y)
    return clock.own() - before


# --- the layer alone


def alone(batches, repeats=5):
    """Seconds of calling ready layers on the batches."""
    ready = [(_built(case), torch.from_numpy(case["x"])) for case in batches]
    before = clock.own()
    for _ in range(repeats):
        for layer, x in ready:
            layer(x)
    return (clock.own() - before) / repeats


def built_and_called(batches, repeats=5):
    """Seconds of building a layer for every batch, setting its parameters, calling it, and taking its result."""
    before = clock.own()
    for _ in range(repeats):
        for case in batches:
            _built(case)(torch.from_numpy(case["x"])).detach().numpy()
    return (clock.own() - before) / repeats


def _built(case):
    dtype = getattr(torch, case.dtype)
    layer = torch.nn.LayerNorm(case.config.shape, case.config.eps, case.config.affine, dtype=dtype)
    if "scale" in case.arrays:
        given = {"weight": case["scale"], "bias": case["shift"]}
        layer.load_state_dict({name: torch.from_numpy(array) for name, array in given.items()})
    return layer


# --- gradients


def gradchecked(batches, *, singly=False):
    """Seconds of `gradcheck(fast_mode=True)` of dx on normal data of the batches' shapes, or of their first rows'."""
    ready = [(_built(case), torch.randn(case["x"].shape, dtype=torch.float64)) for case in batches]
    ready = [(layer, (x[:1] if singly else x).requires_grad_()) for layer, x in ready]
    before = clock.own()
    passed = [torch.autograd.gradcheck(layer, (x,), fast_mode=True, raise_exception=False) for layer, x in ready]
    seconds = clock.own() - before
    if not all(passed):
        sys.exit(f"gradcheck passed {sum(passed)} of {len(passed)}")
    return seconds


# --- all of it, in turns


def measure(rounds):
    """Rows of items 1, 2 and 5."""
    server = Server(sys.executable, ("torch",))
    try:
        subjects = {"through a worker": clock.torch_layer_norm(server), "in process": clock.torch_layer_norm()}
        parts = _Forward(subjects), _Backward(subjects), _Wide(subjects)
        for number in range(rounds + 1):
            for part in parts:
                part.measure(number)
                if number == 0:  # what is made once: imports, the worker, caches
                    part.seen.clear()
        for subject in subjects.values():
            subject.session.close()
    finally:
        server.close()
    return [row for part in parts for row in part.rows()]


class _Part:
    """Figures by name, a list of rounds each."""

    def __init__(self, subjects):
        self.subjects = subjects
        self.seen: dict[str, list[float]] = {}

    def note(self, name: str, figure: float) -> None:
        """Keep one round's figure."""
        self.seen.setdefault(name, []).append(figure)

    def row(self, item: str, what: str, idea: str, words: str, names: tuple[str, str]) -> Any:
        """One name's figures over another's."""
        return clock.compared(item, what, idea, words, (self.seen[names[0]], self.seen[names[1]]))


class _Forward(_Part):
    law = clock.of_length("layer_norm.matches-definition")
    whole = clock.LAWS["layer_norm.matches-definition"]

    def measure(self, number):
        for name, keywords in PLAIN.items():
            self.note(name, plain(number, **keywords))
        self.note("elements", LENGTH * self.seen["`arrays` as it is"][-1])
        for where, subject in self.subjects.items():
            count, batches, judge, worker = judged(subject, self.law, "float32", number, CASES)
            self.note(f"cases {where}", count / (judge + worker))
            self.note(f"judge {where}", judge)
            self.note(f"worker {where}", worker)
            self.note(f"seconds {where}", judge + worker)
            self.note(f"alone {where}", alone(batches))
            self.note(f"built {where}", built_and_called(batches))
            self.note(f"checked {where}", checked(batches))
            _, batches, judge, worker = judged(subject, self.whole, "float32", number, CASES)
            self.note(f"elements {where}", sum(case["x"].size for case in batches) / (judge + worker))

    def rows(self):
        per_second = "{:,.0f} cases/s"
        for where in self.subjects:
            for name in PLAIN:
                idea = f"rows of {LENGTH}, float32, same bound; over plain `@given`, {name}"
                yield self.row(RATES, where, idea, per_second, (f"cases {where}", name))
            idea = "the law as it is, elements of x per second; over plain `@given`, `arrays` as it is"
            yield self.row(RATES, where, idea, "{:,.0f} elements/s", (f"elements {where}", "elements"))
        idea = "share of the worker in both processes' time"
        names = ("worker through a worker", "seconds through a worker")
        yield self.row(RATES, "through a worker", idea, "{:.3f} s", names)
        for where in self.subjects:
            idea = "share of the oracle, the bound and the comparison: what a compiled check could save at most"
            yield self.row(RATES, where, idea, "{:.3f} s", (f"checked {where}", f"seconds {where}"))
        for where in self.subjects:
            idea = "judging the batches, over calling ready layers on them"
            yield self.row(LAYER, where, idea, "{:.4f} s", (f"seconds {where}", f"alone {where}"))
            idea = "judging the batches, over building a layer for each, setting γ and β, and calling it"
            yield self.row(LAYER, where, idea, "{:.4f} s", (f"seconds {where}", f"built {where}"))


class _Backward(_Part):
    law = clock.of_length("layer_norm.gradient-input")

    def measure(self, number):
        for where, subject in self.subjects.items():
            count, batches, judge, worker = judged(subject, self.law, "float64", number, GRADIENT_CASES)
            self.note(f"cases {where}", count / (judge + worker))
            self.note(f"together {where}", count / gradchecked(batches))
            self.note(f"singly {where}", len(batches) / gradchecked(batches, singly=True))

    def rows(self):
        for where in self.subjects:
            idea = f"rows of {LENGTH}, float64; over `gradcheck(fast_mode=True)` of the same batches, a row a case"
            yield self.row(GRADIENTS, where, idea, "{:,.0f} cases/s", (f"cases {where}", f"together {where}"))
            idea = f"rows of {LENGTH}, float64; over `gradcheck(fast_mode=True)` of one row a call"
            yield self.row(GRADIENTS, where, idea, "{:,.0f} cases/s", (f"cases {where}", f"singly {where}"))


class _Wide(_Part):
    """What is the same for every batch, and what each row adds."""

    law = clock.of_length("layer_norm.matches-definition")

    def measure(self, number):
        name = "`arrays` as it is"
        self.note(name, plain(number, **PLAIN[name]))
        for rows in WIDTHS:
            sizes = {"ROWS": (rows,), "MANY_ROWS": (rows,), "MANY_ELEMENTS": rows * LENGTH}
            for where, subject in self.subjects.items():
                with mock.patch.multiple(norms, **sizes):
                    count, batches, judge, worker = judged(subject, self.law, "float32", number, WIDE_BATCHES * rows)
                self.note(f"{rows} {where}", count / (judge + worker))
                if where == "in process":
                    self.note(f"{rows} seconds", judge + worker)
                    self.note(f"{rows} checked", checked(batches))

    def rows(self):
        for where in self.subjects:
            for rows in WIDTHS:
                idea = f"batches of {rows} rows of {LENGTH}, float32; over plain `@given`, `arrays` as it is"
                yield self.row(WIDE, where, idea, "{:,.0f} cases/s", (f"{rows} {where}", "`arrays` as it is"))
        for rows in WIDTHS:
            idea = f"batches of {rows} rows: share of the oracle, the bound and the comparison"
            yield self.row(WIDE, "in process", idea, "{:.3f} s", (f"{rows} checked", f"{rows} seconds"))


# --- where the time goes


def profile():
    """One run of item 1 in process under cProfile: the functions that take most of their own time, and packages."""
    subject = clock.torch_layer_norm()
    judged(subject, _Forward.law, "float32", 0, CASES)
    profiler = cProfile.Profile()
    profiler.runcall(judged, subject, _Forward.law, "float32", 1, CASES)
    subject.session.close()
    return _table(pstats.Stats(profiler).stats)


def _table(stats):
    total = sum(own for _, _, own, _, _ in stats.values())
    functions = [
        {"function": _named(*place), "calls": calls, "own": own / total, "with what it calls": whole / total}
        for place, (_, calls, own, whole, _) in stats.items()
    ]
    packages: dict[str, float] = {}
    for found in functions:
        package = found["function"].partition("/")[0].partition(":")[0]
        package = package if package in PACKAGES else "the rest"
        packages[package] = packages.get(package, 0.0) + found["own"]
    functions.sort(key=lambda found: -found["own"])
    return {"functions": functions[:TOP], "packages": dict(sorted(packages.items(), key=lambda item: -item[1]))}


def _named(file, line, function):
    """A function by its place in its package, wherever that is installed."""
    if file == "~":
        return f"built in: {re.sub(r' at 0x[0-9a-f]+', '', function)}"
    place = re.search(r".*/(?:site-packages|properties|python3\.\d+)/(.*)|.*/(regcheck/.*)|([^/]*)$", file)
    return f"{next(part for part in place.groups() if part is not None)}:{line} {function}"
