"""One law on one case: what was seen, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.host import Fault, HostedLayer, PartnerFault, Refused, Session, TooSlowTogether
from regcheck.implementation import Unsupported
from regcheck.property import Evidence, Property, Violation, worst

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regcheck.case import Case


class CheckerError(Exception):
    """A law itself raised: a bug of the catalogue, never of the layer."""


@dataclass(frozen=True)
class Outcome:
    """What a law saw on a case, and the conventions that it `asked` for.

    `refused` says that `unsupported` is about the case's config.
    """

    violation: Violation | None = None
    fault: Fault | None = None
    unsupported: str | None = None
    peak: float = 0.0
    cases: int = 0
    ill_conditioned: int = 0
    refused: bool = False
    asked: frozenset[str] = frozenset()

    def same_kind(self, other: Outcome) -> bool:
        """Whether both fail, and in the same way."""
        kinds = [o.fault.kind if o.fault else "value" for o in (self, other)]
        return self.violation is not None and other.violation is not None and kinds[0] == kinds[1]

    def named_in(self, reason: str) -> bool:
        """Whether a deviation's reason names the exception, crash or hang that was seen; a wrong value needs none."""
        if self.fault is None:
            return True
        words = {
            "raised": rf"raises?|raised|refuses?|exceptions?|{re.escape(self.fault.name)}",
            "died": r"crash(es)?|segfaults?|aborts?|exits?",
            "hung": r"hangs?|never returns",
        }.get(self.fault.kind, r"returns?")
        return re.search(rf"\b({words})\b", reason, re.IGNORECASE) is not None


class _View:
    """The session as a law sees it, with some conventions set."""

    def __init__(self, session: Session, conventions: Mapping[str, Any], name: str = "") -> None:
        self.family, self.name = session.family, name
        self._session, self._conventions = session, conventions
        self.asked: set[str] = set()

    def make(self, config: Any, dtype: str) -> HostedLayer:
        return self._session.make(config, dtype)

    def declared(self, convention: str) -> Any:
        self.asked.add(convention)
        if convention in self._conventions:
            return self._conventions[convention]
        return self._session.declared(convention)

    @property
    def partner(self) -> _View:
        other = self._session.partner
        if other is None:
            msg = "the law names no partner"
            raise CheckerError(msg)
        return _View(other, {}, other.name)


def evaluate(prop: Property, case: Case, session: Session, conventions: Mapping[str, Any] | None = None) -> Outcome:
    """Judge `case`; `conventions` (default: the document's own choices) override what was declared.

    Raises CheckerError when the law itself raises, or the partner of a relation.
    """
    session.reset()
    view = _View(session, prop.document if conventions is None else conventions)
    try:
        with np.errstate(all="ignore"):
            found = prop.law(view, case)
    except Unsupported as unsupported:
        return Outcome(unsupported=str(unsupported) or "Unsupported", refused=isinstance(unsupported, Refused))
    except Fault as fault:
        violation = Violation(float("inf"), "a result", fault.sentence(), fault.method or "make")
        return Outcome(violation, fault, peak=float("inf"), cases=1)
    except PartnerFault as fault:
        raise CheckerError(str(fault)) from fault
    except TooSlowTogether:
        session.together = False
        return evaluate(prop, case, session, conventions)
    except Exception as error:
        msg = f"the law {prop.id} raised {type(error).__name__}: {error}"
        raise CheckerError(msg) from error
    pieces = [found] if isinstance(found, Evidence) else list(found)
    return _outcome(pieces, case, frozenset(view.asked))


def _outcome(pieces: list[Evidence], case: Case, asked: frozenset[str]) -> Outcome:
    peak = worst(pieces)
    left = sum(p.ill_conditioned for p in pieces)
    compared = sum(p.error.size for p in pieces)
    # A batch in which nothing was compared, or everything was only labelled, judged nothing.
    cases = case.count() if compared > left else 0
    failed = not peak.error <= 1
    return Outcome(peak if failed else None, peak=peak.error, cases=cases, ill_conditioned=left, asked=asked)
