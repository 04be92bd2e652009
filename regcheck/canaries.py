"""Canaries: one right and three wrong layers that go through the same pipe at the start of each run.

If one of them is misjudged, no verdict of the run can be believed.
"""

from __future__ import annotations

import ctypes
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.implementation import implements

if TYPE_CHECKING:
    from regcheck.layer import Array


class _Doubling:
    """ℓ(w) = Σ|w|·l1, as a penalty whose value is right."""

    def __init__(self, config: Any) -> None:
        self.strength = config.l1

    def value(self, w: Array) -> Any:
        return w.dtype.type(self.strength) * np.abs(w).sum()


class _Wrong(_Doubling):
    def value(self, w: Array) -> Any:
        return -super().value(w)


class _Crashing(_Doubling):
    def value(self, w: Array) -> Any:
        ctypes.string_at(0)
        return super().value(w)


class _Hanging(_Doubling):
    def value(self, w: Array) -> Any:  # noqa: ARG002  (the protocol's argument)
        while True:
            time.sleep(0.01)


@implements("l1", name="canary.right")
def right(config: Any) -> _Doubling:
    """A right layer: must pass."""
    return _Doubling(config)


@implements("l1", name="canary.wrong-numbers")
def wrong_numbers(config: Any) -> _Wrong:
    """A layer with wrong numbers: must fail."""
    return _Wrong(config)


@implements("l1", name="canary.crash")
def crash(config: Any) -> _Crashing:
    """A layer that ends its process by a segmentation fault: must fail."""
    return _Crashing(config)


@implements("l1", name="canary.hang")
def hang(config: Any) -> _Hanging:
    """A layer that never returns: must fail."""
    return _Hanging(config)


EXPECTED = {"right": "passed", "wrong_numbers": "failed", "crash": "failed", "hang": "failed"}
SOURCE = {"kind": "module", "name": "regcheck.canaries"}
