"""What a kill matrix says: summaries of which property fails which faulty layer, as Markdown and as a figure.

Pure functions of the record that `matrix.py` writes.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LIMITS = (20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Seen:
    """One property on one faulty layer: the verdict, and what it cost until the first failure or the end."""

    verdict: str
    cases: int
    cpu: float

    @property
    def killed(self) -> bool:
        """Whether the property failed the layer."""
        return self.verdict == "failed"


@dataclass(frozen=True)
class Fault:
    """A faulty layer: what the property meant for it saw, and what every property of its family saw."""

    name: str
    family: str
    meant: str
    hunt: Seen | None = None
    witness: int | None = None
    cells: Mapping[str, Seen] = field(default_factory=dict)

    def killers(self, laws: Iterable[str]) -> dict[str, int]:
        """Those of `laws` that failed the layer, with the cases that each needed."""
        return {law: self.cells[law].cases for law in laws if law in self.cells and self.cells[law].killed}


@dataclass(frozen=True)
class Kills:
    """What a property does to the faults that it judged: kills, kills alone, kills with the fewest cases."""

    judged: int
    kills: int
    alone: int
    first: int


def faults_of(record: Mapping[str, Any]) -> list[Fault]:
    """The faults of a record."""
    return [_fault(name, about) for name, about in record["faults"].items()]


def _fault(name: str, about: Mapping[str, Any]) -> Fault:
    hunt, cells = about.get("hunt"), about.get("cells", {})
    seen = {law: Seen(*cell) for law, cell in cells.items()}
    found = Seen(*hunt) if hunt else None
    return Fault(name, about["family"], about["meant"], found, about.get("witness"), seen)


def compared(levels: Mapping[str, str]) -> list[str]:
    """The properties that are compared: right layers may fail those of level extreme."""
    return [law for law, level in levels.items() if level != "extreme"]


def kills_by_property(faults: Sequence[Fault], levels: Mapping[str, str]) -> dict[str, Kills]:
    """What each property does; one that is not compared kills neither alone nor first, and takes that from no other."""
    laws = compared(levels)
    killers = [fault.killers(laws) for fault in faults]
    return {law: _kills(law, faults, killers) for law in levels if any(law in fault.cells for fault in faults)}


def _kills(law: str, faults: Sequence[Fault], killers: Sequence[Mapping[str, int]]) -> Kills:
    return Kills(
        judged=sum(law in fault.cells for fault in faults),
        kills=sum(bool(fault.killers([law])) for fault in faults),
        alone=sum(list(found) == [law] for found in killers),
        first=sum(law in found and found[law] == min(found.values()) for found in killers),
    )


def never_needed(kills: Mapping[str, Kills], levels: Mapping[str, str]) -> list[str]:
    """The compared properties that are neither the only killer of a fault nor among the first."""
    return [law for law in compared(levels) if law in kills and not kills[law].alone and not kills[law].first]


def hunted(faults: Iterable[Fault]) -> list[Fault]:
    """The faults that were judged by the property meant for them."""
    return [fault for fault in faults if fault.hunt is not None]


def needed(faults: Iterable[Fault]) -> list[int]:
    """The cases until the first failure by the property meant, of the faults that it caught, in order."""
    return sorted(f.hunt.cases for f in faults if f.hunt is not None and f.hunt.killed)


def share_within(faults: Sequence[Fault], limit: int) -> float:
    """The share of the hunted faults that the property meant for them caught within so many cases."""
    everyone = hunted(faults)
    return sum(cases <= limit for cases in needed(faults)) / len(everyone) if everyone else 0.0


# --- Markdown


def markdown(record: Mapping[str, Any]) -> str:
    """The report."""
    faults, levels = faults_of(record), record["properties"]
    judged = [fault for fault in faults if fault.cells]
    kills = kills_by_property(judged, levels)
    parts = [
        _head(record, faults, judged),
        _totals(faults, levels),
        _curve(faults, record["examples"]),
        _properties(kills, levels),
        _never(kills, judged, record),
        _faults(faults, levels),
    ]
    return "\n\n".join(parts) + "\n"


def _head(record: Mapping[str, Any], faults: Sequence[Fault], judged: Sequence[Fault]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return f"""# Kill matrix

Which property fails which faulty layer of `tests/faults/`. regcheck {record["regcheck"]}, edition \
{record["edition"]}, {versions}, seed {record["seed"]}.

