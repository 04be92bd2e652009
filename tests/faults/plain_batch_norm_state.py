"""Batch normalisations in NumPy that record wrong averages; each differs from the right layer in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "RunningVarianceBiased": "batch_norm.running-variance-unbiased",
    "RunningVarianceBiasedUndeclared": "batch_norm.running-variance-as-declared",
    "RunningVarianceWronglyDeclared": "batch_norm.running-variance-as-declared",
    "RunningVarianceOfOnePass": "batch_norm.running-variance-as-declared",
    "RunningVarianceWithEps": "batch_norm.running-variance-as-declared",
    "RunningVarianceAroundOldMean": "batch_norm.running-variance-as-declared",
    "RunningVarianceCountsSamples": "batch_norm.running-variance-as-declared",
    "RunningDeviation": "batch_norm.running-variance-as-declared",
    "RunningMeanWithBessel": "batch_norm.running-mean",
    "RunningMeanOfFirstBatch": "batch_norm.running-mean",
    "MomentumInverted": "batch_norm.momentum-as-declared",
    "MomentumWronglyDeclared": "batch_norm.momentum-as-declared",
    "MomentumOfItsOwn": "batch_norm.momentum-as-declared",
    "MomentumSquared": "batch_norm.momentum-as-declared",
    "MomentumZeroTakenForNotGiven": "batch_norm.momentum-as-declared",
    "CumulativeAverage": "batch_norm.running-mean",
    "HalfPrecisionRecord": "batch_norm.running-mean",
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
        self.training = training
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
class RunningVarianceBiased(BatchNorm):
    """Records σ² without m/(m − 1) (§8.2); small where m is large."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        super()._record(mean, variance, 1)


@regcheck.implements("batch_norm")
class RunningVarianceBiasedUndeclared(RunningVarianceBiased):
    """The same, judged by the convention: Keras records σ² as well, and has to say so."""


@regcheck.implements("batch_norm", declares={"running_variance": "biased"})
class RunningVarianceWronglyDeclared(BatchNorm):
    """Declares σ² and records m/(m − 1)·σ²."""


@regcheck.implements("batch_norm")
class RunningVarianceOfOnePass(BatchNorm):
    """Normalises with the variance of two passes and records the one of one pass."""

    def _of_the_batch(self, x: Array) -> tuple[Array, Array]:
        self.squares = np.mean(x * x, axis=self._axes(x))
        return super()._of_the_batch(x)

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        super()._record(mean, np.maximum(self.squares - mean * mean, 0), m)


@regcheck.implements("batch_norm")
class RunningVarianceWithEps(BatchNorm):
    """Records σ² + ε; invisible where σ² ≫ ε."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        super()._record(mean, variance + self.config.eps, m)


@regcheck.implements("batch_norm")
class RunningVarianceAroundOldMean(BatchNorm):
    """Records squares around the moving mean, as Welford's formula does, but for every batch anew."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        old = self.state["running_mean"].astype(mean.dtype)
        super()._record(mean, variance + (mean - old) ** 2, m)


@regcheck.implements("batch_norm")
class RunningVarianceCountsSamples(BatchNorm):
    """N/(N − 1) with the number of samples in place of the number of values; invisible in (N, C)."""

    def _of_the_batch(self, x: Array) -> tuple[Array, Array]:
        self.samples = len(x)
        return super()._of_the_batch(x)

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        super()._record(mean, variance, self.samples)


@regcheck.implements("batch_norm")
class RunningDeviation(BatchNorm):
    """Averages the standard deviations and squares the average: right after equal batches."""

    def _average(self, name: str, new: Array, weight: float) -> None:
        if name == "running_mean":
            super()._average(name, new, weight)
            return
        old = self.state[name]
        root = (1 - weight) * np.sqrt(old.astype(new.dtype)) + weight * np.sqrt(new)
        self.state[name] = (root**2).astype(old.dtype)


@regcheck.implements("batch_norm")
class RunningMeanWithBessel(BatchNorm):
    """Corrects the mean by m/(m − 1) as well."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        super()._record(mean, variance, m)
        self._average("running_mean", mean * (m / max(m - 1, 1)) - mean, self.config.momentum)


@regcheck.implements("batch_norm")
class RunningMeanOfFirstBatch(BatchNorm):
    """Records the first batch alone."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        if not hasattr(self, "started"):
            super()._record(mean, variance, m)
        self.started = True


@regcheck.implements("batch_norm")
class MomentumInverted(BatchNorm):
    """Weighs the old average with momentum (Paddle#51120, oneflow#6055); invisible at ½."""

    def _average(self, name: str, new: Array, weight: float) -> None:
        super()._average(name, new, 1 - weight)


@regcheck.implements("batch_norm", declares={"momentum": "old"})
class MomentumWronglyDeclared(BatchNorm):
    """Declares that momentum weighs the old average; it weighs the new batch."""


@regcheck.implements("batch_norm")
class MomentumOfItsOwn(BatchNorm):
    """Loses the argument: momentum is always 0.1."""

    def _average(self, name: str, new: Array, weight: float) -> None:
        super()._average(name, new, 0.1)


@regcheck.implements("batch_norm")
class MomentumSquared(BatchNorm):
    """Weighs the old variance with (1 − momentum)²; the mean is right."""

    def _average(self, name: str, new: Array, weight: float) -> None:
        super()._average(name, new, weight if name == "running_mean" else 1 - (1 - weight) ** 2)


@regcheck.implements("batch_norm")
class MomentumZeroTakenForNotGiven(BatchNorm):
    """`momentum or 0.1`: what asks for a record that stays gets one that moves; invisible at every other momentum."""

    def _average(self, name: str, new: Array, weight: float) -> None:
        super()._average(name, new, weight or 0.1)


@regcheck.implements("batch_norm")
class CumulativeAverage(BatchNorm):
    """Averages all batches alike from the second one on, whatever momentum says."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        self.batches = getattr(self, "batches", 0) + 1
        super()._record(mean, variance, m)

    def _average(self, name: str, new: Array, weight: float) -> None:
        super()._average(name, new, weight if self.batches == 1 else 1 / self.batches)


@regcheck.implements("batch_norm")
class HalfPrecisionRecord(BatchNorm):
    """Adds up the moving averages in float16: a small momentum is lost."""

    def _average(self, name: str, new: Array, weight: float) -> None:
        old = self.state[name]
        moved = old + (weight * (new - old)).astype(np.float16)
        self.state[name] = moved.astype(old.dtype)
