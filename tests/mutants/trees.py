"""A copy of the tree in which one module at a time is mutated, and what kills a mutant there."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("regcheck", "properties", "tests", "pyproject.toml")
LEAST = 90.0  # seconds that a killer always has
TIMES = 6.0  # and how many times what it took on the right module


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: the killer and what it named, or nothing; and the seconds it took."""

    killer: str | None
    named: str
    seconds: float


class Tree:
    """A copy of the tree for one mutant at a time, in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        # Compiled once. By the source's hash, since mutants of one second may have one size.
        hashed = ["compileall", "-q", "--invalidation-mode", "checked-hash", *PARTS[:2]]
        subprocess.run([sys.executable, "-m", *hashed], cwd=folder, check=True)

    def judge(self, module: str, source: str, killers: Sequence[str], seed: int, limits: Sequence[float]) -> Outcome:
        """The first of the killers that notices `source` in the place of `module`."""
        begun = time.monotonic()
        with self._holding(module, source):
            for killer, limit in zip(killers, limits, strict=True):
                named = self.run(killer, seed, limit)
                if named is not None:
                    return Outcome(killer, named, time.monotonic() - begun)
        return Outcome(None, "", time.monotonic() - begun)

    @contextlib.contextmanager
    def _holding(self, module: str, source: str) -> Iterator[None]:
        path = self.folder / module
        before = path.read_bytes()
        path.write_text(source, encoding="utf-8")
        try:
            yield
        finally:
            path.write_bytes(before)

    def run(self, killer: str, seed: int, limit: float | None = None) -> str | None:
        """What a killer names as wrong, or None if it finds nothing."""
        paths = os.pathsep.join([str(self.folder), str(self.folder / "properties")])
        env = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command(killer, seed),
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # what it starts ends with it
        )
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return "no end"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return named_in(said, process.returncode) if process.returncode else None


def command(killer: str, seed: int) -> list[str]:
    """The command of `tests FILE...` or `catalogue PROFILE FAMILY...`."""
    kind, *given = killer.split()
    if kind == "catalogue":
        return [sys.executable, "tests/mutants/catalogue.py", given[0], str(seed), *given[1:]]
    wanted = ["-m", "not torch and not tensorflow and not sklearn and not slow", *given]
    return [sys.executable, "-P", "-m", "pytest", "-x", "-q", "--tb=no", *wanted]


def named_in(said: str, code: int) -> str:
    """The property or the test that a killer's output names; else what it ended with."""
    test = re.search(r"^(?:FAILED|ERROR) (?:[^ ]*::)?([^ \n]+)", said, re.MULTILINE)
    if test:
        return test[1]
    law = re.fullmatch(r"[\w-]+\.[\w-]+", said.strip())
    return law[0] if law else f"exit code {code}"
