"""Right layers in NumPy that change the process they live in: no property may fail for them."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import tempfile
import warnings
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class LayerNorm:
    """The right layer; `_act` comes before it."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.axes = tuple(range(-len(config.shape), 0))
        self.parameters: Any = {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.shape), "shift": np.zeros(config.shape)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError where x does not end in the config's shape."""
        if x.shape[-len(self.config.shape) :] != self.config.shape:
            msg = f"Expected (..., {self.config.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        self._act()
        with np.errstate(all="ignore"):
            wide = x.astype(np.promote_types(x.dtype, np.float32))
            centred = wide - np.mean(wide, axis=self.axes, keepdims=True)
            variance = np.mean(centred**2, axis=self.axes, keepdims=True)
            y = centred / np.sqrt(variance + self.config.eps)
            if self.parameters:
                y = y * self.parameters["scale"] + self.parameters["shift"]
            return y.astype(x.dtype)

    def _act(self) -> None:
        pass


@regcheck.implements("layer_norm")
class RaisesOnFloatErrors(LayerNorm):
    """Sets NumPy to raise on every floating-point event."""

    def _act(self) -> None:
        np.seterr(all="raise")


@regcheck.implements("layer_norm")
class TurnsWarningsIntoErrors(LayerNorm):
    """Makes every warning an error."""

    def _act(self) -> None:
        warnings.simplefilter("error")


@regcheck.implements("layer_norm")
class SeedsTheProcess(LayerNorm):
    """Restarts the generators that everybody shares."""

    def _act(self) -> None:
        np.random.seed(0)  # noqa: NPY002  (the fault)
        random.seed(0)


@regcheck.implements("layer_norm")
class ReplacesStandardOutput(LayerNorm):
    """Takes stdout and stderr away."""

    def _act(self) -> None:
        sys.stdout = sys.stderr = None


@regcheck.implements("layer_norm")
class ChangesDirectory(LayerNorm):
    """Goes to another folder."""

    def _act(self) -> None:
        os.chdir(tempfile.gettempdir())


@regcheck.implements("layer_norm")
class TakesSignals(LayerNorm):
    """Ignores every signal that can be ignored, and plans an alarm."""

    def _act(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)
        signal.alarm(1)


@regcheck.implements("layer_norm")
class SetsPrintOptions(LayerNorm):
    """Prints no digits, and collects no rubbish."""

    def _act(self) -> None:
        np.set_printoptions(precision=0, threshold=1)
        gc.disable()


@regcheck.implements("layer_norm")
class LeavesChildren(LayerNorm):
    """Leaves a process behind once, which ends by itself."""

    left = False

    def _act(self) -> None:
        if not LeavesChildren.left:
            LeavesChildren.left = True
            if os.fork() == 0:
                os._exit(0)


@regcheck.implements("layer_norm")
class PrintsALittle(LayerNorm):
    """Prints a line in every call, as a debugger would."""

    def _act(self) -> None:
        print("\x1b[31mforward[/oops]")  # noqa: T201


@regcheck.implements("layer_norm")
class ClearsEnvironment(LayerNorm):
    """Leaves no environment variable."""

    def _act(self) -> None:
        os.environ.clear()


@regcheck.implements("layer_norm")
class ClosesStandardOutput(LayerNorm):
    """Closes what is printed to."""

    def _act(self) -> None:
        if sys.stdout is not None:
            sys.stdout.close()
