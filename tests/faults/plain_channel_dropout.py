"""Channel dropouts in NumPy, each wrong in one step: what an entry's dropout has too, and what channels alone have."""

from __future__ import annotations

from typing import Any

import numpy as np
import plain_dropout as values
import plain_dropout_edges as edges
import plain_dropout_masks as masks

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "PerElement": "channel_dropout.whole-channels",
    "PerPosition": "channel_dropout.whole-channels",
    "ChannelsTakenForLast": "channel_dropout.whole-channels",
    "RowsOfChannels": "channel_dropout.whole-channels",
    "BordersKept": "channel_dropout.whole-channels",
    "SharedOverBatch": "channel_dropout.samples-independent",
    "SharedByPairsOfSamples": "channel_dropout.samples-independent",
    "SharedOverChannels": "channel_dropout.channels-independent",
    "SharedByGroups": "channel_dropout.channels-independent",
    "LastChannelKept": "channel_dropout.every-channel-drops",
    "FirstSampleKept": "channel_dropout.every-channel-drops",
    "NeighboursAlike": "channel_dropout.mask-independence",
    "NeighboursUnlike": "channel_dropout.mask-independence",
    "FixedCountOfChannels": "channel_dropout.mask-independence",
    "SmallestDropped": "channel_dropout.mask-independent-of-values",
    "RateInverted": "channel_dropout.rate",
    "RateOfItsOwn": "channel_dropout.rate",
    "RateOnePercentOff": "channel_dropout.rate",
    "RateInHalfPrecision": "channel_dropout.rate",
    "NotRescaled": "channel_dropout.expectation-preserved",
    "MultipliedByShareKept": "channel_dropout.expectation-preserved",
    "RescaledByShareKept": "channel_dropout.support",
    "RescaledByShareKeptOfSample": "channel_dropout.one-factor",
    "AddsNoise": "channel_dropout.linear-on-mask",
    "ActiveInInference": "channel_dropout.inference-identity",
    "RescaledWhenInferring": "channel_dropout.inference-identity",
    "RateAtLeastAHundredth": "channel_dropout.rate-zero-identity",
    "RateOneDividesByZero": "channel_dropout.rate-one-zero",
    "MaskMultiplies": "channel_dropout.dropped-nonfinite-as-declared",
    "BackwardDrawsAnew": "channel_dropout.backward-mask",
    "BackwardForgetsFactor": "channel_dropout.backward-mask",
    "BackwardReadsZeros": "channel_dropout.backward-mask",
    "MaskCachedByShape": "channel_dropout.fresh-mask",
    "SeedIgnored": "channel_dropout.reseed-replays",
    "SeedOfItsOwn": "channel_dropout.seeds-differ",
    "SeedFixedInConstructor": "channel_dropout.layers-differ",
    "StreamSharedUndeclared": "channel_dropout.random-stream-as-declared",
    "MaskInMemoryOrderUndeclared": "channel_dropout.mask-order-as-declared",
    "NotANumberHidden": "channel_dropout.dropped-nonfinite-as-declared",
}


class Channels(values.Dropout):
    """Draws for every channel of every sample what the class after it draws for entries; the right layer by itself."""

    axes = 2

    def _kept(self, x: Array) -> Array:
        firsts = (slice(None),) * self.axes + (slice(0, 1),) * (x.ndim - self.axes)
        return super()._kept(x[firsts])


# --- what drops together


@regcheck.implements("channel_dropout")
class PerElement(values.Dropout):
    """Plain dropout under channel dropout's name."""


@regcheck.implements("channel_dropout")
class PerPosition(values.Dropout):
    """Drops a position in all channels: the mask lies over space."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x[:, :1]) if x.ndim > 2 else super()._kept(x)


@regcheck.implements("channel_dropout")
class ChannelsTakenForLast(values.Dropout):
    """Takes the last axis for the channels: right for (N, *spatial, C), and given (N, C, *spatial)."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x[(slice(None), *(slice(0, 1),) * (x.ndim - 2), slice(None))])


