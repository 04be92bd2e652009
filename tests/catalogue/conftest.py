"""A judge for layers that are classes of the test itself, in this process."""

from __future__ import annotations

import pytest

from regcheck.adapters import plain
from regcheck.families import config_from_dict
from regcheck.host import Session
from regcheck.hosting import Host
from regcheck.implementation import Implementation
from regcheck.judge import CellJudge, Settings


class LocalHost(Host):
    """Layers of one factory."""

    def __init__(self, factory, family, declares):
        super().__init__()
        self.implementation = Implementation(factory, family, name="it", declares=declares)

    def do_make(self, call):
        config = config_from_dict(self.implementation.family, call["config"])
        native = self.implementation.factory(config)
        self.layers[call["layer"]] = plain.adapt(native, self.implementation, config, call["dtype"])
        return {"result": None}


class LocalSession(Session):
    """A session whose layers live in this process, for good."""

    def __init__(self, factory, family, declares):
        super().__init__(None, {}, "it", family, declares)
        self.local = LocalHost(factory, family, declares)

    def renew(self):
        self.reset()


@pytest.fixture
def verdict():
    """A function (law, factory, examples=None, **declares) -> Cell."""

    def judged(law, factory, examples=None, **declares):
        about = {"name": "it", "framework": "numpy", "family": law.family, "dtypes": None}
        session = LocalSession(factory, law.family, declares)
        return CellJudge(law, session, about, Settings(examples=examples), None).judge().cell

    return judged
