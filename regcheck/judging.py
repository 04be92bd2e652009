"""A judge process: takes units of work as JSON lines, answers with cells as JSON lines.

A process of its own, so that what it imports is known: NumPy and the catalogue, never a framework.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import traceback
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from hypothesis import strategies as st

from regcheck import canaries, registry, replay
from regcheck.case import Case
from regcheck.errors import UsageError, WorkerError
from regcheck.families import PenaltyConfig
from regcheck.host import CALL_SECONDS, PartnerSession, Session
from regcheck.implementation import versions_fit
from regcheck.judge import CellJudge, Expected, Judgement, Settings
from regcheck.processes import Server
from regcheck.property import Evidence, Layers, Plan, Property, prop, within

if TYPE_CHECKING:
    from collections.abc import Callable

CANARY_SECONDS = 0.3


def _canary_cases(plan: Plan) -> st.SearchStrategy[Case]:
    case = Case(PenaltyConfig(l1=1.0), plan.dtype, {"w": np.ones(1, plan.dtype)}, {"w": ("W",)}, (), {})
    return st.just(case)


@prop("canary.value", cases=_canary_cases, level="core", formula="ℓ(1) = 1", dtypes=["float32"])
def canary_value(layers: Layers, case: Case) -> Evidence:
    """The canary's penalty of 1 is 1."""
    layer = layers.make(case.config, case.dtype)
    return within(layer.value(case["w"]), np.ones(()), 1e-6)


