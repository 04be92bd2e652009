"""The share of a whole suite's time that is the layers' own."""

from __future__ import annotations

import contextlib
import time

import speed_clock as clock
import torch

from regcheck import hosting, loading, registry
from regcheck.bench import estimate
from regcheck.families import samples
from regcheck.host import Session
from regcheck.judge import CellJudge, Expected, Settings

SHARE = "3. The layers' own share"
SOURCE = {"kind": "module", "name": "regcheck.stock.torch"}
EVERY = "every cell"


@contextlib.contextmanager
def hosting_timed():
    """Yield a list whose one number grows by the seconds that the worker's side spends in building and calling."""
    spent = [0.0]
    kept = {name: getattr(hosting.Host, name) for name in ("do_make", "do_call")}

    def timed(method):
        def call(host, request):
            before = time.process_time()
            try:
                return method(host, request)
            finally:
                spent[0] += time.process_time() - before

        return call

    for name, method in kept.items():
        setattr(hosting.Host, name, timed(method))
    try:
        yield spent
    finally:
        for name, method in kept.items():
            setattr(hosting.Host, name, method)


def share(examples):
    """Rows of item 3: every cell of PyTorch's stock layers once, in process."""
    torch.set_num_threads(1)
    loading.register_adapters(registry.adapters())
    cells = [cell for found in loading.load(SOURCE).items() for cell in _cells(*found, examples)]
    first = f"`regcheck verify regcheck.stock.torch --in-process --profile quick --examples {examples}`"
    others = [cell for cell in cells if cell[0] != "torch.SGD"]
    named = {EVERY: cells, "without torch.SGD, which calls its layer longest": others}
    return [
        _share(what, f"{first}: in the layer's factory and methods, over all", kept) for what, kept in named.items()
    ]


def _cells(attribute, implementation, examples):
    """(implementation, property, seconds in the layer, seconds in all) of an implementation's cells."""
    about = loading.describe(attribute, implementation, samples(implementation.family))
    declares = {**about["defaults"], **about["declares"]}
    session = Session(None, SOURCE, attribute, implementation.family, declares)
    for law in clock.LAWS.values():
        if not law.applies_to(implementation.family) or law.level == "extreme":
            continue
        deviation = about["deviations"].get(law.id)
        expected = Expected(deviation["reason"], deviation["strata"]) if deviation else None
        with hosting_timed() as spent:
            before = clock.own()
            CellJudge(law, session, about, Settings("quick", examples), expected).judge()
            yield about["name"], law.id, spent[0], clock.own() - before
    session.close()


def _share(what, idea, cells):
    inside, whole = ([cell[i] for cell in cells] for i in (2, 3))
    ratio = estimate.ratio_of_sums(inside, whole)
    figures = (f"{sum(inside):.1f} s", f"{sum(whole):.1f} s")
    return clock.Row(SHARE, f"{what} ({len(cells)})", idea, *figures, ratio, {"cells": cells} if what == EVERY else {})
