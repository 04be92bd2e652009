"""Dropouts in NumPy that treat some inputs apart: zeros alone, infinities and NaN; each differs in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "ZerosReturnEarly": "dropout.backward-mask",
    "ZerosReturnEarlyUnseeded": "dropout.backward-mask",
    "ZerosKeepLastMaskUnseeded": "dropout.backward-mask",
    "NotANumberHidden": "dropout.dropped-nonfinite-as-declared",
    "InfinityHidden": "dropout.dropped-nonfinite-as-declared",
}


class Dropout:
    """The right layer: each element 0 with probability p, else x/(1 − p); a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.rate = float(config.rate)
        self.generator = np.random.default_rng()
        self.factor: Array | None = None

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        self.generator = np.random.default_rng(value)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        if not training:
            return self._infer(x)
        kept = self._kept(x)
        self.factor = kept * self._scale(kept)
        return self._applied(x, kept)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx} of the last forward, with its mask."""
        return {"x": self._transposed(cotangent)}

    def _infer(self, x: Array) -> Array:
        self.factor = None
        return x.copy()

    def _kept(self, x: Array) -> Array:
        return self.generator.random(x.shape) >= self.rate

    def _scale(self, kept: Array) -> Array:
        return np.float64(1 / (1 - self.rate) if self.rate < 1 else 0)

    def _applied(self, x: Array, kept: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(kept, (x * self._scale(kept)).astype(x.dtype), x.dtype.type(0))

    def _transposed(self, cotangent: Array) -> Array:
        if self.factor is None:
            return cotangent.copy()
        return (cotangent * self.factor).astype(cotangent.dtype)


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