- {len(hunted(faults))} faults were judged by the property meant for them, with {record["examples"]} cases, and their \
failures cut down to a witness.
- {len(judged)} faults were judged by every property of their family and of `common`, in the default profile \
({record["budget"]} cases): tables 3 and 4 are about these{_covered(judged, record["museum"])}.
- {_left_out(record, faults)}
- *Cases* are those judged until the first failure, counted by whole batches, over the layer's dtypes and kinds of \
case in the order in which a run takes them. *CPU* is that of the judge and of the layer's process together until \
then, without starting the process and without confirming the failure; it compares within this report alone.
- Batches differ in size from property to property, and one case of a statistical property holds many draws: few \
cases are not always little work.
- A failure counts once it has recurred on a fresh process. A deviation that the layer declares is no kill."""


def _covered(judged: Sequence[Fault], museum: Mapping[str, int]) -> str:
    here = Counter(fault.name.partition(":")[0] for fault in judged)
    files = [f"`{file}`, {count} of {museum.get(file, 0)}" for file, count in here.items()]
    return f" ({'; '.join(files)})" if files else ""


def _left_out(record: Mapping[str, Any], faults: Sequence[Fault]) -> str:
    there = [fault.name.partition(":")[0] for fault in hunted(faults)]
    missing = {file: count - there.count(file) for file, count in record["museum"].items()}
    listed = ", ".join(f"`{file}` ({count})" for file, count in missing.items() if count > 0)
    hostile = (
        "The layers that attack the checker (`hostile*`: they hang, crash, print a gigabyte) are left out always: \
a test of their own judges them."
    )
    return f"Not in this report: {listed}. {hostile}" if listed else hostile


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(value) for value in line) + " |" for line in lines)


def _median(values: Sequence[float], digits: str = "g") -> str:
    return format(statistics.median(values), digits) if values else "–"


def _totals(faults: Sequence[Fault], levels: Mapping[str, str]) -> str:
    families = list(dict.fromkeys(fault.family for fault in faults))
    rows = [_total(f"`{name}`", [f for f in faults if f.family == name], levels) for name in families]
    rows.append(_total("all", faults, levels))
    caption = "Caught by any: by a compared property, of the faults that all of them judged. Medians are of the faults \
that the property meant caught; a witness is counted in numbers of its arrays, where it has any."
    head = ["family", "faults", "caught by the one meant", "caught by any", "cases", "CPU, ms", "witness"]
    return f"## 1. Totals\n\n{_table(head, rows)}\n\n{caption}{_missed(faults)}"


def _total(name: str, faults: Sequence[Fault], levels: Mapping[str, str]) -> list[object]:
    judged = [fault for fault in faults if fault.cells]
    everyone, caught = hunted(faults), [f for f in hunted(faults) if f.hunt and f.hunt.killed]
    return [
        name,
        len(faults),
        f"{len(caught)} of {len(everyone)}",
        f"{sum(bool(f.killers(compared(levels))) for f in judged)} of {len(judged)}",
        _median(needed(faults)),
        _median([1e3 * f.hunt.cpu for f in caught if f.hunt], ".0f"),
        _median([f.witness for f in caught if f.witness]),
    ]


def _missed(faults: Sequence[Fault]) -> str:
    missed = [f"`{f.name}` ({f.hunt.verdict} by `{f.meant}`)" for f in faults if f.hunt and not f.hunt.killed]
    return f"\n\nNot caught by the property meant: {', '.join(missed)}." if missed else ""


def _curve(faults: Sequence[Fault], examples: int) -> str:
    limits = [limit for limit in LIMITS if limit <= examples]
    rows = [[limit, f"{100 * share_within(faults, limit):.1f} %"] for limit in limits]
    rows.append(["the whole run", f"{100 * share_within(faults, 10**9):.1f} %"])
    return f"""## 2. Faults caught within so many cases

![Share of faults caught by the property meant for them, by the cases judged until then](kills.svg)

{_table(["cases", "caught by the property meant"], rows)}

All of one run with {examples} cases. The dtypes come one after the other, each with its share of them: a fault that \
shows in the last alone is found late. A run that is asked for fewer cases comes to the later dtypes and kinds of case \
sooner. A run may judge some cases more than it was asked for: batches are whole."""


def _properties(kills: Mapping[str, Kills], levels: Mapping[str, str]) -> str:
    rows = [
        [f"`{law}`", levels[law], k.judged, k.kills, *(("–", "–") if levels[law] == "extreme" else (k.alone, k.first))]
        for law, k in kills.items()
    ]
    head = ["property", "level", "judged", "kills", "alone", "first"]
    return f"""## 3. Properties

