"""Layers in NumPy that attack the checker rather than the mathematics: they crash, hang, leave, lie, flood and leak.

Each is a right layer normalisation that does one thing more, mostly on some inputs alone, so that
there is a smallest input to be found.
"""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import unittest
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]


EXPECTED = {
    "Segfault": "any",
    "SegfaultOnLargeValue": "any",
    "Aborts": "any",
    "KilledByItself": "any",
    "NeverReturns": "any",
    "HangsInC": "any",
    "HoldsTheInterpreter": "any",
    "LeavesWithSuccess": "any",
    "LeavesWithSystemExit": "any",
    "InterruptsKeyboard": "any",
    "SkipsTest": "any",
    "RaisesBaseException": "any",
    "RaisesUnprintable": "any",
    "RaisesEscapes": "any",
    "RaisesForms": "any",
    "RecursesForever": "any",
    "MemoryBomb": "any",
    "RaisesMemoryError": "any",
}


class LayerNorm:
    """The right layer, without parameters' gradients; `_act` comes before and `_result` after it."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.axes = tuple(range(-len(config.shape), 0))
        self.parameters: Any = {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.shape), "shift": np.zeros(config.shape)}

    def forward(self, x: Array, training: bool) -> Any:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype, unless."""
        if x.shape[-len(self.config.shape) :] != self.config.shape:
            msg = f"Expected (..., {self.config.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        self._act(x)
        return self._result(x, self._right(x))

    def _right(self, x: Array) -> Array:
        wide = x.astype(np.promote_types(x.dtype, np.float32))
        centred = wide - np.mean(wide, axis=self.axes, keepdims=True)
        variance = np.mean(centred**2, axis=self.axes, keepdims=True)
        y = centred / np.sqrt(variance + self.config.eps)
        if self.parameters:
            y = y * self.parameters["scale"] + self.parameters["shift"]
        return y.astype(x.dtype)

    def _act(self, x: Array) -> None:
        pass

    def _result(self, x: Array, y: Array) -> Any:
        return y


# --- dying


@regcheck.implements("layer_norm")
class Segfault(LayerNorm):
    """Reads address 0 for more than two samples."""

    def _act(self, x: Array) -> None:
        if len(x) > 2:
            ctypes.string_at(0)


@regcheck.implements("layer_norm")
class SegfaultOnLargeValue(LayerNorm):
    """Reads address 0 where a value exceeds 3."""

    def _act(self, x: Array) -> None:
        if np.any(x > 3):
            ctypes.string_at(0)


@regcheck.implements("layer_norm")
class Aborts(LayerNorm):
    """Fails an assertion in C for more than two samples."""

    def _act(self, x: Array) -> None:
        if len(x) > 2:
            os.abort()


@regcheck.implements("layer_norm")
class KilledByItself(LayerNorm):
    """Dies by SIGKILL for more than two samples, as under the system's memory killer."""

    def _act(self, x: Array) -> None:
        if len(x) > 2:
            os.kill(os.getpid(), 9)


@regcheck.implements("layer_norm")
class LeavesWithSuccess(LayerNorm):
    """Ends its process with code 0, which a plain pytest run shows in green."""

    def _act(self, x: Array) -> None:
        os._exit(0)


@regcheck.implements("layer_norm")
class MemoryBomb(LayerNorm):
    """Allocates until there is no more, for more than two samples."""

    def _act(self, x: Array) -> None:
        hoard = []
        while len(x) > 2:
            hoard.append(np.empty(1 << 26, np.uint8))


# --- hanging


@regcheck.implements("layer_norm")
class NeverReturns(LayerNorm):
    """A loop in Python for more than two samples."""

    def _act(self, x: Array) -> None:
        while len(x) > 2:
            pass


@regcheck.implements("layer_norm")
class HangsInC(LayerNorm):
    """Waits in C for a signal that never comes, for more than two samples."""

    def _act(self, x: Array) -> None:
        if len(x) > 2:
            ctypes.CDLL(None).pause()


@regcheck.implements("layer_norm")
class HoldsTheInterpreter(LayerNorm):
    """Sleeps an hour in C without giving the interpreter back, for more than two samples."""

    def _act(self, x: Array) -> None:
        if len(x) > 2:
            ctypes.PyDLL(None).sleep(3600)


# --- raising


@regcheck.implements("layer_norm")
class LeavesWithSystemExit(LayerNorm):
    """Raises SystemExit(0)."""

    def _act(self, x: Array) -> None:
        sys.exit(0)


@regcheck.implements("layer_norm")
class InterruptsKeyboard(LayerNorm):
    """Raises KeyboardInterrupt, and sends the signal too."""

    def _act(self, x: Array) -> None:
        _thread.interrupt_main()
        raise KeyboardInterrupt


@regcheck.implements("layer_norm")
class SkipsTest(LayerNorm):
    """Raises SkipTest, which a plain test run counts as skipped."""

    def _act(self, x: Array) -> None:
        msg = "not today"
        raise unittest.SkipTest(msg)


@regcheck.implements("layer_norm")
class RaisesBaseException(LayerNorm):
    """Raises an exception that no `except Exception` catches."""

    def _act(self, x: Array) -> None:
        raise _Unlike


@regcheck.implements("layer_norm")
class RaisesUnprintable(LayerNorm):
    """Raises an exception whose own text raises."""

    def _act(self, x: Array) -> None:
        raise _UnprintableError


@regcheck.implements("layer_norm")
class RaisesEscapes(LayerNorm):
    """Raises text that clears the terminal, sets its title, and rings."""

    def _act(self, x: Array) -> None:
        msg = "\x1b[2J\x1b]0;owned\x07\x9b31m\x00\r\x08 the end \u202e\ud800"
        raise RuntimeError(msg)


@regcheck.implements("layer_norm")
class RaisesForms(LayerNorm):
    """Raises text that is markup in Rich, Markdown, HTML, JUnit and GitHub's log."""

    def _act(self, x: Array) -> None:
        msg = "[/oops] | a | b |\n```\n</td><script>alert(1)</script> ]]> &lt;\n::error file=a.py,line=1::no %0A {0} %s"
        raise ValueError(msg)


@regcheck.implements("layer_norm")
class RaisesMemoryError(LayerNorm):
    """Asks for more memory than there are addresses."""

    def _act(self, x: Array) -> None:
        np.empty(1 << 62, np.uint8)


@regcheck.implements("layer_norm")
class RecursesForever(LayerNorm):
    """Calls itself without end."""

    def _act(self, x: Array) -> None:
        self._act(x)


class _Unlike(BaseException):
    pass


class _UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError

    __repr__ = __str__
