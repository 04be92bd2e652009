"""Right layers in Keras clothes, with names, layouts and conventions of their own: no property may fail for them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

import regcheck

EXPECTED: dict[str, str] = {}
SINGLE = ("float16", "float32")  # Keras' regularizers round their strengths to float32
BIASED = {"running_variance": "biased"}
NAMES = {"scale": "multiplier", "shift": "addend", "running_mean": "centre", "running_var": "spread"}
EMPTY = {"common.empty-batch": "Keras takes the mean of no values, and records the NaN"}
MODES = ("reverse-over-reverse", "forward-over-reverse", "reverse-over-forward")
STOPPED = {
    family: {f"{family}.second-derivative-{mode}": "tf.nn.moments takes its own mean for a constant" for mode in MODES}
    for family in ("batch_norm", "layer_norm")
}
BATCH = {**EMPTY, **STOPPED["batch_norm"]}


def _batch_norm(config: Any, **keywords: Any) -> keras.layers.Layer:
    common = {"momentum": 1 - config.momentum, "epsilon": config.eps, "center": config.affine, "scale": config.affine}
    return keras.layers.BatchNormalization(**{**common, **keywords})


@regcheck.implements("batch_norm", declares=BIASED, deviations=BATCH)
def batch_norm_last(config: Any) -> keras.layers.Layer:
    """Channels last, Keras' default."""
    return _batch_norm(config)


@regcheck.implements("batch_norm", declares=BIASED, deviations=BATCH)
def batch_norm_first(config: Any) -> keras.layers.Layer:
    """Channels first, found from `axis`."""
    return _batch_norm(config, axis=1)


@regcheck.implements("batch_norm", declares={**BIASED, "momentum": "old"}, deviations=BATCH)
def batch_norm_momentum_unchanged(config: Any) -> keras.layers.Layer:
    """Hands momentum on unchanged, and says so."""
    return _batch_norm(config, momentum=config.momentum)


def number(value: float, dtype: Any) -> Any:
    """A tensor of the number itself: `ops.cast` rounds a Python float to float32 first."""
    return ops.convert_to_tensor(np.array(value, keras.backend.standardize_dtype(dtype)))


class UnbiasedBatchNorm(keras.layers.Layer):
    """A Keras layer by the document: m/(m − 1), momentum of the new batch, names of its own."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    def build(self, shape: Any) -> None:
        """Create the weights."""
        c = (self.config.channels,)
        if self.config.affine:
            self.multiplier = self.add_weight(shape=c, initializer="ones", name="multiplier")
            self.addend = self.add_weight(shape=c, initializer="zeros", name="addend")
        self.centre = self.add_weight(shape=c, initializer="zeros", trainable=False, name="centre")
        self.spread = self.add_weight(shape=c, initializer="ones", trainable=False, name="spread")

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002  (Keras' signature)
        """y of x's shape and dtype. Raises ValueError for a wrong channel count."""
        if x.shape[-1] != self.config.channels:
            msg = f"Expected {self.config.channels} channels. Received shape {x.shape}."
            raise ValueError(msg)
        wide = ops.cast(x, "float32") if keras.backend.standardize_dtype(x.dtype) == "float16" else x
        mean, variance = ops.cast(self.centre, wide.dtype), ops.cast(self.spread, wide.dtype)
        if training:
            axes = tuple(range(len(x.shape) - 1))
            mean = ops.mean(wide, axes)
            variance = ops.mean(ops.square(wide - mean), axes)
            m = ops.cast(ops.size(x) // self.config.channels, wide.dtype)
            self._average(self.centre, mean)
            self._average(self.spread, variance * m / ops.maximum(m - 1, 1))
        y = (wide - mean) / ops.sqrt(variance + number(self.config.eps, wide.dtype))
        if self.config.affine:
            y = y * ops.cast(self.multiplier, wide.dtype) + ops.cast(self.addend, wide.dtype)
        return ops.cast(y, x.dtype)

    def _average(self, old: Any, new: Any) -> None:
        weight = number(self.config.momentum, new.dtype)
        old.assign(ops.cast((1 - weight) * ops.cast(old, new.dtype) + weight * new, old.dtype))


@regcheck.implements("batch_norm", names=NAMES, deviations=EMPTY)
def batch_norm_by_the_document(config: Any) -> keras.layers.Layer:
    """Declares nothing but names."""
    return UnbiasedBatchNorm(config)


@regcheck.implements("layer_norm", deviations=STOPPED["layer_norm"])
def layer_norm(config: Any) -> keras.layers.Layer:
    """keras.layers.LayerNormalization with all of its axes."""
    axes = list(range(-len(config.shape), 0))
    return keras.layers.LayerNormalization(axis=axes, epsilon=config.eps, center=config.affine, scale=config.affine)


@regcheck.implements(
    "dropout",
    dtypes=("float32", "float64"),
    deviations={"dropout.layers-differ": "the factory gives every layer the same seed"},
)
def dropout(config: Any) -> keras.layers.Layer:
    """keras.layers.Dropout with a seed; in float16 it draws with 10 bits, and misses small rates."""
    return keras.layers.Dropout(config.rate, seed=7)


@regcheck.implements("l1", dtypes=SINGLE)
def l1(config: Any) -> keras.regularizers.Regularizer:
    """keras.regularizers.L1."""
    return keras.regularizers.L1(config.l1)


@regcheck.implements("l2", declares={"l2_factor": "0.5"}, dtypes=SINGLE)
def l2_half(config: Any) -> keras.regularizers.Regularizer:
    """½λ·Σw², and says so."""
    return keras.regularizers.L2(config.l2 / 2)


@regcheck.implements("elastic_net", dtypes=SINGLE)
def elastic_net(config: Any) -> keras.regularizers.Regularizer:
    """keras.regularizers.L1L2."""
    return keras.regularizers.L1L2(l1=config.l1, l2=config.l2)
