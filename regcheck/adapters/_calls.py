"""What the adapters of frameworks share in calling plain functions: their seeds, and the words for a wrong result."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Seeds:
    """A reproducible stream of 31-bit seeds, one a call; the streams of neighbouring values have nothing in common."""

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self.calls = 0

    def next(self) -> int:
        """The next call's seed."""
        self.calls += 1
        return int(np.random.SeedSequence([self.value, self.calls]).generate_state(1)[0] >> 1)


def takes_seed(function: Callable[..., Any]) -> bool:
    """Whether `function` has a parameter named `seed`."""
    try:
        return "seed" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # builtins without a signature
        return False


def wrong(what: str, expected: str, received: object) -> str:
    """The sentence for a result that is not what the contract asks for."""
    return f"Invalid result of `{what}`. Expected {expected}. Received: {_describe(received)}. Return {expected}."


def missing(owner: str, what: str, name: str) -> str:
    """The sentence for a parameter or state that was not found."""
    return f"{owner} has no {what} that is known as {name!r}; map it with names={{{name!r}: ...}}"


def refused(native: object, family: str, expected: Iterable[str]) -> str:
    """The sentence for a native object that an adapter cannot make into a layer of `family`."""
    kinds = ", ".join(expected)
    return f"{type(native).__name__} cannot be adapted as {family}. Expected one of: {kinds}. Return one of them."


def _describe(value: object) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    kind = type(value).__name__
    return kind if shape is None else f"{kind} of shape {tuple(shape)} and dtype {getattr(dtype, 'name', dtype)}"
