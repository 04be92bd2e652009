"""Alpha dropouts in NumPy, of entries and of channels; each differs in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "SaturationIsAlpha": "alpha_dropout.support",
    "SaturationIsMinusLambda": "alpha_dropout.support",
    "SaturationPositive": "alpha_dropout.support",
    "ShiftOfTheWrongSign": "alpha_dropout.support",
    "ScaleMissing": "alpha_dropout.support",
    "ScaleOfTheShareDropped": "alpha_dropout.support",
    "ConstantsOfTheShareDropped": "alpha_dropout.keeps-mean",
    "DropsToZero": "alpha_dropout.zero-moves",
    "ShiftsTheKeptAlone": "alpha_dropout.keeps-mean",
    "ScaleWithoutRoot": "alpha_dropout.keeps-variance",
    "VarianceUnaccountedFor": "alpha_dropout.keeps-variance",
    "DroppedKeepAPart": "alpha_dropout.two-values",
    "SaturatesTheKept": "alpha_dropout.affine-on-mask",
    "RateInverted": "alpha_dropout.rate",
    "RateTwoPercentOff": "alpha_dropout.rate",
    "BackwardUnscaled": "alpha_dropout.backward-mask",
    "BackwardPassesDropped": "alpha_dropout.backward-mask",
    "BackwardDrawsAnew": "alpha_dropout.backward-mask",
    "ActiveInInference": "alpha_dropout.inference-identity",
    "SharedOverBatch": "alpha_dropout.mask-independence",
    "SeedIgnored": "alpha_dropout.reseed-replays",
    "MaskMultiplies": "alpha_dropout.dropped-nonfinite-as-declared",
    "EntriesNotChannels": "channel_alpha_dropout.whole-channels",
    "ChannelsOfAllSamples": "channel_alpha_dropout.samples-independent",
    "SamplesNotChannels": "channel_alpha_dropout.channels-independent",
    "ChannelsToZero": "channel_alpha_dropout.zero-moves",
    "ChannelsShifted": "channel_alpha_dropout.keeps-mean",
    "ChannelRateInverted": "channel_alpha_dropout.rate",
}

LAMBDA, ALPHA = 1.0507009873554805, 1.6732632423543772


class AlphaDropout:
    """The right layer: a·x + b where kept, a·α′ + b where dropped; a fault overrides one step."""

    saturation = -LAMBDA * ALPHA
    axes: int | None = None  # so many leading axes have a draw for each index

    def __init__(self, config: Any) -> None:
        self.rate = float(config.rate)
        self.generator = np.random.default_rng()
        self.kept: Array | None = None

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        self.generator = np.random.default_rng(value)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        if not training or self.rate == 0:
            return self._infer(x)
        self.kept = self._draw(x.shape)
        with np.errstate(all="ignore"):
            return np.asarray(self._applied(x, self.kept)).astype(x.dtype)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx} of the last forward, with its mask."""
        if self.kept is None:
            return {"x": cotangent.copy()}
        return {"x": np.asarray(self._transposed(cotangent, self.kept)).astype(cotangent.dtype)}

    def _infer(self, x: Array) -> Array:
        self.kept = None
        return x.copy()

    def _draw(self, shape: tuple[int, ...]) -> Array:
        drawn = shape[: self.axes]
        uniform = self.generator.random((*drawn, *(1,) * (len(shape) - len(drawn))))
        return np.broadcast_to(uniform >= self._rate(), shape)

    def _rate(self) -> float:
        return self.rate

    def _a(self) -> float:
        return ((1 - self.rate) * (1 + self.rate * self.saturation**2)) ** -0.5

    def _b(self) -> float:
        return -self._a() * self.saturation * self.rate

    def _applied(self, x: Array, kept: Array) -> Array:
        return self._a() * np.where(kept, x, self.saturation) + self._b()

    def _transposed(self, cotangent: Array, kept: Array) -> Array:
        return np.where(kept, self._a() * cotangent, 0)


@regcheck.implements("alpha_dropout")
class SaturationIsAlpha(AlphaDropout):
    """−α, with the factor λ forgotten; consistently, so that mean and variance stay right."""

    saturation = -ALPHA


@regcheck.implements("alpha_dropout")
class SaturationIsMinusLambda(AlphaDropout):
    """−λ in place of −λα."""

    saturation = -LAMBDA


@regcheck.implements("alpha_dropout")
class SaturationPositive(AlphaDropout):
    """λα: dropped entries go to the side where SELU does not saturate; mean and variance stay right."""

    saturation = LAMBDA * ALPHA


@regcheck.implements("alpha_dropout")
class ShiftOfTheWrongSign(AlphaDropout):
    """b = a·α′·p."""

    def _b(self) -> float:
        return -super()._b()


