"""Batch normalisation: training, inference, running statistics, gradients (Ioffe and Szegedy 2015; §§ 7, 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck.reference.normalisation import Gradients, Normalised, input_gradient, normalise, with_statistics
from regcheck.reference.precision import wide, widen

if TYPE_CHECKING:
    from regcheck.families import BatchNormConfig

Array = np.ndarray[Any, np.dtype[Any]]


class Running(NamedTuple):
    """Moving averages, each of shape (channels,), in the oracle's type."""

    mean: Array
    var: Array


def running(mean: Array, var: Array) -> Running:
    """Moving averages in the oracle's type."""
    return Running(widen(mean), widen(var))


def along_channels(values: Array, ndim: int) -> Array:
    """(channels,) shaped to broadcast against (N, channels, *spatial) of `ndim` axes in all."""
    return values.reshape((1, -1) + (1,) * (ndim - 2))


def reduced(x: Array) -> tuple[int, ...]:
    """All axes of x (N, channels, *spatial) but the channels'."""
    return (0, *range(2, x.ndim))


def standardise(x: Array, config: BatchNormConfig) -> Normalised:
    """x (N, channels, *spatial) by the statistics of the batch itself, as in training."""
    return normalise(x, reduced(x), config.eps)


def standardise_recorded(x: Array, config: BatchNormConfig, recorded: Running) -> Normalised:
    """x by recorded statistics, as in inference, in the oracle's type whatever theirs is."""
    kind = wide(str(x.dtype))
    mean, var = (along_channels(v.astype(np.promote_types(v.dtype, kind)), x.ndim) for v in recorded)
    return with_statistics(x, mean, var, reduced(x), config.eps)


def affine(z: Array, scale: Array | None, shift: Array | None) -> Array:
    """y = γ·z + β per channel; γ and β have shape (channels,) and default to 1 and 0."""
    y = z if scale is None else along_channels(widen(scale), z.ndim) * z
    return y if shift is None else y + along_channels(widen(shift), z.ndim)


def backward(norm: Normalised, cotangent: Array, scale: Array | None = None, *, training: bool) -> Gradients:
    """dx, dγ = Σ dy·z and dβ = Σ dy; in inference the statistics are constants and dx = dy·γ·s."""
    dy = widen(cotangent)
    g = dy if scale is None else dy * along_channels(widen(scale), dy.ndim)
    dx = input_gradient(norm, g) if training else g * norm.s
    return Gradients(dx, np.sum(dy * norm.z, axis=norm.axes), np.sum(dy, axis=norm.axes))


def update(running: Running, norm: Normalised, weight: float, *, unbiased: bool) -> Running:
    """Moving averages after one training batch: (1 − weight)·old + weight·new, weight being the new batch's.

    `unbiased` records m/(m − 1)·σ² (§ 8.2), which is undefined (NaN) at m = 1.
    """
    mean, var = norm.mean.reshape(-1), norm.var.reshape(-1)
    with np.errstate(all="ignore"):
        recorded = var * norm.n / (norm.n - 1) if unbiased else var
    w = mean.dtype.type(weight)
    return Running((1 - w) * running.mean + w * mean, (1 - w) * running.var + w * recorded)
