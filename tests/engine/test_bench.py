"""Benchmarks: what is timed is right, what is wrong has no time, and nothing a layer does is lost or spreads."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from regcheck import bench
from regcheck.bench import estimate, process, running
from regcheck.bench.bandwidth import Copies
from regcheck.bench.compare import compare
from regcheck.bench.problems import PASSES, bytes_moved, candidates
from regcheck.bench.records import loads
from regcheck.errors import UsageError
from regcheck.report import exit_code
from regcheck.report.performance import duration, markdown, renderables

LAYERS = """
import ctypes, os, unittest
import regcheck
from regcheck.numpy_layers.alpha_dropout import AlphaDropout
from regcheck.numpy_layers.dropout import ChannelDropout, Dropout
from regcheck.numpy_layers.gaussian_dropout import GaussianDropout
from regcheck.numpy_layers.layer_norm import LayerNorm
from regcheck.numpy_layers.minimiser import FISTA
from regcheck.numpy_layers.penalties import ElasticNet


def wrong(self, x, training):
    return LayerNorm.forward(self, x, training) * 1.001

def overwriting(self, x, training):
    y = LayerNorm.forward(self, x, training)
    x[...] = 0
    return y

def late(self, x, training):
    self.calls = getattr(self, "calls", 0) + 1
    return LayerNorm.forward(self, x, training) + (self.calls > 12)

def skipping(self, x, training):
    raise unittest.SkipTest("\\x1b[31m | no")

def no_gradient(self, cotangent):
    return {"x": cotangent * 0}

def unchanged(self, cotangent):
    return {"x": cotangent}

def no_scale(self, cotangent):
    return {"x": ChannelDropout.backward(self, cotangent)["x"] * 0.75}

def shifted(self, shape):
    return GaussianDropout._draw(self, shape) + 0.2


def declare(name, family, base, arguments, **methods):
    def make(config):
        return type(name, (base,), methods)(*arguments(config))
    make.__name__ = name
    make.__module__ = __name__
    globals()[name] = regcheck.implements(family)(make)

FORWARD = {
    "right": LayerNorm.forward, "wrong": wrong, "overwriting": overwriting, "late": late, "skipping": skipping,
    "dying": lambda self, x, training: ctypes.string_at(0), "leaving": lambda self, x, training: os._exit(0),
}
for name, forward in FORWARD.items():
    declare(name, "layer_norm", LayerNorm, lambda c: (c.shape,), forward=forward)
declare("no_gradient", "layer_norm", LayerNorm, lambda c: (c.shape,), backward=no_gradient)
declare("unscaled", "dropout", Dropout, lambda c: (c.rate,), forward=lambda self, x, training: x * 1)
declare("other_rate", "dropout", Dropout, lambda c: (c.rate + 0.05,))
for family in ("channel_dropout", "drop_path", "alpha_dropout"):
    declare("entries_" + family, family, Dropout, lambda c: (c.rate,))
declare("unscaled_channels", "channel_dropout", ChannelDropout, lambda c: (c.rate, c.ndim), backward=no_scale)
declare("alpha_rate", "alpha_dropout", AlphaDropout, lambda c: (c.rate + 0.05,))
declare("entries_of_channels", "channel_alpha_dropout", AlphaDropout, lambda c: (c.rate,))
declare("noisier", "gaussian_dropout", GaussianDropout, lambda c: (c.rate + 0.1,))
declare("shifted", "gaussian_dropout", GaussianDropout, lambda c: (c.rate,), _draw=shifted)
declare("other_noise", "gaussian_dropout", GaussianDropout, lambda c: (c.rate,), backward=unchanged)
declare("halved", "l2", ElasticNet, lambda c: (0.0, c.l2 / 2))
declare("sloppy", "minimiser", FISTA, lambda c: (c.l1 * 1.01, c.l2))

@regcheck.implements("weight_decay")
def decay(config):
    return None

@regcheck.implements("l1")
def forward_only(config):
    class Penalty:
        def value(self, w):
            return w.dtype.type(config.l1) * abs(w).sum()
    return Penalty()
