"""Batch normalisations in Keras; each has one of the faults that Keras makes easy."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

import regcheck

EXPECTED = {
    "BatchNormMomentumUnchanged": "batch_norm.momentum-as-declared",
    "BatchNormBiasedUndeclared": "batch_norm.running-variance-as-declared",
    "BatchNormBesselDeclaredBiased": "batch_norm.running-variance-as-declared",
    "BatchNormEpsForgotten": "batch_norm.inference-affine",
    "BatchNormStatisticsStopped": "batch_norm.gradient-input",
    "BatchNormTrainingLost": "batch_norm.inference-independent-of-batch",
    "BatchNormRecordsInInference": "batch_norm.inference-does-not-update-state",
    "BatchNormFrozen": "batch_norm.training-ignores-running-state",
    "BatchNormRecordsNever": "batch_norm.running-mean",
}


@regcheck.implements("batch_norm", declares={"running_variance": "biased"})
def BatchNormMomentumUnchanged(config: Any) -> keras.layers.Layer:  # noqa: N802
    """Hands momentum on unchanged, where Keras weighs the old average with it, and does not say so."""
    return _batch_norm(config, momentum=config.momentum)


@regcheck.implements("batch_norm")
def BatchNormBiasedUndeclared(config: Any) -> keras.layers.Layer:  # noqa: N802
    """Keras records σ² without m/(m − 1): right, had it been declared."""
    return _batch_norm(config)


@regcheck.implements("batch_norm", declares={"running_variance": "biased"})
def BatchNormEpsForgotten(config: Any) -> keras.layers.Layer:  # noqa: N802
    """Does not pass ε on: Keras' own is 1e-3."""
    return _batch_norm(config, epsilon=1e-3)


@regcheck.implements("batch_norm", declares={"running_variance": "biased"})
def BatchNormFrozen(config: Any) -> keras.layers.Layer:  # noqa: N802
    """trainable=False: Keras' batch normalisation then stays in inference."""
    return _batch_norm(config, trainable=False)


def _batch_norm(config: Any, **keywords: Any) -> keras.layers.Layer:
    common = {"momentum": 1 - config.momentum, "epsilon": config.eps, "center": config.affine, "scale": config.affine}
    return keras.layers.BatchNormalization(**{**common, **keywords})


class BatchNorm(keras.layers.Layer):
    """The right layer, channels last; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def build(self, shape: Any) -> None:
        """Create γ, β and the moving averages."""
        c = (self.config.channels,)
        if self.config.affine:
            self.gamma = self.add_weight(shape=c, initializer="ones", name="gamma")
            self.beta = self.add_weight(shape=c, initializer="zeros", name="beta")
        self.moving_mean = self.add_weight(shape=c, initializer="zeros", trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(shape=c, initializer="ones", trainable=False, name="moving_variance")

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras' signature)
        """y of x's shape and dtype."""
        wide = ops.cast(x, "float32") if keras.backend.standardize_dtype(x.dtype) == "float16" else x
        mean, variance = self._of_the_batch(wide) if training else self._recorded(wide)
        y = (wide - mean) / ops.sqrt(variance + ops.cast(self.config.eps, wide.dtype))
        if self.config.affine:
            y = y * ops.cast(self.gamma, wide.dtype) + ops.cast(self.beta, wide.dtype)
        return ops.cast(y, x.dtype)

    def _statistics(self, x: Any) -> Any:
        axes = tuple(range(len(x.shape) - 1))
        mean = ops.mean(x, axes)
        return mean, ops.mean(ops.square(x - mean), axes)

    def _of_the_batch(self, x: Any) -> Any:
        mean, variance = self._statistics(x)
        m = ops.cast(ops.size(x) // self.config.channels, x.dtype)
        self._average(self.moving_mean, mean)
        self._average(self.moving_variance, variance * m / ops.maximum(m - 1, 1))
        return mean, variance

    def _average(self, old: Any, new: Any) -> None:
        weight = ops.cast(self.config.momentum, new.dtype)
        old.assign(ops.cast((1 - weight) * ops.cast(old, new.dtype) + weight * new, old.dtype))

    def _recorded(self, x: Any) -> Any:
        return ops.cast(self.moving_mean, x.dtype), ops.cast(self.moving_variance, x.dtype)


@regcheck.implements("batch_norm", declares={"running_variance": "biased"})
class BatchNormBesselDeclaredBiased(BatchNorm):
    """Declares Keras' convention and has PyTorch's."""


@regcheck.implements("batch_norm")
class BatchNormStatisticsStopped(BatchNorm):
    """Stops the gradient at mean and variance."""

    def _statistics(self, x: Any) -> Any:
        return super()._statistics(ops.stop_gradient(x))


@regcheck.implements("batch_norm")
class BatchNormTrainingLost(BatchNorm):
    """A wrapper does not hand `training` on, and the default is to train."""

    def _recorded(self, x: Any) -> Any:
        return self._statistics(x)


@regcheck.implements("batch_norm")
class BatchNormRecordsInInference(BatchNorm):
    """Updates the moving averages in inference, after it has read them."""

    def _recorded(self, x: Any) -> Any:
        mean, variance = (ops.copy(value) for value in super()._recorded(x))
        self._of_the_batch(x)
        return mean, variance


@regcheck.implements("batch_norm")
class BatchNormRecordsNever(BatchNorm):
    """Forgets assign: the new averages are computed and lost."""

    def _average(self, old: Any, new: Any) -> None:
        pass
