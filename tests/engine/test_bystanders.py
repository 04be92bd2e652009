"""What a layer does to its process touches no other implementation of the run, and is not held against itself."""

from __future__ import annotations

import pytest

from regcheck.plan import Request
from regcheck.run import Run

PLAIN = """
import os, random, sys, tempfile, warnings
import numpy as np, regcheck

class Penalty:
    def __init__(self, config):
        self.strength = config.l1
    def value(self, w):
        self.act()
        with np.errstate(all="ignore"):
            return w.dtype.type(self.strength * np.sum(np.abs(w), dtype=np.promote_types(w.dtype, np.float32)))
    def act(self):
        pass

def errors(): np.seterr(all="raise")
def strict(): warnings.simplefilter("error")
def seeds(): np.random.seed(0); random.seed(0)
def folder(): os.chdir(tempfile.gettempdir())
def variables(): os.environ.clear(); os.environ["OMP_NUM_THREADS"] = "3"
def closed(): sys.stdout.close() if sys.stdout else None
def silent(): sys.stdout = sys.stderr = None
def elsewhere(): os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
def path(): sys.path.clear()
def shallow(): sys.setrecursionlimit(200)
def traced(): sys.settrace(lambda *_: None)
ACTS = (errors, strict, seeds, folder, variables, closed, silent, elsewhere, path, shallow, traced)
"""
TORCH = """
import numpy as np, regcheck, torch

class Penalty:
    def __init__(self, config):
        self.strength = config.l1
    def __call__(self, w):
        self.act()
        return self.strength * w.abs().sum()
    def act(self):
        pass

def default(): torch.set_default_dtype(torch.float64)
def flushing(): torch.set_flush_denormal(True)
def seeds(): torch.manual_seed(0)
def threads(): torch.set_num_threads(2)
def printing(): torch.set_printoptions(precision=1)
ACTS = (default, flushing, seeds, threads, printing)
"""
# Each act in an implementation of its own, one that looks whether the world is as it was, and one that does both.
PLAIN_WORLD = """
def world():
    shown = sys.stdout is not None and not sys.stdout.closed, sys.getrecursionlimit(), sys.gettrace()
    shown = *shown, os.fstat(1).st_ino
    return (*shown, np.geterr(), list(warnings.filters), os.getcwd(), dict(os.environ), list(sys.path), drawn())
def drawn():
    return np.random.get_state()[2], random.getstate()[1][-1]
"""
TORCH_WORLD = """
def world():
    tiny = float(np.float32(1e-38) * np.float32(0.1))
    modes = torch.get_num_threads(), torch.get_default_dtype()
    return tiny, torch.initial_seed() == 0, torch._tensor_str.PRINT_OPTS.precision, *modes
"""
WATCHED = """
START = world()
def watch():
    if world() != START:
        raise RuntimeError(f"another world: {START} before, {world()} now")

def implement(name, *acts, framework):
    def act(self):
        for one in acts:
            one()
    kind = type(name, (Penalty,), {"act": act})
    def factory(config):
        return kind(config)
    factory.__name__ = factory.__qualname__ = name
    globals()[name] = regcheck.implements("l1", framework=framework)(factory)

for one in ACTS:
    implement("a_" + one.__name__, one, framework=FRAMEWORK)
    implement("b_" + one.__name__ + "_watched", one, watch, framework=FRAMEWORK)
    implement("c_after_" + one.__name__, watch, framework=FRAMEWORK)
"""


def verdicts(tmp_path, text, framework):
    """The verdict on every implementation, judged one after the other by one judge."""
    file = tmp_path / "bystanders.py"
    file.write_text(f"FRAMEWORK = {framework!r}\n{text}")
    request = Request(targets=(str(file),), properties=("l1.zero-at-zero",), profile="quick", jobs=1)
    report = Run(request, lambda *_: None).verify()
    assert not report.problems
    assert report.canaries == "judged rightly"
    return {cell.implementation: cell.verdict for cell in report.cells}


@pytest.mark.parametrize(
    ("text", "framework"),
    [
        pytest.param(PLAIN + PLAIN_WORLD, None, id="plain"),
        pytest.param(TORCH + TORCH_WORLD, "torch", id="torch", marks=pytest.mark.torch),
    ],
)
def test_what_a_layer_does_to_its_process_ends_with_it(tmp_path, text, framework):
    found = verdicts(tmp_path, text + WATCHED, framework)
    assert len(found) >= 15
    assert {n: v for n, v in found.items() if n.startswith("a_") and v != "passed"} == {}
    assert {n: v for n, v in found.items() if n.startswith("c_") and v != "passed"} == {}
    # The one that looks would have seen it.
    assert {n: v for n, v in found.items() if n.startswith("b_") and v != "failed"} == {}
