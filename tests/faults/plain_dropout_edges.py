"""Dropouts in NumPy that treat some inputs apart: zeros alone, infinities and NaN; each differs in one step."""

from __future__ import annotations

from typing import Any

import numpy as np
from plain_dropout import Dropout

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "ZerosReturnEarly": "dropout.backward-mask",
    "ZerosReturnEarlyUnseeded": "dropout.backward-mask",
    "ZerosKeepLastMaskUnseeded": "dropout.backward-mask",
    "NotANumberHidden": "dropout.dropped-nonfinite-as-declared",
    "InfinityHidden": "dropout.dropped-nonfinite-as-declared",
}


@regcheck.implements("dropout")
class ZerosReturnEarly(Dropout):
    """Draws nothing where all of x is 0, since the result is 0 anyway: the gradient then passes unmasked."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        if not x.any():
            return self._infer(x)
        return super().forward(x, training)


@regcheck.implements("dropout")
class ZerosReturnEarlyUnseeded(ZerosReturnEarly):
    """The same without a seed: its mask can be seen in the gradient alone."""

    seed = None  # type: ignore[assignment]


@regcheck.implements("dropout")
class ZerosKeepLastMaskUnseeded(Dropout):
    """Draws nothing where all of x is 0, and leaves the last call's mask to backward."""

    seed = None  # type: ignore[assignment]

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        if training and not x.any() and self.factor is not None and self.factor.shape == x.shape:
            return x.copy()
        return super().forward(x, training)


@regcheck.implements("dropout")
class NotANumberHidden(Dropout):
    """Cleans NaN out of what it keeps in training, so that nobody sees where a network went wrong."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return super()._applied(np.where(np.isnan(x), x.dtype.type(0), x), kept)


@regcheck.implements("dropout")
class InfinityHidden(Dropout):
    """Drops every infinity in training."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return super()._applied(x, kept & ~np.isinf(x))
