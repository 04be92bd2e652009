"""How near correct results come to their bounds: one line for each quantity of each implementation."""

from dataclasses import asdict, dataclass, field

import numpy as np


@dataclass(frozen=True)
class Seen:
    """What one implementation gave for one chunk: error/bound (…, groups), and which groups are judged."""

    family: str
    quantity: str
    dtype: str
    implementation: str
    ratio: np.ndarray
    judged: np.ndarray


@dataclass
class Line:
    """Rows judged and labelled ill-conditioned, alarms, the largest error/bound, and where it was seen."""

    rows: int = 0
    labelled: int = 0
    alarms: int = 0
    worst: float = 0.0
    where: str = ""

    def add(self, seen, where):
        """Count one chunk's rows."""
        ratio = np.max(seen.ratio.reshape(-1, seen.ratio.shape[-1]), axis=0)
        judged = np.all(np.broadcast_to(seen.judged, seen.ratio.shape).reshape(-1, seen.ratio.shape[-1]), axis=0)
        ratio = ratio[judged]
        self.rows += len(ratio)
        self.labelled += int(judged.size - len(ratio))
        self.alarms += int(np.count_nonzero(~(ratio <= 1)))
        if len(ratio) and float(ratio.max()) > self.worst:
            self.worst, self.where = float(ratio.max()), where


@dataclass
class Tally:
    """Lines by (family, quantity, dtype, implementation), and how many chunks and rows of data they saw."""

    chunks: int = 0
    data: int = 0
    lines: dict = field(default_factory=dict)

    def add(self, seen, where):
        """Count what was seen of one chunk."""
        key = (seen.family, seen.quantity, seen.dtype, seen.implementation)
        self.lines.setdefault(key, Line()).add(seen, where)

    @property
    def rows(self):
        """Rows judged in all."""
        return sum(line.rows for line in self.lines.values())

    def record(self):
        """As JSON holds it."""
        rows = [{"key": list(key), **asdict(line)} for key, line in self.lines.items()]
        return {"chunks": self.chunks, "data": self.data, "lines": rows}

    @classmethod
    def of(cls, record):
        """From what JSON holds."""
        lines = {tuple(line["key"]): Line(**{k: v for k, v in line.items() if k != "key"}) for line in record["lines"]}
        return cls(record["chunks"], record["data"], lines)


def over(observed, exact, bound):
    """|observed − exact|/bound, infinite where that is no number."""
    with np.errstate(all="ignore"):
        ratio = np.abs(observed.astype(exact.dtype) - exact) / bound
    return np.where(np.isnan(ratio), np.inf, ratio)
