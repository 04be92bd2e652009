"""A run that is killed at any moment leaves no unreadable file, and no process."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from regcheck import replay
from regcheck.report import records

MOMENTS = 50
LONGEST = 4.0  # seconds; a quick run of the layer below takes about as long
LAYER = """
import numpy as np
import regcheck

@regcheck.implements("l1")
class Doubled:
    def __init__(self, config):
        self.strength = 2 * config.l1

    def value(self, w):
        return w.dtype.type(self.strength * np.abs(w.astype(np.float64)).sum())
"""


def _processes() -> dict[int, tuple[int, str]]:
    """Parent and state of every process."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
            found[int(file.parent.name)] = int(parent), state
    return found


def _begun_by(process: subprocess.Popen[bytes]) -> set[int]:
    """The judges, servers and workers of a run."""
    running, begun = _processes(), {process.pid}
    for _ in ("judges", "servers", "workers"):
        begun |= {pid for pid, (parent, _) in running.items() if parent in begun}
    return begun - {process.pid}


@pytest.mark.slow
def test_a_run_killed_at_any_moment_leaves_whole_files_and_no_process(tmp_path: Path) -> None:
    layer, report = tmp_path / "doubled.py", tmp_path / "report.json"
    layer.write_text(LAYER, encoding="utf-8")
    command = [sys.executable, "-P", "-m", "regcheck", "verify", str(layer), "--profile", "quick"]
    command += ["--json", str(report)]
    seed = secrets.randbits(32)
    moments = random.Random(seed)  # noqa: S311
    read = 0
    for _ in range(MOMENTS):
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0, LONGEST))
        begun = _begun_by(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if report.exists():
            assert records.read(report).cells is not None, seed
            read += 1
        for path in (tmp_path / ".regcheck").glob("*.json"):
            replay.read(path)
        assert _ends(begun), seed
    assert read, seed


def _ends(pids: set[int]) -> bool:
    """Whether the processes end, within a minute of their parent."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        running = _processes()
        if all(running.get(pid, (0, "Z"))[1] == "Z" for pid in pids):
            return True
        os.sched_yield()
    return False
