"""What `list` and `explain` print: pure functions of implementations, properties, families and statements."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from regcheck.report.plain import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from regcheck.families import Family
    from regcheck.property import Property
    from regcheck.registry import Listed

KEYS = ("name", "framework", "family", "available", "declares", "deviations")


class Statement(Protocol):
    """One statement of the document, as the catalogue states it."""

    number: str
    english: str
    chinese: str
    formula: str


def implementations(listed: Iterable[Listed]) -> list[dict[str, Any]]:
    """Records of implementations; None is what only importing foreign code could tell."""
    return [{key: getattr(one, key) for key in KEYS} for one in listed]


def properties(items: Mapping[str, Property]) -> list[dict[str, Any]]:
    """Records of properties."""
    return [
        {
            "id": law.id,
            "family": law.family,
            "level": law.level,
            "statements": list(law.statements),
            "revision": law.revision,
            "title": law.title,
            "kind": law.kind,
        }
        for law in items.values()
    ]


def families(known: Mapping[str, Family]) -> list[dict[str, Any]]:
    """Records of families: the fields of the config, and the values of each convention, the default first."""
    return [
        {
            "family": family.name,
            "config": family.config.__name__,
            "fields": [field.name for field in dataclasses.fields(family.config)],
            "method": family.method,
            "conventions": {key: list(values) for key, values in family.conventions.items()},
        }
        for family in known.values()
    ]


def statements(known: Mapping[str, Statement], items: Mapping[str, Property]) -> list[dict[str, Any]]:
    """Records of statements, each with the properties that check it."""
    return [
        {
            "number": statement.number,
            "english": statement.english,
            "chinese": statement.chinese,
            "formula": statement.formula,
            "properties": [law.id for law in items.values() if statement.number in law.statements],
        }
        for statement in known.values()
    ]


SHOWN = {
    "implementations": ("name", "family", "framework", "available", "declares"),
    "properties": ("id", "level", "kind", "title"),
    "families": ("family", "config", "fields", "conventions"),
    "statements": ("number", "english"),
}


def as_json(records: Any) -> str:
    """Records for a program."""
    import json  # noqa: PLC0415  (a listing for people starts without it)

    return json.dumps(records, indent=1, ensure_ascii=False, default=str)


def lines(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """Records by kind for people; a heading each where there are several kinds."""
    for kind, found in records.items():
        if len(records) > 1:
            yield f"{kind} ({len(found)})"
        yield from columns(found, SHOWN[kind])
        if len(records) > 1:
            yield ""


def columns(records: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> Iterator[str]:
    """Lines of aligned text, one a record."""
    rows = [[_text(record[key]) for key in keys] for record in records]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(len(keys))]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _text(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "installed" if value else "not installed"
    if isinstance(value, dict):
        return ", ".join(f"{one_line(key)}={_text(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "|".join(map(one_line, value))
    return one_line(value)


def table_of_properties(items: Mapping[str, Property]) -> str:
    """The catalogue as a Markdown table."""
    from regcheck.report.markdown import code, escape, table  # noqa: PLC0415

    rows = (
        [code(law.id), law.level, escape(", ".join(f"§{n}" for n in law.statements)), escape(law.title)]
        for law in items.values()
    )
    return "\n".join(table(["property", "level", "statements", "what holds"], rows))


def table_of_families(items: Mapping[str, Property]) -> str:
    """How many properties each family has, by level, as a Markdown table."""
    from regcheck.property import LEVELS  # noqa: PLC0415  (imports NumPy, which other listings do not)
    from regcheck.report.markdown import code, table  # noqa: PLC0415

    levels = [level for level in LEVELS if any(law.level == level for law in items.values())]
    rows = []
    for family in dict.fromkeys(law.family for law in items.values()):
        laws = [law for law in items.values() if law.family == family]
        rows.append([code(family), str(len(laws)), *(str(sum(law.level == one for law in laws)) for one in levels)])
    return "\n".join(table(["family", "properties", *levels], rows))


TABLES = {"properties": table_of_properties, "families": table_of_families}