class Judging:
    """Answers units with the servers it has started."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        self.tell = tell
        self.servers: dict[tuple[str, str], Server] = {}
        self.properties: dict[str, Property] = {}

    def server(self, python: str, adapter: str) -> Server:
        """The server of an interpreter that imported one adapter. Raises WorkerError."""
        key = (python, adapter)
        if key not in self.servers:
            self.servers[key] = Server(python, (adapter,))
        return self.servers[key]

    def answer(self, unit: dict[str, Any]) -> None:
        """Do one unit; its last event is "done"."""
        try:
            getattr(self, "do_" + unit["do"])(unit)
        except WorkerError as error:
            self.tell({"event": "unreachable", "message": str(error)})
        except Exception:  # noqa: BLE001  (told to the parent as an internal error)
            self.tell({"event": "internal", "message": traceback.format_exc()})
        self.tell({"event": "done", "peak_mib": self._peaks()})

    def _peaks(self) -> dict[str, float]:
        peaks = {"judge": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        for (_, adapter), server in self.servers.items():
            peaks[f"worker:{adapter}"] = max(peaks.get(f"worker:{adapter}", 0.0), server.peak_mib)
        return {k: round(v, 1) for k, v in peaks.items()}

    def do_probe(self, unit: dict[str, Any]) -> None:
        """Describe a source's implementations."""
        server = self.server(unit["python"], unit["adapter"])
        worker = server.worker()
        try:
            reply = worker.ask({"calls": [{"do": "probe", "source": unit["source"]}]}, 120.0)
            versions = worker.ask({"calls": [{"do": "versions"}]}, 10.0)["result"]
            versions = {**reply.get("result", {}).get("packages", {}), **versions}
        except Exception as error:  # noqa: BLE001  (died or hung while importing)
            reply = {"error": {"message": f"{unit['label']!r} cannot be imported: {error}", "type": "", "kind": "load"}}
            versions = server.versions
        finally:
            worker.end()
        self.tell({"event": "probed", "reply": reply, "versions": versions})

    def do_canaries(self, unit: dict[str, Any]) -> None:
        """Judge the four canaries; tell what was misjudged."""
        wrong = []
        for attribute, verdict in canaries.EXPECTED.items():
            seen = self._canary(unit, attribute)
            if seen.cell.verdict != verdict:
                wrong.append(f"{attribute} was judged {seen.cell.verdict} ({seen.cell.reason}), expected {verdict}")
        self.tell({"event": "canaries", "wrong": wrong})

    def _canary(self, unit: dict[str, Any], attribute: str) -> Judgement:
        timeout = CANARY_SECONDS if attribute == "hang" else CALL_SECONDS
        session = Session(self.server(unit["python"], "plain"), canaries.SOURCE, attribute, "l1", {}, timeout)
        about = {"name": attribute, "framework": "numpy", "family": "l1", "dtypes": ["float32"]}
        try:
            return CellJudge(canary_value, session, about, Settings(), None).judge()
        finally:
            session.close()

    def do_judge(self, unit: dict[str, Any]) -> None:
        """Judge one implementation by a list of properties."""
        self.properties = self.properties or dict(registry.catalogue().properties)
        about, settings = unit["about"], Settings(**unit["settings"])
        server = None if unit["in_process"] else self.server(unit["python"], about["adapter"])
        declares = {**about["defaults"], **about["declares"]}
        session = Session(server, unit["source"], about["attribute"], about["family"], declares, unit["timeout"])
        witnesses, problem = _witnesses(about)
        if problem:
            self.tell({"event": "problem", "message": problem})
        partners: dict[str, PartnerSession] = {}
        try:
            for name in unit["properties"]:
                law = self.properties[name]
                session.partner = self._partner(law, unit, partners)
                expected = _expected(name, about, unit["versions"], witnesses)
                judged = CellJudge(law, session, about, settings, expected).judge()
                self._tell_cell(judged, law, unit)
        finally:
            for opened in (session, *partners.values()):
                opened.close()

    def _partner(self, law: Property, unit: dict[str, Any], opened: dict[str, PartnerSession]) -> PartnerSession | None:
        """The session of the law's partner, opened when a law first asks for it; None where there is none."""
        about = unit["partners"].get(law.partner)
        if about is None or law.partner is None:
            return None
        if law.partner not in opened:
            server = None if unit["in_process"] else self.server(unit["python"], about["adapter"])
            opened[law.partner] = PartnerSession(server, about, unit["timeout"])
        return opened[law.partner]

    def _tell_cell(self, judged: Judgement, law: Property, unit: dict[str, Any]) -> None:
        cell = msgspec.structs.replace(judged.cell, environment=unit["environment"])
        if judged.finding is not None and cell.witness is not None:
            try:
                path = replay.write(judged.finding, law, unit, cell.reason if cell.verdict == "deviates" else "")
            except UsageError as error:
                self.tell({"event": "problem", "message": str(error)})
            else:
                witness = msgspec.structs.replace(cell.witness, replay=f"regcheck replay {path}")
                cell = msgspec.structs.replace(cell, witness=witness)
        self.tell({"event": "cell", "cell": msgspec.to_builtins(cell)})

    def close(self) -> None:
        """End the servers."""
        for server in self.servers.values():
            server.close()


def _witnesses(about: dict[str, Any]) -> tuple[dict[str, Case], str]:
    try:
        return replay.stored_witnesses(about), ""
    except UsageError as error:
        return {}, f"a stored witness of {about['name']} is unusable: {error}"


def _expected(name: str, about: dict[str, Any], versions: dict[str, str], witnesses: dict[str, Any]) -> Expected | None:
    deviation = about["deviations"].get(name)
    if deviation is None or not versions_fit(deviation["versions"], versions):
        return None
    strata = tuple(deviation["strata"]) if deviation["strata"] is not None else None
    return Expected(deviation["reason"], strata, witnesses.get(name))


def main() -> None:
    """Serve units from standard input until it closes; standard output carries events and nothing else."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(event: dict[str, Any]) -> None:
        try:
            events.write(json.dumps(event) + "\n")
            events.flush()
        except BrokenPipeError:
            # Nobody is left to tell: the run was ended.
            os._exit(1)

    judging = Judging(tell)
    try:
        for line in sys.stdin:
            judging.answer(json.loads(line))
    finally:
        judging.close()


if __name__ == "__main__":
    main()
