"""What `explain` prints of properties, statements and implementations: pure functions of catalogue and stock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regcheck.report.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from regcheck.property import Property
    from regcheck.registry import Listed
    from regcheck.report.listing import Statement


def of_property(law: Property, known: Mapping[str, Statement], listed: Sequence[Listed]) -> Iterator[str]:
    """Everything that is known of one property."""
    yield f"{one_line(law.id)}  ({one_line(law.level)}, {one_line(law.kind)}, revision {law.revision})"
    yield one_line(law.title)
    yield f"  formula: {one_line(law.formula)}"
    if law.source:
        yield f"  source: {one_line(law.source)}"
    for convention, value in law.document.items():
        yield f"  judged with {one_line(convention)}={one_line(value)}, whatever is declared"
    if law.dtypes is not None:
        yield f"  dtypes: {', '.join(law.dtypes)}"
    if law.partner is not None:
        yield f"  compared with: {one_line(law.partner)}"
    if law.family == "common":
        yield f"  families: {', '.join(law.families) if law.families is not None else 'all'}"
    for number in law.statements:
        yield f"  §{one_line(number)}: {one_line(known[number].english) if number in known else '(not installed here)'}"
    yield from _declared([law], listed)


def of_statement(statement: Statement, items: Mapping[str, Property], listed: Sequence[Listed]) -> Iterator[str]:
    """One statement of the document, the properties that check it, and what the stock declares of it."""
    yield f"§{one_line(statement.number)}"
    yield one_line(statement.english)
    yield one_line(statement.chinese)
    if statement.formula:
        yield f"  formula: {one_line(statement.formula)}"
    laws = [law for law in items.values() if statement.number in law.statements]
    yield "  checked by:" if laws else "  checked by no property that is installed here"
    for law in laws:
        yield f"    {one_line(law.id)}: {one_line(law.title)}"
    yield from _declared(laws, listed)


def of_implementation(one: Listed) -> Iterator[str]:
    """What a stock implementation declares, and the evidence for it."""
    family, framework = (one_line(text) if text is not None else "unknown" for text in (one.family, one.framework))
    yield f"{one_line(one.name)}  ({family}, {framework})"
    declares, evidence = one.declares or {}, one.evidence or {}
    if declares:
        yield "  conventions:"
    for convention, value in declares.items():
        yield f"    {one_line(convention)}={one_line(value)}{_because(evidence.get(convention, ''))}"
    if one.deviations:
        yield "  deviations:"
    for law, reason in (one.deviations or {}).items():
        yield f"    {one_line(law)}: {one_line(reason)}"
    if one.declares is None:
        yield "  more is known only where its framework is imported: regcheck verify"


def _because(evidence: str) -> str:
    return f", for: {one_line(evidence)}" if evidence else ""


def _declared(laws: Sequence[Property], listed: Sequence[Listed]) -> Iterator[str]:
    """Which stock implementations are said to hold the laws, and which deviate, and why."""
    concerned = [one for one in listed if one.family and any(law.applies_to(one.family) for law in laws)]
    reasons = {one.name: list(_reasons(laws, one)) for one in concerned}
    holding = [one_line(name) for name, found in reasons.items() if not found]
    if holding:
        yield f"  no deviation declared by: {', '.join(holding)}"
    for name, found in reasons.items():
        for reason in found:
            yield f"  declared to deviate: {one_line(name)}, {reason}"


def _reasons(laws: Sequence[Property], one: Listed) -> Iterator[str]:
    for law in laws:
        if one.family is None or not law.applies_to(one.family):
            continue
        for convention, value in law.document.items():
            declared = (one.declares or {}).get(convention, value)
            if declared != value:
                because = _because((one.evidence or {}).get(convention, ""))
                yield f"{one_line(law.id)}: {one_line(convention)}={one_line(declared)}{because}"
        if law.id in (one.deviations or {}):
            yield f"{one_line(law.id)}: {one_line((one.deviations or {})[law.id])}"
