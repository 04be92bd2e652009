"""Batch normalisations in NumPy with wrong outputs in training; each differs from the right layer in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "OnePassVariance": "batch_norm.matches-definition",
    "UnbiasedInTraining": "batch_norm.matches-definition",
    "EpsOutsideRoot": "batch_norm.matches-definition",
    "EpsMissing": "batch_norm.constant-channel-gives-shift",
    "EpsInTheInputsType": "batch_norm.constant-channel-gives-shift",
    "HalvesAveraged": "batch_norm.permutation",
    "EvenSamplesOnly": "batch_norm.permutation",
    "AllChannelsTogether": "batch_norm.footprint",
    "EachSampleAlone": "batch_norm.matches-definition",
    "LastSpatialAxisForgotten": "batch_norm.matches-definition",
    "PaddingCounted": "batch_norm.repeated-batch",
    "NotANumberHidden": "batch_norm.footprint",
    "ShiftBeforeScale": "batch_norm.self-off-exact",
    "ScaleMagnitude": "batch_norm.matches-definition",
    "ScaleOfTheFirstChannel": "batch_norm.matches-definition",
    "OneValueRefused": "batch_norm.single-value-batch-as-declared",
    "OneValueNotANumber": "batch_norm.single-value-batch-as-declared",
    "HalfPrecisionVariance": "batch_norm.matches-definition",
}


class BatchNorm:
    """The right layer: y = γ·(x − E)/√(Var + ε) + β, of the batch in training, as recorded in inference."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.parameters: dict[str, Array] = {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.channels), "shift": np.zeros(config.channels)}
        self.state = {"running_mean": np.zeros(config.channels), "running_var": np.ones(config.channels)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError for a wrong rank or channel count, or nothing to train on."""
        if x.ndim != self.config.ndim + 2 or x.shape[1] != self.config.channels or (training and not x.size):
            msg = f"Expected (N, {self.config.channels}, *{self.config.ndim} axes). Received shape {x.shape}."
            raise ValueError(msg)
        self.training, self.dtype = training, x.dtype
        wide = x.astype(np.promote_types(x.dtype, np.float32))
        mean, variance = self._of_the_batch(wide) if training else self._recorded(wide)
        return self._standardise(wide, mean, variance).astype(x.dtype)

    def _axes(self, x: Array) -> tuple[int, ...]:
        return (0, *range(2, x.ndim))

    def _spread(self, values: Array) -> Array:
        return values.reshape(1, -1, *[1] * self.config.ndim)

    def _of_the_batch(self, x: Array) -> tuple[Array, Array]:
        mean = self._mean(x)
        variance = self._variance(x, mean)
        self._record(mean, variance, x.size // max(x.shape[1], 1))
        return mean, variance

    def _mean(self, x: Array) -> Array:
        return np.mean(x, axis=self._axes(x))

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.mean((x - self._spread(mean)) ** 2, axis=self._axes(x))

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        self._average("running_mean", mean, self.config.momentum)
        self._average("running_var", variance * (m / max(m - 1, 1)), self.config.momentum)

    def _average(self, name: str, new: Array, weight: float) -> None:
        old = self.state[name]
        self.state[name] = ((1 - weight) * old.astype(new.dtype) + weight * new).astype(old.dtype)

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        return self.state["running_mean"].astype(x.dtype), self.state["running_var"].astype(x.dtype)

    def _standardise(self, x: Array, mean: Array, variance: Array) -> Array:
        return self._affine((x - self._spread(mean)) * self._spread(self._inverse(variance)))

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + self.config.eps))

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        return normalised * self._spread(self.parameters["scale"]) + self._spread(self.parameters["shift"])


@regcheck.implements("batch_norm")
class OnePassVariance(BatchNorm):
    """mean(x²) − mean², clipped at 0 (flax#1491, tensorflow#25115); invisible with zero-mean data."""

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.maximum(np.mean(x * x, axis=self._axes(x)) - mean * mean, 0)


@regcheck.implements("batch_norm")
class UnbiasedInTraining(BatchNorm):
    """Normalises with m/(m − 1)·σ², which belongs into the moving average alone; small where m is large."""

    def _inverse(self, variance: Array) -> Array:
        return super()._inverse(variance * self.bessel if self.training else variance)

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        self.bessel = m / max(m - 1, 1)
        super()._record(mean, variance, m)


@regcheck.implements("batch_norm")
class EpsOutsideRoot(BatchNorm):
    """1/(√σ² + ε) (pyg#2917)."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / (np.sqrt(variance) + self.config.eps))


@regcheck.implements("batch_norm")
class EpsInTheInputsType(BatchNorm):
    """Rounds ε to x's type, whatever the variance has: in float16 an ε below 3e-8 is 0, and a constant gives NaN."""

    def _inverse(self, variance: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(1 / np.sqrt(variance + float(self.dtype.type(self.config.eps))))


@regcheck.implements("batch_norm")
class EpsMissing(BatchNorm):
    """1/√σ²: NaN for a channel that a sparse batch leaves constant (§11.1)."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance))


@regcheck.implements("batch_norm")
class HalvesAveraged(BatchNorm):
    """Averages the means of two halves, as if they had equal counts (pytorch#22192); invisible with even batches."""

    def _mean(self, x: Array) -> Array:
        half = len(x) // 2
        if not half:
            return super()._mean(x)
        return (super()._mean(x[:half]) + super()._mean(x[half:])) / 2


@regcheck.implements("batch_norm")
class EvenSamplesOnly(BatchNorm):
    """Estimates the variance from every other sample, to save time."""

    def _variance(self, x: Array, mean: Array) -> Array:
        return super()._variance(x[::2], mean)


@regcheck.implements("batch_norm")
class AllChannelsTogether(BatchNorm):
    """One mean and variance for all channels; invisible with one channel."""

    def _mean(self, x: Array) -> Array:
        return np.full(x.shape[1], np.mean(x))

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.full(x.shape[1], np.mean((x - mean[0]) ** 2))


@regcheck.implements("batch_norm")
class EachSampleAlone(BatchNorm):
    """Normalises each sample over its positions, as instance normalisation does; inference is right."""

    def _standardise(self, x: Array, mean: Array, variance: Array) -> Array:
        if not self.training or x.ndim == 2:
            return super()._standardise(x, mean, variance)
        axes = tuple(range(2, x.ndim))
        inverse = self._inverse(np.var(x, axis=axes, keepdims=True))
        return self._affine((x - np.mean(x, axis=axes, keepdims=True)) * inverse)


@regcheck.implements("batch_norm")
class LastSpatialAxisForgotten(BatchNorm):
    """Reduces the last spatial axis by its first column alone (onnxruntime#26407); invisible in (N, C)."""

    def _mean(self, x: Array) -> Array:
        return super()._mean(x[..., :1] if x.ndim > 2 else x)


@regcheck.implements("batch_norm")
class PaddingCounted(BatchNorm):
    """Pads the batch with zeros to a multiple of four samples, and counts them (§11.3)."""

    def _mean(self, x: Array) -> Array:
        return super()._mean(self._padded(x))

    def _variance(self, x: Array, mean: Array) -> Array:
        return super()._variance(self._padded(x), mean)

    def _padded(self, x: Array) -> Array:
        return np.concatenate([x, np.zeros((-len(x) % 4, *x.shape[1:]), x.dtype)])


@regcheck.implements("batch_norm")
class NotANumberHidden(BatchNorm):
    """Leaves NaN out of the statistics: one output is NaN, where the whole channel has to be."""

    def _mean(self, x: Array) -> Array:
        return np.nanmean(x, axis=self._axes(x))

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.nanmean((x - self._spread(mean)) ** 2, axis=self._axes(x))


@regcheck.implements("batch_norm")
class ShiftBeforeScale(BatchNorm):
    """γ·(x̂ + β): the layer cannot switch itself off (§9.3)."""

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        return (normalised + self._spread(self.parameters["shift"])) * self._spread(self.parameters["scale"])


@regcheck.implements("batch_norm")
class ScaleMagnitude(BatchNorm):
    """|γ|, as fused kernels once took it; invisible with positive γ."""

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        return normalised * np.abs(self._spread(self.parameters["scale"])) + self._spread(self.parameters["shift"])


@regcheck.implements("batch_norm")
class ScaleOfTheFirstChannel(BatchNorm):
    """Broadcasts the first channel's γ to all; invisible with constant γ."""

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        return normalised * self.parameters["scale"][0] + self._spread(self.parameters["shift"])


@regcheck.implements("batch_norm")
class OneValueRefused(BatchNorm):
    """Raises for one value per channel in training, and does not say so."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        if m == 1:
            msg = "Expected more than one value per channel when training."
            raise ValueError(msg)
        super()._record(mean, variance, m)


@regcheck.implements("batch_norm", declares={"single_value_batch": "error"})
class OneValueNotANumber(BatchNorm):
    """Declares an error for one value per channel, and gives NaN."""

    def _variance(self, x: Array, mean: Array) -> Array:
        one = x.size == x.shape[1]
        return super()._variance(x, mean) * (np.nan if one else 1)

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        super()._record(mean, np.nan_to_num(variance), m)


@regcheck.implements("batch_norm")
class HalfPrecisionVariance(BatchNorm):
    """Squares float16 in float16: σ² is infinite where |x − μ| > 256, and y = β."""

    def _variance(self, x: Array, mean: Array) -> Array:
        narrow = x.astype(self.dtype)
        return super()._variance(narrow, mean.astype(narrow.dtype)).astype(x.dtype)
