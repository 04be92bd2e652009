"""Weight decay by its definition (§ 3.2), in the oracle's precision: w′ = (1 − η·decay)·w − η·gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.reference.precision import widen

if TYPE_CHECKING:
    from regcheck.families import WeightDecayConfig

Array = np.ndarray[Any, np.dtype[Any]]


def decayed(config: WeightDecayConfig, w: Array) -> Array:
    """η·decay·w, what the decay takes off, elementwise."""
    wide = widen(w)
    return np.asarray(wide.dtype.type(config.learning_rate) * wide.dtype.type(config.decay) * wide)


def descended(config: WeightDecayConfig, gradient: Array) -> Array:
    """η·gradient, what plain gradient descent takes off, elementwise."""
    wide = widen(gradient)
    return np.asarray(wide.dtype.type(config.learning_rate) * wide)


def step(config: WeightDecayConfig, w: Array, gradient: Array) -> Array:
    """One step of plain gradient descent, elementwise.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, equation 1, whose λ is η·decay here.
    """
    return np.asarray(widen(w) - decayed(config, w) - descended(config, gradient))
