"""Worker processes as the judge sees them: start, ask with a time limit, kill, reap."""

from __future__ import annotations

import collections
import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from regcheck import registry, wire
from regcheck.errors import WorkerError

START_SECONDS = 120.0
OUTPUT_TAIL = 4096
PIPE, READ = 1 << 18, 1 << 16  # bytes of a pipe, and of a read from it; larger ones leave the cache and take longer
READS = 16  # between two looks at the clock: a layer may print faster than we read
# One thread, quiet start, no GPU: set before a framework is imported.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "KERAS_BACKEND": "tensorflow",
    "PYTHONUNBUFFERED": "1",
}
# Makes the package `regcheck` alone importable, never the folder that it lies in.
BOOTSTRAP = """
import importlib.util, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "regcheck":
            return importlib.util.spec_from_file_location(
                name, sys.argv[1] + "/__init__.py", submodule_search_locations=[sys.argv[1]])
if sys.path and sys.path[0] == "":
    del sys.path[0]
sys.meta_path.insert(0, Finder)
from regcheck import worker
worker.main(sys.argv[2:])
"""


class Died(Exception):  # noqa: N818  (an observation)
    """The worker ended in the middle of a call; `status` is its exit code, negative for a signal."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(describe_status(status))


class Hung(Exception):  # noqa: N818  (an observation)
    """A call took longer than the time limit; the worker was killed."""


def describe_status(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"the process ended with exit code {status}"
    with contextlib.suppress(ValueError):
        return f"the process was ended by {signal.Signals(-status).name}"
    return f"the process was ended by signal {-status}"


class Server:
    """A process that imported some adapters' frameworks and forks workers."""

    def __init__(self, python: str, preload: tuple[str, ...]) -> None:
        self.python, self.preload = python, preload
        self.peak_mib = 0.0
        ours, theirs = socket.socketpair()
        settings = {"adapters": registry.adapters(), "preload": list(preload), "path": _path()}
        package = str(Path(__file__).resolve().parent)
        command = [python, "-c", BOOTSTRAP, package, str(theirs.fileno()), json.dumps(settings)]
        self.control = ours
        self.control.settimeout(START_SECONDS)
        try:
            self.process = _spawn(command, theirs.fileno())
        except OSError as error:
            ours.close()
            msg = f"{python!r} cannot be started: {error.strerror}. Expected a Python interpreter. Check the path."
            raise WorkerError(msg) from error
        finally:
            theirs.close()
        try:
            self.versions = self._greeting()
        except WorkerError:
            self.close()
            raise

    def _greeting(self) -> dict[str, str]:
        answer = self._line()
        if "ready" not in answer:
            why = answer.get("failed", "no reply")
            msg = f"{self.python} cannot import the adapters {', '.join(self.preload)}: {why}"
            raise WorkerError(msg)
        versions: dict[str, str] = answer["ready"]
        return versions

    def _line(self) -> dict[str, Any]:
        data = b""
        try:
            while not data.endswith(b"\n"):
                got = self.control.recv(65536)
                if not got:
                    break
                data += got
            answer: dict[str, Any] = json.loads(data or b"{}")
        except (OSError, ValueError) as error:
            msg = f"the worker server of {self.python} does not answer: {error}. Check that this interpreter has NumPy."
            raise WorkerError(msg) from error
        if not answer:
            msg = f"the worker server of {self.python} ended without an answer. Check that this interpreter has NumPy."
            raise WorkerError(msg)
        return answer

    def worker(self) -> Worker:
        """Fork a fresh worker."""
        ours, theirs = socket.socketpair()
        read_end, write_end = _pipe()
        try:
            socket.send_fds(self.control, [b'{"fork": true}'], [theirs.fileno(), write_end])
            pid = self._line()["pid"]
        finally:
            theirs.close()
            os.close(write_end)
        return Worker(self, pid, ours, read_end)

    def reap(self, pid: int) -> int:
        """Exit status of an ended worker (negative: signal)."""
        self.control.sendall(json.dumps({"reap": pid}).encode())
        answer = self._line()
        self.peak_mib = max(self.peak_mib, answer["peak_mib"])
        return int(answer["status"])

    def close(self) -> None:
        """End the server and, with it, its workers."""
        self.control.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _spawn(command: list[str], control: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  (the interpreter that the user named)
        command,
        pass_fds=[control],
        env={**os.environ, **ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _pipe() -> tuple[int, int]:
    """A pipe with as much room as can be had: a layer that prints much waits for us less often."""
    ends = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):  # the user's pipes have used up their share: the usual size will do
            fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, PIPE)
    return ends


