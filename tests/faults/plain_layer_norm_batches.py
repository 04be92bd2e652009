"""Layer normalisations in NumPy that are right with one batch axis, and wrong with another number of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "LoneSampleTakenForABatch": "layer_norm.matches-definition",
    "LoneSampleRefused": "layer_norm.matches-definition",
    "ThreeBatchAxesTakenForTwo": "layer_norm.matches-definition",
    "ThreeBatchAxesReordered": "layer_norm.matches-definition",
    "ParameterGradientsOfTheFirstPosition": "layer_norm.gradient-parameters",
    "ParameterGradientsAveragedOverPositions": "layer_norm.gradient-parameters",
    "ParameterGradientsOfTheFirstOfThreeAxes": "layer_norm.gradient-parameters",
    "ParameterGradientsOfALoneSampleSummed": "layer_norm.gradient-parameters",
    "InputGradientOverPositions": "layer_norm.gradient-input",
    "InputGradientOfALoneSampleDetached": "layer_norm.gradient-input",
}


class LayerNorm:
    """The right layer, forward and backward, for x (*batch, *shape); a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.parameters: dict[str, Array] = {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.shape), "shift": np.zeros(config.shape)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError where x does not end in the config's shape."""
        if x.shape[-len(self.config.shape) :] != self.config.shape:
            msg = f"Expected (..., {self.config.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        y = self._standardised(x.astype(np.promote_types(x.dtype, np.float32)))
        return (y * self.parameters["scale"] + self.parameters["shift"] if self.parameters else y).astype(x.dtype)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward."""
        given = cotangent.astype(self.normalised.dtype)
        scaled = given * self.parameters["scale"] if self.parameters else given
        found = {"x": self._input_gradient(scaled).astype(cotangent.dtype)}
        if self.parameters:
            for name, terms in (("scale", given * self.normalised), ("shift", given)):
                found[name] = self._summed(terms).astype(self.parameters[name].dtype)
        return found

    def _batch(self, values: Array) -> int:
        return values.ndim - len(self.config.shape)

    def _standardised(self, x: Array) -> Array:
        centred = x - self._mean(x)
        self.inverse = np.asarray(1 / np.sqrt(self._mean(centred**2) + self.config.eps))
        self.normalised = centred * self.inverse
        return self.normalised

    def _mean(self, values: Array) -> Array:
        return np.mean(values, axis=tuple(range(self._batch(values), values.ndim)), keepdims=True)

    def _input_gradient(self, scaled: Array) -> Array:
        mean = self._gradient_mean
        return self.inverse * (scaled - mean(scaled) - self.normalised * mean(scaled * self.normalised))

    def _gradient_mean(self, values: Array) -> Array:
        return self._mean(values)

    def _summed(self, terms: Array) -> Array:
        return np.asarray(np.sum(terms, axis=tuple(range(self._batch(terms)))))


@regcheck.implements("layer_norm")
class LoneSampleTakenForABatch(LayerNorm):
    """Reduces from axis 1 on where there is no batch axis: a lone vector becomes β."""

    def _mean(self, values: Array) -> Array:
        if self._batch(values):
            return super()._mean(values)
        return np.mean(values, axis=tuple(range(1, values.ndim)), keepdims=True)


@regcheck.implements("layer_norm")
class LoneSampleRefused(LayerNorm):
    """Unpacks a batch axis that need not be there."""

    def _standardised(self, x: Array) -> Array:
        _samples, *_ = x.shape[: self._batch(x)]
        return super()._standardised(x)


@regcheck.implements("layer_norm")
class ThreeBatchAxesTakenForTwo(LayerNorm):
    """Flattens all that follows the second batch axis: one mean for several samples."""

    def _mean(self, values: Array) -> Array:
        first = min(self._batch(values), 2)
        return np.mean(values, axis=tuple(range(first, values.ndim)), keepdims=True)


@regcheck.implements("layer_norm")
class ThreeBatchAxesReordered(LayerNorm):
    """Brings the third batch axis to the front for its kernel, and never puts it back."""

    def _standardised(self, x: Array) -> Array:
        y = super()._standardised(x)
        return np.moveaxis(y, 2, 0).reshape(y.shape) if self._batch(x) > 2 else y


@regcheck.implements("layer_norm")
class ParameterGradientsOfTheFirstPosition(LayerNorm):
    """Sums over the first axis, and takes the first of what is left; invisible in (N, F)."""

    def _summed(self, terms: Array) -> Array:
        if not self._batch(terms):
            return terms
        return np.array(np.sum(terms, axis=0).reshape(-1, *self.config.shape)[0])


@regcheck.implements("layer_norm")
class ParameterGradientsAveragedOverPositions(LayerNorm):
    """Sums over the first axis, and averages over the others; invisible in (N, F)."""

    def _summed(self, terms: Array) -> Array:
        positions = math.prod(terms.shape[1 : self._batch(terms)])
        return np.asarray(super()._summed(terms) / max(positions, 1))


@regcheck.implements("layer_norm")
class ParameterGradientsOfTheFirstOfThreeAxes(LayerNorm):
    """Sums over two batch axes, whatever there are; invisible in (N, F) and in (N, T, F)."""

    def _summed(self, terms: Array) -> Array:
        axes = tuple(range(min(self._batch(terms), 2)))
        return np.array(np.sum(terms, axis=axes).reshape(-1, *self.config.shape)[0])


@regcheck.implements("layer_norm")
class ParameterGradientsOfALoneSampleSummed(LayerNorm):
    """Sums over axis 0 although there is no batch axis."""

    def _summed(self, terms: Array) -> Array:
        if self._batch(terms):
            return super()._summed(terms)
        return np.broadcast_to(np.sum(terms, axis=0), self.config.shape)


@regcheck.implements("layer_norm")
class InputGradientOverPositions(LayerNorm):
    """Takes the means of its gradient over a sequence's positions too; invisible in (N, F)."""

    def _gradient_mean(self, values: Array) -> Array:
        first = self._batch(values) - (self._batch(values) > 1)
        return np.mean(values, axis=tuple(range(first, values.ndim)), keepdims=True)


@regcheck.implements("layer_norm")
class InputGradientOfALoneSampleDetached(LayerNorm):
    """Treats the statistics of a lone sample as constants."""

    def _input_gradient(self, scaled: Array) -> Array:
        return super()._input_gradient(scaled) if self._batch(scaled) else self.inverse * scaled
