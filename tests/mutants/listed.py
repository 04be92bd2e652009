"""What is listed in `modules.toml` and in `equivalent.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from scores import Equivalent
from trees import ROOT

HERE = Path(__file__).parent
# Each of their modules is mutated.
FOLDERS = ("regcheck/bounds", "regcheck/numpy_layers", "regcheck/reference")


@dataclass(frozen=True)
class Module:
    """A module to mutate: its path, its group, and its killers, the fastest first."""

    path: str
    group: str
    killers: tuple[str, ...]

    @property
    def source(self) -> str:
        """Its text."""
        return (ROOT / self.path).read_text(encoding="utf-8")


def modules() -> list[Module]:
    """The modules of `modules.toml`."""
    listed = tomllib.loads((HERE / "modules.toml").read_text(encoding="utf-8"))["module"]
    return [Module(it["path"], it["group"], tuple(it["killers"])) for it in listed]


def equivalents() -> list[Equivalent]:
    """The entries of `equivalent.toml`."""
    listed = tomllib.loads((HERE / "equivalent.toml").read_text(encoding="utf-8")).get("equivalent", [])
    return [Equivalent(**{**entry, "mutants": tuple(entry["mutants"])}) for entry in listed]
