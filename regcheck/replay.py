"""Replay files: a failing case with its bits, the layer it was seen on, and a digest over it all."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regcheck import files, storage
from regcheck.errors import UsageError, WorkerError
from regcheck.evaluate import Outcome, evaluate
from regcheck.host import CALL_SECONDS, PartnerSession, Session
from regcheck.processes import Server

if TYPE_CHECKING:
    from collections.abc import Mapping

    from regcheck.case import Case
    from regcheck.property import Property
    from regcheck.recur import Finding

FORMAT = 1
FOLDER = ".regcheck"
REMEDY = "Run `regcheck verify` again to write a new one."


@dataclass(frozen=True)
class Stored:
    """What a replay file holds."""

    property: str
    revision: int
    source: dict[str, Any]
    attribute: str
    name: str
    framework: str
    adapter: str
    family: str
    declares: dict[str, Any]
    code: str
    python: str
    case: Case
    history: tuple[Case, ...]
    partner: dict[str, Any] | None = None
    deviates: str = ""


def code_digest(source: Mapping[str, Any]) -> str:
    """SHA-256 of a target file, "" for importable modules."""
    path = source.get("path")
    if source.get("kind") != "file" or not isinstance(path, str) or not Path(path).is_file():
        return ""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def slug(text: str, digest: str = "") -> str:
    """A file name made of `text`, whatever it holds, and of a digest: `digest` or, without one, that of the text."""
    digest = digest or hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', text).strip('-.')[:80]}-{digest[:8]}"


def write(finding: Finding, prop: Property, unit: Mapping[str, Any], deviates: str = "") -> str:
    """Write the replay file of a unit's finding under `.regcheck/`; its path relative to the working folder.

    `deviates` is the reason of a finding that was declared. The file's name follows from what it holds: no run
    overwrites the case that another one reports.
    """
    about, source = unit["about"], unit["source"]
    body: dict[str, Any] = {
        "format": FORMAT,
        "property": prop.id,
        "revision": prop.revision,
        "source": dict(source),
        **{k: about[k] for k in ("attribute", "name", "framework", "adapter", "family")},
        "declares": {**about["defaults"], **about["declares"]},
        "code": code_digest(source),
        "python": unit["python"],
        "deviates": deviates,
        "partner": unit["partners"].get(prop.partner),
        "case": storage.case_to_json(finding.case),
        "history": [storage.case_to_json(c) for c in finding.history],
    }
    body["sha256"] = _digest(body)
    name = slug(f"{about['name']}--{prop.id}", body["sha256"])
    path = Path(FOLDER) / f"{name}.json"
    files.write_atomically(path, json.dumps(body, indent=1, allow_nan=True) + "\n")
    return str(path)


def _digest(body: Mapping[str, Any]) -> str:
    content = {k: v for k, v in body.items() if k != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read(path: Path) -> Stored:
    """The stored case. Raises UsageError, with a sentence, on anything that is not one."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror}. Expected a replay file. Check the path."
        raise UsageError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{str(path)!r} is not a whole replay file (it may be truncated): {error}. {REMEDY}"
        raise UsageError(msg) from error
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        msg = f"{str(path)!r} is not a replay file of format {FORMAT}. {REMEDY}"
        raise UsageError(msg)
    if body.get("sha256") != _digest(body):
        msg = f"{str(path)!r} was changed after it was written: its digest does not fit. {REMEDY}"
        raise UsageError(msg)
    try:
        return _stored(body)
    except (KeyError, ValueError, TypeError) as error:
        msg = f"{str(path)!r} holds no case: {type(error).__name__}: {error}. {REMEDY}"
        raise UsageError(msg) from error


def _stored(body: dict[str, Any]) -> Stored:
    family = str(body["family"])
    texts = ("property", "attribute", "name", "framework", "adapter", "code", "python")
    return Stored(
        revision=int(body["revision"]),
        source=dict(body["source"]),
        family=family,
        declares=dict(body["declares"]),
        case=storage.case_from_json(family, body["case"]),
        history=tuple(storage.case_from_json(family, c) for c in body["history"]),
        partner=body.get("partner"),
        deviates=str(body.get("deviates", "")),
        **{k: str(body[k]) for k in texts},
    )


@dataclass(frozen=True)
class Replayed:
    """A stored case judged on the layer as it is now; `notes` say what changed since it was stored."""

    stored: Stored
    law: Property
    outcome: Outcome
    notes: tuple[str, ...]


def replay(path: Path, properties: Mapping[str, Property], timeout: float = CALL_SECONDS) -> Replayed:
    """Judge the case of a replay file again. Raises UsageError for a file, property or layer that is not there."""
    stored = read(path)
    law = properties.get(stored.property)
    if law is None:
        msg = f"{str(path)!r} names the property {stored.property!r}, which is not installed. Install its plug-in."
        raise UsageError(msg)
    try:
        server = Server(stored.python or sys.executable, (stored.adapter,))
    except WorkerError as error:
        raise UsageError(str(error)) from error
    try:
        outcome = judge_again(stored, law, server, timeout)
    finally:
        server.close()
    if outcome.fault is not None and outcome.fault.kind == "load":
        raise UsageError(outcome.fault.message)
    return Replayed(stored, law, outcome, _notes(stored, law))


def _notes(stored: Stored, law: Property) -> tuple[str, ...]:
    notes = []
    if stored.code != code_digest(stored.source):
        notes.append("the layer's file has changed since the case was stored")
    if stored.revision != law.revision:
        notes.append(f"the property is at revision {law.revision}, the case was stored at {stored.revision}")
    return tuple(notes)


def judge_again(stored: Stored, prop: Property, server: Server, timeout: float = CALL_SECONDS) -> Outcome:
    """Judge a stored case on the layer as it is now."""
    session = Session(server, stored.source, stored.attribute, stored.family, stored.declares, timeout)
    if stored.partner is not None:
        session.partner = PartnerSession(server, stored.partner, timeout)
    try:
        for earlier in stored.history:
            evaluate(prop, earlier, session)
        return evaluate(prop, stored.case, session)
    finally:
        session.close()


def witness_name(implementation: str, prop: str) -> str:
    """The file name of a deviation's stored witness where the declaration gives none."""
    return f"{slug(f'{implementation}--{prop}')}.json"


def stored_witnesses(about: Mapping[str, Any]) -> dict[str, Case]:
    """The stored witnesses of an implementation's deviations by property id, from `witnesses/` beside its module.

    Raises UsageError for a file that is named and missing, or is no replay file.
    """
    found: dict[str, Case] = {}
    if about["folder"] is None:
        return found
    folder = Path(about["folder"]) / "witnesses"
    for prop, deviation in about["deviations"].items():
        path = folder / (deviation["witness"] or witness_name(about["name"], prop))
        if deviation["witness"] is not None or path.is_file():
            found[prop] = read(path).case
    return found


def publish(path: Path, folder: Path) -> Path:
    """Copy a replay file into `folder` as a stored witness, without this machine's paths. Raises UsageError."""
    stored = read(path)
    body = json.loads(path.read_text(encoding="utf-8"))
    body["python"] = ""
    body["sha256"] = _digest(body)
    target = folder / witness_name(stored.name, stored.property)
    files.write_atomically(target, json.dumps(body, allow_nan=True) + "\n")
    return target
