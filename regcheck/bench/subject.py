"""One layer made ready for one pass: built, its parameters set, and the call that is timed."""

from __future__ import annotations

import importlib
import itertools
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import loading
from regcheck.bench.inputs import inputs
from regcheck.families import FAMILIES, default_convention
from regcheck.layer import Missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck.bench.problems import Problem
    from regcheck.implementation import Implementation

Array = np.ndarray[Any, np.dtype[Any]]
Result = Any  # an array, or a dict of arrays from backward


class Subject:
    """A layer and its timed call. Raises what the factory and the layer raise; Unsupported is for the caller."""

    def __init__(self, implementation: Implementation, problem: Problem, timed: str) -> None:
        self.implementation, self.problem, self.timed = implementation, problem, timed
        self.layer, self.adapter = loading.build(implementation, problem.config, problem.dtype)
        # Its own copies: a layer that overwrites its input must not spoil the other side's.
        self.arrays = {name: value.copy() for name, value in inputs(problem).items()}
        self.assigned = self._assign()
        self.forward: Array | None = None  # what backward differentiates
        self.call = self._call()

    def _assign(self) -> frozenset[str]:
        """Give the layer our parameters and statistics, as far as it shows any; their names."""
        parameters = {name: self.arrays[name] for name in self.layer.parameters() if name in self.arrays}
        state = {name: self.arrays[name] for name in self.layer.state() if name in self.arrays}
        self.layer.assign_parameters(parameters)
        self.layer.assign_state(state)
        return frozenset([*parameters, *state])

    def _call(self) -> Callable[[], Result]:
        layer, arrays = self.layer, self.arrays
        if self.timed == "backward":
            self.forward = layer.forward(arrays["x"], True)  # noqa: FBT003  (the contract's positional flag)
            return lambda: layer.backward(arrays["cotangent"])
        if self.timed.startswith("forward"):
            training = not self.timed.endswith("inference")
            if not training and self.problem.family == "batch_norm" and "running_var" not in self.assigned:
                msg = "the layer shows no running statistics; map them with names={...}"
                raise Missing(msg)
            return lambda: layer.forward(arrays["x"], training)
        if self.timed == "minimise":
            return lambda: layer.minimise(arrays["A"], arrays["b"])
        method = layer.value if self.timed == "value" else layer.gradient
        return lambda: method(arrays["w"])

    def declared(self, convention: str) -> Any:
        """The value of a convention: the author's, the adapter's, or the document's; None where the family has none."""
        if convention not in FAMILIES[self.problem.family].conventions:
            return None
        if convention in self.implementation.declares:
            return self.implementation.declares[convention]
        defaults = getattr(importlib.import_module(loading.ADAPTERS[self.adapter]), "DEFAULTS", {})
        return defaults.get(convention) or default_convention(self.problem.family, convention)

    def pace(self) -> float:
        """Seconds of one warm call, roughly."""
        found = []
        for _ in range(3):
            start = time.perf_counter()
            self.call()
            found.append(time.perf_counter() - start)
        return max(min(found), 1e-7)


def repeated(call: Callable[[], Result], times: int) -> Callable[[], Result]:
    """A function that calls `times` times and returns the last result."""

    def run() -> Result:
        result = None
        for _ in itertools.repeat(None, times):
            result = call()
        return result

    return run
