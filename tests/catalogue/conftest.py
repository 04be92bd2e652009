"""A judge for layers that are classes of the test itself, in this process."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st

from regcheck import loading, shrink
from regcheck.adapters import plain
from regcheck.evaluate import evaluate
from regcheck.families import config_from_dict
from regcheck.host import PartnerSession, Session
from regcheck.hosting import Host
from regcheck.implementation import Implementation
from regcheck.judge import CellJudge, Settings
from regcheck.property import Plan


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


def stock_partner(law):
    """Layers of the family that a law compares with, this project's own; None where it compares with none."""
    if law.partner is None:
        return None
    source = {"kind": "module", "name": "regcheck.stock.numpy", "attribute": law.partner}
    found = loading.load(source)[law.partner]
    about = {"name": found.name, "family": found.family, "declares": found.declares, "defaults": {}}
    return PartnerSession(None, {**about, "source": source, "attribute": law.partner})


@pytest.fixture
def partner():
    """A function law -> layers of the family that it compares with."""
    return stock_partner


@pytest.fixture
def verdict():
    """A function (law, factory, examples=None, **declares) -> Cell."""

    def judged(law, factory, examples=None, **declares):
        about = {"name": "it", "framework": "numpy", "family": law.family, "dtypes": None}
        session = LocalSession(factory, law.family, declares)
        session.partner = stock_partner(law)
        return CellJudge(law, session, about, Settings(examples=examples), None).judge().cell

    return judged


@pytest.fixture
def session():
    """A function (factory, family, declares) -> a session with its layers."""
    return LocalSession


def smaller(case):
    """Cases that a failing `case` may be cut down to: short axes, one index of all axes, simple numbers."""
    alone = case
    for dim in case.sizes():
        yield shrink.take(case, dim, [0])
        alone = shrink.take(alone, dim, [0])
    yield alone
    for name, array in case.arrays.items():
        yield case.with_arrays(**{name: np.zeros_like(array)})
    for name, array in alone.arrays.items():
        for simple in (np.zeros_like(array), np.ones_like(array), np.rint(array)):
            yield alone.with_arrays(**{name: simple})


def drawn(law, dtype, count=2):
    """Some cases of a law."""
    found = []

    @hypothesis.settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @hypothesis.given(st.one_of(law.strata(Plan(law.family, dtype))))
    def look(case):
        found.append(case)

    look()
    return found


@pytest.fixture
def accused():
    """A function (law, factory) -> the violations that cut-down cases show; a law that raises is an error."""

    def violations(law, factory):
        session = LocalSession(factory, law.family, {})
        session.partner = stock_partner(law)
        dtypes = law.dtypes or ("float16", "float64")
        cuts = [cut for dtype in dtypes for case in drawn(law, dtype) for cut in smaller(case)]
        seen = [evaluate(law, cut, session).violation for cut in cuts]
        return [violation for violation in seen if violation is not None]

    return violations