"""
RUN = """
import json, pathlib, sys
from regcheck import bench
tell = lambda event, row, done, planned: print(event, done, planned, flush=True)
report = bench.run((sys.argv[1],), json=pathlib.Path(sys.argv[2]), sizes=("small",), seconds=0.02, progress=tell)
print(json.dumps([m for m in ("torch", "tensorflow", "keras", "pytest") if m in sys.modules]), report.complete)
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    pytest.importorskip("pytest_benchmark")
    folder = tmp_path_factory.mktemp("bench")
    (folder / "layers.py").write_text(LAYERS)
    command = [sys.executable, "-c", RUN, str(folder / "layers.py"), str(folder / "out.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[] True", "the parent imported a framework"
    return (folder / "out.json").read_bytes()


@pytest.fixture(scope="module")
def report(measured):
    return loads(measured)


def row_of(report, name, timed="forward"):
    (row,) = [r for r in report.rows if (r.implementation, r.timed) == (name, timed)]
    return row


def test_a_right_layer_is_measured_against_its_reference(report):
    row = row_of(report, "right")
    assert row.status == "measured"
    assert row.timing.median.low <= row.timing.median.value == np.median(row.timing.seconds) <= row.timing.median.high
    assert row.bytes_moved == 4 * (2 * 32 * 64 + 2 * 64)
    assert 0 < row.error_over_bound <= 1
    assert row.copy_share.value == pytest.approx(
        row.bytes_moved / row.timing.median.value / report.copy.bandwidth.value
    )
    base = row.ratio.reference_timing
    assert row.ratio.reference in {"torch.LayerNorm", "numpy.layer_norm"}
    assert row.ratio.times.value == pytest.approx(row.timing.median.value / base.median.value)
    assert len(base.seconds) == len(row.timing.seconds)


@pytest.mark.parametrize(
    ("name", "timed", "reason"),
    [
        ("wrong", "forward", "times the bound"),
        ("wrong", "backward", "forward is wrong"),
        ("overwriting", "forward", "times the bound"),
        ("late", "forward", "times the bound"),
        ("skipping", "forward", "SkipTest"),
        ("no_gradient", "backward", "times the bound"),
        ("dying", "forward", "SIGSEGV"),
        ("leaving", "forward", "exit code 0"),
        ("leaving", "backward", "because of forward, small"),
        ("unscaled", "forward, training", "times the bound"),
        ("other_rate", "forward, training", "times the bound"),
        ("other_rate", "backward", "times the bound"),
        ("entries_channel_dropout", "forward, training", "times the bound"),
        ("entries_drop_path", "forward, training", "times the bound"),
        ("entries_alpha_dropout", "forward, training", "times the bound"),
        ("entries_of_channels", "forward, training", "times the bound"),
        ("unscaled_channels", "backward", "times the bound"),
        ("alpha_rate", "forward, training", "times the bound"),
        ("noisier", "forward, training", "times the bound"),
        ("shifted", "forward, training", "times the bound"),
        ("other_noise", "backward", "times the bound"),
        ("halved", "value", "times the bound"),
        ("halved", "gradient", "times the bound"),
        ("sloppy", "minimise", "times the bound"),
    ],
)
def test_a_wrong_layer_has_no_time(report, name, timed, reason):
    row = row_of(report, name, timed)
    assert row.status == "void"
    assert reason in row.reason
    assert row.timing is row.ratio is row.copy_share is None


DEVIATING = """
import regcheck
from regcheck.numpy_layers.penalties import ElasticNet

class Halved(ElasticNet):
    def value(self, w):
        return ElasticNet.value(self, w) / 2

def declare(name, **deviations):
    def make(config):
        return Halved(config.l1, 0.0)
    make.__name__, make.__module__ = name, __name__
    laws = {law.replace("_", "."): deviation for law, deviation in deviations.items()}
    globals()[name] = regcheck.implements("l1", deviations=laws)(make)

declare("said", l1_value=regcheck.Deviation("gives half"))
declare("said_of_half", l1_value=regcheck.Deviation("gives half", strata=("float16",)))
declare("said_of_another_version", l1_value=regcheck.Deviation("gives half", versions={"numpy": ["0."]}))
declare("said_of_something_else", common_finite=regcheck.Deviation("gives half"))
"""


def test_a_wrong_result_that_was_declared_deviates_and_is_no_error(tmp_path):
    pytest.importorskip("pytest_benchmark")
    (tmp_path / "layers.py").write_text(DEVIATING)
    report = bench.run((str(tmp_path / "layers.py"),), sizes=("small",), seconds=0.01)
    row = row_of(report, "said", "value")
    assert row.status == "deviates"
    assert row.reason.startswith("declared: gives half; value is wrong")
    assert row.timing is None
    assert {r.implementation: r.status for r in report.rows if r.timed == "value"} == {
        "said": "deviates",
        "said_of_half": "void",
        "said_of_another_version": "void",
        "said_of_something_else": "void",
    }
    assert exit_code.of_performance(report) == 1
    alone = msgspec.structs.replace(report, rows=[r for r in report.rows if r.implementation == "said"])
    assert exit_code.of_performance(alone) == 0
    assert "1 deviates" in markdown(alone)
    assert exit_code.of_performance(msgspec.structs.replace(alone, rows=[row])) == 0


def test_what_a_layer_does_not_offer_is_not_applicable(report):
    assert row_of(report, "forward_only", "value").status == "measured"
    row = row_of(report, "forward_only", "gradient")
    assert (row.status, row.timing) == ("not-applicable", None)
    assert any("weight_decay" in problem for problem in report.problems)


def test_the_record_is_strict_and_names_no_host(report, measured):
    def refuse(text):
        raise AssertionError(text)

    json.loads(measured, parse_constant=refuse)
    assert platform.node() not in measured.decode() or not platform.node()
    assert loads(bench.dumps(report).encode()) == report
    with pytest.raises(UsageError, match="not a whole performance report"):
        loads(measured[:-40])
    with pytest.raises(UsageError, match="no performance report"):
        loads(b'{"schema": 1}')


def test_markdown_and_table_show_data_as_data(report):
    text = markdown(report)
    assert "\x1b" not in text
    line = next(one for one in text.splitlines() if "skipping" in one)
    assert "void" in line
    assert "s |" not in line.replace("small |", "")
    assert text == markdown(report)
    assert len(list(renderables(report))) > 5


def test_runs_of_different_machines_are_not_compared(report):
    changes = compare(report, report)
    assert {c.times.value for c in changes} == {1.0}
    assert all(c.times.low <= 1 <= c.times.high for c in changes)
    other = msgspec.structs.replace(report, platform={**report.platform, "processor": "another"})
    with pytest.raises(UsageError, match="Run both on one"):
        compare(report, other)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_keeps_what_is_measured(tmp_path):
    pytest.importorskip("pytest_benchmark")
    (tmp_path / "layers.py").write_text(LAYERS)
    command = [sys.executable, "-c", RUN, str(tmp_path / "layers.py"), str(tmp_path / "out.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as running_one:
        next(line for line in running_one.stdout if line.startswith("row"))
        os.kill(running_one.pid, signal.SIGINT)
        assert running_one.stdout.read().splitlines()[-1] == "[] False"
    kept = bench.read(tmp_path / "out.json")
    assert not kept.complete
    assert 0 < len(kept.rows) < 20


def test_a_target_that_cannot_be_loaded_is_an_error_of_use(tmp_path):
    pytest.importorskip("pytest_benchmark")
    (tmp_path / "broken.py").write_text("import no_such_module")
    with pytest.raises(UsageError, match="no_such_module"):
        bench.run((str(tmp_path / "broken.py"),))
    with pytest.raises(UsageError, match="There is no file"):
        bench.run((str(tmp_path / "none.py"),))
    with pytest.raises(UsageError, match="cannot be written"):
        bench.run((str(tmp_path / "broken.py"),), json=tmp_path / "broken.py" / "out.json")
    with pytest.raises(UsageError, match="benchmark for the family"):
        bench.run(family="weight_decay")
    with pytest.raises(UsageError, match="'huge'"):
        bench.run(sizes=("huge",))


def test_a_missing_extra_names_its_remedy(monkeypatch):
    monkeypatch.setattr(running.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install pytest pytest-benchmark"):
        bench.run()


def test_the_environment_has_one_thread_and_no_blas_variable(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        monkeypatch.setenv(name, "1")
    found = process.environment(Path("orders.json"))
    assert found["OMP_NUM_THREADS"] == found["TF_NUM_INTRAOP_THREADS"] == "1"
    assert not [name for name in found if name.startswith("OPENBLAS_")]
    assert "PYTEST_ADDOPTS" not in found
    assert "TF_ENABLE_ONEDNN_OPTS" not in found or "TF_ENABLE_ONEDNN_OPTS" in os.environ


def test_every_pass_moves_what_it_reads_and_writes():
    for family, passes in PASSES.items():
        for size in ("small", "medium", "large"):
            elements = {np.prod(problem.shape) for problem in candidates(family, size, "float32")}
            assert len(elements) == 1, "a size is a number of elements"
        (problem, *_) = candidates(family, "small", "float64")
        assert all(bytes_moved(problem, timed) >= 8 * np.prod(problem.shape) for timed in passes)


def test_intervals_cover_the_truth_and_shared_noise_cancels():
    rng = np.random.default_rng(1)
    hits = covered = 0
    for _ in range(200):
        drift = rng.lognormal(0, 1, 60)
        base, other = drift * rng.lognormal(0, 0.02, 60), 2 * drift * rng.lognormal(0, 0.02, 60)
        ratio = estimate.ratio_of_medians(list(other), list(base))
        median = estimate.median(list(rng.normal(5, 1, 60)))
        hits += ratio.low <= 2 <= ratio.high
        covered += median.low <= 5 <= median.high
        assert ratio.high / ratio.low < 1.2
    assert hits >= 180
    assert covered >= 180


def test_a_share_of_sums_weighs_parts_by_their_size():
    found = estimate.ratio_of_sums([1.0, 3.0] * 50, [2.0, 12.0] * 50)
    assert found.value == pytest.approx(2 / 7)
    assert found.low < 2 / 7 < found.high


def test_copies_walk_through_arrays_beyond_the_cache(monkeypatch):
    monkeypatch.setattr("regcheck.bench.bandwidth._available", lambda: 1 << 30)
    copies = Copies()
    assert copies.source.size == copies.target.size >= 64 << 20
    before = copies.position
    copies.sample()
    assert copies.position != before
    assert min(copies.rates) > 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.5, "1.50 s"), (2.5e-4, "250 µs"), (9.999e-7, "1000 ns"), (3e-10, "0.300 ns")]
)
def test_durations_have_three_digits(seconds, text):
    assert duration(seconds) == text
