"""A plan of cells over judge processes → a report."""

from __future__ import annotations

import os
import secrets
import sys
import time
from typing import TYPE_CHECKING, Any

import msgspec

from regcheck import __version__, files, machine, registry
from regcheck.court import Court, OwnCourt
from regcheck.errors import UsageError
from regcheck.partners import Found, partners, stock_to_look_at
from regcheck.plan import Request, Target, check_deviations, named_apart, select, stock, targets_of
from regcheck.report import records
from regcheck.verdict import Cell, Report, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from regcheck.property import Property

Progress = "Callable[[str, Cell | None, int, int], None]"
SAVE_SECONDS = 2.0


class Run:
    """One run of `regcheck verify`."""

    def __init__(self, request: Request, progress: Callable[[str, Cell | None, int, int], None]) -> None:
        self.request, self.progress = request, progress
        self.seed = request.seed if request.seed is not None else secrets.randbits(32)
        self.cells: list[Cell] = []
        self.environments: list[dict[str, Any]] = []
        self.implementations: list[dict[str, Any]] = []
        self.not_installed: list[str] = []
        self.problems: list[str] = []
        self.internal: list[str] = []
        self.misjudged: list[str] = []
        self.canaries = "not run"
        self.peaks: dict[str, float] = {}
        self.planned: list[tuple[dict[str, Any], Property]] = []
        self.complete = False
        self.whole = True
        self.partial = request.partial
        self.started = self.saved = time.monotonic()

    def verify(self) -> Report:
        """Run it. Raises UsageError; KeyboardInterrupt ends it early with what it has."""
        catalogue = registry.catalogue()
        self.problems += catalogue.problems
        self.whole = not catalogue.problems
        laws = select(self.request, catalogue.properties)
        installed = stock(registry.entries(registry.IMPLEMENTATIONS), registry.adapters())
        targets = targets_of(self.request, installed)
        self._save(force=True)
        jobs = self.request.jobs or max(1, min(os.cpu_count() or 1, 8))
        court = OwnCourt() if self.request.in_process else Court(jobs)
        clean = False
        try:
            found = self._probe(court, targets)
            units = self._units(found, self._probe_stock(court, found, laws, installed), catalogue.properties, laws)
            if not units:
                self.problems.append(self._nothing())
            self._judge(court, units)
            clean = True
        except KeyboardInterrupt:
            self._fill_in("not judged: the run was interrupted")
        finally:
            court.close(kill=not clean)
        report = self.report()
        self._save(force=True)
        return report

    def _nothing(self) -> str:
        """Why nothing is planned."""
        family = f"of the family {self.request.family!r} " if self.request.family is not None else ""
        return (
            f"Nothing was planned. Expected a layer {family}among the targets, and a property that applies to it. "
            "See `regcheck list implementations`."
        )

    # --- finding implementations

    def _probe(self, court: Court | OwnCourt, targets: list[Target]) -> list[list[Found]]:
        """What the targets hold, by environment."""
        self.environments = [{"id": i} for i in range(len(self._pythons()))]
        canaries: list[dict[str, Any]] = [{"do": "canaries", "python": p, "label": p} for p in self._pythons()]
        found: list[list[Found]] = [[] for _ in self._pythons()]
        by_label = {target.label: target for target in targets}
        for unit, event in court.run([*canaries, *self._probes(targets)]):
            if event["event"] == "canaries":
                self.misjudged += event["wrong"]
                self.canaries = "misjudged: " + "; ".join(self.misjudged) if self.misjudged else "judged rightly"
            else:
                self._take_probe(unit, event, by_label.get(unit["label"]), found)
        order = {target.label: n for n, target in enumerate(targets)}
        return [named_apart(sorted(each, key=lambda one: order[one.target.label])) for each in found]

    def _pythons(self) -> tuple[str, ...]:
        return self.request.pythons or (sys.executable,)

    def _probes(self, targets: list[Target]) -> list[dict[str, Any]]:
        about = {"do": "probe"}
        return [
            {**about, "python": p, "environment": i, "source": t.source, "adapter": t.adapter, "label": t.label}
            for i, p in enumerate(self._pythons())
            for t in targets
        ]

    def _take_probe(
        self, unit: dict[str, Any], event: dict[str, Any], target: Target | None, found: list[list[Found]]
    ) -> None:
        kind = event["event"]
        if kind == "unreachable" and target is not None and target.stock:
            self._take_missing(target.label, event["message"])
        elif kind == "unreachable":
            raise UsageError(event["message"])
        elif kind == "internal":
            self.internal.append(event["message"])
        elif kind == "probed" and target is not None:
            self.environments[unit["environment"]].update(event["versions"])
            if "error" in event["reply"]:
                self._take_broken(target, event["reply"]["error"], unit["python"] if self.request.pythons else "")
                return
            described = event["reply"]["result"]["implementations"]
            found[unit["environment"]] += [Found(target, about) for about in described]

    def _probe_stock(
        self, court: Court | OwnCourt, found: list[list[Found]], laws: list[Property], installed: list[Target]
    ) -> list[list[Found]]:
        """By environment, the stock in which partners of relations are looked for; what is not there has none."""
        wanted = stock_to_look_at([one for each in found for one in each], laws, installed)
        stocked: list[list[Found]] = [[] for _ in found]
        by_label = {target.label: target for target in wanted}
        for unit, event in court.run(self._probes(wanted)) if wanted else ():
            if event["event"] == "probed" and "error" not in event["reply"]:
                described = event["reply"]["result"]["implementations"]
                stocked[unit["environment"]] += [Found(by_label[unit["label"]], about) for about in described]
        return stocked

    def _units(
        self,
        found: list[list[Found]],
        stocked: list[list[Found]],
        properties: Mapping[str, Property],
        laws: list[Property],
    ) -> list[dict[str, Any]]:
        """The cells that follow from what was found, a unit for each implementation."""
        planned = []
        for i, python in enumerate(self._pythons()):
            for one in found[i]:
                check_deviations(one.about, properties)
                unit = self._unit(one, python, i, laws)
                planned += [{**unit, "partners": partners(one, laws, [*found[i], *stocked[i]])}] if unit else []
        return planned

    def _take_missing(self, label: str, message: str) -> None:
        """A framework that is not there is named; one that is there and cannot be imported is a problem."""
        if "ModuleNotFoundError: " in message:
            self.not_installed.append(label)
        else:
            self.whole = False
            self.problems.append(message)

    def _take_broken(self, target: Target, error: dict[str, Any], python: str) -> None:
        message = error["message"]
        if error["kind"] != "load":
            message = f"{target.label!r} cannot be imported: {error['type']}: {message}"
        if not target.stock:
            raise UsageError(f"under {python}: {message}" if python else message, error.get("lines", ()))
        self.whole = False
        self.problems.append(f"plug-in {target.label}: {message}")

    def _unit(self, one: Found, python: str, environment: int, laws: list[Property]) -> dict[str, Any]:
        target, about = one
        if self.request.family not in (None, about["family"]):
            self.partial = True
            return {}
        chosen = [law for law in laws if law.applies_to(about["family"])]
        if not chosen:
            return {}
        self.implementations.append({**_public(about), "environment": environment})
        settings = {"profile": self.request.profile, "examples": self.request.examples, "seed": self.seed}
        unit: dict[str, Any] = {
            "do": "judge",
            "python": python,
            "environment": environment,
            "label": target.label,
            "source": target.source,
            "about": about,
            "versions": self.environments[environment],
            "properties": [law.id for law in chosen],
            "settings": settings,
            "timeout": self.request.timeout,
            "in_process": self.request.in_process,
        }
        self.planned += [(unit, law) for law in chosen]
        return unit

    # --- judging

    def _judge(self, court: Court | OwnCourt, units: list[dict[str, Any]]) -> None:
        self.progress("planned", None, 0, len(self.planned))
        for unit, event in court.run(units):
            kind = event["event"]
            if kind == "cell":
                cell = msgspec.convert(event["cell"], Cell)
                self.cells.append(cell)
                self.progress("cell", cell, len(self.cells), len(self.planned))
                self._save()
            elif kind == "done":
                for name, peak in event["peak_mib"].items():
                    self.peaks[name] = max(peak, self.peaks.get(name, 0.0))
            else:
                self._take_trouble(unit, event)
        self._fill_in("the cell was planned and gave no record")
        self.complete = True

    def _take_trouble(self, unit: dict[str, Any], event: dict[str, Any]) -> None:
        about = f"{unit['about']['name']}: {event['message']}"
        (self.internal if event["event"] == "internal" else self.problems).append(about)

    def _fill_in(self, reason: str) -> None:
        """A planned cell that gave no record is inconclusive, never silently absent."""
        done = {(c.environment, c.implementation, c.property) for c in self.cells}
        for unit, law in self.planned:
            about = unit["about"]
            if (unit["environment"], about["name"], law.id) not in done:
                cell = Cell(
                    implementation=about["name"],
                    framework=about["framework"],
                    family=about["family"],
                    environment=unit["environment"],
                    property=law.id,
                    revision=law.revision,
                    level=law.level,
                    verdict="inconclusive",
                    reason=reason,
                )
                self.cells.append(cell)

    # --- the record

    def report(self) -> Report:
        """The report of what is known now."""
        order = {(u["environment"], u["about"]["name"], law.id): n for n, (u, law) in enumerate(self.planned)}
        key = lambda c: order.get((c.environment, c.implementation, c.property), 0)  # noqa: E731
        cells = sorted(self.cells, key=key)
        summary = summarise(cells)
        conformant = (
            self.complete
            and self.whole
            and not self.partial
            and bool(summary.passed + summary.failed + summary.deviates)
            and not (summary.inconclusive or self.misjudged or self.internal)
            and not any(c.verdict == "failed" and c.level != "extreme" for c in cells)
        )
        return Report(
            regcheck=__version__,
            conformant=conformant,
            complete=self.complete,
            in_process=self.request.in_process,
            partial=self.partial,
            canaries=self.canaries,
            seed=self.seed,
            profile=self.request.profile,
            platform=machine.facts(),
            environments=self.environments,
            implementations=self.implementations,
            not_installed=sorted(self.not_installed),
            problems=self.problems + [f"internal error: {m}" for m in self.internal],
            summary=summary,
            cells=cells,
            wall_seconds=round(time.monotonic() - self.started, 2),
            peak_memory_mib=self.peaks,
        )

    def _save(self, *, force: bool = False) -> None:
        if self.request.json is None or not (force or time.monotonic() - self.saved > SAVE_SECONDS):
            return
        self.saved = time.monotonic()
        files.write_atomically(self.request.json, records.dumps(self.report()))


def _public(about: dict[str, Any]) -> dict[str, Any]:
    keep = ("name", "framework", "family", "declares", "defaults", "deviations", "dtypes")
    return {k: about[k] for k in keep}


def verify(request: Request, progress: Callable[[str, Cell | None, int, int], None]) -> Report:
    """Judge what `request` asks for. Raises UsageError for a request that cannot be met."""
    return Run(request, progress).verify()
