"""Group and instance normalisation in NumPy."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from regcheck.numpy_layers.inputs import Array, Arrays, affine_parameters, check_shape, compute_dtype


class _Saved(NamedTuple):
    shape: tuple[int, ...]
    normalised: Array
    rstd: Array
    scale: Array | None


class GroupNorm:
    """y = γ·x̂ + β with x̂ = (x − μ)/√(σ² + ε), μ and σ² of each sample over `channels/groups` channels and all of space.

    Two passes, the variance from centred values; float16 is computed in float32. Groups are reduced one by one in one
    order, so a sample's bits do not depend on its batch. γ and β are per channel. Training and inference are the same.
    Source: Wu and He, "Group Normalization", 2018, equations 1 to 6.
    """

    def __init__(self, channels: int, groups: int, ndim: int, *, eps: float = 1e-5, affine: bool = True) -> None:
        self.channels, self.groups, self.ndim, self.eps = channels, groups, ndim, eps
        self.parameters = affine_parameters((channels,), affine=affine)
        self._saved: _Saved | None = None

    def forward(self, x: Array, training: bool) -> Array:  # noqa: ARG002, FBT001  (the plain protocol)
        """y of x's shape (N, channels, *spatial) and dtype. Raises TypeError or ValueError for another."""
        dtype = compute_dtype("x", x)
        check_shape("x", x, (*x.shape[:1], self.channels, *x.shape[2:][: self.ndim]))
        if x.ndim != 2 + self.ndim:
            msg = f"Invalid `x`. Expected {2 + self.ndim} axes. Received: shape {x.shape}. Reshape it."
            raise ValueError(msg)
        rows = self._rows(x, dtype)
        n = rows.shape[-1]
        with np.errstate(all="ignore"):  # NaN and ∞ follow IEEE arithmetic, without a warning
            centred = rows - rows.sum(axis=-1, keepdims=True) / n
            rstd = 1 / np.sqrt(np.square(centred).sum(axis=-1, keepdims=True) / n + self.eps)
            normalised = centred * rstd
            scale, shift = (self._along(name, x.ndim, dtype) for name in ("scale", "shift"))
            self._saved = _Saved(x.shape, normalised, rstd, scale)
            y = normalised.reshape(x.shape)
            return np.asarray(y if scale is None or shift is None else y * scale + shift).astype(x.dtype)

    def backward(self, cotangent: Array) -> Arrays:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward.

        dx = s·(g − mean(g) − x̂·mean(g·x̂)) with g = γ·dy and s = 1/√(σ² + ε); dγ = Σ dy·x̂, dβ = Σ dy.
        """
        if self._saved is None:
            msg = "backward needs a forward. Expected forward(x, training) before it. Received: none. Call it first."
            raise RuntimeError(msg)
        shape, normalised, rstd, scale = self._saved
        compute_dtype("cotangent", cotangent)
        check_shape("cotangent", cotangent, shape)
        dy = cotangent.astype(normalised.dtype)
        with np.errstate(all="ignore"):
            g = (dy if scale is None else dy * scale).reshape(normalised.shape)
            n = g.shape[-1]
            along = (g * normalised).sum(axis=-1, keepdims=True) / n
            dx = rstd * (g - g.sum(axis=-1, keepdims=True) / n - normalised * along)
            summed = (0, *range(2, len(shape)))
            gradients = {"scale": (dy * normalised.reshape(shape)).sum(axis=summed), "shift": dy.sum(axis=summed)}
        own = {name: gradients[name].astype(value.dtype) for name, value in self.parameters.items()}
        return {"x": dx.reshape(shape).astype(cotangent.dtype), **own}

    def _rows(self, x: Array, dtype: np.dtype[np.floating]) -> Array:
        """(N, groups, values of a group), contiguous: NumPy sums a row in an order of its own."""
        per_group = self.channels // self.groups * math.prod(x.shape[2:])
        return np.ascontiguousarray(x, dtype).reshape(len(x), self.groups, per_group)

    def _along(self, name: str, ndim: int, dtype: np.dtype[np.floating]) -> Array | None:
        parameter = self.parameters.get(name)
        return None if parameter is None else parameter.astype(dtype).reshape(1, -1, *[1] * (ndim - 2))


class InstanceNorm(GroupNorm):
    """Every channel of every sample standardised over space: group normalisation with a group for each channel.

    Source: Ulyanov, Vedaldi and Lempitsky, "Instance Normalization", 2016.
    """

    def __init__(self, channels: int, ndim: int, *, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(channels, channels, ndim, eps=eps, affine=affine)
