"""A timed result beside what it should be."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from regcheck.bench.expected import Known
    from regcheck.bench.subject import Result

Array = np.ndarray[Any, np.dtype[Any]]


class Wrong(Exception):  # noqa: N818  (an observation)
    """A result that is not what the pass should give; the message says how far off it is."""


def shaped(name: str, observed: Array, shape: tuple[int, ...]) -> Array:
    """`observed` as an array. Raises Wrong where it has another shape."""
    array = np.asarray(observed)
    if array.shape != shape:
        msg = f"{name} has shape {array.shape}, not {shape}"
        raise Wrong(msg)
    return array


def off(name: str, observed: Array, known: Known) -> float:
    """max |observed − expected|/bound; NaN counts as infinite. Raises Wrong for another shape."""
    array = shaped(name, observed, known.value.shape)
    with np.errstate(all="ignore"):
        errors = np.abs(array - known.value) / known.bound
    worst = float(np.max(errors, initial=0.0))
    return worst if worst == worst else math.inf  # noqa: PLR0124  (NaN)


def expect_input_gradient(result: Result) -> None:
    """Raises Wrong where a backward pass gave no gradient of x."""
    if not isinstance(result, dict) or "x" not in result:
        msg = "backward gave no gradient of x"
        raise Wrong(msg)