def _path() -> list[str]:
    """Where a worker finds the user's own modules: the working folder and PYTHONPATH, after everything else."""
    extra = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [str(Path.cwd()), *(p for p in extra if p)]


class Worker:
    """One forked process that holds a layer."""

    def __init__(self, server: Server, pid: int, sock: socket.socket, output: int) -> None:
        self.server, self.pid, self.sock, self.output = server, pid, sock, output
        self.alive = True
        self.printed = 0
        self.draining = 0.0  # seconds of the call that went into reading what the layer printed
        self.buffer = memoryview(bytearray(READ))
        self.tail: collections.deque[bytes] = collections.deque(maxlen=8)
        self.selector = selectors.DefaultSelector()
        self.selector.register(sock, selectors.EVENT_READ)
        self.selector.register(output, selectors.EVENT_READ)
        os.set_blocking(output, False)
        sock.setblocking(False)  # noqa: FBT003

    def ask(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        """The reply to `message` within `timeout` seconds. Raises Died, Hung or wire.BrokenFrame."""
        self.printed, self.draining = 0, 0.0
        deadline = time.monotonic() + timeout
        try:
            self._send(memoryview(wire.pack(message)), deadline)
            header, payload = wire.lengths(bytes(self._receive(wire.PREFIX.size, deadline)))
            head = bytes(self._receive(header, deadline))
            reply = wire.unpack(head, self._receive(payload, deadline))
        except (EOFError, ConnectionError) as error:
            raise Died(self.end()) from error
        except (Hung, wire.BrokenFrame):
            self.end()
            raise
        self._drain()
        return reply

    def _send(self, data: memoryview, deadline: float) -> None:
        while len(data):
            try:
                data = data[self.sock.send(data) :]
            except BlockingIOError:
                self.selector.modify(self.sock, selectors.EVENT_WRITE)
                self._wait(deadline)
                self.selector.modify(self.sock, selectors.EVENT_READ)

    def _receive(self, count: int, deadline: float) -> bytearray:
        data = bytearray(count)
        view = memoryview(data)
        while view:
            try:
                got = self.sock.recv_into(view)
            except BlockingIOError:
                self._wait(deadline)
                continue
            if not got:
                raise EOFError
            view = view[got:]
        return data

    def _wait(self, deadline: float) -> None:
        """Until the socket is ready; what the layer prints meanwhile is drained, which is not the layer's time."""
        while True:
            left = deadline + self.draining - time.monotonic()
            ready = [key.fileobj for key, _ in self.selector.select(max(0.0, left))]
            if self.output in ready:
                self._drain_timed()
            if self.sock in ready:
                return
            if left <= 0:
                raise Hung

    def _drain_timed(self) -> None:
        began = time.monotonic()
        if not self._drain():
            self.selector.unregister(self.output)
        self.draining += time.monotonic() - began

    def _drain(self) -> bool:
        """Read what was printed, at most some pipes full; False when the layer closed its end."""
        for _ in range(READS):
            try:
                got = os.readv(self.output, [self.buffer])
            except BlockingIOError:
                return True
            if not got:
                return False
            self.printed += got
            self.tail.append(bytes(self.buffer[max(0, got - OUTPUT_TAIL) : got]))
        return True

    def text(self) -> str:
        """The last of what the layer printed."""
        return b"".join(self.tail)[-OUTPUT_TAIL:].decode("utf-8", "replace")

    def end(self) -> int:
        """Kill and reap; the exit status (negative: signal), 0 when it had ended before."""
        if not self.alive:
            return 0
        self.alive = False
        self._drain()
        self.sock.close()
        # A worker that ended by itself keeps its own status: it is a zombie until it is reaped.
        time_limit = time.monotonic() + 0.2
        while not _is_zombie(self.pid) and time.monotonic() < time_limit:
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        status = self.server.reap(self.pid)
        self.selector.close()
        os.close(self.output)
        return status


def _is_zombie(pid: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
