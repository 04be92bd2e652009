"""Batch normalisation in NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regcheck.numpy_layers.inputs import Array, Arrays, affine_parameters, check_shape, compute_dtype


class _Saved(NamedTuple):
    """What backward needs of the last forward: x̂ (N, C, S), s and γ (C, 1), and whether it was training."""

    shape: tuple[int, ...]
    normalised: Array
    rstd: Array
    scale: Array
    training: bool


class BatchNorm:
    """y = γ·x̂ + β with x̂ = (x − μ)/√(σ² + ε), μ and σ² of each channel: in training the batch's own, else the recorded.

    Training moves running_mean by μ and running_var by m/(m−1)·σ² (m values per channel), with weight `momentum`
    for the new batch; a single value per channel gives β and leaves running_var, an empty batch leaves both.
    Two passes, the variance from centred values; float16 is computed in float32.
    Source: Ioffe and Szegedy, "Batch Normalization", 2015, algorithms 1 and 2.
    """

    def __init__(
        self,
        channels: int,
        ndim: int = 0,
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
    ) -> None:
        self.channels, self.ndim, self.eps, self.momentum = channels, ndim, eps, momentum
        self.parameters = affine_parameters((channels,), affine=affine)
        self.state = {"running_mean": np.zeros(channels), "running_var": np.ones(channels)}
        self._saved: _Saved | None = None

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the plain protocol)
        """y of x's shape (N, C, *spatial) and dtype. Raises TypeError or ValueError for another dtype or shape."""
        dtype = compute_dtype("x", x)
        if x.ndim != self.ndim + 2:
            msg = f"Invalid `x`. Expected {self.ndim + 2} axes (N, C, *spatial). Received: shape {x.shape}. Reshape it."
            raise ValueError(msg)
        check_shape("x", x, (x.shape[0], self.channels, *x.shape[2:]))
        grouped = x.reshape(x.shape[0], self.channels, -1) if x.size else x.reshape(0, self.channels, 1)
        scale, shift = self._column("scale", 1, dtype), self._column("shift", 0, dtype)
        with np.errstate(all="ignore"):  # NaN and ∞ follow IEEE arithmetic, without a warning
            if training and x.size:
                normalised, rstd = self._batch_statistics(grouped.astype(dtype))
            else:
                rstd = 1 / np.sqrt(self.state["running_var"].astype(dtype)[:, None] + self.eps)
                normalised = (grouped - self.state["running_mean"].astype(dtype)[:, None]) * rstd
            y = normalised * scale + shift
        self._saved = _Saved(x.shape, normalised, rstd, scale, training)
        return np.asarray(y.astype(x.dtype).reshape(x.shape))

    def backward(self, cotangent: Array) -> Arrays:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward.

        With g = γ·dy: dx = s·(g − mean(g) − x̂·mean(g·x̂)) in training, s·g in inference; dγ = Σ dy·x̂, dβ = Σ dy.
        """
        if self._saved is None:
            msg = "backward needs a forward. Expected forward(x, training) before it. Received: none. Call it first."
            raise RuntimeError(msg)
        shape, normalised, rstd, scale, training = self._saved
        compute_dtype("cotangent", cotangent)
        check_shape("cotangent", cotangent, shape)
        dy = cotangent.reshape(normalised.shape).astype(normalised.dtype)
        with np.errstate(all="ignore"):
            sums = {"scale": (dy * normalised).sum(axis=(0, 2)), "shift": dy.sum(axis=(0, 2))}
            if training and dy.size:
                m = dy.size // self.channels
                dy -= sums["shift"][:, None] / m + normalised * (sums["scale"][:, None] / m)
            dx = rstd * scale * dy
        own = {k: sums[k].astype(v.dtype) for k, v in self.parameters.items()}
        return {"x": dx.astype(cotangent.dtype).reshape(shape), **own}

    def _batch_statistics(self, x: Array) -> tuple[Array, Array]:
        """Normalise `x` (N, C, S) in place by its own statistics and record them; x̂ and s (C, 1)."""
        m = x.size // self.channels
        mean = x.sum(axis=(0, 2)) / m
        x -= mean[:, None]
        variance = np.einsum("ncs,ncs->c", x, x) / m
        self._record("running_mean", mean)
        if m > 1:
            self._record("running_var", variance * (m / (m - 1)))
        rstd = 1 / np.sqrt(variance[:, None] + self.eps)
        x *= rstd
        return x, rstd

    def _record(self, name: str, new: Array) -> None:
        old = self.state[name]
        moved = (1 - self.momentum) * old.astype(new.dtype) + self.momentum * new
        self.state[name] = moved.astype(old.dtype)

    def _column(self, name: str, default: float, dtype: np.dtype[np.floating]) -> Array:
        parameter = self.parameters.get(name)
        return np.full((1, 1), default, dtype) if parameter is None else parameter.astype(dtype)[:, None]
