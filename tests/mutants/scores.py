"""What a record of judged mutants says, as Markdown. Pure functions of the record and of the list of equivalents."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Key = tuple[str, str, str, str]
GROUPS = {
    "layers": "the NumPy layers, killed by regcheck's own verdict on them; refusals and messages, by unit tests",
    "oracles": "the references, killed by their tests and by the judge, which then accuses right layers",
    "checkers": "bounds, comparisons, statistics: what decides a verdict, killed by their tests and the catalogue's",
}


@dataclass(frozen=True)
class Judged:
    """A mutant and what became of it; `killer` is None of one that survived."""

    key: Key
    operator: str
    killer: str | None
    named: str
    seconds: float


@dataclass(frozen=True)
class Equivalent:
    """Mutants of one line that nothing can kill, and why."""

    module: str
    function: str
    line: str
    mutants: tuple[str, ...]
    reason: str

    @property
    def excuses(self) -> list[Key]:
        """The mutants by key."""
        return [(self.module, self.function, self.line, mutated) for mutated in self.mutants]


@dataclass(frozen=True)
class Score:
    """Mutants of some modules: how many there are, were judged, were killed, by the catalogue, and cannot be."""

    places: int
    judged: int
    killed: int
    by_catalogue: int
    equivalent: int

    @property
    def interval(self) -> tuple[float, float]:
        """The share killed of those that can be, of all places: Wilson's interval at 95 %, a point if all were judged.

        Source: Wilson, "Probable inference", 1927.
        """
        n, share = self.judged - self.equivalent, self.share
        if not n:
            return 0.0, 1.0
        if self.judged == self.places:
            return share, share
        z = 1.96
        middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)

    @property
    def share(self) -> float:
        """Killed, of those judged that are not equivalent."""
        return self.killed / max(1, self.judged - self.equivalent)


def judged_of(record: Mapping[str, Any], module: str) -> list[Judged]:
    """The mutants of a module that were judged."""
    rows = record["modules"][module]["mutants"]
    return [Judged((module, *row[:3]), *row[3:]) for row in rows]


def everyone(record: Mapping[str, Any]) -> list[Judged]:
    """All mutants that were judged."""
    return [one for module in record["modules"] for one in judged_of(record, module)]


def score(record: Mapping[str, Any], modules: Iterable[str], equivalents: Sequence[Equivalent]) -> Score:
    """What is known of some modules together."""
    named, excused = list(modules), {key for known in equivalents for key in known.excuses}
    judged = [one for module in named for one in judged_of(record, module)]
    killed = [one for one in judged if one.killer]
    return Score(
        places=sum(record["modules"][module]["places"] for module in named),
        judged=len(judged),
        killed=len(killed),
        by_catalogue=sum(one.killer.startswith("catalogue") for one in killed if one.killer),
        equivalent=sum(one.key in excused for one in judged if not one.killer),
    )


def unexplained(record: Mapping[str, Any], equivalents: Sequence[Equivalent]) -> list[Judged]:
    """The survivors that no equivalent names."""
    excused = {key for known in equivalents for key in known.excuses}
    return [one for one in everyone(record) if one.killer is None and one.key not in excused]


def killed_though_equivalent(record: Mapping[str, Any], equivalents: Sequence[Equivalent]) -> list[Key]:
    """The mutants that are listed as equivalent and were killed."""
    killed = {one.key for one in everyone(record) if one.killer}
    return [key for known in equivalents for key in known.excuses if key in killed]


# --- Markdown


def markdown(record: Mapping[str, Any], equivalents: Sequence[Equivalent], listed: Sequence[str] = ()) -> str:
    """The report; `listed` are the modules that might have been mutated."""
    parts = [
        _head(record, [module for module in listed if module not in record["modules"]]),
        _groups(record, equivalents),
        _modules(record, equivalents),
        _killers(record),
    ]
    return "\n\n".join([*parts, _survivors(record, equivalents), _equivalents(equivalents)]) + "\n"


def _head(record: Mapping[str, Any], missing: Sequence[str]) -> str:
    left_out = f"\n- Not judged: {', '.join(f'`{module}`' for module in missing)}." if missing else ""
    seconds = sum(one.seconds for one in everyone(record))
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return f"""# Mutants

Small changes made to the core by machine, one at a time, and what noticed them. {versions}, seed {record["seed"]}.

- A mutant is *killed* where a cell does not pass or a test fails; one that never ends is killed too.
- *Equivalent* are survivors that nothing can kill, each with its reason below; they do not count. The *score* is the \
share killed of the rest. Where fewer were judged than there are mutants, they are a random sample, and the interval \
holds the score of all with 95 % (Wilson).
- What only types see is not mutated, and messages are not.
- It took {seconds / 60:.0f} minutes one by one, {seconds / len(everyone(record)):.1f} s each.{left_out}"""


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(value) for value in line) + " |" for line in lines)


HEAD = ("mutants", "judged", "killed", "by the catalogue", "equivalent", "left", "score")


def _row(found: Score) -> list[object]:
    low, high = found.interval
    left = found.judged - found.killed - found.equivalent
    between = f" ({100 * low:.0f}–{100 * high:.0f})" if found.judged != found.places else ""
    counts = [found.places, found.judged, found.killed, found.by_catalogue, found.equivalent, left]
    return [*counts, f"{100 * found.share:.1f} %{between}"]


def _groups(record: Mapping[str, Any], equivalents: Sequence[Equivalent]) -> str:
    members = {group: [m for m, about in record["modules"].items() if about["group"] == group] for group in GROUPS}
    rows = [[group, *_row(score(record, found, equivalents))] for group, found in members.items() if found]
    said = "\n".join(f"- *{group}*: {about}" for group, about in GROUPS.items() if members[group])
    return f"## 1. Groups\n\n{_table(['group', *HEAD], rows)}\n\n{said}"


def _modules(record: Mapping[str, Any], equivalents: Sequence[Equivalent]) -> str:
    rows = [[f"`{module}`", *_row(score(record, [module], equivalents))] for module in record["modules"]]
    return f"## 2. Modules\n\n{_table(['module', *HEAD], rows)}"


def _killers(record: Mapping[str, Any]) -> str:
    rows: list[list[object]] = []
    for group in GROUPS:
        members = [m for m, about in record["modules"].items() if about["group"] == group]
        count = Counter(one.named.partition("[")[0] for m in members for one in judged_of(record, m) if one.killer)
        rows += [[group, f"`{name}`", kills] for name, kills in count.most_common(8)]
    table = _table(["group", "by", "kills"], rows)
    return f"## 3. What kills most\n\nThe first that noticed, not the only one.\n\n{table}"


def _survivors(record: Mapping[str, Any], equivalents: Sequence[Equivalent]) -> str:
    left = unexplained(record, equivalents)
    text = "\n".join(f"- `{o.key[0]}`, `{o.key[1]}`: `{o.key[2]}` → `{o.key[3]}`" for o in left)
    return f"## 4. Survivors without an explanation\n\n{text or 'None.'}"


def _equivalents(equivalents: Sequence[Equivalent]) -> str:
    text = "\n".join(
        f"- `{known.module}`, `{known.function}`: `{known.line}` → {', '.join(f'`{m}`' for m in known.mutants)}. "
        f"{known.reason}"
        for known in equivalents
    )
    return f"## 5. Equivalent\n\n{text or 'None.'}"
