"""The published JSON schema of a report, generated from the records in `regcheck.verdict`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from regcheck.verdict import SCHEMA, Report

FILE = Path(__file__).with_name("report.schema.json")


def schema() -> dict[str, Any]:
    """The schema as plain data; every key is required, since a report leaves none out."""
    (root,), components = msgspec.json.schema_components([Report], ref_template="#/$defs/{name}")
    for record in components.values():
        record["required"] = list(record["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A regcheck report, schema {SCHEMA}",
        **root,
        "$defs": components,
    }


def text() -> str:
    """The schema as it is published in `report.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
