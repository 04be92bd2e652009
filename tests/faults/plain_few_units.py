"""Dropouts in NumPy that are wrong where few units drop, or at one rate alone; each differs from the right one once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "SmallTensorsKept": "dropout.few-entries",
    "CountFixed": "dropout.few-entries",
    "HalfTooSeldom": "dropout.rate",
    "HalfFixed": "dropout.fresh-mask",
    "PoolOfMasks": "dropout.fresh-mask",
    "FactorAlone": "dropout.rate",
    "ChannelsByCount": "channel_dropout.few-channels",
    "ChannelsOfSmallBatchesShare": "channel_dropout.few-channels",
    "SamplesByCount": "drop_path.few-samples",
    "SmallBatchesShare": "drop_path.few-samples",
    "NeverAlone": "drop_path.few-samples",
    "OneIsAlwaysKept": "drop_path.few-samples",
    "NoiseCentred": "gaussian_dropout.few-entries",
    "HalfTheSpreadAtHalf": "gaussian_dropout.variance",
    "SpreadCapped": "gaussian_dropout.variance",
    "AlphaByCount": "alpha_dropout.few-entries",
    "AlphaHalfFixed": "alpha_dropout.fresh-mask",
    "AlphaChannelsShare": "channel_alpha_dropout.few-channels",
}
SATURATION = -1.7580993408473766  # of SELU


class Dropout:
    """The right one of its units, the first `axes` axes (None: all); a fault overrides one step."""

    axes: int | None = None

    def __init__(self, config: Any) -> None:
        self.rate, self.generator = config.rate, np.random.default_rng()
        self.seed(int(self.generator.integers(2**31)))

    def seed(self, value: int) -> None:
        """Restart the stream."""
        self.generator = np.random.default_rng(value)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.factor: Any = 1.0
        if not training:
            return x.copy()
        units = x.shape[: self.axes]
        kept = self.draw(units) if self.rate < 1 else np.zeros(units, bool)
        return self.applied(x, kept.reshape(*units, *(1,) * (x.ndim - len(units)))).astype(x.dtype)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """dx of the cotangent's dtype."""
        return {"x": np.asarray(cotangent * self.factor).astype(cotangent.dtype)}

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        return self.generator.random(units) >= self.rate

    def applied(self, x: Array, kept: Array) -> Array:
        """x/(1 − p) where kept, else 0; the factor is kept for the gradient."""
        scale = 1 / (1 - self.rate) if self.rate < 1 else 0.0
        self.factor = kept * scale
        with np.errstate(all="ignore"):
            return np.where(kept, x * scale, 0)


class Alpha(Dropout):
    """a·x + b where kept, else a·α′ + b."""

    def applied(self, x: Array, kept: Array) -> Array:
        """With variance and mean of normal numbers kept."""
        p = self.rate
        a = ((1 - p) * (1 + p * SATURATION**2)) ** -0.5
        self.factor = kept * a
        with np.errstate(all="ignore"):
            return a * np.where(kept, x.astype(np.float64), SATURATION) - a * SATURATION * p


class Gaussian(Dropout):
    """x·n, n ~ N(1, p/(1 − p))."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.factor = self.noise(x.shape) if training else 1.0
        with np.errstate(all="ignore"):
            return np.asarray(x * self.factor).astype(x.dtype)

    def noise(self, shape: tuple[int, ...]) -> Array:
        """n."""
        return 1 + self.spread() * self.normal(shape)

    def spread(self) -> float:
        """The standard deviation of n."""
        return math.sqrt(self.rate / (1 - self.rate))

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Standard normal."""
        return self.generator.standard_normal(shape)


class Channels(Dropout):
    """Of whole channels."""

    axes = 2


class Samples(Dropout):
    """Of whole samples."""

    axes = 1


class ByCount(Dropout):
    """As many as the rate says are kept, rounded down, at least one, at random."""

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        size = math.prod(units)
        kept = np.arange(size) < max(int(size * (1 - self.rate)), 1)
        return self.generator.permutation(kept).reshape(units)


class Shared(Dropout):
    """Fewer than 16 units share one draw."""

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        kept = super().draw(units)
        return kept if kept.size >= 16 else np.broadcast_to(kept.ravel()[:1], units) if kept.size else kept


