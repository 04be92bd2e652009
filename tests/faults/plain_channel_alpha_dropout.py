"""Alpha dropouts of channels in NumPy, each wrong in one step that alpha dropout of entries has too."""

from __future__ import annotations

from typing import Any

import numpy as np
import plain_alpha_dropout as values

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "SaturationIsAlpha": "channel_alpha_dropout.support",
    "DroppedKeepAPart": "channel_alpha_dropout.two-values",
    "SaturatesTheKept": "channel_alpha_dropout.affine-on-mask",
    "VarianceUnaccountedFor": "channel_alpha_dropout.keeps-variance",
    "MaskMultiplies": "channel_alpha_dropout.dropped-nonfinite-as-declared",
    "BackwardUnscaled": "channel_alpha_dropout.backward-mask",
    "ActiveInInference": "channel_alpha_dropout.inference-identity",
    "SeedIgnored": "channel_alpha_dropout.reseed-replays",
    "LastChannelKept": "channel_alpha_dropout.every-channel-drops",
    "NeighboursAlike": "channel_alpha_dropout.mask-independence",
    "RateAtLeastAHundredth": "channel_alpha_dropout.rate-zero-identity",
    "MaskCachedByShape": "channel_alpha_dropout.fresh-mask",
    "SeedOfItsOwn": "channel_alpha_dropout.seeds-differ",
    "SeedFixedInConstructor": "channel_alpha_dropout.layers-differ",
    "StreamSharedUndeclared": "channel_alpha_dropout.random-stream-as-declared",
    "MaskInMemoryOrderUndeclared": "channel_alpha_dropout.mask-order-as-declared",
    "SmallestDropped": "channel_alpha_dropout.mask-independent-of-values",
}


class SeesInput(values.ChannelAlphaDropout):
    """The right layer, whose draw can look at the input."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.x = x
        return super().forward(x, training)


@regcheck.implements("channel_alpha_dropout")
class SaturationIsAlpha(values.SaturationIsAlpha, values.ChannelAlphaDropout):
    """−α, with the factor λ forgotten."""


@regcheck.implements("channel_alpha_dropout")
class DroppedKeepAPart(values.DroppedKeepAPart, values.ChannelAlphaDropout):
    """A thousandth of x leaks through where its channel is dropped."""


@regcheck.implements("channel_alpha_dropout")
class SaturatesTheKept(values.SaturatesTheKept, values.ChannelAlphaDropout):
    """Clips what it keeps at ±6."""


@regcheck.implements("channel_alpha_dropout")
class VarianceUnaccountedFor(values.VarianceUnaccountedFor, values.ChannelAlphaDropout):
    """a = 1/√(1 − p): the variance that α′ brings is left out."""


@regcheck.implements("channel_alpha_dropout")
class MaskMultiplies(values.MaskMultiplies, values.ChannelAlphaDropout):
    """∞·0 = NaN where it drops, and does not say so; invisible with finite input."""


@regcheck.implements("channel_alpha_dropout")
class BackwardUnscaled(values.BackwardUnscaled, values.ChannelAlphaDropout):
    """The gradient forgets a."""


@regcheck.implements("channel_alpha_dropout")
class ActiveInInference(values.ActiveInInference, values.ChannelAlphaDropout):
    """Ignores the mode."""


@regcheck.implements("channel_alpha_dropout")
class SeedIgnored(values.SeedIgnored, values.ChannelAlphaDropout):
    """Takes a seed and does nothing with it."""


@regcheck.implements("channel_alpha_dropout")
class LastChannelKept(values.ChannelAlphaDropout):
    """Never drops the last channel."""

    def _draw(self, shape: tuple[int, ...]) -> Array:
        kept = super()._draw(shape).copy()
        kept[:, -1:] = True
        return kept


@regcheck.implements("channel_alpha_dropout")
class NeighboursAlike(values.ChannelAlphaDropout):
    """Two neighbouring channels share a draw."""

    def _draw(self, shape: tuple[int, ...]) -> Array:
        halved = super()._draw((shape[0], -(-shape[1] // 2), *shape[2:]))
        return np.repeat(halved, 2, axis=1)[:, : shape[1]]


@regcheck.implements("channel_alpha_dropout")
class RateAtLeastAHundredth(values.ChannelAlphaDropout):
    """Drops a hundredth where it should drop nothing."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.rate = max(self.rate, 0.01)


@regcheck.implements("channel_alpha_dropout")
class MaskCachedByShape(values.ChannelAlphaDropout):
    """Draws once for each shape, as a traced graph does."""

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        super().seed(value)
        self.masks: dict[tuple[int, ...], Array] = {}

    def _draw(self, shape: tuple[int, ...]) -> Array:
        masks = self.__dict__.setdefault("masks", {})
        return masks.setdefault(shape, super()._draw(shape))


@regcheck.implements("channel_alpha_dropout")
class SeedOfItsOwn(values.ChannelAlphaDropout):
    """Every seed restarts the same stream."""

    def seed(self, value: int) -> None:
        """Restart the one stream."""
        super().seed(0)


@regcheck.implements("channel_alpha_dropout")
class SeedFixedInConstructor(values.ChannelAlphaDropout):
    """Every new layer starts the same stream."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.generator = np.random.default_rng(0)


@regcheck.implements("channel_alpha_dropout")
class StreamSharedUndeclared(values.ChannelAlphaDropout):
    """All layers draw from one generator, and seeding one seeds them all; a convention, had it been declared."""

    shared = np.random.default_rng()

    def seed(self, value: int) -> None:
        """Restart the stream of every layer."""
        StreamSharedUndeclared.shared = np.random.default_rng(value)

    def _draw(self, shape: tuple[int, ...]) -> Array:
        self.generator = self.shared
        return super()._draw(shape)


@regcheck.implements("channel_alpha_dropout")
class MaskInMemoryOrderUndeclared(SeesInput):
    """Draws in the order of the input's memory, and does not say so."""

    def _draw(self, shape: tuple[int, ...]) -> Array:
        order = sorted(range(len(shape)), key=lambda axis: -abs(self.x.strides[axis]))
        drawn = [shape[axis] if axis < 2 else 1 for axis in order]
        kept = self.generator.random(drawn) >= self.rate
        return np.broadcast_to(np.transpose(kept, np.argsort(order)) if order else kept, shape)


@regcheck.implements("channel_alpha_dropout")
class SmallestDropped(SeesInput):
    """Drops what is smaller than usual more often."""

    def _draw(self, shape: tuple[int, ...]) -> Array:
        kept = super()._draw(shape)
        size = np.abs(np.nan_to_num(self.x.astype(np.float64)))
        size = np.broadcast_to(np.mean(size, axis=tuple(range(2, size.ndim)), keepdims=True), shape)
        return np.where(size < np.median(size) if size.size else 0, kept & super()._draw(shape), kept)
