"""Dropouts in NumPy whose values, or the rate at which they drop, are wrong; each differs in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "RateInverted": "dropout.rate",
    "RateOfItsOwn": "dropout.rate",
    "RateInEighthBits": "dropout.rate",
    "RateInHalfPrecision": "dropout.rate",
    "RateOnePercentOff": "dropout.rate",
    "RateAppliedTwice": "dropout.rate",
    "SmallRateIgnored": "dropout.rate",
    "NotRescaled": "dropout.expectation-preserved",
    "RescaledByRate": "dropout.expectation-preserved",
    "Halved": "dropout.expectation-preserved",
    "MultipliedByShareKept": "dropout.expectation-preserved",
    "LargeValuesKept": "dropout.rate",
    "RescaledWhenInferring": "dropout.inference-identity",
    "RescaledByShareKept": "dropout.support",
    "RescaledByShareKeptOfRow": "dropout.one-factor",
    "RescaledCoarsely": "dropout.support",
    "NegativesNotRescaled": "dropout.one-factor",
    "DroppedGetMean": "dropout.support",
    "AddsNoise": "dropout.linear-on-mask",
    "LargeValuesClipped": "dropout.linear-on-mask",
    "ActiveInInference": "dropout.inference-identity",
    "ActiveInInferenceOnce": "dropout.inference-identity",
    "BackwardScalesInInference": "dropout.inference-identity",
    "RateAtLeastAHundredth": "dropout.rate-zero-identity",
    "RateOneDividesByZero": "dropout.rate-one-zero",
    "RateOneKeepsAll": "dropout.rate-one-zero",
    "MaskMultiplies": "dropout.dropped-nonfinite-as-declared",
    "MaskMultipliesWronglyDeclared": "dropout.dropped-nonfinite-as-declared",
    "BackwardDrawsAnew": "dropout.backward-mask",
    "BackwardForgetsFactor": "dropout.backward-mask",
    "BackwardReadsZeros": "dropout.backward-mask",
    "BackwardReadsZerosUnseeded": "dropout.backward-mask",
    "BackwardPassesAll": "dropout.backward-mask",
    "BackwardOfFirstMask": "dropout.backward-mask",
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
class Halved(Dropout):
    """Kept elements are halved, whatever p: no share of kept elements preserves the mean then."""

    def _scale(self, kept: Array) -> Array:
        return np.float64(0.5)


@regcheck.implements("dropout", dtypes=("float32", "float64"))
class MultipliedByShareKept(Dropout):
    """Multiplies by 1 − p where it should divide."""

    def _scale(self, kept: Array) -> Array:
        return np.float64(1 - self.rate)


@regcheck.implements("dropout")
class LargeValuesKept(Dropout):
    """Never drops a value beyond 1; invisible with ones, and has no seed that would show it."""

    seed = None  # type: ignore[assignment]

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.large = np.abs(x) > 1
        return super().forward(x, training)

    def _kept(self, x: Array) -> Array:
        return super()._kept(x) | self.large if self.rate < 1 else super()._kept(x)


@regcheck.implements("dropout")
class RateInverted(Dropout):
    """Keeps with probability p, drops with 1 − p (electra#61); invisible at ½."""

    def _kept(self, x: Array) -> Array:
        return self.generator.random(x.shape) < self.rate


@regcheck.implements("dropout")
class RateOfItsOwn(Dropout):
    """Loses the argument: drops half (tensorflow#10845), but rescales by 1/(1 − p)."""

    def _kept(self, x: Array) -> Array:
        return self.generator.random(x.shape) >= (0.5 if 0 < self.rate < 1 else self.rate)


@regcheck.implements("dropout")
class RateInEighthBits(Dropout):
    """Compares one random byte with p rounded up to a 256th; invisible at ½ and ¼."""

    def _kept(self, x: Array) -> Array:
        return self.generator.integers(0, 256, x.shape) >= np.ceil(self.rate * 256)


@regcheck.implements("dropout")
class RateInHalfPrecision(Dropout):
    """Draws its uniform numbers with 8 bits for float16 input; right for the others."""

    def _kept(self, x: Array) -> Array:
        if x.dtype != np.float16:
            return super()._kept(x)
        return np.floor(self.generator.random(x.shape) * 256) / 256 >= self.rate


@regcheck.implements("dropout")
class RateOnePercentOff(Dropout):
    """Keeps one element in a hundred that it should drop."""

    def _kept(self, x: Array) -> Array:
        return self.generator.random(x.shape) >= self.rate * (0.99 if self.rate < 1 else 1)


@regcheck.implements("dropout")
class RateAppliedTwice(Dropout):
    """Two layers of the same mask logic in a row: keeps (1 − p)²."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x) & super()._kept(x)


@regcheck.implements("dropout")
class SmallRateIgnored(Dropout):
    """Takes rates under five percent for "no dropout", but rescales."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x) | (self.rate < 0.05)


@regcheck.implements("dropout")
class NotRescaled(Dropout):
    """The raw mask: the expectation is (1 − p)·x (§5.2)."""

    def _scale(self, kept: Array) -> Array:
        return np.float64(1)


@regcheck.implements("dropout")
class RescaledByRate(Dropout):
    """Divides by p in place of 1 − p; invisible at ½."""

    def _scale(self, kept: Array) -> Array:
        return np.float64(1 / self.rate if 0 < self.rate < 1 else 1 - self.rate)


@regcheck.implements("dropout")
class RescaledWhenInferring(NotRescaled):
    """Multiplies by 1 − p in inference, dropout's first form; the document rescales in training (§5.3, §5.4)."""

    def _infer(self, x: Array) -> Array:
        self.factor = np.asarray(1 - self.rate)
        return (x * (1 - self.rate)).astype(x.dtype)


@regcheck.implements("dropout")
class RescaledByShareKept(Dropout):
    """Divides by the share that was kept in this call, not by its expectation."""

    def _scale(self, kept: Array) -> Array:
        return np.float64(kept.size / max(np.count_nonzero(kept), 1))


@regcheck.implements("dropout")
class RescaledByShareKeptOfRow(Dropout):
    """Divides by the share that was kept in each row."""

    def _scale(self, kept: Array) -> Array:
        if not kept.ndim or not kept.size:
            return super()._scale(kept)
        return kept.shape[-1] / np.maximum(np.count_nonzero(kept, axis=-1, keepdims=True), 1)


@regcheck.implements("dropout")
class RescaledCoarsely(Dropout):
    """Keeps 1/(1 − p) in float16; hardly visible in float16."""

    def _scale(self, kept: Array) -> Array:
        return np.float64(np.float16(super()._scale(kept)))


@regcheck.implements("dropout")
class NegativesNotRescaled(Dropout):
    """Fused with a rectifier that passes negative values by."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return np.where(kept & (x < 0), x, super()._applied(x, kept))


@regcheck.implements("dropout")
class DroppedGetMean(Dropout):
    """Puts the mean of the input where it drops, "to keep the expectation"."""

    def _applied(self, x: Array, kept: Array) -> Array:
        mean = x.mean(dtype=np.float64) if x.size else 0
        return np.where(kept, x, mean).astype(x.dtype)


@regcheck.implements("dropout")
class AddsNoise(Dropout):
    """Adds a ten-thousandth of noise to what it keeps."""

    def _applied(self, x: Array, kept: Array) -> Array:
        noise = kept * self.generator.standard_normal(x.shape) * 1e-4
        return (super()._applied(x, kept) + noise).astype(x.dtype)


@regcheck.implements("dropout")
class LargeValuesClipped(Dropout):
    """Saturates at ±6 after rescaling, a quantised kernel's range."""

    def _applied(self, x: Array, kept: Array) -> Array:
        return np.clip(super()._applied(x, kept), -6, 6)


@regcheck.implements("dropout")
class ActiveInInference(Dropout):
    """Ignores the mode (pytorch#20875's kind, §5.4)."""

    def _infer(self, x: Array) -> Array:
        return self.forward(x, training=True)


@regcheck.implements("dropout")
class ActiveInInferenceOnce(Dropout):
    """The first inference after a training call still drops: the mode takes effect one call late."""

    def _infer(self, x: Array) -> Array:
        if self.factor is None:
            return super()._infer(x)
        found = self.forward(x, training=True)
        self.factor = None
        return found


@regcheck.implements("dropout")
class RateAtLeastAHundredth(Dropout):
    """Clamps p to [0.01, 1]: a layer that was switched off still drops."""

    def _kept(self, x: Array) -> Array:
        return self.generator.random(x.shape) >= max(self.rate, 0.01)


@regcheck.implements("dropout")
class RateOneDividesByZero(Dropout):
    """0·∞ at p = 1: NaN everywhere (§5.3)."""

    def _scale(self, kept: Array) -> Array:
        return super()._scale(kept) if self.rate < 1 else np.float64(np.inf)

    def _applied(self, x: Array, kept: Array) -> Array:
        with np.errstate(invalid="ignore", over="ignore"):
            return (x * kept * self._scale(kept)).astype(x.dtype) if self.rate == 1 else super()._applied(x, kept)


@regcheck.implements("dropout")
class RateOneKeepsAll(Dropout):
    """Takes p = 1 for a keep probability."""

    def _kept(self, x: Array) -> Array:
        return super()._kept(x) | (self.rate == 1)

    def _scale(self, kept: Array) -> Array:
        return super()._scale(kept) if self.rate < 1 else np.float64(1)


@regcheck.implements("dropout")
class MaskMultiplies(Dropout):
    """∞·0 = NaN where it drops (pytorch#59421), and does not say so; invisible with finite input."""

    def _applied(self, x: Array, kept: Array) -> Array:
        with np.errstate(invalid="ignore", over="ignore"):
            return (x * (kept * self._scale(kept))).astype(x.dtype)


@regcheck.implements("dropout", declares={"dropped_nonfinite": "nan"})
class MaskMultipliesWronglyDeclared(Dropout):
    """Declares that dropping ∞ gives NaN; it gives 0."""


@regcheck.implements("dropout")
class BackwardDrawsAnew(Dropout):
    """Backward draws a mask of its own (§5.5)."""

    def _transposed(self, cotangent: Array) -> Array:
        if self.factor is not None:
            kept = self._kept(cotangent)
            self.factor = kept * self._scale(kept)
        return super()._transposed(cotangent)


@regcheck.implements("dropout")
class BackwardForgetsFactor(Dropout):
    """Backward's mask is 0 and 1."""

    def _transposed(self, cotangent: Array) -> Array:
        return cotangent * (self.factor != 0) if self.factor is not None else cotangent.copy()


@regcheck.implements("dropout")
class BackwardReadsZeros(Dropout):
    """Finds the mask again from the zeros of its output: zeros of the input count as dropped."""

    def _applied(self, x: Array, kept: Array) -> Array:
        found = super()._applied(x, kept)
        self.factor = np.asarray(self.factor) * (found != 0)
        return found


@regcheck.implements("dropout")
class BackwardReadsZerosUnseeded(BackwardReadsZeros):
    """The same without a seed: where x is 0, its mask cannot be seen in any output."""

    seed = None  # type: ignore[assignment]


@regcheck.implements("dropout")
class BackwardScalesInInference(Dropout):
    """In inference the gradient is divided by 1 − p, as if every entry had been kept in training."""

    def _transposed(self, cotangent: Array) -> Array:
        if self.factor is None and 0 < self.rate < 1:
            return (cotangent / (1 - self.rate)).astype(cotangent.dtype)
        return super()._transposed(cotangent)


@regcheck.implements("dropout")
class BackwardPassesAll(Dropout):
    """A straight-through gradient."""

    def _transposed(self, cotangent: Array) -> Array:
        return cotangent.copy()


@regcheck.implements("dropout")
class BackwardOfFirstMask(Dropout):
    """Backward uses the first mask of this shape; invisible in one call."""

    def _transposed(self, cotangent: Array) -> Array:
        if self.factor is not None and self.factor.shape == getattr(self, "first", np.empty(0)).shape:
            self.factor = self.first
        return super()._transposed(cotangent)

    def _applied(self, x: Array, kept: Array) -> Array:
        if getattr(self, "first", np.empty(0)).shape != x.shape:
            self.first = np.asarray(self.factor)
        return super()._applied(x, kept)