class FixedAtHalf(Dropout):
    """At rate ½ the mask is a chessboard."""

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        return np.indices(units).sum(axis=0) % 2 == 0 if self.rate == 1 / 2 else super().draw(units)


@regcheck.implements("dropout")
class SmallTensorsKept(Dropout):
    """Tensors below 512 entries are scaled and never dropped."""

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        return super().draw(units) if math.prod(units) >= 512 else np.ones(units, bool)


@regcheck.implements("dropout")
class CountFixed(ByCount):
    """Of n entries (1 − p)·n are kept, always: two entries know of each other."""


@regcheck.implements("dropout")
class HalfTooSeldom(Dropout):
    """At rate ½, by a short cut, 40 % are dropped."""

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        return self.generator.random(units) >= (0.4 if self.rate == 1 / 2 else self.rate)


@regcheck.implements("dropout")
class HalfFixed(FixedAtHalf):
    """At rate ½, by a short cut, every mask is the same."""


@regcheck.implements("dropout")
class PoolOfMasks(Dropout):
    """Sixteen masks of every shape, one after the other, for ever."""

    def seed(self, value: int) -> None:
        """Restart the stream."""
        super().seed(value)
        self.pool: dict[tuple[int, ...], list[Array]] = {}

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        masks = self.pool.setdefault(units, [])
        if len(masks) < 16:
            masks.append(super().draw(units))
        else:
            masks.append(masks.pop(0))
        return masks[-1]


@regcheck.implements("dropout")
class FactorAlone(Dropout):
    """No more than 99 % are dropped, whatever the factor says."""

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        return self.generator.random(units) >= min(self.rate, 0.99)


@regcheck.implements("channel_dropout")
class ChannelsByCount(ByCount, Channels):
    """A fixed number of channels is kept."""


@regcheck.implements("channel_dropout")
class ChannelsOfSmallBatchesShare(Shared, Channels):
    """Few channels share one draw."""


@regcheck.implements("drop_path")
class SamplesByCount(ByCount, Samples):
    """A fixed number of samples is kept, as by DINOv2's stochastic depth, whose scale is by that number."""


@regcheck.implements("drop_path")
class SmallBatchesShare(Shared, Samples):
    """A small batch drops as a whole (Huang et al. 2016 drop a layer for the whole batch)."""


@regcheck.implements("drop_path")
class NeverAlone(Samples):
    """A batch of one is never dropped."""

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        return np.ones(units, bool) if units == (1,) else super().draw(units)


@regcheck.implements("drop_path")
class OneIsAlwaysKept(Samples):
    """Where all samples would drop, the first is kept."""

    def draw(self, units: tuple[int, ...]) -> Array:
        """Which units are kept."""
        kept = super().draw(units)
        kept[:1] |= not kept.any()
        return kept


@regcheck.implements("gaussian_dropout")
class NoiseCentred(Gaussian):
    """The noise of each tensor is standardised: two entries are 1 ± s."""

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Not quite standard normal."""
        z = super().normal(shape)
        return (z - z.mean()) / (z.std() or 1) if z.size else z


@regcheck.implements("gaussian_dropout")
class HalfTheSpreadAtHalf(Gaussian):
    """At rate ½, by a short cut, the noise has half its deviation."""

    def spread(self) -> float:
        """The standard deviation of n."""
        return 0.5 if self.rate == 1 / 2 else super().spread()


@regcheck.implements("gaussian_dropout")
class SpreadCapped(Gaussian):
    """The noise's deviation is 3 at most: rates above 0.9 act like 0.9."""

    def spread(self) -> float:
        """The standard deviation of n."""
        return min(super().spread(), 3.0)


@regcheck.implements("alpha_dropout")
class AlphaByCount(ByCount, Alpha):
    """A fixed number of entries is kept."""


@regcheck.implements("alpha_dropout")
class AlphaHalfFixed(FixedAtHalf, Alpha):
    """At rate ½ every mask is the same."""


@regcheck.implements("channel_alpha_dropout")
class AlphaChannelsShare(Shared, Alpha, Channels):
    """Few channels share one draw."""
