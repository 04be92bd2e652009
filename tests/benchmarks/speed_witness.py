"""What the minimal witness of a faulty layer costs, and how large it is, against Hypothesis' own shrinking."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import hypothesis
import numpy as np
import speed_clock as clock
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regcheck.case import Case
from regcheck.cases.norms import EPS
from regcheck.evaluate import evaluate
from regcheck.families import LayerNormConfig
from regcheck.judge import Settings
from regcheck.processes import Server

ITEM = "4. To the minimal witness"
FOLDER = Path(__file__).parents[1] / "faults"
FAULTS = {
    "OnePassVariance": ("plain_layer_norm.py", "layer_norm.matches-definition"),
    "EpsOutsideRoot": ("plain_layer_norm.py", "layer_norm.matches-definition"),
    "TailLeftOut": ("plain_layer_norm_axes.py", "layer_norm.matches-definition"),
    "ScaleIsOneNumber": ("plain_layer_norm_axes.py", "layer_norm.matches-definition"),
    "ShiftBeforeScale": ("plain_layer_norm_axes.py", "layer_norm.matches-definition"),
    "VarianceDetached": ("plain_layer_norm_gradients.py", "layer_norm.gradient-input"),
}
MOST = 1000


@st.composite
def drawn(draw, names):
    """A case whose arrays Hypothesis draws, element by element."""
    rows, length = draw(st.integers(1, 12)), draw(st.integers(1, 33))
    dims = {name: ("N", "F0") if name in {"x", "cotangent"} else ("F0",) for name in names}
    shapes = {"N": rows, "F0": length}
    elements = st.floats(-1000, 1000, width=32)
    made = {
        name: draw(arrays(np.float32, tuple(shapes[dim] for dim in along), elements=elements))
        for name, along in dims.items()
    }
    config = LayerNormConfig((length,), draw(st.sampled_from(EPS)), affine=True)
    return Case(config, "float32", made, dims, ("N",), {"training": True, "index": 0})


def size(case):
    """How many numbers a reader finds in a case's arrays."""
    return sum(array.size for array in case.arrays.values())


def ours(subject, law, number):
    """(seconds, elements) of judging until the smallest failing case."""
    workers = (lambda: clock.of_workers(subject.server, subject.session)) if subject.server else lambda: 0.0
    before = clock.own() + workers()
    _, found = subject.judge(law, "float32", Settings(seed=number))
    subject.session.close()
    seconds = clock.own() + workers() - before
    return seconds, size(found.finding.case) if found.finding else None


def theirs(subject, law, number):
    """(seconds, elements) of Hypothesis' search for the simplest example of arrays that fails the same law."""
    names = ("x", "scale", "shift", *(["cotangent"] if "gradient" in law.id else []))
    phases = [Phase.generate, Phase.shrink]
    health = list(HealthCheck)
    how = hypothesis.settings(
        max_examples=MOST, database=None, deadline=None, phases=phases, suppress_health_check=health
    )

    def fails(case):
        return evaluate(law, case, subject.session).violation is not None

    before = clock.own()
    try:
        found = hypothesis.find(drawn(names), fails, settings=how, random=random.Random(number), database_key=b"")  # noqa: S311
    except hypothesis.errors.NoSuchExample:
        return clock.own() - before, None
    return clock.own() - before, size(found)


def measure(rounds):
    """Rows of item 4: every fault in turns, in process and through a worker."""
    server = Server(sys.executable, ("plain",))
    seen = {}
    try:
        for number in range(rounds):
            for fault, (file, name) in FAULTS.items():
                source = {"kind": "file", "path": str(FOLDER / file)}
                local, remote = clock.Subject(fault, source), clock.Subject(fault, source, server=server)
                law = clock.LAWS[name]
                one = ours(local, law, number), ours(remote, law, number), theirs(local, law, number)
                seen.setdefault(fault, []).append(one)
    finally:
        server.close()
    return [row for fault, found in seen.items() for row in _rows(fault, found)]


def _rows(fault, found):
    """A fault's times, in process and through a worker, over Hypothesis', and the sizes of the witnesses."""
    local, remote, plain = (tuple(zip(*side, strict=True)) for side in zip(*found, strict=True))
    idea = f"{FAULTS[fault][1]}: Hypothesis' `find` on `arrays`, over the judge"
    for where, side in (("in process", local), ("through a worker", remote)):
        yield clock.compared(ITEM, f"{fault}, {where}", f"{idea}; CPU", "{:.3f} s", (plain[0], side[0]))
    sizes = [(other, own) for other, own in zip(plain[1], local[1], strict=True) if None not in {other, own}]
    if sizes:
        what = f"{fault}, size (found in {len(sizes)} of {len(found)})"
        pair = tuple(zip(*sizes, strict=True))
        yield clock.compared(ITEM, what, f"{idea}; elements of the witness", "{:.0f} elements", pair)
