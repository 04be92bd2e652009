"""Regularizers in Keras; each has one of the faults that Keras makes easy."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

import regcheck

EXPECTED = {
    "l1_mean": "l1.additive",
    "l1_as_l2": "l1.homogeneous",
    "l2_half": "l2.l2-factor-as-declared",
    "l2_default": "l2.linear-in-strength",
    "elastic_net_swapped": "elastic_net.value-matches-definition",
    "elastic_net_l1_stopped": "elastic_net.gradient-matches-definition",
}


class Mean(keras.regularizers.Regularizer):
    """l1·mean|w|."""

    def __init__(self, l1: float) -> None:
        self.l1 = l1

    def __call__(self, w: Any) -> Any:
        return self.l1 * ops.mean(ops.abs(w))


@regcheck.implements("l1")
def l1_mean(config: Any) -> keras.regularizers.Regularizer:
    """The mean in place of the sum; invisible with one weight."""
    return Mean(config.l1)


@regcheck.implements("l1")
def l1_as_l2(config: Any) -> keras.regularizers.Regularizer:
    """keras.regularizers.get("l2")'s kind: the wrong class."""
    return keras.regularizers.L2(config.l1)


@regcheck.implements("l2")
def l2_half(config: Any) -> keras.regularizers.Regularizer:
    """½λ·Σw², and does not say so."""
    return keras.regularizers.L2(config.l2 / 2)


@regcheck.implements("l2")
def l2_default(config: Any) -> keras.regularizers.Regularizer:
    """Does not pass the strength on: Keras' own is 0.01."""
    return keras.regularizers.L2()


@regcheck.implements("elastic_net")
def elastic_net_swapped(config: Any) -> keras.regularizers.Regularizer:
    """The strengths in each other's place (tf-keras#559's kind)."""
    return keras.regularizers.L1L2(l1=config.l2, l2=config.l1)


class Stopped(keras.regularizers.Regularizer):
    """l1·Σ|w| without a gradient, plus l2·Σw²."""

    def __init__(self, config: Any) -> None:
        self.config = config

    def __call__(self, w: Any) -> Any:
        magnitude = ops.sum(ops.abs(ops.stop_gradient(w)))
        return self.config.l1 * magnitude + self.config.l2 * ops.sum(ops.square(w))


@regcheck.implements("elastic_net")
def elastic_net_l1_stopped(config: Any) -> keras.regularizers.Regularizer:
    """The linear part has no gradient."""
    return Stopped(config)