@regcheck.implements("alpha_dropout")
class ScaleMissing(AlphaDropout):
    """x and α′, neither scaled nor shifted."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return np.where(kept, x, self.saturation)


@regcheck.implements("alpha_dropout")
class ScaleOfTheShareDropped(AlphaDropout):
    """a with p and 1 − p exchanged."""

    def _a(self) -> float:
        return (self.rate * (1 + (1 - self.rate) * self.saturation**2)) ** -0.5


@regcheck.implements("alpha_dropout")
class ConstantsOfTheShareDropped(ScaleOfTheShareDropped):
    """a and b with p and 1 − p exchanged; invisible at ½."""

    def _b(self) -> float:
        return -self._a() * self.saturation * (1 - self.rate)


@regcheck.implements("alpha_dropout")
class DropsToZero(AlphaDropout):
    """Multiplies the affine result by the mask, as dropout does."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return np.where(kept, self._a() * x + self._b(), 0)


@regcheck.implements("alpha_dropout")
class ShiftsTheKeptAlone(AlphaDropout):
    """Forgets b where it drops."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return np.where(kept, self._a() * x + self._b(), self._a() * self.saturation)


@regcheck.implements("alpha_dropout")
class ScaleWithoutRoot(AlphaDropout):
    """a without its root: mean 0 stays."""

    def _a(self) -> float:
        return super()._a() ** 2


@regcheck.implements("alpha_dropout")
class VarianceUnaccountedFor(AlphaDropout):
    """a = 1/√(1 − p): the variance that α′ brings is left out."""

    def _a(self) -> float:
        return (1 - self.rate) ** -0.5


@regcheck.implements("alpha_dropout")
class DroppedKeepAPart(AlphaDropout):
    """A thousandth of x leaks through where it is dropped."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return super()._applied(x, kept) + np.where(kept, 0, x / 1000)


@regcheck.implements("alpha_dropout")
class SaturatesTheKept(AlphaDropout):
    """Clips what it keeps at ±6."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return super()._applied(np.clip(x, -6, 6), kept)


@regcheck.implements("alpha_dropout")
class RateInverted(AlphaDropout):
    """Drops with probability 1 − p; invisible at ½."""

    def _rate(self) -> float:
        return 1 - self.rate


@regcheck.implements("alpha_dropout")
class RateTwoPercentOff(AlphaDropout):
    """Drops two percent too few."""

    def _rate(self) -> float:
        return 0.98 * self.rate


@regcheck.implements("alpha_dropout")
class BackwardUnscaled(AlphaDropout):
    """The gradient forgets a."""

    def _transposed(self, cotangent: Array, kept: Array) -> Array:
        return np.where(kept, cotangent, 0)


@regcheck.implements("alpha_dropout")
class BackwardPassesDropped(AlphaDropout):
    """The gradient forgets the mask."""

    def _transposed(self, cotangent: Array, kept: Array) -> Array:
        return self._a() * cotangent


@regcheck.implements("alpha_dropout")
class BackwardDrawsAnew(AlphaDropout):
    """Backward draws a mask of its own."""

    def _transposed(self, cotangent: Array, kept: Array) -> Array:
        return super()._transposed(cotangent, self._draw(cotangent.shape))


@regcheck.implements("alpha_dropout")
class ActiveInInference(AlphaDropout):
    """Ignores the mode."""

    def _infer(self, x: Array) -> Array:
        return super()._infer(x) if self.rate == 0 else self.forward(x, training=True)


@regcheck.implements("alpha_dropout")
class SharedOverBatch(AlphaDropout):
    """One mask for all samples."""

    def _draw(self, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(super()._draw(shape[1:]), shape) if len(shape) > 1 else super()._draw(shape)


@regcheck.implements("alpha_dropout")
class SeedIgnored(AlphaDropout):
    """Takes a seed and does nothing with it."""

    def seed(self, value: int) -> None:
        """Leave the random stream as it is."""


@regcheck.implements("alpha_dropout")
class MaskMultiplies(AlphaDropout):
    """∞·0 = NaN where it drops, and does not say so; invisible with finite input."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return self._a() * (x * kept + self.saturation * ~kept) + self._b()


class ChannelAlphaDropout(AlphaDropout):
    """The right layer, of whole channels."""

    axes = 2


@regcheck.implements("channel_alpha_dropout")
class EntriesNotChannels(ChannelAlphaDropout):
    """Alpha dropout of entries."""

    axes = None


@regcheck.implements("channel_alpha_dropout")
class ChannelsOfAllSamples(ChannelAlphaDropout):
    """A channel drops in all samples of the batch or in none."""

    def _draw(self, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(super()._draw((1, *shape[1:])), shape)


@regcheck.implements("channel_alpha_dropout")
class SamplesNotChannels(ChannelAlphaDropout):
    """Whole samples drop."""

    axes = 1


@regcheck.implements("channel_alpha_dropout")
class ChannelsToZero(ChannelAlphaDropout):
    """Dropped channels become 0."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return np.where(kept, self._a() * x + self._b(), 0)


@regcheck.implements("channel_alpha_dropout")
class ChannelsShifted(ChannelAlphaDropout):
    """b is left out."""

    def _b(self) -> float:
        return 0.0


@regcheck.implements("channel_alpha_dropout")
class ChannelRateInverted(ChannelAlphaDropout):
    """Drops with probability 1 − p."""

    def _rate(self) -> float:
        return 1 - self.rate
