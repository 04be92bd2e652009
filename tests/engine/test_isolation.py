"""No process but a worker ever imports a framework, and a user's file is imported in workers only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FAKE = """
import json, os, sys
with open(os.environ["IMPORT_LOG"], "a") as log:
    log.write(json.dumps(sys.orig_argv) + "\\n")
class Tensor: pass
"""
LAYER = """
import {framework}
import numpy as np, regcheck
class Layer:
    def value(self, w):
        return w.dtype.type(0)
@regcheck.implements("l1")
def layer(config):
    return Layer()
"""
VERIFY = """
import sys
from regcheck.plan import Request
from regcheck.run import verify
report = verify(Request(targets=(sys.argv[1],), profile="quick", jobs=1), lambda *_: None)
print(report.summary.planned, report.summary.inconclusive, report.problems)
"""


def imports_of(framework: str, folder: Path) -> list[list[str]]:
    """Command lines of the processes that imported a fake framework during a run on a file that imports it."""
    package = folder / "fakes" / framework
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FAKE)
    (folder / "layer.py").write_text(LAYER.format(framework=framework))
    log = folder / "log"
    environment = {**os.environ, "PYTHONPATH": str(folder / "fakes"), "IMPORT_LOG": str(log)}
    command = [sys.executable, "-P", "-c", VERIFY, str(folder / "layer.py")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) > 0, done.stdout
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_only_workers_import_a_framework(tmp_path: Path) -> None:
    for framework in ("torch", "tensorflow", "keras", "sklearn"):
        folder = tmp_path / framework
        seen = imports_of(framework, folder)
        assert seen
        for command in seen:
            assert any("worker.main" in word for word in command), command
