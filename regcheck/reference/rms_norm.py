"""RMS normalisation, its definition and gradient (Zhang and Sennrich 2019, equation 4, with ε under the root)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.reference.normalisation import Gradients, Normalised, elementwise_gradients, normalise

if TYPE_CHECKING:
    from regcheck.families import RMSNormConfig

Array = np.ndarray[Any, np.dtype[Any]]


def standardise(x: Array, config: RMSNormConfig) -> Normalised:
    """x (*batch, *shape) divided by √(mean(x²) + ε), the mean over the trailing axes of `config.shape`."""
    return normalise(x, tuple(range(x.ndim - len(config.shape), x.ndim)), config.eps, centred=False)


def backward(cotangent: Array, x: Array, config: RMSNormConfig, scale: Array | None = None) -> Gradients:
    """dx = s·(g − z·mean(g·z)) with g = dy·γ, and dγ = Σ dy·z over the batch, of `config.shape`; there is no β."""
    return elementwise_gradients(standardise(x, config), cotangent, scale)
