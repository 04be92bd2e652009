"""Layers in NumPy that lie: about their results, their arguments, what they print, their names and the world outside.

Each is a right layer normalisation that does one thing more.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]


EXPECTED = {
    "OverwritesInput": "common.input-unchanged",
    "WritesThroughReadOnly": "common.input-unchanged",
    "PrintsGigabyte": "common.output-bounded",
    "PrintsEveryCall": "common.output-bounded",
    "ClosesDescriptors": "any",
    "WritesIntoDescriptors": "any",
    "ReturnsList": "any",
    "ReturnsNone": "any",
    "ReturnsLookalike": "any",
    "ReturnsWrongShape": "common.shape",
    "ReturnsWrongDtype": "common.dtype",
    "ReturnsObjects": "any",
    "ReturnsMatrix": "any",
    "ReturnsMasked": "any",
    "ReturnsGenerator": "any",
    "ReturnsView": "common.no-view-of-input",
    "ReturnsUninitialisedTail": "layer_norm.matches-definition",
    "ReturnsSubclassThatAlwaysAgrees": "any",
    "ReturnsStrings": "any",
    "ReturnsBrokenGradients": "layer_norm.gradient-input",
    "ParametersGrow": "common.forward-changes-no-parameter",
    "../../x<script>alert(1)</script>": "layer_norm.matches-definition",
    "[/oops] ::error file=a.py::| **bold** \x1b[2J": "layer_norm.matches-definition",
    "CountsCalls": "common.inference-deterministic",
    "KnowsTheClock": "common.inference-deterministic",
    "KnowsTheJudge": "layer_norm.matches-definition",
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


# --- arguments, output and descriptors


@regcheck.implements("layer_norm")
class OverwritesInput(LayerNorm):
    """Centres the caller's array in place; the result is right."""

    def _result(self, x: Array, y: Array) -> Any:
        if x.flags.writeable:
            x -= np.mean(x, axis=self.axes, keepdims=True).astype(x.dtype)
        return y


@regcheck.implements("layer_norm")
class WritesThroughReadOnly(LayerNorm):
    """Zeroes the caller's first value, read-only or not."""

    def _result(self, x: Array, y: Array) -> Any:
        if x.size:
            ctypes.memset(x.ctypes.data, 0, x.itemsize)
        return y


@regcheck.implements("layer_norm")
class PrintsGigabyte(LayerNorm):
    """Prints a gigabyte for more than two samples; the result is right."""

    def _act(self, x: Array) -> None:
        if len(x) > 2:
            chunk = b"x" * (1 << 20)
            for _ in range(1 << 10):
                os.write(1, chunk)


@regcheck.implements("layer_norm")
class PrintsEveryCall(LayerNorm):
    """Prints two mebibytes in every call, half of it to stderr, without a line's end."""

    def _act(self, x: Array) -> None:
        print("\x1b[31m[/oops]" * (1 << 17), end="")  # noqa: T201
        print("y" * (1 << 20), end="", file=sys.stderr)  # noqa: T201


@regcheck.implements("layer_norm")
class ClosesDescriptors(LayerNorm):
    """Closes every descriptor for more than two samples."""

    def _act(self, x: Array) -> None:
        if len(x) > 2:
            os.closerange(0, 64)


@regcheck.implements("layer_norm")
class WritesIntoDescriptors(LayerNorm):
    """Writes nonsense into every descriptor that it can, for more than two samples."""

    def _act(self, x: Array) -> None:
        for number in range(3, 64 if len(x) > 2 else 3):
            try:
                os.write(number, b"\xff" * 64)
            except OSError:
                continue


# --- what they return


@regcheck.implements("layer_norm")
class ReturnsList(LayerNorm):
    """Returns nested lists."""

    def _result(self, x: Array, y: Array) -> Any:
        return y.tolist()


@regcheck.implements("layer_norm")
class ReturnsNone(LayerNorm):
    """Forgets to return."""

    def _result(self, x: Array, y: Array) -> Any:
        return None


@regcheck.implements("layer_norm")
class ReturnsLookalike(LayerNorm):
    """Returns an object that can be turned into an array, if one cares to."""

    def _result(self, x: Array, y: Array) -> Any:
        return _Lookalike(y)


class _Lookalike:
    def __init__(self, array: Array) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return self.array


@regcheck.implements("layer_norm")
class ReturnsWrongShape(LayerNorm):
    """Squeezes a batch of one; invisible with more samples."""

    def _result(self, x: Array, y: Array) -> Any:
        return y[0] if len(y) == 1 else y


