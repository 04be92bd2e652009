"""In what precision an oracle computes, and how exact that is."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def wide(dtype: str) -> type[np.floating[Any]]:
    """The oracle's type for a case of `dtype`: float64, for float64 itself the platform's long double.

    Where long double is no wider than double, the oracle is as inexact as the layer: every bound adds
    `oracle_roundoff`, so a verdict stays right and is only less sharp.
    """
    return np.longdouble if np.dtype(dtype).itemsize >= 8 else np.float64


def unit_roundoff(dtype: Any) -> float:
    """u: half the distance from 1 to the next number of the type."""
    return float(np.finfo(dtype).eps) / 2


def oracle_roundoff(dtype: str) -> float:
    """Unit roundoff of the oracle for cases of `dtype`."""
    return unit_roundoff(wide(dtype))


def widen(x: Array) -> Array:
    """`x` in its oracle's type; exact."""
    return x.astype(wide(str(x.dtype)))
