"""Right layers written out in Keras operations, each in a way of its own: no property may fail for them."""

from __future__ import annotations

from typing import Any

import keras
from correct_keras import SINGLE, number
from keras import ops

import regcheck

EXPECTED: dict[str, str] = {}


class WrittenLayerNorm(keras.layers.Layer):
    """Layer normalisation from ops.mean alone; float16 in float32."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config, self.axes = config, tuple(range(-len(config.shape), 0))

    def build(self, shape: Any) -> None:
        """Create the weights."""
        if self.config.affine:
            self.gamma = self.add_weight(shape=self.config.shape, initializer="ones", name="gamma")
            self.beta = self.add_weight(shape=self.config.shape, initializer="zeros", name="beta")

    def call(self, x: Any) -> Any:
        """y of x's shape and dtype. Raises ValueError where x does not end in the config's shape."""
        if tuple(x.shape[-len(self.axes) :]) != self.config.shape:
            msg = f"Expected (..., {self.config.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        wide = self._widened(x)
        centred = wide - ops.mean(wide, self.axes, keepdims=True)
        variance = ops.mean(centred * centred, self.axes, keepdims=True)
        y = centred / ops.sqrt(variance + number(self.config.eps, wide.dtype))
        if self.config.affine:
            y = y * ops.cast(self.gamma, y.dtype) + ops.cast(self.beta, y.dtype)
        return ops.cast(y, x.dtype)

    def _widened(self, x: Any) -> Any:
        return ops.cast(x, "float32") if keras.backend.standardize_dtype(x.dtype) == "float16" else x


@regcheck.implements("layer_norm")
def layer_norm_written(config: Any) -> keras.layers.Layer:
    """Two passes."""
    return WrittenLayerNorm(config)


class DoubleLayerNorm(WrittenLayerNorm):
    """float64 inside."""

    def _widened(self, x: Any) -> Any:
        return ops.cast(x, "float64")


@regcheck.implements("layer_norm")
def layer_norm_in_double(config: Any) -> keras.layers.Layer:
    """Computes in float64 whatever comes."""
    return DoubleLayerNorm(config)


class SelectingDropout(keras.layers.Layer):
    """where(u >= p, x / (1 − p), 0) with draws in float32 from a seed generator."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.rate = float(config.rate)
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras' signature)
        """y of x's shape and dtype."""
        if not training or self.rate == 0:
            return x
        kept = keras.random.uniform(ops.shape(x), dtype="float32", seed=self.seed_generator) >= self.rate
        factor = number(1 / (1 - self.rate) if self.rate < 1 else 0, x.dtype)
        return ops.where(kept, x * factor, ops.zeros_like(x))


@regcheck.implements("dropout")
def selecting_dropout(config: Any) -> keras.layers.Layer:
    """Selects rather than multiplies."""
    return SelectingDropout(config)


class OwnPenalty(keras.regularizers.Regularizer):
    """l1·Σ|w| + l2·Σw² with the strengths in w's own type."""

    def __init__(self, l1: float, l2: float) -> None:
        self.l1, self.l2 = l1, l2

    def __call__(self, w: Any) -> Any:
        """The penalty, of w's dtype."""
        linear = number(self.l1, w.dtype) * ops.sum(ops.abs(w)) if self.l1 else 0
        return linear + (number(self.l2, w.dtype) * ops.sum(ops.square(w)) if self.l2 else ops.zeros_like(ops.sum(w)))


@regcheck.implements("l1", dtypes=SINGLE)
def l1_written(config: Any) -> keras.regularizers.Regularizer:
    """A regularizer of one's own."""
    return OwnPenalty(config.l1, 0.0)


@regcheck.implements("l2", dtypes=SINGLE)
def l2_written(config: Any) -> keras.regularizers.Regularizer:
    """A regularizer of one's own."""
    return OwnPenalty(0.0, config.l2)
