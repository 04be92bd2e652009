"""The layer's own process: a server that only imports a framework, and the workers it forks.

The server answers on its control socket: {"fork": …} with two passed descriptors (the worker's
socket and the pipe that takes what the layer prints) gives {"pid": n}; {"reap": n} gives the exit status. It
never computes, because a fork after a framework has computed hangs. It ends, and its workers with
it, when the control socket closes.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import resource
import signal
import socket
import sys
from typing import Any

from regcheck import loading, wire
from regcheck.hosting import Host

MEMORY_HEADROOM = 6 << 30  # bytes of address space a layer may add to what its framework maps


def receive(sock: socket.socket, count: int) -> bytearray:
    """Exactly `count` bytes; raises EOFError when the other side closes."""
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = sock.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return data


def _serve_layer(sock: socket.socket) -> None:
    """Answer requests until the judge closes the socket."""
    host = Host()
    while True:
        header, payload = wire.lengths(bytes(receive(sock, wire.PREFIX.size)))
        head = bytes(receive(sock, header))
        reply = host.execute(wire.unpack(head, receive(sock, payload)))
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                # A layer may have closed or replaced the stream; its text is then its own loss.
                stream.flush()
        sock.sendall(wire.pack(reply))


def _limit_memory() -> None:
    pages = pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    mapped = int(pages) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_HEADROOM, resource.RLIM_INFINITY))


def _become_worker(sock_fd: int, output_fd: int, adapters: list[str]) -> None:
    """In the forked child: take the descriptors, set the framework up, serve, and leave without clean-up."""
    code = 70
    try:
        os.dup2(output_fd, 1)
        os.dup2(output_fd, 2)
        os.close(output_fd)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":
            _limit_memory()
        loading.prepare(adapters)
        _serve_layer(socket.socket(fileno=sock_fd))
    except EOFError:
        code = 0
    except BaseException:  # noqa: BLE001  (the judge sees a dead worker; the text goes to its pipe)
        import traceback  # noqa: PLC0415

        traceback.print_exc()
    finally:
        os._exit(code)


class Server:
    """Forks workers on request."""

    def __init__(self, control: socket.socket, adapters: list[str]) -> None:
        self.control = control
        self.adapters = adapters
        self.children: set[int] = set()

    def run(self) -> None:
        """Answer until the judge is gone; then end every worker."""
        try:
            while True:
                message, fds, _, _ = socket.recv_fds(self.control, 65536, 2)
                if not message:
                    return
                self._reply(self._answer(json.loads(message), fds))
        finally:
            for pid in self.children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _reply(self, answer: dict[str, Any]) -> None:
        self.control.sendall(json.dumps(answer).encode() + b"\n")

    def _answer(self, request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        if "reap" in request:
            return self._reap(request["reap"])
        pid = os.fork()
        if pid == 0:
            self.control.close()
            _become_worker(fds[0], fds[1], self.adapters)
        for fd in fds:
            os.close(fd)
        self.children.add(pid)
        return {"pid": pid}

    def _reap(self, pid: int) -> dict[str, Any]:
        self.children.discard(pid)
        _, status, usage = os.wait4(pid, 0)
        return {"status": os.waitstatus_to_exitcode(status), "peak_mib": usage.ru_maxrss / 1024}


def main(arguments: list[str]) -> None:
    """Entry point: CONTROL_FD JSON, where JSON is {"adapters": {name: module}, "preload": [names], "path": [...]}."""
    settings = json.loads(arguments[1])
    sys.path.extend(p for p in settings["path"] if p not in sys.path)
    loading.register_adapters(settings["adapters"])
    control = socket.socket(fileno=int(arguments[0]))
    try:
        for name in settings["preload"]:
            __import__(settings["adapters"][name])
    except BaseException as error:  # noqa: BLE001  (told to the judge, in one sentence)
        control.sendall(json.dumps({"failed": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        return
    control.sendall(json.dumps({"ready": loading.versions()}).encode() + b"\n")
    Server(control, settings["preload"]).run()
