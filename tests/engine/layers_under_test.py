"""Layers for the engine's own tests: one right penalty and its misbehaving kin, as a user's file would hold them."""

from __future__ import annotations

import ctypes
import os
import pathlib
import sys
import tempfile
import time
import unittest
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]


class Penalty:
    """l1·Σ|w|, summed in float64."""

    def __init__(self, config: Any) -> None:
        self.strength = config.l1

    def value(self, w: Array) -> Any:
        """ℓ(w) in w's dtype."""
        return w.dtype.type(self.strength * np.abs(w.astype(np.float64)).sum())


def misbehaving(name: str, **keywords: Any) -> Any:
    """Turn `act(w)` into an implementation whose `value` first does that; a result that is not None is returned."""

    def mark(act: Any) -> Any:
        class Odd(Penalty):
            def value(self, w: Array) -> Any:
                result = act(w)
                return super().value(w) if result is None else result

        def factory(config: Any) -> Penalty:
            return Odd(config)

        factory.__name__ = name
        factory.__module__ = __name__
        return regcheck.implements("l1", **keywords)(factory)

    return mark


@regcheck.implements("l1")
def right(config: Any) -> Penalty:
    """The right layer."""
    return Penalty(config)


@misbehaving("segfault")
def segfault(w: Array) -> None:
    """Ends by SIGSEGV for more than two weights."""
    if w.size > 2:
        ctypes.string_at(0)


@misbehaving("endless")
def endless(w: Array) -> None:
    """Never returns for more than two weights."""
    while w.size > 2:
        time.sleep(0.01)


@misbehaving("leaves")
def leaves(w: Array) -> None:
    """Ends the process with status 0 when a weight exceeds 1."""
    if (w > 1).any():
        os._exit(0)


@misbehaving("skips")
def skips(w: Array) -> None:
    """Raises SkipTest, which would turn a test runner green."""
    if w.size > 1:
        msg = "not today"
        raise unittest.SkipTest(msg)


@misbehaving("interrupts")
def interrupts(w: Array) -> None:
    """Raises KeyboardInterrupt."""
    if w.size > 1:
        raise KeyboardInterrupt


@misbehaving("exits")
def exits(w: Array) -> None:
    """Raises SystemExit(0)."""
    if w.size > 1:
        sys.exit(0)


@misbehaving("lists")
def lists(w: Array) -> Any:
    """Returns a list."""
    return [1.0] if w.size else None


@misbehaving("objects")
def objects(w: Array) -> Any:
    """Returns an array of objects."""
    return np.array([w.sum()], dtype=object)


@misbehaving("wide")
def wide(w: Array) -> Any:
    """Returns a wrong shape."""
    return np.zeros((2, 2), w.dtype)


@misbehaving("nan")
def nan(w: Array) -> Any:
    """Returns NaN."""
    return w.dtype.type(np.nan)


@misbehaving("doubled")
def doubled(w: Array) -> Any:
    """Wrong beyond the third weight."""
    return w.dtype.type(np.abs(w.astype(np.float64)).sum() * 2) if w.size > 3 else None


@misbehaving("slow")
def slow(_w: Array) -> None:
    """Takes a quarter of a second."""
    time.sleep(0.25)


_CALLS = [0]


@misbehaving("third_call")
def third_call(w: Array) -> Any:
    """Wrong from the third call on in one process: only the sequence of calls shows it."""
    _CALLS[0] += 1
    return w.dtype.type(-1) if _CALLS[0] > 3 else None


@misbehaving("once")
def once(w: Array) -> Any:
    """Wrong once in a server's life, and right ever after."""
    marker = pathlib.Path(tempfile.gettempdir()) / f"regcheck-once-{os.getppid()}"
    if marker.exists():
        return None
    marker.touch()
    return w.dtype.type(-1)


@misbehaving("escape")
def escape(w: Array) -> None:
    """Raises an exception whose text is hostile to every output format."""
    if w.size:
        msg = "\x1b[2J[/oops] | `x` <script>\n::error:: \ud800"
        raise RuntimeError(msg)


class UnprintableError(Exception):
    """An exception whose own text raises."""

    def __str__(self) -> str:
        """Raise."""
        raise RuntimeError


@misbehaving("unprintable")
def unprintable(w: Array) -> None:
    """Raises an exception that cannot be printed."""
    if w.size:
        raise UnprintableError


@misbehaving("halves", declares={"subnormals": "flushed"})
def halves(w: Array) -> Any:
    """Declares flushed subnormals; judged by a convention test."""
    return None if w.size else w.dtype.type(0)


@misbehaving("deviating", deviations={"l1.test-value": "doubles beyond the third weight, as documented"})
def deviating(w: Array) -> Any:
    """Wrong, and says so."""
    return w.dtype.type(np.abs(w.astype(np.float64)).sum() * 2) if w.size > 3 else None


@misbehaving("stale", deviations={"l1.test-value": "does not show"})
def stale(_w: Array) -> None:
    """Right, although it declares a deviation."""


@misbehaving("crash_declared", deviations={"l1.test-value": "gives other numbers"})
def crash_declared(w: Array) -> None:
    """Declares other numbers and crashes instead."""
    if w.size > 2:
        ctypes.string_at(0)


@regcheck.implements("l1", name="refuses")
def refuses(_config: Any) -> Penalty:
    """Builds nothing."""
    msg = "only on Sundays"
    raise regcheck.Unsupported(msg)


@regcheck.implements("l1", name="refuses_half")
def refuses_half(config: Any) -> Penalty:
    """Offers no half precision."""

    class Wide(Penalty):
        def value(self, w: Array) -> Any:
            if w.dtype == np.float16:
                msg = "no half precision"
                raise regcheck.Unsupported(msg)
            return super().value(w)

    return Wide(config)


@regcheck.implements("l2", name="gives_one")
def gives_one(config: Any) -> Penalty:
    """Gives 1 for every w."""

    class One(Penalty):
        def value(self, w: Array) -> Any:
            return w.dtype.type(1)

    return One(config)


@regcheck.implements("l2", name="half_or_more")
def half_or_more(config: Any) -> Penalty:
    """Gives half of Σ|w|, and of more than three weights a third."""

    class Half(Penalty):
        def value(self, w: Array) -> Any:
            total = np.abs(w.astype(np.float64)).sum()
            return w.dtype.type(total / (2 if w.size <= 3 else 3))

    return Half(config)


CALLED: list[int] = []


@regcheck.implements("l2", name="first_call")
def first_call(config: Any) -> Penalty:
    """Gives 1 in the first call of a process, and 0 afterwards."""

    class First(Penalty):
        def value(self, w: Array) -> Any:
            CALLED.append(w.size)
            return w.dtype.type(len(CALLED) == 1)

    return First(config)


@regcheck.implements("l1", name="one_in_four")
def one_in_four(config: Any) -> Penalty:
    """Builds for the strength 4 alone."""
    if config.l1 != 4:
        msg = "only 4"
        raise regcheck.Unsupported(msg)
    return Penalty(config)


@regcheck.implements("l1", name="raises")
def raises(_config: Any) -> Penalty:
    """Raises in the factory."""
    msg = "no licence"
    raise OSError(msg)


@regcheck.implements("l1", name="nonsense")
def nonsense(_config: Any) -> Any:
    """Returns what no adapter knows."""
    return 42
