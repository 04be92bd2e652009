"""Judge the stock NumPy layers of some families until one cell does not pass, and name its property.

    python tests/mutants/catalogue.py PROFILE SEED FAMILY...

Ends with 1 where a cell does not pass. What decides is the verdict, so failures are not cut down. The layers live in
this process, which whoever started it ends if a layer does not return.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from regcheck import registry
from regcheck.host import Session
from regcheck.judge import CellJudge, Settings
from regcheck.loading import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from regcheck.implementation import Implementation
    from regcheck.property import Property
    from regcheck.recur import Finding

SOURCE = {"kind": "module", "name": "regcheck.stock.numpy"}


class Hasty(CellJudge):
    """Does not cut a failure down: one call is the least that the search takes."""

    def _search(self, dtypes: list[str], shrink_calls: int | None = None) -> Finding | None:
        return super()._search(dtypes, 1)


def accused(families: Sequence[str], settings: Settings) -> Iterator[str]:
    """The properties that do not pass, as they are found; before them, the parts of the catalogue that are broken."""
    catalogue = registry.catalogue()
    yield from catalogue.problems
    laws = [law for law in catalogue.properties.values() if law.level != "extreme"]
    found = {name: it for name, it in load(SOURCE).items() if it.family in families}
    for name, it in found.items():
        for law in laws:
            if law.applies_to(it.family) and not _passes(name, it, law, settings):
                yield law.id


def _passes(name: str, it: Implementation, law: Property, settings: Settings) -> bool:
    about: dict[str, Any] = {"name": it.name, "framework": "numpy", "family": it.family, "dtypes": it.dtypes}
    session = Session(None, SOURCE, name, it.family, dict(it.declares))
    try:
        return Hasty(law, session, about, settings, None).judge().cell.verdict in {"passed", "not-applicable"}
    finally:
        session.close()


def main(profile: str, seed: str, *families: str) -> int:
    """Name the first property that does not pass, or the part of the catalogue that is broken."""
    for law in accused(families, Settings(profile, seed=int(seed))):
        print(law)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
