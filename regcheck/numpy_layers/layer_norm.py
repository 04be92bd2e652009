"""Layer normalisation in NumPy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from regcheck.numpy_layers.inputs import Array, Arrays, affine_parameters, check_shape, compute_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES = 1 << 19  # rows that are worked on together stay in the second-level cache


class LayerNorm:
    """y = γ·x̂ + β with x̂ = (x − μ)/√(σ² + ε), μ and σ² of each sample over its trailing axes `shape`.

    Two passes, the variance from centred values; float16 is computed in float32. Rows are reduced one by one in
    one order, so a sample's bits do not depend on its batch. Training and inference are the same.
    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, equation 3.
    """

    centred = True  # RMS normalisation subtracts no mean

    def __init__(self, shape: tuple[int, ...], *, eps: float = 1e-5, affine: bool = True) -> None:
        self.shape, self.eps = shape, eps
        self.parameters = affine_parameters(shape, affine=affine)
        self._saved: tuple[tuple[int, ...], Array, Array, Array | None] | None = None

    def forward(self, x: Array, training: bool) -> Array:  # noqa: ARG002, FBT001  (the plain protocol)
        """y of x's shape (*batch, *shape) and dtype. Raises TypeError or ValueError for another dtype or shape."""
        dtype = compute_dtype("x", x)
        check_shape("x", x, (*x.shape[: max(0, x.ndim - len(self.shape))], *self.shape))
        n = math.prod(self.shape)
        rows = np.ascontiguousarray(x).reshape(-1, n)
        normalised, y = np.empty(rows.shape, dtype), np.empty(rows.shape, x.dtype)
        rstd = np.empty((len(rows), 1), dtype)
        scale, shift = (self._flat(name, dtype) for name in ("scale", "shift"))
        with np.errstate(all="ignore"):  # NaN and ∞ follow IEEE arithmetic, without a warning
            for block in _blocks(rows):
                rstd[block] = self._normalise(rows[block], normalised[block])
                _affine(normalised[block], scale, shift, y[block])
        self._saved = (x.shape, normalised, rstd, scale)
        return y.reshape(x.shape)

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
        dy = np.ascontiguousarray(cotangent).reshape(normalised.shape).astype(normalised.dtype, copy=False)
        with np.errstate(all="ignore"):
            dx = self._input_gradient(dy if scale is None else dy * scale, normalised, rstd)
            gradients = {"scale": np.einsum("ij,ij->j", dy, normalised), "shift": dy.sum(axis=0)}
        own = {k: gradients[k].reshape(self.shape).astype(v.dtype) for k, v in self.parameters.items()}
        return {"x": dx.reshape(shape).astype(cotangent.dtype), **own}

    def _flat(self, name: str, dtype: np.dtype[np.floating]) -> Array | None:
        parameter = self.parameters.get(name)
        return None if parameter is None else parameter.reshape(-1).astype(dtype)

    def _normalise(self, x: Array, out: Array) -> Array:
        """Write x̂ of each row of `x` (R, n) to `out`; s (R, 1)."""
        n = x.shape[1]
        np.copyto(out, x)
        if self.centred:
            out -= out.sum(axis=1, keepdims=True) / n
        rstd = 1 / np.sqrt(np.square(out).sum(axis=1, keepdims=True) / n + self.eps)
        out *= rstd
        return np.asarray(rstd)

    def _input_gradient(self, g: Array, normalised: Array, rstd: Array) -> Array:
        n = g.shape[1]
        along = (g * normalised).sum(axis=1, keepdims=True) / n
        centred = g - g.sum(axis=1, keepdims=True) / n if self.centred else g
        return np.asarray(rstd * (centred - normalised * along))


def _blocks(rows: Array) -> Iterator[slice]:
    height = max(1, BLOCK_BYTES // max(1, rows.shape[1] * rows.itemsize))
    return (slice(i, i + height) for i in range(0, len(rows), height))


def _affine(normalised: Array, scale: Array | None, shift: Array | None, out: Array) -> None:
    if scale is None:
        out[...] = normalised
        return
    mapped = out if out.dtype == normalised.dtype else np.empty_like(normalised)
    np.multiply(normalised, scale, out=mapped)
    if shift is not None:
        mapped += shift
    if mapped is not out:
        out[...] = mapped
