"""Dropout in NumPy: of entries, of whole channels and of whole samples."""

from __future__ import annotations

import math

import numpy as np

from regcheck.numpy_layers.inputs import Array, Arrays, check_shape, compute_dtype

WORD = 1 << 16


class Dropout:
    """y = x·mask, mask 0 with probability `rate` and 1/(1 − rate) else, in training; y = x in inference.

    The generator is the layer's own. A dropped value gives 0 whatever it was, NaN and ∞ too.
    Source: Srivastava et al., "Dropout", 2014, section 10 (inverted form).
    """

    drawn_axes: int | None = None  # every index of so many leading axes has a draw of its own; None: of all axes

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._generator = np.random.Generator(np.random.PCG64DXSM())
        self._saved: tuple[tuple[int, ...], Array | None] | None = None

    def seed(self, value: int) -> None:
        """Restart the random stream from `value`."""
        self._generator = np.random.Generator(np.random.PCG64DXSM(value))

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the plain protocol)
        """y of x's shape (any) and dtype. Raises TypeError for a dtype that is not floating."""
        compute_dtype("x", x)
        drawn = x.shape[: self.drawn_axes]
        noise = (*drawn, *(1,) * (x.ndim - len(drawn)))
        kept = self._draw(noise) if training and self.rate > 0 else None
        self._saved = (x.shape, kept)
        return self._apply(x, kept)

    def backward(self, cotangent: Array) -> Arrays:
        """{"x": dx}: the cotangent under the mask of the last forward."""
        if self._saved is None:
            msg = "backward needs a forward. Expected forward(x, training) before it. Received: none. Call it first."
            raise RuntimeError(msg)
        shape, kept = self._saved
        compute_dtype("cotangent", cotangent)
        check_shape("cotangent", cotangent, shape)
        return {"x": self._gradient(cotangent, kept)}

    def _draw(self, shape: tuple[int, ...]) -> Array:
        """False with probability `rate` exactly, from 16-bit words.

        With rate·2¹⁶ = whole + rest, a word below `whole` drops, one above keeps, and a word equal to `whole`, one
        in 65 536, drops with probability `rest`: the 16 bits alone would round the rate to multiples of 2⁻¹⁶.
        """
        whole, rest = divmod(self.rate * WORD, 1.0)
        size = math.prod(shape)
        words = self._generator.integers(0, 1 << 64, -(-size // 4), dtype=np.uint64).view(np.uint16)[:size]
        kept = words > whole
        ties = np.flatnonzero(words == whole)
        kept[ties] = self._generator.random(len(ties)) >= rest
        return np.asarray(kept.reshape(shape))

    def _apply(self, x: Array, kept: Array | None) -> Array:
        if kept is None:
            return x.copy()
        if self.rate == 1:
            return np.zeros(x.shape, x.dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # a kept value may overflow, a dropped one be NaN
            scaled = np.multiply(x, 1 / (1 - self.rate), dtype=compute_dtype("x", x))
            y = np.asarray(scaled).astype(x.dtype, copy=False)
        bits = y.view(f"u{y.itemsize}")
        np.multiply(bits, kept, out=bits)  # whole bit patterns, since NaN·0 is NaN
        return y

    def _gradient(self, cotangent: Array, kept: Array | None) -> Array:
        return self._apply(cotangent, kept)  # a product with the mask is its own gradient's


class ChannelDropout(Dropout):
    """Dropout of x (N, C, *spatial) with `ndim` spatial axes in which a channel of a sample drops as a whole.

    Source: Tompson et al., "Efficient object localization using convolutional networks", 2015, section 3.2.
    """

    drawn_axes = 2

    def __init__(self, rate: float, ndim: int = 0) -> None:
        super().__init__(rate)
        self.ndim = ndim

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the plain protocol)
        """y of x's shape (N, C, *spatial) and dtype. Raises TypeError or ValueError for another dtype or rank."""
        if np.ndim(x) != self.ndim + 2:
            msg = f"Invalid `x`. Expected {self.ndim + 2} axes (N, C, *spatial). Received: {np.ndim(x)}. Reshape it."
            raise ValueError(msg)
        return super().forward(x, training)


class DropPath(Dropout):
    """Dropout of x (N, *) in which a sample drops as a whole: stochastic depth, for the branch beside an identity.

    Source: Huang et al., "Deep networks with stochastic depth", 2016; divided by 1 − rate, as dropout is.
    """

    drawn_axes = 1

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the plain protocol)
        """y of x's shape (N, *) and dtype. Raises TypeError or ValueError for another dtype or no axis."""
        if not np.ndim(x):
            msg = "Invalid `x`. Expected an axis of samples, (N, *). Received: a scalar. Reshape it."
            raise ValueError(msg)
        return super().forward(x, training)
