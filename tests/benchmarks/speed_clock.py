"""Processor time of this process and of a worker, and ratios of what was measured in turns. Linux alone."""

from __future__ import annotations

import dataclasses
import os
import resource
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regcheck import cases, registry
from regcheck.bench import estimate
from regcheck.host import Session
from regcheck.judge import CellJudge, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regcheck.bench.records import Estimate
    from regcheck.judge import Judgement
    from regcheck.processes import Server
    from regcheck.property import Property

TICKS = os.sysconf("SC_CLK_TCK")
LAWS = registry.catalogue().properties
LENGTH = 100


def of_length(name: str) -> Property:
    """A law of the catalogue on rows of LENGTH elements."""
    law = LAWS[name]
    recipe = dataclasses.replace(law.cases.keywords["recipe"], lengths=(LENGTH,))
    return dataclasses.replace(law, cases=lambda plan: cases.layer_norm(plan, recipe))


@dataclass(frozen=True)
class Row:
    """One comparison: two figures and their ratio, with what was measured round by round."""

    item: str
    what: str
    idea: str
    figure: str
    other: str
    ratio: Estimate
    raw: dict[str, Any] = field(default_factory=dict)


def compared(item: str, what: str, idea: str, words: str, rounds: tuple[Sequence[float], Sequence[float]]) -> Row:
    """The row for the figures of some rounds and those that they are divided by; `words` formats a figure."""
    ours, others = rounds
    ratio = estimate.ratio_of_medians(ours, others)
    shown = [words.format(estimate.median(values).value) for values in rounds]
    return Row(item, what, idea, *shown, ratio, {"figures": list(ours), "divided by": list(others)})


def own() -> float:
    """Seconds of this process, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def of_worker(session: Session) -> float:
    """Seconds of a session's living worker, of all its threads."""
    if session.worker is None:
        return 0.0
    threads = Path(f"/proc/{session.worker.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text(encoding="ascii").split()[0]) for thread in threads) / 1e9


def of_workers(server: Server, session: Session) -> float:
    """Seconds of a server, of the workers that it has reaped, and of the living one."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS + of_worker(session)


def peak_mib(process: int | str) -> float:
    """The largest memory of a process so far."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


@dataclass
class Subject:
    """One layer, and the session in which it is judged, by a worker of `server` or in this process."""

    attribute: str
    source: dict[str, Any]
    framework: str = "numpy"
    declares: dict[str, Any] = field(default_factory=dict)
    server: Server | None = None

    def __post_init__(self):
        self.session = Session(self.server, self.source, self.attribute, "layer_norm", self.declares)

    def judge(self, law: Any, dtype: str, settings: Settings) -> tuple[CellJudge, Judgement]:
        """Judge the layer by a law in one dtype."""
        about = {"name": self.attribute, "framework": self.framework, "family": "layer_norm", "dtypes": [dtype]}
        judge = CellJudge(law, self.session, about, settings, None)
        return judge, judge.judge()


def torch_layer_norm(server: Server | None = None) -> Subject:
    """PyTorch's layer normalisation."""
    from regcheck.implementation import implementation_of  # noqa: PLC0415
    from regcheck.stock import torch  # noqa: PLC0415

    declares = implementation_of(torch.layer_norm).declares
    return Subject("layer_norm", {"kind": "module", "name": "regcheck.stock.torch"}, "torch", declares, server)
