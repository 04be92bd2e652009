"""Drop paths in NumPy, each wrong in one step: what an entry's dropout has too, and what samples alone have."""

from __future__ import annotations

from typing import Any

import numpy as np
import plain_dropout as values
import plain_dropout_edges as edges
import plain_dropout_masks as masks
from plain_channel_dropout import Channels

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "PerElement": "drop_path.whole-samples",
    "PerChannel": "drop_path.whole-samples",
    "PerPosition": "drop_path.whole-samples",
    "FirstTokenKept": "drop_path.whole-samples",
    "WholeBatch": "drop_path.samples-independent",
    "LastSampleKept": "drop_path.every-sample-drops",
    "NeighboursAlike": "drop_path.mask-independence",
    "NeighboursUnlike": "drop_path.mask-independence",
    "FixedCountOfSamples": "drop_path.mask-independence",
    "FourLanesShareOneDraw": "drop_path.mask-independence",
    "SmallestDropped": "drop_path.mask-independent-of-values",
    "RateInverted": "drop_path.rate",
    "RateOfItsOwn": "drop_path.rate",
    "RateOnePercentOff": "drop_path.rate",
    "RateInHalfPrecision": "drop_path.rate",
    "NotRescaled": "drop_path.expectation-preserved",
    "MultipliedByShareKept": "drop_path.expectation-preserved",
    "RescaledByShareKept": "drop_path.support",
    "BatchesRescaledUnalike": "drop_path.one-factor",
    "AddsNoise": "drop_path.linear-on-mask",
    "ActiveInInference": "drop_path.inference-identity",
    "RescaledWhenInferring": "drop_path.inference-identity",
    "RateAtLeastAHundredth": "drop_path.rate-zero-identity",
    "RateOneDividesByZero": "drop_path.rate-one-zero",
    "MaskMultiplies": "drop_path.dropped-nonfinite-as-declared",
    "BackwardDrawsAnew": "drop_path.backward-mask",
    "BackwardForgetsFactor": "drop_path.backward-mask",
    "BackwardReadsZeros": "drop_path.backward-mask",
    "MaskCachedByShape": "drop_path.fresh-mask",
    "SeedIgnored": "drop_path.reseed-replays",
    "SeedOfItsOwn": "drop_path.seeds-differ",
    "SeedFixedInConstructor": "drop_path.layers-differ",
    "StreamSharedUndeclared": "drop_path.random-stream-as-declared",
    "NotANumberHidden": "drop_path.dropped-nonfinite-as-declared",
}


class Samples(Channels):
    """Draws for every sample; the right layer by itself."""

    axes = 1


# --- what drops together


@regcheck.implements("drop_path")
class PerElement(values.Dropout):
    """Plain dropout under drop path's name."""


@regcheck.implements("drop_path")
class PerChannel(Channels):
    """Drops channels of samples: a Dropout2d where the path was meant."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x) if x.ndim > 1 else values.Dropout._kept(self, x)


@regcheck.implements("drop_path")
class PerPosition(values.Dropout):
    """One draw for each index of the last axis, the same in all samples: the mask has lost the batch axis."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x[(slice(0, 1),) * (x.ndim - 1)])


@regcheck.implements("drop_path")
class FirstTokenKept(Samples):
    """Never drops the first token of a sample, the one of the class; invisible at one token."""

    def _kept(self, x: Array) -> Array:
        kept = super()._kept(x)
        if x.ndim == 1 or x.shape[1] < 2 or self.rate == 1:
            return kept
        kept = np.broadcast_to(kept, x.shape).copy()
        kept[:, 0] = True
        return kept


