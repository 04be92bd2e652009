"""Batch normalisations in NumPy whose outputs are right and whose gradients are not."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "StatisticsDetached": "batch_norm.gradient-input",
    "VarianceDetached": "batch_norm.gradient-input",
    "DividesByBatchSize": "batch_norm.gradient-input",
    "UnbiasedInBackward": "batch_norm.gradient-input",
    "InputGradientForgetsScale": "batch_norm.gradient-input",
    "LargeCotangentsClipped": "batch_norm.gradient-input",
    "TrainingFormulaInInference": "batch_norm.gradient-input-inference",
    "LastTrainingSavedInInference": "batch_norm.gradient-input-inference",
    "InferenceForgetsScale": "batch_norm.gradient-input-inference",
    "ParameterGradientsSwapped": "batch_norm.gradient-parameters",
    "PositionsAveraged": "batch_norm.gradient-parameters",
    "ScaleGradientOfCentred": "batch_norm.gradient-parameters",
    "SecondChannelsGradient": "batch_norm.gradient-parameters",
    "ShiftGradientOfFirstSample": "batch_norm.gradient-parameters",
    "FirstStatisticsKept": "common.calls-do-not-leak",
    "GradientsAccumulate": "common.backward-repeatable",
}


class BatchNorm:
    """The right layer, with dx = γs·(dy − mean(dy) − x̂·mean(dy·x̂)) in training and γs·dy in inference."""

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
        wide = x.astype(np.promote_types(x.dtype, np.float32))
        mean, variance = (value.astype(wide.dtype) for value in self.state.values())
        if training:
            mean, variance = np.mean(wide, axis=self._axes(x)), np.var(wide, axis=self._axes(x))
            self._record(mean, variance, x.size // x.shape[1])
        inverse = np.asarray(1 / np.sqrt(variance + self.config.eps))
        normalised = (wide - self._spread(mean)) * self._spread(inverse)
        self._save(normalised, inverse, training=training)
        scale, shift = (self.parameters.get(name, start) for name, start in (("scale", 1), ("shift", 0)))
        return (normalised * self._spread(scale) + self._spread(shift)).astype(x.dtype)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward."""
        given = cotangent.astype(self.normalised.dtype)
        dx = self._input_gradient(given) * self._spread(self._factor())
        found = {"x": dx.astype(cotangent.dtype)}
        if self.parameters:
            scale, shift = self._parameter_gradients(given)
            found |= {"scale": scale.astype(self.parameters["scale"].dtype)}
            found |= {"shift": shift.astype(self.parameters["shift"].dtype)}
        return found

    def _axes(self, x: Array) -> tuple[int, ...]:
        return (0, *range(2, x.ndim))

    def _spread(self, values: Any) -> Array:
        return np.reshape(values, (1, -1, *[1] * self.config.ndim))

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        weight = self.config.momentum
        for name, new in (("running_mean", mean), ("running_var", variance * (m / max(m - 1, 1)))):
            old = self.state[name]
            self.state[name] = ((1 - weight) * old.astype(new.dtype) + weight * new).astype(old.dtype)

    def _save(self, normalised: Array, inverse: Array, *, training: bool) -> None:
        self.normalised, self.inverse, self.training = normalised, inverse, training

    def _factor(self) -> Array:
        return np.asarray(self.parameters.get("scale", 1) * self.inverse)

    def _input_gradient(self, given: Array) -> Array:
        return self._projected(given) if self.training else given

    def _projected(self, given: Array) -> Array:
        inner = self._spread(self._mean(given * self.normalised))
        return given - self._spread(self._mean(given)) - self.normalised * inner

    def _mean(self, values: Array) -> Array:
        return np.mean(values, axis=self._axes(values))

    def _parameter_gradients(self, given: Array) -> tuple[Array, Array]:
        return np.sum(given * self.normalised, axis=self._axes(given)), np.sum(given, axis=self._axes(given))


@regcheck.implements("batch_norm")
class StatisticsDetached(BatchNorm):
    """Treats mean and variance as constants (keras#19102, tinygrad#141)."""

    def _input_gradient(self, given: Array) -> Array:
        return given


@regcheck.implements("batch_norm")
class VarianceDetached(BatchNorm):
    """Treats the variance as a constant: the sum of dx over a channel is still 0."""

    def _projected(self, given: Array) -> Array:
        return given - self._spread(self._mean(given))


@regcheck.implements("batch_norm")
class DividesByBatchSize(BatchNorm):
    """Divides the sums by N, not by the number of values (pytorch#36382); invisible in (N, C)."""

    def _mean(self, values: Array) -> Array:
        return np.sum(values, axis=self._axes(values)) / len(values)


