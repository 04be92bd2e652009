"""Factories in NumPy that attack the checker before there is a layer: one of them must not spoil the others' cells."""

from __future__ import annotations

import ctypes
import os
import sys
import time
import unittest
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "SegfaultWhenBuilt": "any",
    "LeavesWhenBuilt": "any",
    "ExitsWhenBuilt": "any",
    "HangsWhenBuilt": "any",
    "SkipsWhenBuilt": "any",
    "FactoryRaises": "any",
    "FactoryReturnsNonsense": "any",
    "FactoryReturnsNone": "any",
    "FactoryReturnsClass": "any",
    "FactoryWantsTwo": "any",
    "ParametersRaise": "any",
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


@regcheck.implements("layer_norm")
class SegfaultWhenBuilt(LayerNorm):
    """Reads address 0 in its constructor."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        ctypes.string_at(0)


@regcheck.implements("layer_norm")
def LeavesWhenBuilt(config: Any) -> Any:  # noqa: N802  (named like the others)
    """Ends its process with code 0."""
    os._exit(0)


@regcheck.implements("layer_norm")
def ExitsWhenBuilt(config: Any) -> Any:  # noqa: N802
    """Raises SystemExit(0)."""
    sys.exit(0)


@regcheck.implements("layer_norm")
def HangsWhenBuilt(config: Any) -> Any:  # noqa: N802
    """Waits an hour for a licence."""
    time.sleep(3600)


@regcheck.implements("layer_norm")
def SkipsWhenBuilt(config: Any) -> Any:  # noqa: N802
    """Raises SkipTest."""
    raise unittest.SkipTest


@regcheck.implements("layer_norm")
def FactoryWantsTwo(config: Any, dtype: Any) -> Any:  # noqa: N802
    """Wants an argument that nobody gives."""
    return LayerNorm(config)


@regcheck.implements("layer_norm")
def FactoryRaises(config: Any) -> Any:  # noqa: N802  (named like the others)
    """Fails for want of a licence."""
    msg = "no licence for [/this] machine"
    raise OSError(msg)


@regcheck.implements("layer_norm")
def FactoryReturnsNonsense(config: Any) -> Any:  # noqa: N802
    """Returns the shape."""
    return config.shape


@regcheck.implements("layer_norm")
def FactoryReturnsNone(config: Any) -> Any:  # noqa: N802
    """Builds a layer and forgets to return it."""
    LayerNorm(config)


@regcheck.implements("layer_norm")
def FactoryReturnsClass(config: Any) -> Any:  # noqa: N802
    """Returns the class, not a layer."""
    return LayerNorm


@regcheck.implements("layer_norm")
class ParametersRaise(LayerNorm):
    """Its `parameters` raise when they are read."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.__class__ = _WithoutParameters


class _WithoutParameters(LayerNorm):
    @property
    def parameters(self) -> Any:
        msg = "parameters are not for you"
        raise RuntimeError(msg)