@regcheck.implements("layer_norm")
class ReturnsWrongDtype(LayerNorm):
    """Returns float64 for every input."""

    def _result(self, x: Array, y: Array) -> Any:
        return y.astype(np.float64)


@regcheck.implements("layer_norm")
class ReturnsObjects(LayerNorm):
    """Returns an array of objects."""

    def _result(self, x: Array, y: Array) -> Any:
        return y.astype(object)


@regcheck.implements("layer_norm")
class ReturnsMatrix(LayerNorm):
    """Returns a numpy.matrix, whose product is another one, for two axes."""

    def _result(self, x: Array, y: Array) -> Any:
        return np.asmatrix(y) if y.ndim == 2 else y


@regcheck.implements("layer_norm")
class ReturnsMasked(LayerNorm):
    """Returns a masked array whose masked values would be wrong."""

    def _result(self, x: Array, y: Array) -> Any:
        return np.ma.masked_array(y, mask=np.ones(y.shape, bool))


@regcheck.implements("layer_norm")
class ReturnsGenerator(LayerNorm):
    """Returns a generator of rows."""

    def _result(self, x: Array, y: Array) -> Any:
        return (row for row in y)


@regcheck.implements("layer_norm")
class ReturnsView(LayerNorm):
    """Writes its result over the input, if it may, and returns that."""

    def _result(self, x: Array, y: Array) -> Any:
        if not x.flags.writeable:
            return y
        x[...] = y
        return x


@regcheck.implements("layer_norm")
class ReturnsUninitialisedTail(LayerNorm):
    """Fills all but the last value of its result; the rest is what the memory held, here NaN."""

    def _result(self, x: Array, y: Array) -> Any:
        if y.size > 1:
            y.flat[-1] = np.nan
        return y


class _Agrees(np.ndarray):
    def __eq__(self, other: object) -> Any:
        return np.ones(self.shape, bool)

    def __ne__(self, other: object) -> Any:
        return np.zeros(self.shape, bool)

    __hash__ = None


@regcheck.implements("layer_norm")
class ReturnsSubclassThatAlwaysAgrees(LayerNorm):
    """Returns zeros in an array that says to be equal to everything."""

    def _result(self, x: Array, y: Array) -> Any:
        return np.zeros_like(y).view(_Agrees)


@regcheck.implements("layer_norm")
class ReturnsStrings(LayerNorm):
    """Returns the digits as text."""

    def _result(self, x: Array, y: Array) -> Any:
        return y.astype("U32")


@regcheck.implements("layer_norm")
class ReturnsBrokenGradients(LayerNorm):
    """Its backward returns the cotangent, a list for dγ, and a key that nobody asked for."""

    def backward(self, cotangent: Array) -> Any:
        """Nonsense."""
        return {"x": cotangent.copy(), "scale": [1.0], "shift": None, "\x1b[2J": cotangent.copy()}


# --- parameters


@regcheck.implements("layer_norm")
class ParametersGrow(LayerNorm):
    """Decays γ a little in every call."""

    def _act(self, x: Array) -> None:
        if self.parameters:
            self.parameters["scale"] = self.parameters["scale"] * self.parameters["scale"].dtype.type(0.9)


# --- names


def _doubled(config: Any) -> Any:
    layer = LayerNorm(config)
    layer._result = lambda x, y: y * 2
    return layer


@regcheck.implements("layer_norm", name="../../x<script>alert(1)</script>")
def named_like_a_path(config: Any) -> Any:
    """A wrong layer, so that a replay file is written under its name."""
    return _doubled(config)


@regcheck.implements("layer_norm", name="[/oops] ::error file=a.py::| **bold** \x1b[2J")
def named_like_markup(config: Any) -> Any:
    """A wrong layer, so that its name is shown."""
    return _doubled(config)


# --- the world outside


@regcheck.implements("layer_norm")
class CountsCalls(LayerNorm):
    """Is wrong in every second call."""

    calls = 0

    def _result(self, x: Array, y: Array) -> Any:
        self.calls += 1
        return y * 2 if self.calls % 2 == 0 else y


@regcheck.implements("layer_norm")
class KnowsTheClock(LayerNorm):
    """Adds rounding errors that depend on the time."""

    def _result(self, x: Array, y: Array) -> Any:
        chance = np.random.default_rng(time.monotonic_ns())
        return np.where(chance.random(y.shape) < 0.5, np.nextafter(y, y.dtype.type(np.inf)), y)


@regcheck.implements("layer_norm")
class KnowsTheJudge(LayerNorm):
    """Is right only where Hypothesis runs beside it."""

    def _result(self, x: Array, y: Array) -> Any:
        return y if "hypothesis" in sys.modules else y * 2