*Alone*: no other property kills the fault. *First*: none needs fewer cases; several may be first at once. Properties \
of level extreme are not compared: a right layer may fail them.

{_table(head, rows)}{_kills_all(kills)}"""


def _kills_all(kills: Mapping[str, Kills]) -> str:
    every = [f"`{law}`" for law, k in kills.items() if k.kills == k.judged > 1]
    why = "perhaps by something else than the fault, which the exhibits of a file share"
    return f"\n\nThese kill every fault that they judged, {why}: {', '.join(every)}." if every else ""


def _never(kills: Mapping[str, Kills], judged: Sequence[Fault], record: Mapping[str, Any]) -> str:
    never, here = never_needed(kills, record["properties"]), Counter(fault.meant for fault in judged)
    rows = [[f"`{law}`", kills[law].kills, here[law], record["meant"].get(law, 0)] for law in never]
    rows.sort(key=lambda row: -int(row[1]))
    return f"""## 4. Never the only killer nor the first

Where these kill, another property does so too, with fewer cases, each time in this run. *Meant for it, here*: faults \
that the museum holds for this property and that this table knows of; *in all*: with those of the files left out, \
hostile ones too.

{_table(["property", "kills", "meant for it, here", "in all"], rows)}"""


def _faults(faults: Sequence[Fault], levels: Mapping[str, str]) -> str:
    head = ["fault", "property meant", "cases", "CPU, ms", "witness", "killed by"]
    return f"## 5. Faults\n\n{_table(head, (_row(fault, levels) for fault in faults))}"


def _row(fault: Fault, levels: Mapping[str, str]) -> list[object]:
    hunt = fault.hunt
    cost = [hunt.cases, f"{1e3 * hunt.cpu:.0f}"] if hunt and hunt.killed else ["–", "–"]
    killers = len(fault.killers(compared(levels))) if fault.cells else "–"
    return [f"`{fault.name}`", f"`{fault.meant}`", *cost, fault.witness or "–", killers]


# --- the figure

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 30, 60, 60


def svg(faults: Sequence[Fault], examples: int) -> str:
    """The share of faults caught over the cases judged, as a step line over a logarithmic axis."""
    cases, total = needed(faults), len(hunted(faults))
    limits = [limit for limit in LIMITS if limit <= examples]
    marks = "".join(_mark(limit, share_within(faults, limit), examples) for limit in limits)
    line = " ".join(f"{_x(at, examples):.1f},{_y(share):.1f}" for at, share in _steps(cases, total, examples))
    body = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 28, f"Share of {total} faulty layers caught by the property meant for them", 'font-size="16"'),
        "".join(_shares()),
        "".join(_ticks(sorted({1, 2, 5, 10, *limits}), examples)),
        f'<polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="2.5"/>',
        marks,
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "cases judged until the first failure", _MIDDLE),
    ]
    about = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    font = 'font-family="sans-serif" font-size="13" fill="#222222"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {about} {font}>\n' + "\n".join(body) + "\n</svg>\n"


_MIDDLE, _END = 'text-anchor="middle"', 'text-anchor="end"'


def _x(cases: float, examples: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log(max(cases, 1)) / math.log(max(examples, 2))


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{text}</text>'


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _shares() -> Iterator[str]:
    for percent in range(0, 101, 20):
        y = _y(percent / 100)
        yield _line(LEFT, y, WIDTH - RIGHT, y) + _text(LEFT - 8, y + 4, f"{percent} %", _END)


def _ticks(cases: Iterable[int], examples: int) -> Iterator[str]:
    for at in cases:
        x = _x(at, examples)
        yield _line(x, _y(0), x, _y(1)) + _text(x, _y(0) + 20, str(at), _MIDDLE)


def _mark(limit: int, share: float, examples: int) -> str:
    x, y = _x(limit, examples), _y(share)
    dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1f5fa8"/>'
    # Below the line, which rises, and not beyond its end.
    place, anchor = (x, _END) if limit >= examples else (x + 4, "")
    return dot + _text(place, y + 18, f"{100 * share:.1f} %", anchor)


def _steps(cases: Sequence[int], total: int, examples: int) -> Iterator[tuple[int, float]]:
    """The corners of the line: up at each number of cases, across to the next."""
    caught = 0
    yield 1, 0.0
    for at in sorted({c for c in cases if c <= examples}):
        yield at, caught / total
        caught += cases.count(at)
        yield at, caught / total
    yield examples, caught / total if total else 0.0
