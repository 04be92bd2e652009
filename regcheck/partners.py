"""Where the other layer of a relation comes from: the same target, else the stock of the same framework."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from regcheck.plan import Target
    from regcheck.property import Property


class Found(NamedTuple):
    """An implementation, and the target that it was found in."""

    target: Target
    about: dict[str, Any]


def stock_to_look_at(found: Sequence[Found], laws: Sequence[Property], stock: Sequence[Target]) -> list[Target]:
    """The stock, not among the targets already, in which some partner has to be looked for."""
    wanted = {
        one.about["framework"] for one in found for family in _asked(one, laws) if _beside(one, family, found) is None
    }
    known = {one.target.label for one in found}
    return [target for target in stock if target.label in wanted - known]


def partners(one: Found, laws: Sequence[Property], found: Sequence[Found]) -> dict[str, dict[str, Any]]:
    """By family, the partners that the laws of an implementation ask for, as far as there are any.

    The first implementation of the family in the same target, else in the stock of the same framework.
    """
    chosen = {}
    for family in _asked(one, laws):
        other = _beside(one, family, found) or _in_stock(one, family, found)
        if other is not None:
            chosen[family] = {**other.about, "source": other.target.source}
    return chosen


def _asked(one: Found, laws: Sequence[Property]) -> list[str]:
    return sorted({law.partner for law in laws if law.partner is not None and law.applies_to(one.about["family"])})


def _beside(one: Found, family: str, found: Sequence[Found]) -> Found | None:
    return next((f for f in found if f.target.label == one.target.label and f.about["family"] == family), None)


def _in_stock(one: Found, family: str, found: Sequence[Found]) -> Found | None:
    framework = one.about["framework"]
    return next((f for f in found if f.target.label == framework and f.about["family"] == family), None)
