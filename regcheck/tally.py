"""What a cell has seen so far, and how much of its budget is left."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regcheck.case import Case
    from regcheck.evaluate import Outcome
    from regcheck.property import Property

MIN_EXAMPLES = 5  # batches of a dtype, however many cases the first ones hold
# Configs that are refused do not count. A stratum is given up after so many of them, and so many more for every one
# that was taken: where the factory takes one config in sixteen, all three dtypes miss it with probability 1e-5.
REFUSED, REFUSED_EACH = 60, 16
HISTORY = 400
# Cases kept to show that the law can fail on them, and the share of all that a law must judge for its verdict to count.
JUDGED, ENOUGH = 10, 0.8


@dataclass
class Tally:
    """What a cell has seen so far.

    `left_out` counts cases that were not judged. Those whose config was refused, in `refused` examples, do not count
    towards the budget; the rest, and what was judged, is `spent` of it. `empty` counts those in which nothing was
    compared. `judged` holds the last batches that were judged.
    """

    cases: int = 0
    examples: int = 0
    left_out: int = 0
    refused: int = 0
    spent: int = 0
    empty: int = 0
    ill_conditioned: int = 0
    peak: float = 0.0
    reasons: dict[str, int] = field(default_factory=dict)
    history: list[Case] = field(default_factory=list)
    judged: deque[Case] = field(default_factory=lambda: deque(maxlen=JUDGED))

    def add(self, case: Case, outcome: Outcome) -> None:
        """Count an outcome."""
        self.examples += 1
        self.history = [*self.history[-HISTORY:], case]
        if outcome.unsupported is not None:
            self.left_out += max(1, case.count())
            self.reasons[outcome.unsupported] = self.reasons.get(outcome.unsupported, 0) + 1
            self.refused += outcome.refused
            self.spent += 0 if outcome.refused else max(1, case.count())
            return
        if outcome.cases:
            self.judged.append(case)
        elif not outcome.ill_conditioned:
            self.empty += max(1, case.count())
        self.cases += outcome.cases
        self.spent += outcome.cases
        self.ill_conditioned += outcome.ill_conditioned
        self.peak = max(self.peak, outcome.peak)

    def shortfall(self) -> str:
        """What is missing where too few cases were judged; configs refused and cases only labelled are apart."""
        planned = self.spent + self.empty
        if self.cases >= ENOUGH * planned:
            return ""
        why = [*self.reasons] if self.spent > self.cases else []
        why += ["in the rest nothing was compared"] if self.empty else []
        return f"judged {self.cases} of {planned} cases only: {'; '.join(why)}"


class Quota:
    """How much of one dtype, or of a stratum of it, is still to be judged: cases, and batches that hold them."""

    def __init__(self, tally: Tally, law: Property, budget: int, most: int) -> None:
        self.tally, self.law, self.budget, self.most = tally, law, budget, most
        self.least = most if law.examples else min(MIN_EXAMPLES, budget)
        self.before = tally.spent, tally.examples - tally.refused, tally.refused

    def spent(self) -> bool:
        """Whether enough was judged, or too much refused."""
        refused = self.tally.refused - self.before[2]
        if self.taken() >= self.most or refused >= REFUSED + REFUSED_EACH * self.taken():
            return True
        return self._cases() >= self.budget and self.taken() >= self.least

    def taken(self) -> int:
        """Batches that were not refused."""
        return self.tally.examples - self.tally.refused - self.before[1]

    def share(self, parts: int) -> Quota:
        """One of equal parts of what is left; of each at least one."""
        left = self.budget - self._cases(), self.most - self.taken(), self.least - self.taken()
        budget, most, least = (max(1, -(-amount // parts)) for amount in left)
        part = Quota(self.tally, self.law, budget, most)
        part.least = most if self.law.examples else least
        return part

    def wants_more(self) -> bool:
        """Whether another round may show more; a statistical law has then seen its whole list."""
        return not self.spent() and not (self.law.kind == "statistical" and self.taken())

    def _cases(self) -> int:
        return self.tally.spent - self.before[0]
