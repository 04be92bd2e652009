"""Dropouts in Keras; each has one of the faults that Keras makes easy."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

import regcheck

EXPECTED = {
    "DropoutTrainingLost": "dropout.inference-identity",
    "DropoutSeedOfItsOwn": "dropout.fresh-mask",
    "DropoutRateIsKept": "dropout.rate",
    "DropoutNoiseShape": "dropout.mask-independence",
    "DropoutGaussian": "dropout.support",
}


class Dropout(keras.layers.Layer):
    """The right layer; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.rate = float(config.rate)
        self.generator = keras.random.SeedGenerator()

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras' signature)
        """y of x's shape and dtype."""
        if not training or self.rate == 0:
            return x
        return self._dropped(x) if self.rate < 1 else ops.zeros_like(x) * x

    def _dropped(self, x: Any) -> Any:
        return keras.random.dropout(x, self.rate, seed=self.generator)


@regcheck.implements("dropout")
class DropoutTrainingLost(Dropout):
    """Drops in inference too."""

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002
        """y, dropped always."""
        return super().call(x, training=True)


@regcheck.implements("dropout")
class DropoutSeedOfItsOwn(Dropout):
    """A number for a seed gives the same mask in every call (keras#17548)."""

    def _dropped(self, x: Any) -> Any:
        return keras.random.dropout(x, self.rate, seed=1337)


@regcheck.implements("dropout")
class DropoutRateIsKept(Dropout):
    """Takes the rate for the probability of keeping (tensorflow#10845's kind)."""

    def _dropped(self, x: Any) -> Any:
        return keras.random.dropout(x, 1 - self.rate, seed=self.generator)


@regcheck.implements("dropout")
class DropoutNoiseShape(Dropout):
    """One mask for all samples."""

    def _dropped(self, x: Any) -> Any:
        shape = (1, *x.shape[1:]) if len(x.shape) > 1 else None
        return keras.random.dropout(x, self.rate, noise_shape=shape, seed=self.generator)


@regcheck.implements("dropout")
def DropoutGaussian(config: Any) -> keras.layers.Layer:  # noqa: N802
    """keras.layers.GaussianDropout."""
    if config.rate == 1:
        msg = "rate must be below 1"
        raise regcheck.Unsupported(msg)
    return keras.layers.GaussianDropout(config.rate)
