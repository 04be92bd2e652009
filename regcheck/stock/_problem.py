"""What the stock minimisers ask of a problem."""

from __future__ import annotations

from typing import Any

import numpy as np

from regcheck.numpy_layers.inputs import check_shape

Array = np.ndarray[Any, np.dtype[Any]]


def checked(a: Array, b: Array) -> tuple[Array, Array]:
    """A (n, k) and b (n,) as contiguous float64. Raises ValueError for other shapes."""
    check_shape("b", b, (b.size,))
    check_shape("A", a, (b.size, a.shape[-1] if a.ndim else 0))
    return np.array(a, np.float64, order="C"), np.array(b, np.float64, order="C")
