"""Worker processes: what they do is seen, and nothing of it reaches the judge or the next worker."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from regcheck.errors import WorkerError
from regcheck.families import PenaltyConfig
from regcheck.host import Fault, Session
from regcheck.implementation import Unsupported
from regcheck.processes import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = """
import os, sys, numpy as np, regcheck
class Layer:
    def __init__(self, config):
        self.parameters = {{"scale": np.ones(2)}}
    def value(self, w):
        {body}
        return w.dtype.type(w.sum())
@regcheck.implements("l1")
def layer(config):
    return Layer(config)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this interpreter."""
    found = Server(sys.executable, ("plain",))
    yield found
    found.close()


def session(server: Server, folder: Path, body: str, timeout: float = 10.0) -> Session:
    """A session on a layer whose `value` first runs `body`."""
    path = folder / "layer.py"
    path.write_text(TEMPLATE.format(body=body))
    return Session(server, {"kind": "file", "path": str(path)}, "layer", "l1", {}, timeout)


def value(found: Session, w: Any = None) -> float:
    """One call."""
    found.reset()
    layer = found.make(PenaltyConfig(l1=1.0), "float64")
    try:
        return float(layer.value(np.ones(3) if w is None else w))
    finally:
        found.audit = layer.audit  # type: ignore[attr-defined]


def test_a_gigabyte_of_output_is_drained_and_counted(server: Server, tmp_path: Path) -> None:
    found = session(server, tmp_path, "[os.write(1, b'x' * 65536) for _ in range(16384)]", 60.0)
    assert value(found) == 3
    assert found.audit.printed == 2**30  # type: ignore[attr-defined]
    assert len(found.output) <= 4096
    found.close()


def test_reading_what_a_layer_prints_is_not_its_time(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = os.readv

    def slowly(*arguments: Any) -> int:
        time.sleep(0.01)
        return read(*arguments)

    found = session(server, tmp_path, "[os.write(1, b'x' * 65536) for _ in range(256)]", 1.0)
    value(found)
    monkeypatch.setattr(os, "readv", slowly)
    began = time.monotonic()
    assert value(found) == 3
    assert time.monotonic() - began > 2
    found.close()


def test_a_layer_that_prints_for_ever_hangs(server: Server, tmp_path: Path) -> None:
    found = session(server, tmp_path, "\n        while True: os.write(1, b'x' * 65536)", 0.5)
    with pytest.raises(Fault, match=r"no result within 0.5 s"):
        value(found)
    found.close()


def test_an_overwritten_argument_is_seen_and_stays_the_workers_own(server: Server, tmp_path: Path) -> None:
    found = session(server, tmp_path, "w[0] = 7")
    w = np.ones(3)
    value(found, w)
    assert found.audit.changed == ("w",)  # type: ignore[attr-defined]
    assert w.tolist() == [1, 1, 1]
    found.close()


DEATHS = {
    "os._exit(0)": ("died", "exit code 0"),
    "os._exit(3)": ("died", "exit code 3"),
    "os.abort()": ("died", "SIGABRT"),
    "os.kill(os.getpid(), 9)": ("died", "SIGKILL"),
    "os.closerange(0, 256)": ("died", ""),
    "raise SystemExit(0)": ("raised", "SystemExit"),
    "np.zeros(1 << 40).sum()": ("raised", "MemoryError"),
    "bytearray(1 << 34)": ("raised", "MemoryError"),
}


@pytest.mark.parametrize("body", DEATHS)
def test_the_end_of_a_worker_is_named_and_the_next_one_works(server: Server, tmp_path: Path, body: str) -> None:
    found = session(server, tmp_path, body)
    with pytest.raises(Fault) as seen:
        value(found)
    kind, text = DEATHS[body]
    assert seen.value.kind == kind
    assert text in seen.value.sentence()
    (tmp_path / "layer.py").write_text(TEMPLATE.format(body=""))
    found.renew()
    assert value(found) == 3
    found.close()


@pytest.mark.parametrize(
    "body", ["while True: pass", "import time; time.sleep(999)", "import re; re.match('(a*)*b', 'a' * 99)"]
)
def test_a_call_without_end_is_killed(server: Server, tmp_path: Path, body: str) -> None:
    found = session(server, tmp_path, body, 0.5)
    started = time.monotonic()
    with pytest.raises(Fault, match="no result within"):
        value(found)
    assert time.monotonic() - started < 60
    found.close()


def test_state_of_one_worker_does_not_reach_the_next(server: Server, tmp_path: Path) -> None:
    found = session(server, tmp_path, "np.seterr(all='raise'); os.environ['MOOD'] = 'bad'; os.chdir('/')")
    value(found)
    found.renew()
    (tmp_path / "layer.py").write_text(TEMPLATE.format(body="assert 'MOOD' not in os.environ; np.float64(1) / 0"))
    with np.errstate(all="ignore"):
        assert value(found) == 3
    found.close()


def test_a_missing_parameter_is_unsupported_by_name(server: Server, tmp_path: Path) -> None:
    found = session(server, tmp_path, "")
    layer = found.make(PenaltyConfig(l1=1.0), "float64")
    layer.assign_parameters({"shift": np.zeros(2)})
    with pytest.raises(Unsupported, match="shift"):
        layer.value(np.ones(3))
    found.close()


def test_workers_end_with_their_server(tmp_path: Path) -> None:
    found = Server(sys.executable, ("plain",))
    running = session(found, tmp_path, "")
    value(running)
    assert running.worker is not None
    worker, pid = running.worker, running.worker.pid
    found.close()
    worker.sock.close()
    worker.selector.close()
    os.close(worker.output)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        os.sched_yield()
    assert not Path(f"/proc/{pid}").exists()


def test_an_interpreter_that_cannot_serve_is_named() -> None:
    with pytest.raises(WorkerError, match="/bin/false"):
        Server("/bin/false", ("plain",))


def test_an_interpreter_that_does_not_exist_is_named() -> None:
    with pytest.raises(WorkerError, match="cannot be started"):
        Server("/no/such/python", ("plain",))


def test_an_adapter_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(WorkerError, match="no-such-framework"):
        Server(sys.executable, ("no-such-framework",))
