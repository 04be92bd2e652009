"""How fast the layers are: `run` measures them with pytest-benchmark and gives a `BenchReport`.

A process of its own for each target, one thread, checked results before and after, everything that is compared
measured in turns. The parent imports no framework.
"""

from __future__ import annotations

from regcheck.bench.records import BenchReport, Row, dumps, read
from regcheck.bench.running import run

__all__ = ["BenchReport", "Row", "dumps", "read", "run"]
