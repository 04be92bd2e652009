"""Each law of dropout holds for a right layer, and accuses the layer that breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from regcheck_properties import dropout

from regcheck import Property
from regcheck.adapters import plain
from regcheck.families import DropoutConfig
from regcheck.host import Session
from regcheck.hosting import Host
from regcheck.implementation import Implementation
from regcheck.judge import CellJudge, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck.verdict import Cell

Array = np.ndarray[Any, np.dtype[Any]]
PROPERTIES = {v.id: v for v in vars(dropout).values() if isinstance(v, Property)}


class Right:
    """Inverted dropout with a stream of its own."""

    def __init__(self, config):
        self.rate = config.rate
        self.mask, self.scale = np.ones((), bool), 1.0
        self.seed(int(np.random.default_rng().integers(2**31)))

    def seed(self, value):
        self.stream = np.random.default_rng(value)

    def draw(self, x):
        return self.stream.random(x.shape) >= self.rate

    def factor(self):
        return 1 / (1 - self.rate) if self.rate < 1 else 0.0

    def forward(self, x, training):
        self.mask, self.scale = (self.draw(x), self.factor()) if training else (np.ones(x.shape, bool), 1.0)
        return self.apply(x, self.mask)

    def apply(self, x, mask):
        return np.where(mask, x * x.dtype.type(self.scale), np.zeros((), x.dtype))

    def backward(self, cotangent):
        return {"x": self.apply(cotangent, self.mask)}


class LocalHost(Host):
    """Layers of one factory, in this process."""

    def __init__(self, factory, declares):
        super().__init__()
        self.implementation = Implementation(factory, "dropout", name="it", declares=declares)

    def do_make(self, call):
        config = DropoutConfig(**call["config"])
        layer = plain.adapt(self.implementation.factory(config), self.implementation, config, call["dtype"])
        self.layers[call["layer"]] = layer
        return {"result": None}


class LocalSession(Session):
    """A session whose layers live in this process, for good."""

    def __init__(self, factory, declares):
        super().__init__(None, {}, "it", "dropout", declares)
        self.local = LocalHost(factory, declares)

    def renew(self):
        self.reset()


def judge(prop: Property, layer: Callable[[Any], Any], **declares: str) -> Cell:
    about = {"name": "it", "framework": "numpy", "family": "dropout", "dtypes": None}
    return CellJudge(prop, LocalSession(layer, declares), about, Settings(), None).judge().cell


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_right_layer_passes(name):
    cell = judge(PROPERTIES[name], Right)
    assert (cell.verdict, cell.reason) == ("passed", ""), cell