@regcheck.implements("batch_norm")
class UnbiasedInBackward(BatchNorm):
    """Divides one of the sums by m − 1; small where m is large."""

    def _projected(self, given: Array) -> Array:
        m = given.size // given.shape[1]
        inner = self._spread(self._mean(given * self.normalised)) * (m / max(m - 1, 1))
        return given - self._spread(self._mean(given)) - self.normalised * inner


@regcheck.implements("batch_norm")
class InputGradientForgetsScale(BatchNorm):
    """dx without γ; invisible with γ = 1."""

    def _factor(self) -> Array:
        return self.inverse


@regcheck.implements("batch_norm")
class LargeCotangentsClipped(BatchNorm):
    """Clips the cotangent to ±2, "for stability"; invisible with ones."""

    def _input_gradient(self, given: Array) -> Array:
        return super()._input_gradient(np.clip(given, -2, 2))


@regcheck.implements("batch_norm")
class TrainingFormulaInInference(BatchNorm):
    """Subtracts the projections in inference too, where the statistics are constants (BVLC/caffe#3878, answered)."""

    def _input_gradient(self, given: Array) -> Array:
        return self._projected(given)


@regcheck.implements("batch_norm")
class LastTrainingSavedInInference(BatchNorm):
    """Inference saves nothing: backward uses the last training call's statistics, if there was one."""

    def _save(self, normalised: Array, inverse: Array, *, training: bool) -> None:
        super()._save(normalised, inverse if training else getattr(self, "inverse", inverse), training=training)


@regcheck.implements("batch_norm")
class InferenceForgetsScale(BatchNorm):
    """dx without γ, in inference only."""

    def _factor(self) -> Array:
        return super()._factor() if self.training else self.inverse


@regcheck.implements("batch_norm")
class ParameterGradientsSwapped(BatchNorm):
    """dγ and dβ in each other's place (oneflow#6149)."""

    def _parameter_gradients(self, given: Array) -> tuple[Array, Array]:
        scale, shift = super()._parameter_gradients(given)
        return shift, scale


@regcheck.implements("batch_norm")
class PositionsAveraged(BatchNorm):
    """Sums over samples, but averages over positions; invisible in (N, C)."""

    def _parameter_gradients(self, given: Array) -> tuple[Array, Array]:
        scale, shift = super()._parameter_gradients(given)
        positions = given[0, 0].size if given.size else 1
        return scale / positions, shift / positions


@regcheck.implements("batch_norm")
class ScaleGradientOfCentred(BatchNorm):
    """Σ dy·(x − μ) in place of Σ dy·x̂; invisible at variance 1."""

    def _parameter_gradients(self, given: Array) -> tuple[Array, Array]:
        scale, shift = super()._parameter_gradients(given)
        return scale / self.inverse, shift


@regcheck.implements("batch_norm")
class SecondChannelsGradient(BatchNorm):
    """An index off by one: dγ of the next channel (DeepSpeed#692); invisible with one channel."""

    def _parameter_gradients(self, given: Array) -> tuple[Array, Array]:
        scale, shift = super()._parameter_gradients(given)
        return np.roll(scale, -1), shift


@regcheck.implements("batch_norm")
class ShiftGradientOfFirstSample(BatchNorm):
    """dβ forgets to sum over samples (FlagGems#5392); invisible with one sample."""

    def _parameter_gradients(self, given: Array) -> tuple[Array, Array]:
        scale, _ = super()._parameter_gradients(given)
        return scale, np.sum(given[:1], axis=self._axes(given))


@regcheck.implements("batch_norm")
class FirstStatisticsKept(BatchNorm):
    """Backward uses what the first forward of this shape saved (AiDotNet.Tensors#722); invisible in one call."""

    def _save(self, normalised: Array, inverse: Array, *, training: bool) -> None:
        if getattr(self, "normalised", np.empty(0)).shape != normalised.shape:
            super()._save(normalised, inverse, training=training)


@regcheck.implements("batch_norm")
class GradientsAccumulate(BatchNorm):
    """Adds dγ and dβ to what an earlier backward of the same forward left (mxnet#18492)."""

    def _save(self, normalised: Array, inverse: Array, *, training: bool) -> None:
        super()._save(normalised, inverse, training=training)
        self.earlier: list[tuple[Array, Array]] = []

    def _parameter_gradients(self, given: Array) -> tuple[Array, Array]:
        self.earlier.append(super()._parameter_gradients(given))
        scales, shifts = zip(*self.earlier, strict=True)
        return np.sum(scales, axis=0), np.sum(shifts, axis=0)
