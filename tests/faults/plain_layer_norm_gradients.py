"""Layer normalisations in NumPy whose outputs are right and whose gradients are not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "GradientOverInput": "common.input-unchanged",
    "OneGradientBuffer": "common.calls-do-not-leak",
    "StatisticsDetached": "layer_norm.gradient-sum-zero",
    "MeanDetached": "layer_norm.gradient-sum-zero",
    "VarianceDetached": "layer_norm.gradient-input",
    "EpsForgottenInBackward": "layer_norm.gradient-input",
    "InputGradientNotScaled": "layer_norm.gradient-input",
    "InputGradientScaledByMeanScale": "layer_norm.gradient-input",
    "ParameterGradientsSwapped": "layer_norm.gradient-parameters",
    "ParameterGradientsPerSample": "layer_norm.gradient-parameters",
    "ParameterGradientsAveraged": "layer_norm.gradient-parameters",
    "ScaleGradientOfRawInput": "layer_norm.gradient-parameters",
    "OddSampleLeftOut": "layer_norm.gradient-parameters",
    "ParameterGradientsInHalf": "layer_norm.gradient-parameters",
    "ParameterGradientsByRoot": "layer_norm.gradient-additive",
    "GradientsAccumulate": "common.backward-repeatable",
    "FirstStatisticsKept": "common.calls-do-not-leak",
    "CotangentInMemoryOrder": "common.layouts",
    "CotangentOverwritten": "common.input-unchanged",
}


class LayerNorm:
    """The right layer, with dx = s·(γdy − mean(γdy) − x̂·mean(γdy·x̂)); a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.axes = tuple(range(-len(config.shape), 0))
        self.parameters: dict[str, Array] = {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.shape), "shift": np.zeros(config.shape)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError where x does not end in the config's shape."""
        if x.shape[-len(self.config.shape) :] != self.config.shape:
            msg = f"Expected (..., {self.config.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        wide = x.astype(np.promote_types(x.dtype, np.float32))
        centred = wide - np.mean(wide, axis=self.axes, keepdims=True)
        variance = np.mean(centred**2, axis=self.axes, keepdims=True)
        inverse = np.asarray(1 / np.sqrt(variance + self.config.eps))
        self._save(wide, centred * inverse, inverse)
        if not self.parameters:
            return (centred * inverse).astype(x.dtype)
        return (centred * inverse * self.parameters["scale"] + self.parameters["shift"]).astype(x.dtype)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward."""
        given = self._given(cotangent).astype(self.normalised.dtype)
        scaled = given * self.parameters["scale"] if self.parameters else given
        found = {"x": self._input_gradient(scaled, given).astype(cotangent.dtype)}
        if self.parameters:
            found |= {
                name: self._summed(rows).astype(self.parameters[name].dtype)
                for name, rows in self._parameter_gradients(given).items()
            }
        return found

    def _save(self, x: Array, normalised: Array, inverse: Array) -> None:
        self.x, self.normalised, self.inverse = x, normalised, inverse

    def _given(self, cotangent: Array) -> Array:
        return cotangent

    def _input_gradient(self, scaled: Array, given: Array) -> Array:
        return self.inverse * (scaled - self._mean(scaled) - self.normalised * self._mean(scaled * self.normalised))

    def _mean(self, values: Array) -> Array:
        return np.mean(values, axis=self.axes, keepdims=True)

    def _parameter_gradients(self, given: Array) -> dict[str, Array]:
        return {"scale": given * self.normalised, "shift": given}

    def _summed(self, rows: Array) -> Array:
        return np.sum(rows, axis=tuple(range(rows.ndim - len(self.config.shape))))


@regcheck.implements("layer_norm")
class StatisticsDetached(LayerNorm):
    """Treats mean and variance as constants (keras#19102, tinygrad#141); the sum of dx is not 0."""

    def _input_gradient(self, scaled: Array, given: Array) -> Array:
        return self.inverse * scaled


@regcheck.implements("layer_norm")
class MeanDetached(LayerNorm):
    """Treats the mean alone as a constant."""

    def _input_gradient(self, scaled: Array, given: Array) -> Array:
        return self.inverse * (scaled - self.normalised * self._mean(scaled * self.normalised))


@regcheck.implements("layer_norm")
class VarianceDetached(LayerNorm):
    """Treats the variance alone as a constant: the sum of dx is still 0."""

    def _input_gradient(self, scaled: Array, given: Array) -> Array:
        return self.inverse * (scaled - self._mean(scaled))


@regcheck.implements("layer_norm")
class EpsForgottenInBackward(LayerNorm):
    """Backward with x̂ of ε = 0; invisible where var ≫ ε."""

    def _input_gradient(self, scaled: Array, given: Array) -> Array:
        rms = np.sqrt(self._mean(self.normalised**2))
        unit = self.normalised / np.where(rms > 0, rms, 1)
        return self.inverse * (scaled - self._mean(scaled) - unit * self._mean(scaled * unit))


@regcheck.implements("layer_norm")
class InputGradientNotScaled(LayerNorm):
    """Forgets γ in dx; invisible with γ = 1."""

    def _input_gradient(self, scaled: Array, given: Array) -> Array:
        return super()._input_gradient(given, given)


@regcheck.implements("layer_norm")
class GradientOverInput(LayerNorm):
    """Writes dx over the x that it was given in forward."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.given = x
        return super().forward(x, training)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """The right gradients, twice."""
        found = super().backward(cotangent)
        if self.given.flags.writeable:
            self.given[...] = found["x"]
        return found


@regcheck.implements("layer_norm")
class OneGradientBuffer(LayerNorm):
    """Gives every dx of a shape in the same array."""

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """The right gradients, until the next call."""
        found = super().backward(cotangent)
        buffers = self.__dict__.setdefault("buffers", {})
        buffer = buffers.setdefault((cotangent.shape, cotangent.dtype), np.empty_like(found["x"]))
        buffer[...] = found["x"]
        return {**found, "x": buffer}


@regcheck.implements("layer_norm")
class InputGradientScaledByMeanScale(LayerNorm):
    """Applies γ after the projections, where its mean has to do; invisible with constant γ."""

    def _input_gradient(self, scaled: Array, given: Array) -> Array:
        scale = np.mean(self.parameters["scale"]) if self.parameters else 1
        return super()._input_gradient(given, given) * scale


@regcheck.implements("layer_norm")
class ParameterGradientsSwapped(LayerNorm):
    """dγ and dβ in each other's place (oneflow#6149)."""

    def _parameter_gradients(self, given: Array) -> dict[str, Array]:
        return {"scale": given, "shift": given * self.normalised}


@regcheck.implements("layer_norm")
class ParameterGradientsPerSample(LayerNorm):
    """The last sample's gradient in place of the sum over samples (attorch#18)."""

    def _summed(self, rows: Array) -> Array:
        return np.array(rows.reshape(-1, *self.config.shape)[-1])


@regcheck.implements("layer_norm")
class ParameterGradientsAveraged(LayerNorm):
    """The mean over samples in place of the sum; invisible with one sample."""

    def _summed(self, rows: Array) -> Array:
        samples = math.prod(rows.shape[: rows.ndim - len(self.config.shape)])
        return np.asarray(super()._summed(rows) / max(samples, 1))


@regcheck.implements("layer_norm")
class ScaleGradientOfRawInput(LayerNorm):
    """Σ dy·x in place of Σ dy·x̂."""

    def _parameter_gradients(self, given: Array) -> dict[str, Array]:
        return {"scale": given * self.x, "shift": given}


@regcheck.implements("layer_norm")
class OddSampleLeftOut(LayerNorm):
    """Sums two samples at a time and drops an odd last one (Liger#1376); invisible with even batches."""

    def _summed(self, rows: Array) -> Array:
        flat = rows.reshape(-1, *self.config.shape)
        return np.sum(flat[: max(len(flat) // 2 * 2, 1)], axis=0)


@regcheck.implements("layer_norm")
class ParameterGradientsInHalf(LayerNorm):
    """Adds the samples up in float16: the error grows with their number (Liger#950, mxnet#9916)."""

    def _summed(self, rows: Array) -> Array:
        flat = rows.reshape(-1, *self.config.shape).astype(np.float16)
        return np.sum(flat, axis=0, dtype=np.float16)


@regcheck.implements("layer_norm")
class GradientsAccumulate(LayerNorm):
    """Adds dγ and dβ to what an earlier backward of the same forward left (mxnet#18492)."""

    def _save(self, x: Array, normalised: Array, inverse: Array) -> None:
        super()._save(x, normalised, inverse)
        self.total: dict[str, Array] = {}

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """The sum over all backward calls since the last forward."""
        found = super().backward(cotangent)
        for name in self.parameters:
            found[name] = self.total[name] = self.total.get(name, np.zeros_like(found[name])) + found[name]
        return found


@regcheck.implements("layer_norm")
class FirstStatisticsKept(LayerNorm):
    """Backward uses what the first forward of this shape saved (AiDotNet.Tensors#722); invisible in one call."""

    def _save(self, x: Array, normalised: Array, inverse: Array) -> None:
        if getattr(self, "x", np.empty(0)).shape != x.shape:
            super()._save(x, normalised, inverse)


@regcheck.implements("layer_norm")
class CotangentInMemoryOrder(LayerNorm):
    """Reads the cotangent as if it were contiguous (pytorch#133520); invisible with contiguous ones."""

    def _given(self, cotangent: Array) -> Array:
        return cotangent.ravel(order="K").reshape(cotangent.shape)


@regcheck.implements("layer_norm")
class CotangentOverwritten(LayerNorm):
    """Uses the cotangent's memory for its own products."""

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """The right gradients, at the price of the argument."""
        found = super().backward(cotangent)
        if cotangent.flags.writeable:
            cotangent *= 2
        return found


@regcheck.implements("layer_norm")
class ParameterGradientsByRoot(LayerNorm):
    """Divides dγ and dβ by the root of the number of samples: neither their sum nor their mean."""

    def _summed(self, rows: Array) -> Array:
        samples = max(rows.size // int(np.prod(self.config.shape)), 1)
        return super()._summed(rows) / np.sqrt(samples)
