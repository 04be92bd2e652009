"""Gaussian and alpha dropouts in Keras; each has one of the faults that Keras makes easy."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

import regcheck

EXPECTED = {
    "GaussianTruncated": "gaussian_dropout.normal",
    "GaussianAdds": "gaussian_dropout.zero-stays-zero",
    "GaussianDeviationOfRate": "gaussian_dropout.variance",
    "GaussianTrainingLost": "gaussian_dropout.inference-identity",
    "GaussianSeedFixed": "gaussian_dropout.fresh-mask",
    "AlphaNoiseShape": "alpha_dropout.mask-independence",
    "AlphaWithoutShift": "alpha_dropout.keeps-mean",
}


class GaussianDropout(keras.layers.Layer):
    """The right layer: x·n, n ~ N(1, p/(1 − p)); a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.rate = float(config.rate)
        self.generator = keras.random.SeedGenerator()

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras' signature)
        """y of x's shape and dtype."""
        return self._changed(x) if training and self.rate else x

    def _changed(self, x: Any) -> Any:
        return x * self._noise(x)

    def _noise(self, x: Any) -> Any:
        return keras.random.normal(ops.shape(x), 1.0, self._deviation(), dtype=x.dtype, seed=self.generator)

    def _deviation(self) -> float:
        return math.sqrt(self.rate / (1 - self.rate))


@regcheck.implements("gaussian_dropout")
class GaussianTruncated(GaussianDropout):
    """truncated_normal, widened to the right variance."""

    def _noise(self, x: Any) -> Any:
        wide = self._deviation() / 0.8796256610342398
        return keras.random.truncated_normal(ops.shape(x), 1.0, wide, dtype=x.dtype, seed=self.generator)


@regcheck.implements("gaussian_dropout")
class GaussianAdds(GaussianDropout):
    """GaussianNoise: adds where it should multiply."""

    def _changed(self, x: Any) -> Any:
        return x + (self._noise(x) - 1)


@regcheck.implements("gaussian_dropout")
class GaussianDeviationOfRate(GaussianDropout):
    """√p, hardly visible at small rates."""

    def _deviation(self) -> float:
        return math.sqrt(self.rate)


@regcheck.implements("gaussian_dropout")
class GaussianTrainingLost(GaussianDropout):
    """Wrapped in a layer that calls it in training, whatever it is told."""

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras' signature)
        """y, changed in inference too."""
        return super().call(x, training=True)


@regcheck.implements("gaussian_dropout")
class GaussianSeedFixed(GaussianDropout):
    """Hands an integer over for a seed generator: every call draws the same."""

    def _noise(self, x: Any) -> Any:
        return keras.random.normal(ops.shape(x), 1.0, self._deviation(), dtype=x.dtype, seed=1)


@regcheck.implements("alpha_dropout", declares={"dropped_nonfinite": "nan"})
def AlphaNoiseShape(config: Any) -> keras.layers.Layer:  # noqa: N802
    """One mask for all samples, by `noise_shape`."""

    class Shared(keras.layers.AlphaDropout):
        def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras' signature)
            if len(inputs.shape) > 1:
                self.noise_shape = (1, *(None,) * (len(inputs.shape) - 1))
            return super().call(inputs, training=training)

    return Shared(config.rate)


@regcheck.implements("alpha_dropout", declares={"dropped_nonfinite": "nan"})
class AlphaWithoutShift(GaussianDropout):
    """Writes α′ where it drops, and restores the variance alone."""

    def _changed(self, x: Any) -> Any:
        kept = keras.random.uniform(ops.shape(x), seed=self.generator) >= self.rate
        saturation = -1.7580993408473766
        a = ((1 - self.rate) * (1 + self.rate * saturation**2)) ** -0.5
        return a * ops.where(kept, x, ops.cast(saturation, x.dtype))
