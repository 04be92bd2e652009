"""What the adapters of frameworks share in calling plain functions: their seeds, and the words for a wrong result."""

from __future__ import annotations

import inspect
import secrets
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.layer import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Seeds:
    """The seeds of the calls of a function that has a parameter `seed`; for another function there are none.

    They are a stream of 31-bit numbers, reproducible once it is restarted; the streams of neighbouring values have
    nothing in common. Until then each function has a stream of its own, as a layer that nobody seeded has.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.wanted = _takes_seed(function)
        self.value, self.calls = secrets.randbits(128), 0

    def restart(self, value: int) -> None:
        """Begin the stream of `value`."""
        self.value, self.calls = value, 0

    def next(self) -> dict[str, int]:
        """The next call's keyword arguments: {"seed": ...}, or none."""
        if not self.wanted:
            return {}
        self.calls += 1
        return {"seed": int(np.random.SeedSequence([self.value, self.calls]).generate_state(1)[0] >> 1)}


def _takes_seed(function: Callable[..., Any]) -> bool:
    try:
        return "seed" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # builtins without a signature
        return False


def wrong(what: str, expected: str, received: object) -> str:
    """The sentence for a result that is not what the contract asks for."""
    return f"Invalid result of `{what}`. Expected {expected}. Received: {_describe(received)}. Return {expected}."


def paired(owner: object, what: str, own: Mapping[str, Any], values: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """(own, value) for every value by canonical name. Raises Missing for a name that the owner does not have."""
    for name in values:
        if name not in own:
            msg = f"{type(owner).__name__} has no {what} known as {name!r}; map it with names={{{name!r}: ...}}"
            raise Missing(msg)
    return [(own[name], value) for name, value in values.items()]


def refused(native: object, family: str, expected: Iterable[str]) -> str:
    """The sentence for a native object that an adapter cannot make into a layer of `family`."""
    kinds = ", ".join(expected)
    return f"{type(native).__name__} cannot be adapted as {family}. Expected one of: {kinds}. Return one of them."


def _describe(value: object) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    kind = type(value).__name__
    return kind if shape is None else f"{kind} of shape {tuple(shape)} and dtype {getattr(dtype, 'name', dtype)}"
