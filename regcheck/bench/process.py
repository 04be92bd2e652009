"""The process that measures, as the parent sees it: started, listened to, ended."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regcheck.processes import ENVIRONMENT, describe_status

if TYPE_CHECKING:
    from collections.abc import Iterator

ORDERS = "REGCHECK_BENCH"  # names the file that tells the process what to do
START_SECONDS = 180.0
END_SECONDS = 30.0
TAIL = 2000
# OpenBLAS is slower with any variable of its own; it takes its one thread from OMP_NUM_THREADS. What a framework
# computes with by default stays as its users have it. Foreign pytest plug-ins and options have no place here.
LEFT_OUT = ("OPENBLAS_", "PYTEST_", "GOTO_")
KEPT = {k: v for k, v in ENVIRONMENT.items() if not k.startswith("OPENBLAS_") and k != "TF_ENABLE_ONEDNN_OPTS"}


def environment(orders: Path) -> dict[str, str]:
    """The environment of the process: one thread, no BLAS variable, no foreign pytest plug-in."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(LEFT_OUT)}
    return {**own, **KEPT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", ORDERS: str(orders)}


class Measuring:
    """One run of pytest over one target."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="regcheck-bench-")
        self.folder = Path(self._folder.name)
        ours, theirs = os.pipe()
        self.events = os.fdopen(ours, "rb", buffering=0)
        try:
            self.process = self._start({**orders, "events": theirs}, theirs)
        finally:
            os.close(theirs)
        self.died = ""

    def _start(self, orders: dict[str, Any], pipe: int) -> subprocess.Popen[bytes]:
        path, settings = self.folder / "orders.json", self.folder / "pytest.ini"
        path.write_text(json.dumps(orders), encoding="utf-8")
        settings.write_text("[pytest]\n", encoding="utf-8")
        command = [sys.executable, "-P", "-m", "pytest", "--pyargs", "regcheck.bench.measuring"]
        command += ["-p", "pytest_benchmark.plugin", "-p", "no:cacheprovider"]
        command += ["-c", str(settings), "--rootdir", str(self.folder), "--noconftest", "--import-mode=importlib"]
        command += ["-q", "--tb=short", "--show-capture=no"]
        with (self.folder / "output").open("wb") as output:
            return subprocess.Popen(  # noqa: S603  (our own interpreter)
                command,
                pass_fds=[pipe],
                env=environment(path),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def listen(self, timeout: float) -> Iterator[dict[str, Any]]:
        """Yield what the process tells until it ends; `died` says how it did.

        It is killed when it tells nothing for `timeout` seconds.
        """
        limit, buffer = START_SECONDS, b""
        with selectors.DefaultSelector() as selector:
            selector.register(self.events, selectors.EVENT_READ)
            while True:
                if not selector.select(limit):
                    self.kill()
                    self.died = f"nothing came of it within {limit:g} s"
                    return
                got = self.events.read(65536)
                if not got:
                    break
                *lines, buffer = (buffer + got).split(b"\n")
                for line in lines:
                    limit = timeout
                    yield json.loads(line)
        self._end()

    def _end(self) -> None:
        """Wait for the process, which has closed its pipe."""
        try:
            status = self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self.died = "the process did not end"
            return
        self.died = describe_status(status)

    def last_words(self) -> str:
        """The last lines that the process printed, as one."""
        with contextlib.suppress(OSError), (self.folder / "output").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            return " ".join(file.read().decode("utf-8", "replace").split())
        return ""

    def kill(self) -> None:
        """End the process and what it started; what it told is kept."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """End the process if it still runs, and remove its folder."""
        if self.process.poll() is None:
            self.kill()
        self.events.close()
        self._folder.cleanup()
