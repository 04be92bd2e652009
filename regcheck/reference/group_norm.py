"""Group and instance normalisation (Wu and He 2018, equation 3; Ulyanov, Vedaldi and Lempitsky 2016; § 10.4).

Arrays come grouped: (N, groups, channels of a group, *spatial), or (N, channels, *spatial) where every channel is a
group of its own. So x[n, g] is what shares a mean, and γ and β have the shape of the channels' axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from regcheck.reference.normalisation import Gradients, Normalised, input_gradient, normalise
from regcheck.reference.precision import widen

Array = np.ndarray[Any, np.dtype[Any]]


def standardise(x: Array, eps: float) -> Normalised:
    """Every x[n, g] standardised."""
    return normalise(x, tuple(range(2, x.ndim)), eps)


def along_channels(values: Array, ndim: int) -> Array:
    """γ or β, (groups, channels of a group) or (channels,), shaped to broadcast against x of `ndim` axes."""
    return values.reshape((1, *values.shape) + (1,) * (ndim - 1 - values.ndim))


def backward(norm: Normalised, cotangent: Array, scale: Array | None = None) -> Gradients:
    """dx, and dγ = Σ dy·z, dβ = Σ dy over the batch and space, shaped like γ (without γ: like the groups)."""
    dy = widen(cotangent)
    g = dy if scale is None else dy * along_channels(widen(scale), dy.ndim)
    summed = summed_axes(dy.ndim, 1 if scale is None else scale.ndim)
    return Gradients(input_gradient(norm, g), np.sum(dy * norm.z, axis=summed), np.sum(dy, axis=summed))


def summed_axes(ndim: int, channel_axes: int) -> tuple[int, ...]:
    """The axes of x that gradients of γ and β are summed over: the batch, and what follows the channels' axes."""
    return (0, *range(1 + channel_axes, ndim))
