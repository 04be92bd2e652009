"""What a record of a false-alarm run says: counts of its cells, and the report. Pure functions of the record."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ALARMING = ("failed", "inconclusive")
VERDICTS = ("passed", "deviates", "failed", "inconclusive", "not-applicable")


def totals(record: Mapping[str, Any]) -> Counter[str]:
    """Cells by verdict."""
    found: Counter[str] = Counter()
    for families in record["counts"].values():
        for counts in families.values():
            found.update(counts)
    return found


def judged(record: Mapping[str, Any]) -> int:
    """How many cells were judged: what does not apply was not."""
    found = totals(record)
    return found.total() - found["not-applicable"]


def line(record: Mapping[str, Any]) -> str:
    """Where a run is, in one line."""
    return f"{judged(record)} cells judged, {len(record['alarms'])} alarms"


def markdown(record: Mapping[str, Any]) -> str:
    """The report."""
    return "\n\n".join([_head(record), _counts(record), _alarms(record), _rounds(record)]) + "\n"


def _head(record: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    seeds = {r["seed"] for r in record["rounds"]}
    wall, cpu = (_each(record, what) for what in ("wall", "cpu"))
    return f"""# False alarms

Right layers, judged by every property that applies (level extreme apart), each round with a seed of its own. \
regcheck {record["regcheck"]}, edition {record["edition"]}, code {record["code"]}, {versions}, profile \
`{record["profile"]}`. Made by `python tests/faults/false_alarms.py`.

- **{judged(record)} cells judged, {len(record["alarms"])} alarms.** {_rate(record)}
- {len(record["implementations"])} implementations: the stock ones and the right exhibits of `tests/faults/`; \
{len(seeds)} seeds.
- An alarm is a cell that failed or was inconclusive. What deviates was declared beforehand, and is none.
- {wall} s and {cpu} s of CPU for 1000 cells judged, all processes together.{_problems(record)}"""


def _rate(record: Mapping[str, Any]) -> str:
    cells, alarms = judged(record), len(record["alarms"])
    if not cells:
        return ""
    if alarms:
        return f"One in {cells / alarms:.0f} cells."
    # No event in n independent trials: p is below -ln(0.05)/n, or this had a probability below 0.05.
    most = -math.log(0.05) / cells
    return f"Were the cells independent, an alarm would be rarer than one in {1 / most:.0f} of them (95 % confidence)."


def _each(record: Mapping[str, Any], what: str) -> str:
    """Seconds for 1000 cells; the processes of a run that was interrupted do not tell theirs."""
    whole = [r for r in record["rounds"] if r["complete"]]
    cells = sum(r["cells"] for r in whole)
    return f"{1000 * sum(r[what] for r in whole) / cells:.0f}" if cells else "–"


def _problems(record: Mapping[str, Any]) -> str:
    return "".join(f"\n- Not whole: {problem}" for problem in record["problems"])


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(value) for value in row) + " |" for row in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _counts(record: Mapping[str, Any]) -> str:
    counts = record["counts"]
    rows = [
        [framework, f"`{family}`", *(found.get(v, 0) for v in VERDICTS)]
        for framework, families in sorted(counts.items())
        for family, found in sorted(families.items())
    ]
    found = totals(record)
    rows.append(["all", "all", *(found[v] for v in VERDICTS)])
    return f"## Cells\n\n{_table(['framework', 'family', *VERDICTS], rows)}"


def _alarms(record: Mapping[str, Any]) -> str:
    told = [
        f"""### `{a["property"]}` of `{a["implementation"]}`: {a["verdict"]}

{a["reason"] or "No reason beside the witness."}

```
{a["again"]}
{json.dumps(a["witness"], ensure_ascii=False)}
```"""
        for a in record["alarms"]
    ]
    return "## Alarms\n\n" + ("\n\n".join(told) or "None.")


def _rounds(record: Mapping[str, Any]) -> str:
    rows = [
        [
            r["seed"],
            r["group"],
            r["cells"],
            f"{r['wall']:.0f}",
            f"{r['cpu']:.0f}",
            "" if r["complete"] else "interrupted",
        ]
        for r in record["rounds"]
    ]
    return f"## Runs\n\n{_table(['seed', 'of', 'cells judged', 'wall, s', 'CPU, s', ''], rows)}"