@regcheck.implements("drop_path")
class WholeBatch(Samples):
    """One draw for the batch, stochastic depth as first published; right samples are drawn one by one."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x[:1])


@regcheck.implements("drop_path")
class LastSampleKept(Samples):
    """Never drops the last sample of several, so that some path stays."""

    def _kept(self, x: Array) -> Array:
        kept = super()._kept(x)
        if len(kept) > 1 and self.rate < 1:
            kept[-1] = True
        return kept


# --- how samples hang together


@regcheck.implements("drop_path")
class NeighboursAlike(Samples):
    """A sample repeats its neighbour's draw one time in ten; invisible in the rate."""

    def _kept(self, x: Array) -> Array:
        kept = super()._kept(x)
        again = self.generator.random(kept[1::2].shape) < 0.1
        kept[1::2] = np.where(again, kept[: 2 * (len(kept) // 2) : 2], kept[1::2])
        return kept


@regcheck.implements("drop_path")
class NeighboursUnlike(Samples, masks.NeighboursLessAlike):
    """Every second sample reuses its neighbour's number u as 1 − u."""


@regcheck.implements("drop_path")
class FixedCountOfSamples(values.Dropout):
    """Keeps the same number of samples of every 32, chosen at random: an even load (dinov2's kind, by blocks)."""

    def _kept(self, x: Array) -> Array:
        if self.rate in {0, 1}:
            return super()._kept(x)
        blocks = self.generator.random((-(-len(x) // 32), 32))
        ranks = np.argsort(np.argsort(blocks, axis=1), axis=1)
        kept = ranks >= np.floor(self.rate * 32 + self.generator.random((len(blocks), 1)))
        return np.asarray(kept.ravel()[: len(x)].reshape(len(x), *(1,) * (x.ndim - 1)))


@regcheck.implements("drop_path")
class FourLanesShareOneDraw(Samples, masks.FourLanesShareOneDraw):
    """Four samples share one random word (pytorch#198333's kind)."""


@regcheck.implements("drop_path")
class SmallestDropped(Samples, masks.SmallestDropped):
    """Prefers samples that begin with a small value when it drops."""


# --- what an entry's dropout can have too


@regcheck.implements("drop_path")
class RateInverted(Samples, values.RateInverted):
    """Keeps with probability p."""


@regcheck.implements("drop_path")
class RateOfItsOwn(Samples, values.RateOfItsOwn):
    """Loses the argument: drops half."""


@regcheck.implements("drop_path")
class RateOnePercentOff(Samples, values.RateOnePercentOff):
    """Keeps one sample in a hundred that it should drop."""


@regcheck.implements("drop_path")
class RateInHalfPrecision(Samples, values.RateInHalfPrecision):
    """Draws its uniform numbers with 8 bits for float16 input."""


@regcheck.implements("drop_path")
class NotRescaled(Samples, values.NotRescaled):
    """The raw mask (§5.2)."""


@regcheck.implements("drop_path", dtypes=("float32", "float64"))
class MultipliedByShareKept(Samples, values.MultipliedByShareKept):
    """Multiplies by 1 − p where it should divide."""


@regcheck.implements("drop_path")
class RescaledByShareKept(Samples, values.RescaledByShareKept):
    """Divides by the share of samples that was kept in this call."""


@regcheck.implements("drop_path")
class BatchesRescaledUnalike(Samples):
    """Divides by 1 − p in odd samples, and by a hundredth more in even ones: two factors meet in one kernel."""

    def _scale(self, kept: Array) -> Array:
        factor = np.where(np.arange(len(kept)) % 2, 1.0, 1.01) * super()._scale(kept)
        return np.asarray(factor.reshape(len(kept), *(1,) * (kept.ndim - 1)))


@regcheck.implements("drop_path")
class AddsNoise(Samples, values.AddsNoise):
    """Adds a ten-thousandth of noise to what it keeps."""


@regcheck.implements("drop_path")
class ActiveInInference(Samples, values.ActiveInInference):
    """Ignores the mode."""


@regcheck.implements("drop_path")
class RescaledWhenInferring(Samples, values.RescaledWhenInferring):
    """Multiplies by 1 − p in inference instead."""


@regcheck.implements("drop_path")
class RateAtLeastAHundredth(Samples, values.RateAtLeastAHundredth):
    """Still drops at rate 0."""


@regcheck.implements("drop_path")
class RateOneDividesByZero(Samples, values.RateOneDividesByZero):
    """0·∞ at p = 1."""


@regcheck.implements("drop_path")
class MaskMultiplies(Samples, values.MaskMultiplies):
    """∞·0 = NaN where it drops, and does not say so."""


@regcheck.implements("drop_path")
class NotANumberHidden(Samples, edges.NotANumberHidden):
    """Cleans NaN out of the samples that it keeps."""


@regcheck.implements("drop_path")
class BackwardDrawsAnew(Samples, values.BackwardDrawsAnew):
    """Backward draws a mask of its own."""


@regcheck.implements("drop_path")
class BackwardForgetsFactor(Samples, values.BackwardForgetsFactor):
    """Backward's mask is 0 and 1."""


@regcheck.implements("drop_path")
class BackwardReadsZeros(Samples, values.BackwardReadsZeros):
    """Finds the mask again from the zeros of its output."""


@regcheck.implements("drop_path")
class MaskCachedByShape(Samples, masks.MaskCachedByShape):
    """Draws once for each number of samples."""


@regcheck.implements("drop_path")
class SeedIgnored(Samples, masks.SeedIgnored):
    """Accepts a seed and does nothing with it."""


@regcheck.implements("drop_path")
class SeedOfItsOwn(Samples, masks.SeedOfItsOwn):
    """Every seed restarts the same stream."""


@regcheck.implements("drop_path")
class SeedFixedInConstructor(Samples, masks.SeedFixedInConstructor):
    """Every new layer starts the same stream."""


@regcheck.implements("drop_path")
class StreamSharedUndeclared(Samples, masks.StreamSharedUndeclared):
    """All layers draw from one generator, and do not say so."""
