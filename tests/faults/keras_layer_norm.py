"""Layer normalisations in Keras; each has one of the faults that Keras makes easy."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

import regcheck

EXPECTED = {
    "LayerNormEpsForgotten": "layer_norm.matches-definition",
    "LayerNormAxisForgotten": "layer_norm.matches-definition",
    "LayerNormStatisticsStopped": "layer_norm.gradient-input",
    "LayerNormSingle": "common.dtype",
    "LayerNormOnePass": "layer_norm.matches-definition",
    "LayerNormOverBatch": "layer_norm.footprint",
}


class LayerNorm(keras.layers.Layer):
    """The right layer; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.axes = tuple(range(-len(config.shape), 0))

    def build(self, shape: Any) -> None:
        """Create γ and β."""
        if self.config.affine:
            self.gamma = self.add_weight(shape=self.config.shape, initializer="ones", name="gamma")
            self.beta = self.add_weight(shape=self.config.shape, initializer="zeros", name="beta")

    def call(self, x: Any) -> Any:
        """y of x's shape and dtype."""
        wide = ops.cast(x, "float32") if keras.backend.standardize_dtype(x.dtype) == "float16" else x
        mean, variance = self._statistics(wide)
        y = (wide - mean) / ops.sqrt(variance + ops.cast(self.config.eps, wide.dtype))
        if self.config.affine:
            y = y * ops.cast(self.gamma, wide.dtype) + ops.cast(self.beta, wide.dtype)
        return self._narrowed(y, x)

    def _statistics(self, x: Any) -> Any:
        mean = ops.mean(x, self.axes, keepdims=True)
        return mean, ops.mean(ops.square(x - mean), self.axes, keepdims=True)

    def _narrowed(self, y: Any, x: Any) -> Any:
        return ops.cast(y, x.dtype)


@regcheck.implements("layer_norm")
def LayerNormEpsForgotten(config: Any) -> keras.layers.Layer:  # noqa: N802  (named like the others)
    """Does not pass ε on: Keras' own is 1e-3."""
    axes = list(range(-len(config.shape), 0))
    return keras.layers.LayerNormalization(axis=axes, center=config.affine, scale=config.affine)


@regcheck.implements("layer_norm")
def LayerNormAxisForgotten(config: Any) -> keras.layers.Layer:  # noqa: N802
    """Normalises the last axis whatever the shape has; its γ has the last axis' length (keras#17402)."""
    return keras.layers.LayerNormalization(epsilon=config.eps, center=config.affine, scale=config.affine)


@regcheck.implements("layer_norm")
class LayerNormStatisticsStopped(LayerNorm):
    """Stops the gradient at mean and variance (keras#19102)."""

    def _statistics(self, x: Any) -> Any:
        return super()._statistics(ops.stop_gradient(x))


@regcheck.implements("layer_norm")
class LayerNormSingle(LayerNorm):
    """Returns float32 for every input."""

    def _narrowed(self, y: Any, x: Any) -> Any:
        return ops.cast(y, "float32")


@regcheck.implements("layer_norm")
class LayerNormOnePass(LayerNorm):
    """mean(x²) − mean² (tensorflow#25115)."""

    def _statistics(self, x: Any) -> Any:
        mean = ops.mean(x, self.axes, keepdims=True)
        return mean, ops.maximum(ops.mean(ops.square(x), self.axes, keepdims=True) - ops.square(mean), 0)


@regcheck.implements("layer_norm")
class LayerNormOverBatch(LayerNorm):
    """Statistics over the batch as well."""

    def _statistics(self, x: Any) -> Any:
        mean = ops.mean(x, keepdims=True)
        return mean, ops.mean(ops.square(x - mean), keepdims=True)
