"""How fast this machine copies memory, by NumPy, in the same run and between the rows that are measured."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

BLOCK = 32 << 20  # bytes copied at a time
UNKNOWN_CACHE = 64 << 20
FIRST = 4  # samples at the start
CPU = Path("/sys/devices/system/cpu/cpu0/cache")


def cache_bytes() -> int:
    """Size of the largest cache that the system tells of, or 0."""
    sizes = [0]
    for path in CPU.glob("index*/size"):
        try:
            text = path.read_text(encoding="ascii").strip()
            sizes.append(int(text[:-1]) << {"K": 10, "M": 20, "G": 30}[text[-1]])
        except (OSError, ValueError, KeyError):
            continue
    return max(sizes)


class Copies:
    """Two arrays, together twice the largest cache or as large as memory allows, copied block by block.

    The blocks are walked through in turn, so that each has left the cache when its turn comes again.
    """

    def __init__(self) -> None:
        wanted = max(cache_bytes(), UNKNOWN_CACHE)
        blocks = max(2, min(-(-wanted // BLOCK), _available() // 8 // BLOCK))
        self.source = np.ones(blocks * BLOCK, np.uint8)
        self.target = np.zeros(blocks * BLOCK, np.uint8)
        self.target[:] = 1  # zeros are not in memory before they are written to
        self.position = 0
        self.rates: list[float] = []
        for _ in range(FIRST):
            self.sample()

    def sample(self) -> None:
        """Copy one block and keep its rate: bytes read and bytes written, per second."""
        block = slice(self.position, self.position + BLOCK)
        start = time.perf_counter()
        np.copyto(self.target[block], self.source[block])
        self.rates.append(2 * BLOCK / (time.perf_counter() - start))
        self.position = (self.position + BLOCK) % self.source.size


def _available() -> int:
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 16 * BLOCK
