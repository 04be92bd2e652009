"""Alpha dropout in NumPy: of entries and of whole channels."""

from __future__ import annotations

import numpy as np

from regcheck.numpy_layers.dropout import ChannelDropout, Dropout
from regcheck.numpy_layers.inputs import Array, check_rate, compute_dtype

SATURATION = -1.7580993408473766  # −λα of SELU


class AlphaDropout(Dropout):
    """y = a·x + b where kept and a·α′ + b where dropped, with probability `rate`, in training; y = x in inference.

    a = ((1 − rate)(1 + rate·α′²))^(−½) and b = −a·α′·rate keep mean 0 and variance 1; α′ = −1.758… is where SELU
    saturates. A dropped NaN or ∞ gives what any dropped value gives. Source: Klambauer et al., 2017.
    """

    def __init__(self, rate: float) -> None:
        check_rate(rate)
        super().__init__(rate)
        self.scale = ((1 - rate) * (1 + rate * SATURATION**2)) ** -0.5
        self.shift = -self.scale * SATURATION * rate

    def _apply(self, x: Array, kept: Array | None) -> Array:
        if kept is None:
            return x.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            y = np.asarray(np.multiply(x, self.scale, dtype=compute_dtype("x", x))) + self.shift
            return np.asarray(np.where(kept, y, self.scale * SATURATION + self.shift).astype(x.dtype))

    def _gradient(self, cotangent: Array, kept: Array | None) -> Array:
        if kept is None:
            return cotangent.copy()
        with np.errstate(over="ignore"):
            return np.where(kept, cotangent * self.scale, 0).astype(cotangent.dtype)


class ChannelAlphaDropout(AlphaDropout, ChannelDropout):
    """Alpha dropout of x (N, C, *spatial) with `ndim` spatial axes in which a channel of a sample drops as a whole."""

    def __init__(self, rate: float, ndim: int = 0) -> None:
        super().__init__(rate)
        self.ndim = ndim
