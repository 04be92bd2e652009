"""Dropouts in NumPy whose masks are not random enough, or random where they must not be; each differs in one step."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from plain_dropout import Dropout

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "MaskSharedOverSamples": "dropout.mask-independence",
    "MaskSharedOverFeatures": "dropout.mask-independence",
    "FourLanesShareOneDraw": "dropout.mask-independence",
    "NeighboursLessAlike": "dropout.mask-independence",
    "MaskRepeats": "dropout.mask-independence",
    "FixedCountDropped": "dropout.mask-independence",
    "StreamAdvancesByOne": "dropout.mask-independence",
    "EveryOtherCallTheSame": "dropout.fresh-mask",
    "MaskCachedByShape": "dropout.fresh-mask",
    "MaskOfTheData": "dropout.mask-independent-of-values",
    "SmallestDropped": "dropout.mask-independent-of-values",
    "ZerosDrawNothing": "dropout.mask-independent-of-values",
    "SeedIgnored": "dropout.reseed-replays",
    "SeedKeepsPosition": "dropout.reseed-replays",
    "SeedOfItsOwn": "dropout.seeds-differ",
    "SeedLosesLowBits": "dropout.seeds-differ",
    "SeedFixedInConstructor": "dropout.layers-differ",
    "ConstructorSeedsTheProcess": "dropout.layers-differ",
    "StreamSharedUndeclared": "dropout.random-stream-as-declared",
    "StreamWronglyDeclared": "dropout.random-stream-as-declared",
    "MaskInMemoryOrderUndeclared": "dropout.mask-order-as-declared",
}


@regcheck.implements("dropout")
class MaskSharedOverSamples(Dropout):
    """One mask for all samples (pytorch#69801); invisible with one sample, and in the rate."""

    def _kept(self, x: Array) -> Array:
        return np.broadcast_to(super()._kept(x[:1]), x.shape) if x.ndim > 1 else super()._kept(x)


@regcheck.implements("dropout")
class MaskSharedOverFeatures(Dropout):
    """Drops whole samples (VideoX#85); invisible in the rate."""

    def _kept(self, x: Array) -> Array:
        return np.broadcast_to(super()._kept(x[..., :1]), x.shape) if x.ndim > 1 else super()._kept(x)


@regcheck.implements("dropout")
class FourLanesShareOneDraw(Dropout):
    """Four neighbours in memory share one random word (pytorch#198333); invisible in the rate."""

    def _kept(self, x: Array) -> Array:
        draws = self.generator.random(-(-x.size // 4))
        return (np.repeat(draws, 4)[: x.size] >= self.rate).reshape(x.shape)


@regcheck.implements("dropout")
class NeighboursLessAlike(Dropout):
    """Every second element reuses its neighbour's number u as 1 − u, for "variance reduction"."""

    def _kept(self, x: Array) -> Array:
        draws = self.generator.random(-(-x.size // 2))
        return (np.stack([draws, 1 - draws], axis=-1).ravel()[: x.size] >= self.rate).reshape(x.shape)


@regcheck.implements("dropout")
class MaskRepeats(Dropout):
    """Fills the mask with one draw of 32 numbers, over and over (flash-attention#2439)."""

    def _kept(self, x: Array) -> Array:
        return np.resize(self.generator.random(32) >= self.rate, x.shape)


@regcheck.implements("dropout")
class FixedCountDropped(Dropout):
    """Drops exactly round(p·n) of each row: the rate is right, the elements hang together."""

    def _kept(self, x: Array) -> Array:
        if not x.ndim or self.rate in {0, 1}:
            return super()._kept(x)
        ranks = np.argsort(np.argsort(self.generator.random(x.shape), axis=-1), axis=-1)
        return ranks >= np.floor(self.rate * x.shape[-1] + self.generator.random((*x.shape[:-1], 1)))


@regcheck.implements("dropout")
class StreamAdvancesByOne(Dropout):
    """Each call starts one number after the last call's start: masks of successive calls are shifted copies."""

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        self.start = (value, 0)

    def _kept(self, x: Array) -> Array:
        value, calls = getattr(self, "start", (0, 0))
        self.start = value, calls + 1
        draws = np.random.default_rng(value).random(calls + x.size)
        return (draws[calls:] >= self.rate).reshape(x.shape)


@regcheck.implements("dropout")
class EveryOtherCallTheSame(Dropout):
    """Uses each mask for two calls, if the shape allows it."""

    def _kept(self, x: Array) -> Array:
        last, self.last = getattr(self, "last", None), None
        if last is not None and last.shape == x.shape:
            return last
        self.last = super()._kept(x)
        return self.last


@regcheck.implements("dropout")
class MaskCachedByShape(Dropout):
    """Draws once for each shape, as a traced graph with a Python generator does (keras#17548)."""

    def _kept(self, x: Array) -> Array:
        masks = self.__dict__.setdefault("masks", {})
        return masks.setdefault(x.shape, super()._kept(x))

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        super().seed(value)
        self.masks: dict[tuple[int, ...], Array] = {}


@regcheck.implements("dropout")
class MaskOfTheData(Dropout):
    """Seeds itself with a check sum of its input: "reproducible"."""

    def _kept(self, x: Array) -> Array:
        draws = np.random.default_rng([zlib.crc32(x.tobytes()), int(self.generator.integers(2**32))])
        return draws.random(x.shape) >= self.rate


@regcheck.implements("dropout")
class SmallestDropped(Dropout):
    """Prefers small values when it drops; the rate is right for continuous data."""

    def _kept(self, x: Array) -> Array:
        if not x.size or self.rate in {0, 1}:
            return super()._kept(x)
        draws = self.generator.random(x.shape)
        order = np.argsort(np.argsort(np.abs(x), axis=None)).reshape(x.shape) / x.size
        return np.where(draws < 0.5, 2 * draws, order) >= self.rate


@regcheck.implements("dropout")
class ZerosDrawNothing(Dropout):
    """Skips zeros of the input, so that the numbers move up; invisible without zeros."""

    def _kept(self, x: Array) -> Array:
        kept = np.ones(x.shape, dtype=bool)
        kept[x != 0] = self.generator.random(np.count_nonzero(x)) >= self.rate
        return kept


@regcheck.implements("dropout")
class SeedIgnored(Dropout):
    """Accepts a seed and does nothing with it (xformers#173)."""

    def seed(self, value: int) -> None:
        """Does nothing."""


@regcheck.implements("dropout")
class SeedKeepsPosition(Dropout):
    """A seed takes effect, but the count of earlier calls goes into the stream as well."""

    calls = 0

    def seed(self, value: int) -> None:
        """Restart the random stream, not quite."""
        self.generator = np.random.default_rng([value, self.calls])

    def _kept(self, x: Array) -> Array:
        self.calls += 1
        return super()._kept(x)


@regcheck.implements("dropout")
class SeedOfItsOwn(Dropout):
    """Every seed restarts the same stream."""

    def seed(self, value: int) -> None:
        """Restart the one stream."""
        super().seed(0)


@regcheck.implements("dropout")
class SeedLosesLowBits(Dropout):
    """Keeps the seed in a float32: seeds beyond 2²⁴ that differ in the last bits give one stream."""

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        super().seed(int(np.float32(value)))


@regcheck.implements("dropout")
class SeedFixedInConstructor(Dropout):
    """Every new layer starts the same stream, "reproducible": all dropouts of a network drop the same entries."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.generator = np.random.default_rng(0)


@regcheck.implements("dropout", declares={"random_stream": "process"})
class ConstructorSeedsTheProcess(Dropout):
    """Seeds the stream that all layers share when it is made, and so begins again what others have drawn."""

    shared = np.random.default_rng()

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.seed(0)

    def seed(self, value: int) -> None:
        """Restart the stream of every layer."""
        ConstructorSeedsTheProcess.shared = np.random.default_rng(value)

    def _kept(self, x: Array) -> Array:
        return self.shared.random(x.shape) >= self.rate


@regcheck.implements("dropout")
class StreamSharedUndeclared(Dropout):
    """All layers draw from one generator, and seeding one seeds them all; a convention, had it been declared."""

    shared = np.random.default_rng()

    def seed(self, value: int) -> None:
        """Restart the stream of every layer."""
        type(self).shared = np.random.default_rng(value)

    def _kept(self, x: Array) -> Array:
        return self.shared.random(x.shape) >= self.rate


@regcheck.implements("dropout", declares={"random_stream": "process"})
class StreamWronglyDeclared(Dropout):
    """Declares one stream for the process; each layer has its own."""


@regcheck.implements("dropout")
class MaskInMemoryOrderUndeclared(Dropout):
    """Draws in the order of the input's memory, so that a transposed input gets another mask, and does not say so."""

    def _kept(self, x: Array) -> Array:
        order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
        kept = self.generator.random([x.shape[axis] for axis in order]) >= self.rate
        return np.transpose(kept, np.argsort(order)) if order else kept
