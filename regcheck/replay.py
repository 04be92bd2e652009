"""Replay files: a failing case with its bits, the layer it was seen on, and a digest over it all."""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from regcheck import __version__, files, machine, registry, storage
from regcheck.errors import UsageError, WorkerError
from regcheck.evaluate import Outcome, evaluate
from regcheck.host import CALL_SECONDS, Session
from regcheck.processes import Server
from regcheck.verdict import Cell, Report, Verdict, number, summarise
from regcheck.witness import witness_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regcheck.case import Case
    from regcheck.judge import Finding
    from regcheck.property import Property

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


def code_digest(source: Mapping[str, Any]) -> str:
    """SHA-256 of a target file, "" for importable modules."""
    path = source.get("path")
    if source.get("kind") != "file" or not isinstance(path, str) or not Path(path).is_file():
        return ""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def slug(text: str) -> str:
    """A file name made of `text`, whatever it holds."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', text).strip('-.')[:80]}-{digest}"


def write(finding: Finding, prop: Property, about: Mapping[str, Any], source: Mapping[str, Any], python: str) -> str:
    """Write the replay file of a finding under `.regcheck/`; its path relative to the working folder."""
    body: dict[str, Any] = {
        "format": FORMAT,
        "property": prop.id,
        "revision": prop.revision,
        "source": dict(source),
        **{k: about[k] for k in ("attribute", "name", "framework", "adapter", "family")},
        "declares": {**about["defaults"], **about["declares"]},
        "code": code_digest(source),
        "python": python,
        "case": storage.case_to_json(finding.case),
        "history": [storage.case_to_json(c) for c in finding.history],
    }
    body["sha256"] = _digest(body)
    path = Path(FOLDER) / f"{slug(about['name'] + '--' + prop.id)}.json"
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
        **{k: str(body[k]) for k in texts},
    )


def replay(path: Path, timeout: float = CALL_SECONDS) -> Report:
    """Judge the case of a replay file again, as a report of one cell; its problems say what changed meanwhile.

    Raises UsageError for a file, property or layer that is not there.
    """
    started = time.monotonic()
    stored = read(path)
    law = registry.properties().items.get(stored.property)
    if law is None:
        msg = f"{str(path)!r} names the property {stored.property!r}, which is not installed. Install its plug-in."
        raise UsageError(msg)
    try:
        server = Server(stored.python, (stored.adapter,))
    except WorkerError as error:
        raise UsageError(str(error)) from error
    try:
        outcome = judge_again(stored, law, server, timeout)
    finally:
        server.close()
    if outcome.fault is not None and outcome.fault.kind == "load":
        raise UsageError(outcome.fault.message)
    cell = _cell(stored, law, outcome, path, time.monotonic() - started)
    return Report(
        regcheck=__version__,
        conformant=False,
        complete=True,
        in_process=False,
        partial=True,
        canaries="not run",
        seed=0,
        profile="replay",
        platform=machine.facts(),
        environments=[{"id": 0, **server.versions}],
        implementations=[],
        not_installed=[],
        problems=list(_notes(stored, law)),
        summary=summarise([cell]),
        cells=[cell],
        wall_seconds=round(time.monotonic() - started, 2),
    )


def _cell(stored: Stored, law: Property, outcome: Outcome, path: Path, seconds: float) -> Cell:
    violation = outcome.violation
    verdict: Verdict = "failed" if violation else "not-applicable" if outcome.unsupported else "passed"
    witness = witness_of(stored.case, violation) if violation else None
    if witness is not None:
        witness = msgspec.structs.replace(witness, replay=f"regcheck replay {path}")
    return Cell(
        implementation=stored.name,
        framework=stored.framework,
        family=stored.family,
        property=law.id,
        revision=law.revision,
        level=law.level,
        verdict=verdict,
        reason=outcome.unsupported or (outcome.fault.sentence() if outcome.fault else ""),
        examples=outcome.cases,
        ill_conditioned=outcome.ill_conditioned,
        seconds=round(seconds, 4),
        error_over_bound=number(outcome.peak),
        witness=witness,
    )


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
    try:
        for earlier in stored.history:
            evaluate(prop, earlier, session)
        return evaluate(prop, stored.case, session)
    finally:
        session.close()


def stored_witnesses(folder: str | None, deviations: Mapping[str, Mapping[str, Any]]) -> dict[str, Sequence[Stored]]:
    """The stored witnesses that an implementation's deviations name, by property id. Raises UsageError."""
    found = {}
    for prop, deviation in deviations.items():
        if deviation["witness"] is not None and folder is not None:
            found[prop] = [read(Path(folder) / "witnesses" / deviation["witness"])]
    return found
