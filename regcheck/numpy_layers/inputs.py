"""What every layer asks of its input: a floating dtype that it knows, and the shape that its config names."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]
COMPUTE: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.float16): np.dtype(np.float32),
    np.dtype(np.float32): np.dtype(np.float32),
    np.dtype(np.float64): np.dtype(np.float64),
}


def compute_dtype(name: str, array: Array) -> np.dtype[Any]:
    """The dtype to compute in: float32 for float16, else the array's own. Raises TypeError for another dtype."""
    if not isinstance(array, np.ndarray) or array.dtype not in COMPUTE:
        received = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        msg = f"Invalid `{name}`. Expected an array of float16, float32 or float64. Received: {received}. Convert it."
        raise TypeError(msg)
    return COMPUTE[array.dtype]


def check_shape(name: str, array: Array, expected: tuple[int, ...]) -> None:
    """Raise ValueError where `array` does not have the `expected` shape."""
    if array.shape != expected:
        msg = f"Invalid `{name}`. Expected shape {expected}. Received: shape {array.shape}. Reshape it."
        raise ValueError(msg)


def check_rate(rate: float) -> None:
    """Raise ValueError for a `rate` outside [0, 1)."""
    if not 0 <= rate < 1:
        msg = f"Invalid value for `rate`. Expected a float in [0, 1). Received: rate={rate!r}. Choose one below 1."
        raise ValueError(msg)


def affine_parameters(shape: tuple[int, ...], *, affine: bool) -> Arrays:
    """γ = 1 and β = 0 of `shape`, or nothing."""
    return {"scale": np.ones(shape), "shift": np.zeros(shape)} if affine else {}