@regcheck.implements("channel_dropout")
class RowsOfChannels(values.Dropout):
    """Counts two axes from the wrong end: with more than one spatial axis rows drop (pytorch#69801's kind)."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x[..., :1] if x.ndim > 2 else x)


@regcheck.implements("channel_dropout")
class BordersKept(Channels):
    """Leaves the last position of a dropped channel: a loop that ends one too early; invisible at one position."""

    def _kept(self, x: Array) -> Array:
        kept = np.broadcast_to(super()._kept(x), x.shape).copy()
        if x.ndim > 2 and x.shape[-1] > 1:
            kept[..., -1] = True
        return kept if self.rate < 1 else super()._kept(x)


@regcheck.implements("channel_dropout")
class SharedOverBatch(Channels):
    """One mask of channels for all samples (Lux.jl#770); invisible with one sample, and in the rate."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x[:1])


@regcheck.implements("channel_dropout")
class SharedByPairsOfSamples(Channels):
    """Two samples share a mask: a batch of augmented pairs that was folded too early."""

    def _kept(self, x: Array) -> Array:
        kept: Array = np.repeat(super()._kept(x[::2]), 2, axis=0)
        return kept[: len(x)]


@regcheck.implements("channel_dropout")
class SharedOverChannels(Channels):
    """Drops whole samples (VideoX#85's kind); invisible in the rate."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x[:, :1])


@regcheck.implements("channel_dropout")
class SharedByGroups(Channels):
    """Four channels share one draw: one vector lane of a kernel (pytorch#198333's kind)."""

    def _kept(self, x: Array) -> Array:
        kept: Array = np.repeat(super()._kept(x[:, ::4]), 4, axis=1)
        return kept[:, : x.shape[1]]


@regcheck.implements("channel_dropout")
class LastChannelKept(Channels):
    """Never drops the last channel of several; hardly visible in the rate of many channels."""

    def _kept(self, x: Array) -> Array:
        kept = super()._kept(x)
        if kept.shape[1] > 1 and self.rate < 1:
            kept[:, -1] = True
        return kept


@regcheck.implements("channel_dropout")
class FirstSampleKept(Channels):
    """Never drops anything of the first sample of several."""

    def _kept(self, x: Array) -> Array:
        kept = super()._kept(x)
        if len(kept) > 1 and self.rate < 1:
            kept[0] = True
        return kept


# --- how channels hang together


@regcheck.implements("channel_dropout")
class NeighboursAlike(Channels):
    """A channel repeats its neighbour's draw one time in ten; invisible in the rate."""

    def _kept(self, x: Array) -> Array:
        kept = super()._kept(x)
        again = self.generator.random(kept[:, 1::2].shape) < 0.1
        kept[:, 1::2] = np.where(again, kept[:, : 2 * (kept.shape[1] // 2) : 2], kept[:, 1::2])
        return kept


@regcheck.implements("channel_dropout")
class NeighboursUnlike(Channels, masks.NeighboursLessAlike):
    """Every second channel reuses its neighbour's number u as 1 − u."""


@regcheck.implements("channel_dropout")
class FixedCountOfChannels(values.Dropout):
    """Drops the same number of channels in every sample, for an even load: the rate is right."""

    def _kept(self, x: Array) -> Array:
        if self.rate in {0, 1}:
            return super()._kept(x)
        n, c = x.shape[:2]
        ranks = np.argsort(np.argsort(self.generator.random((n, c)), axis=1), axis=1)
        kept = ranks >= np.floor(self.rate * c + self.generator.random((n, 1)))
        return np.asarray(kept.reshape(n, c, *(1,) * (x.ndim - 2)))


@regcheck.implements("channel_dropout")
class SmallestDropped(Channels, masks.SmallestDropped):
    """Prefers channels that begin with a small value when it drops."""


# --- what an entry's dropout can have too


@regcheck.implements("channel_dropout")
class RateInverted(Channels, values.RateInverted):
    """Keeps with probability p."""


@regcheck.implements("channel_dropout")
class RateOfItsOwn(Channels, values.RateOfItsOwn):
    """Loses the argument: drops half."""


@regcheck.implements("channel_dropout")
class RateOnePercentOff(Channels, values.RateOnePercentOff):
    """Keeps one channel in a hundred that it should drop."""


@regcheck.implements("channel_dropout")
class RateInHalfPrecision(Channels, values.RateInHalfPrecision):
    """Draws its uniform numbers with 8 bits for float16 input."""


@regcheck.implements("channel_dropout")
class NotRescaled(Channels, values.NotRescaled):
    """The raw mask (§5.2)."""


@regcheck.implements("channel_dropout", dtypes=("float32", "float64"))
class MultipliedByShareKept(Channels, values.MultipliedByShareKept):
    """Multiplies by 1 − p where it should divide."""


@regcheck.implements("channel_dropout")
class RescaledByShareKept(Channels, values.RescaledByShareKept):
    """Divides by the share of channels that was kept in this call."""


@regcheck.implements("channel_dropout")
class RescaledByShareKeptOfSample(Channels):
    """Divides by the share of channels that was kept in each sample."""

    def _scale(self, kept: Array) -> Array:
        if not kept.size:
            return super()._scale(kept)
        return kept.shape[1] / np.maximum(np.count_nonzero(kept, axis=1, keepdims=True), 1)


@regcheck.implements("channel_dropout")
class AddsNoise(Channels, values.AddsNoise):
    """Adds a ten-thousandth of noise to what it keeps."""


@regcheck.implements("channel_dropout")
class ActiveInInference(Channels, values.ActiveInInference):
    """Ignores the mode."""


@regcheck.implements("channel_dropout")
class RescaledWhenInferring(Channels, values.RescaledWhenInferring):
    """Multiplies by 1 − p in inference instead."""


@regcheck.implements("channel_dropout")
class RateAtLeastAHundredth(Channels, values.RateAtLeastAHundredth):
    """Still drops at rate 0."""


@regcheck.implements("channel_dropout")
class RateOneDividesByZero(Channels, values.RateOneDividesByZero):
    """0·∞ at p = 1."""


@regcheck.implements("channel_dropout")
class MaskMultiplies(Channels, values.MaskMultiplies):
    """∞·0 = NaN where it drops, and does not say so."""


@regcheck.implements("channel_dropout")
class NotANumberHidden(Channels, edges.NotANumberHidden):
    """Cleans NaN out of the channels that it keeps."""


@regcheck.implements("channel_dropout")
class BackwardDrawsAnew(Channels, values.BackwardDrawsAnew):
    """Backward draws a mask of its own."""


@regcheck.implements("channel_dropout")
class BackwardForgetsFactor(Channels, values.BackwardForgetsFactor):
    """Backward's mask is 0 and 1."""


@regcheck.implements("channel_dropout")
class BackwardReadsZeros(Channels, values.BackwardReadsZeros):
    """Finds the mask again from the zeros of its output."""


@regcheck.implements("channel_dropout")
class MaskCachedByShape(Channels, masks.MaskCachedByShape):
    """Draws once for each number of samples and channels."""


@regcheck.implements("channel_dropout")
class SeedIgnored(Channels, masks.SeedIgnored):
    """Accepts a seed and does nothing with it."""


@regcheck.implements("channel_dropout")
class SeedOfItsOwn(Channels, masks.SeedOfItsOwn):
    """Every seed restarts the same stream."""


@regcheck.implements("channel_dropout")
class SeedFixedInConstructor(Channels, masks.SeedFixedInConstructor):
    """Every new layer starts the same stream."""


@regcheck.implements("channel_dropout")
class StreamSharedUndeclared(Channels, masks.StreamSharedUndeclared):
    """All layers draw from one generator, and do not say so."""


@regcheck.implements("channel_dropout")
class MaskInMemoryOrderUndeclared(Channels, masks.MaskInMemoryOrderUndeclared):
    """Draws in the order in which channels lie in memory, and does not say so."""
