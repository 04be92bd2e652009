"""Right alpha dropouts in NumPy that differ in how they compute or declare: no property may fail for them."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}

SATURATION = -1.0507009873554805 * 1.6732632423543772


class AlphaDropout:
    """a·x + b where kept, a·α′ + b where dropped; a variant overrides one step."""

    axes: int | None = None  # so many leading axes have a draw for each index

    def __init__(self, config: Any) -> None:
        self.rate = float(config.rate)
        self.a = ((1 - self.rate) * (1 + self.rate * SATURATION**2)) ** -0.5
        self.b = -self.a * SATURATION * self.rate
        self.generator = np.random.default_rng()
        self.kept: Array | None = None

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        self.generator = np.random.default_rng(value)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.kept = self._draw(x) if training else None
        if self.kept is None:
            return x.copy()
        with np.errstate(all="ignore"):
            return np.asarray(self._applied(x, self.kept)).astype(x.dtype)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx} of the last forward, with its mask."""
        if self.kept is None:
            return {"x": cotangent.copy()}
        return {"x": np.where(self.kept, self.a * cotangent, 0).astype(cotangent.dtype)}

    def _draw(self, x: Array) -> Array:
        drawn = x.shape[: self.axes]
        uniform = self.generator.random((*drawn, *(1,) * (x.ndim - len(drawn))))
        return np.broadcast_to(uniform >= self.rate, x.shape)

    def _applied(self, x: Array, kept: Array) -> Array:
        return np.where(kept, self.a * x + self.b, self.a * SATURATION + self.b)


@regcheck.implements("alpha_dropout")
class Straightforward(AlphaDropout):
    """numpy.where in double precision."""


@regcheck.implements("alpha_dropout")
class SaturatesFirst(AlphaDropout):
    """Writes α′ where it drops, then scales and shifts, all in x's type."""

    def _applied(self, x: Array, kept: Array) -> Array:
        own = x.dtype.type
        return own(self.a) * np.where(kept, x, own(SATURATION)) + own(self.b)


@regcheck.implements("alpha_dropout", declares={"dropped_nonfinite": "nan"})
class MultipliesDeclared(AlphaDropout):
    """Multiplies by the mask and adds α′ times its complement, in x's type: ∞·0 is NaN, and it says so."""

    def _applied(self, x: Array, kept: Array) -> Array:
        own, mask = x.dtype.type, kept.astype(x.dtype)
        return own(self.a) * (x * mask + own(SATURATION) * (1 - mask)) + own(self.b)


@regcheck.implements("alpha_dropout", declares={"dropped_nonfinite": "nan"})
class OneShiftForEach(AlphaDropout):
    """x·noise + shift, where noise is a or 0 and shift b or a·α′ + b, formed as aα′ − 0 and aα′p in x's type."""

    def _applied(self, x: Array, kept: Array) -> Array:
        own, mask = x.dtype.type, kept.astype(x.dtype)
        shift = (mask - 1) * own(-SATURATION * self.a) + own(-SATURATION * self.a * self.rate)
        return x * (mask * own(self.a)) + shift


@regcheck.implements("alpha_dropout", declares={"mask_order": "memory"})
class MemoryOrderDeclared(AlphaDropout):
    """Draws in the order of x's memory, and says so."""

    def _draw(self, x: Array) -> Array:
        order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
        drawn = self.generator.random([x.shape[axis] for axis in order]) >= self.rate
        return np.transpose(drawn, np.argsort(order)) if order else drawn


@regcheck.implements("alpha_dropout")
class WithoutSeed(AlphaDropout):
    """Cannot be seeded: what needs it is not-applicable."""

    seed = None  # type: ignore[assignment]


@regcheck.implements("channel_alpha_dropout")
class Channels(AlphaDropout):
    """The same of channels."""

    axes = 2


@regcheck.implements("channel_alpha_dropout")
class ChannelsSaturateFirst(SaturatesFirst):
    """In x's type."""

    axes = 2


@regcheck.implements("channel_alpha_dropout", declares={"dropped_nonfinite": "nan"})
class ChannelsMultiply(MultipliesDeclared):
    """By products with the mask."""

    axes = 2
