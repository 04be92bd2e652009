"""Judge processes, and how they share the units of a run."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Judge:
    """A judge process: one unit at a time."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "regcheck.judging"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )

    def events(self, unit: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Send a unit; yield its events up to "done". An ended process gives an "internal" event."""
        if self.process.stdin is None or self.process.stdout is None:
            return
        try:
            self.process.stdin.write(json.dumps(unit) + "\n")
            self.process.stdin.flush()
            for line in self.process.stdout:
                event = json.loads(line)
                yield event
                if event["event"] == "done":
                    return
        except (OSError, ValueError) as error:
            yield {"event": "internal", "message": f"the judge process broke: {error}"}
            return
        yield {"event": "internal", "message": f"the judge process ended with status {self.process.wait()}"}

    def close(self, *, kill: bool = False) -> None:
        """End the process."""
        if kill:
            self.process.kill()
        elif self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError, ValueError):
                if pipe is not None:
                    pipe.close()


class Court:
    """Some judges that share a list of units; neighbours in it tend to go to the same judge."""

    def __init__(self, jobs: int) -> None:
        self.judges = [Judge() for _ in range(jobs)]
        self.closed = False
        self.lock = threading.Lock()
        self.threads: list[threading.Thread] = []

    def run(self, units: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield (unit, event) as they come."""
        todo = collections.deque(units)
        seen: queue.Queue[tuple[dict[str, Any], dict[str, Any]] | None] = queue.Queue()

        def work(position: int) -> None:
            while True:
                with self.lock:
                    if self.closed or not todo:
                        break
                    # One judge starts from each end, so each imports as few frameworks as can be.
                    unit = todo.popleft() if position % 2 == 0 else todo.pop()
                for event in self.judges[position].events(unit):
                    seen.put((unit, event))
                with self.lock:
                    if not self.closed and self.judges[position].process.poll() is not None:
                        self.judges[position].close()
                        self.judges[position] = Judge()
            seen.put(None)

        self.threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(self.judges))]
        for thread in self.threads:
            thread.start()
        running = len(self.threads)
        while running:
            item = seen.get()
            if item is None:
                running -= 1
            else:
                yield item

    def close(self, *, kill: bool = False) -> None:
        """End the judges."""
        # Under the lock: a judge that is ended here is not taken for one that broke, and replaced.
        with self.lock:
            self.closed = True
        if kill:
            for judge in self.judges:
                judge.process.kill()
        for thread in self.threads:
            thread.join(15)
        for judge in self.judges:
            judge.close(kill=kill)


class OwnCourt:
    """Judges in this very process, for a debugger."""

    def run(self, units: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Yield (unit, event) as they come."""
        from regcheck.judging import Judging  # noqa: PLC0415  (brings Hypothesis)

        events: list[dict[str, Any]] = []
        judging = Judging(events.append)
        try:
            for unit in units:
                events.clear()
                judging.answer(unit)
                yield from ((unit, event) for event in events)
        finally:
            judging.close()

    def close(self, *, kill: bool = False) -> None:
        """Nothing is left to end."""
