"""Layer normalisation, its definition and gradient (Ba, Kiros and Hinton 2016, equations 3 and 4; § 10.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.reference.normalisation import Gradients, Normalised, elementwise_gradients, normalise
from regcheck.reference.precision import widen

if TYPE_CHECKING:
    from regcheck.families import LayerNormConfig

Array = np.ndarray[Any, np.dtype[Any]]


def standardise(x: Array, config: LayerNormConfig) -> Normalised:
    """x (*batch, *shape) standardised over the trailing axes of `config.shape`."""
    return normalise(x, tuple(range(x.ndim - len(config.shape), x.ndim)), config.eps)


def forward(x: Array, config: LayerNormConfig, scale: Array | None = None, shift: Array | None = None) -> Array:
    """y = γ·z + β; γ and β have `config.shape` and default to 1 and 0."""
    return affine(standardise(x, config).z, scale, shift)


def affine(z: Array, scale: Array | None, shift: Array | None) -> Array:
    """γ·z + β, elementwise over the trailing axes."""
    y = z if scale is None else widen(scale) * z
    return y if shift is None else y + widen(shift)


def backward(cotangent: Array, x: Array, config: LayerNormConfig, scale: Array | None = None) -> Gradients:
    """dx, and dγ = Σ dy·z, dβ = Σ dy over the batch, of `config.shape`."""
    return elementwise_gradients(standardise(x, config), cotangent, scale)
