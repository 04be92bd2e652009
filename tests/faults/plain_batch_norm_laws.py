"""Batch normalisations in NumPy, each with a fault for one law beside the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import plain_batch_norm as forward
import plain_batch_norm_gradients as gradients

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "ChannelsFitted": "common.wrong-shape-raises",
    "DividesByLargest": "common.finite",
    "TailLeftOut": "batch_norm.large-batches",
    "MeanAbsoluteDeviation": "batch_norm.normalised",
    "EpsAtLeast": "batch_norm.scale-law",
    "EpsWhereNeeded": "batch_norm.self-off-sigma",
    "OnePassAboutRecord": "batch_norm.shift-invariance",
    "PaddingLeftOut": "batch_norm.whole-batch-statistics",
    "RootClippedInBackward": "batch_norm.gradient-scale-law",
    "MeanDetached": "batch_norm.gradient-sums",
    "FoldedForBatches": "batch_norm.inference-batch-size-invariant-bitwise",
    "EpsOutsideRootInInference": "batch_norm.inference-eps-added-to-variance",
    "ActivationFused": "batch_norm.inference-folded",
    "CumulativeAverage": "batch_norm.follows-changing-range",
    "BesselTwice": "batch_norm.repeated-batch-variance",
}


@regcheck.implements("batch_norm")
class TailLeftOut(forward.BatchNorm):
    """Statistics of whole blocks of 256 values, where there is one: what is over is left out."""

    def _mean(self, x: Array) -> Array:
        return np.mean(self._whole(x), axis=1)

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.mean((self._whole(x) - mean[:, None]) ** 2, axis=1)

    def _whole(self, x: Array) -> Array:
        rows = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
        m = rows.shape[1]
        return rows[:, : m // 256 * 256 or m]


@regcheck.implements("batch_norm")
class MeanAbsoluteDeviation(forward.BatchNorm):
    """Divides by the mean absolute deviation, which is cheaper than a root of squares."""

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.mean(np.abs(x - self._spread(mean)), axis=self._axes(x)) ** 2


@regcheck.implements("batch_norm")
class EpsAtLeast(forward.BatchNorm):
    """Raises ε to 1e-5, as kernels with a smallest ε do."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + max(self.config.eps, 1e-5)))


@regcheck.implements("batch_norm")
class EpsWhereNeeded(forward.BatchNorm):
    """max(σ², ε) in training, so that γ = σ gives the input back exactly."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(np.maximum(variance, self.config.eps)))


@regcheck.implements("batch_norm")
class OnePassAboutRecord(forward.BatchNorm):
    """One pass about the recorded mean: mean((x − E)²) − (μ − E)²; right once E has settled."""

    def _variance(self, x: Array, mean: Array) -> Array:
        recorded = self.state["running_mean"].astype(x.dtype)
        square = np.mean((x - self._spread(recorded)) ** 2, axis=self._axes(x))
        return np.maximum(square - (mean - recorded) ** 2, 0)


@regcheck.implements("batch_norm")
class PaddingLeftOut(forward.BatchNorm):
    """Takes samples of zeros for padding, and leaves them out of the statistics."""

    def _mean(self, x: Array) -> Array:
        return super()._mean(self._unpadded(x))

    def _variance(self, x: Array, mean: Array) -> Array:
        return super()._variance(self._unpadded(x), mean)

    def _unpadded(self, x: Array) -> Array:
        filled = x.reshape(len(x), -1).any(axis=1)
        return x[filled] if filled.any() else x


@regcheck.implements("batch_norm")
class RootClippedInBackward(gradients.BatchNorm):
    """Backward takes 1/√(σ² + ε) for at most 100; invisible unless the variance is small."""

    def _factor(self) -> Array:
        return np.asarray(self.parameters.get("scale", 1) * np.minimum(self.inverse, 100))


@regcheck.implements("batch_norm")
class MeanDetached(gradients.BatchNorm):
    """Treats the mean as a constant."""

    def _projected(self, given: Array) -> Array:
        return given - self.normalised * self._spread(self._mean(given * self.normalised))


@regcheck.implements("batch_norm", declares={"batch_invariance": "bitwise"})
class FoldedForBatches(forward.BatchNorm):
    """Promises bits, and computes k·x + c in inference where the batch is larger than one sample."""

    def _standardise(self, x: Array, mean: Array, variance: Array) -> Array:
        if self.training or len(x) < 2:
            return super()._standardise(x, mean, variance)
        inverse = self._inverse(variance)
        return self._affine(x * self._spread(inverse) - self._spread(mean * inverse))


@regcheck.implements("batch_norm")
class EpsOutsideRootInInference(forward.BatchNorm):
    """1/(√Var + ε) in inference."""

    def _inverse(self, variance: Array) -> Array:
        if self.training:
            return super()._inverse(variance)
        return np.asarray(1 / (np.sqrt(variance) + self.config.eps))


@regcheck.implements("batch_norm")
class ActivationFused(forward.BatchNorm):
    """Inference was fused with the ReLU that follows."""

    def _affine(self, normalised: Array) -> Array:
        y = super()._affine(normalised)
        return y if self.training else np.maximum(y, 0)


@regcheck.implements("batch_norm")
class CumulativeAverage(forward.BatchNorm):
    """Averages all batches alike until momentum says less: the record from before is forgotten at once."""

    calls = 0

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        self.calls += 1
        super()._record(mean, variance, m)

    def _average(self, name: str, new: Array, weight: float) -> None:
        super()._average(name, new, max(weight, 1 / self.calls))


@regcheck.implements("batch_norm")
class BesselTwice(forward.BatchNorm):
    """Corrects the recorded variance twice by m/(m − 1)."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        super()._record(mean, variance * (m / max(m - 1, 1)), m)


@regcheck.implements("batch_norm")
class ChannelsFitted(forward.BatchNorm):
    """Takes as many channels as it has, and repeats the last where there are too few."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of as many channels as the layer has."""
        return super().forward(np.take(x, range(self.config.channels), axis=1, mode="clip"), training)


@regcheck.implements("batch_norm")
class DividesByLargest(forward.BatchNorm):
    """Divides by the largest distance from the mean first, against overflow: 0/0 for constant input."""

    def _standardise(self, x: Array, mean: Array, variance: Array) -> Array:
        centred = x - self._spread(mean)
        with np.errstate(all="ignore"):
            largest = np.max(np.abs(centred), initial=0)
            root = np.sqrt(variance + self.config.eps) / largest
            return self._affine(centred / largest / self._spread(root))
