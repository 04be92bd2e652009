"""The other layer of a relation comes from the same target, else from the stock; what is wrong with it is its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from regcheck import registry, replay
from regcheck.partners import Found, partners, stock_to_look_at
from regcheck.plan import Request, Target
from regcheck.run import verify

if TYPE_CHECKING:
    from pathlib import Path

    from regcheck.verdict import Cell

LAW = "group_norm.one-group-is-layer-norm"
LAWS = [registry.catalogue().properties[LAW]]
MINE, OTHER = (Target(name, {"kind": "file", "path": name}) for name in ("mine.py", "other.py"))
NUMPY, TORCH = (Target(name, {"kind": "module", "name": name}, stock=True) for name in ("numpy", "torch"))


def found(target: Target, family: str, name: str, framework: str = "numpy") -> Found:
    """An implementation in a target."""
    return Found(target, {"name": name, "family": family, "framework": framework})


GROUP = found(MINE, "group_norm", "group")


def test_the_first_of_the_family_in_the_same_target_is_the_partner() -> None:
    first, second = (found(MINE, "layer_norm", name) for name in ("first", "second"))
    elsewhere = found(OTHER, "layer_norm", "elsewhere")
    chosen = partners(GROUP, LAWS, [elsewhere, GROUP, first, second, found(NUMPY, "layer_norm", "stock")])
    assert chosen == {"layer_norm": {**first.about, "source": MINE.source}}


def test_else_the_stock_of_the_same_framework_is() -> None:
    stocked = [found(TORCH, "layer_norm", "torch", "torch"), found(NUMPY, "layer_norm", "numpy")]
    assert partners(GROUP, LAWS, [GROUP, *stocked])["layer_norm"]["name"] == "numpy"
    assert partners(found(MINE, "group_norm", "jax", "jax"), LAWS, stocked) == {}


def test_the_stock_is_looked_at_only_where_a_partner_is_missing() -> None:
    stock = [NUMPY, TORCH]
    assert stock_to_look_at([GROUP], LAWS, stock) == [NUMPY]
    assert stock_to_look_at([GROUP, found(MINE, "layer_norm", "first")], LAWS, stock) == []
    assert stock_to_look_at([found(NUMPY, "group_norm", "group")], LAWS, stock) == []
    assert stock_to_look_at([GROUP], [], stock) == []


LAYERS = """
import numpy as np, regcheck
from regcheck.numpy_layers.group_norm import GroupNorm
from regcheck.numpy_layers.layer_norm import LayerNorm

class Raising:
    def forward(self, x, training):
        raise OSError("no disk")

class Doubled(GroupNorm):
    def forward(self, x, training):
        return 2 * super().forward(x, training)

@regcheck.implements("group_norm", framework={framework!r})
def group(config):
    return {group}(config.channels, config.groups, config.ndim, eps=config.eps, affine=config.affine)
"""
PARTNER = """
@regcheck.implements("layer_norm")
def layer(config):
    return {layer}
"""


def judged(path: Path, text: str, **keywords: Any) -> Cell:
    """The cell of the relation on a file's group_norm."""
    path.write_text(text)
    report = verify(Request((str(path),), properties=(LAW,), profile="quick", seed=1, **keywords), lambda *_: None)
    return next(cell for cell in report.cells if cell.implementation == "group")


def layers(group: str = "GroupNorm", layer: str | None = None, framework: str = "numpy") -> str:
    """A user's file."""
    beside = PARTNER.format(layer=layer) if layer else ""
    return LAYERS.format(group=group, framework=framework) + beside


@pytest.mark.parametrize("in_process", [False, True])
def test_a_layer_is_compared_with_the_stock_of_its_framework(tmp_path: Path, *, in_process: bool) -> None:
    assert judged(tmp_path / "right.py", layers(), in_process=in_process).verdict == "passed"
    wrong = judged(tmp_path / "wrong.py", layers("Doubled"), in_process=in_process)
    assert wrong.verdict == "failed"
    assert wrong.witness is not None
    assert wrong.witness.where.startswith("y beside that of numpy.layer_norm")


def test_a_layer_is_compared_with_what_is_beside_it(tmp_path: Path) -> None:
    beside = layers(layer="LayerNorm(config.shape, eps=2 * config.eps, affine=config.affine)")
    cell = judged(tmp_path / "mine.py", beside)
    assert cell.verdict == "failed"
    assert cell.witness is not None
    assert cell.witness.where.startswith("y beside that of layer")
    assert cell.reason == "compared with layer, which may be the one that is wrong: look at its own verdicts first"


def test_without_a_partner_the_law_is_not_applicable(tmp_path: Path) -> None:
    cell = judged(tmp_path / "mine.py", layers(framework="elsewhere"))
    assert cell.verdict == "not-applicable"
    assert cell.reason == "no layer_norm to compare with: neither beside this layer nor among the stock of elsewhere"


def test_a_partner_that_raises_accuses_nobody_else(tmp_path: Path) -> None:
    cell = judged(tmp_path / "mine.py", layers(layer="Raising()"))
    assert cell.verdict == "inconclusive"
    assert "the partner layer: forward raised OSError: no disk" in cell.reason


def test_a_failure_replays_beside_its_partner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cell = judged(tmp_path / "wrong.py", layers("Doubled"))
    assert cell.witness is not None
    path = tmp_path / cell.witness.replay.removeprefix("regcheck replay ")
    again = replay.replay(path, registry.catalogue().properties)
    assert again.outcome.violation is not None
    assert "numpy.layer_norm" in again.outcome.violation.where
