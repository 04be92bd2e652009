"""Whether a law would have noticed a wrong layer: it is shown cases that it passed again, with spoiled answers.

A law that holds on these too compared nothing, or within bounds that nothing exceeds, and its verdict is worth nothing.
This tells that it can fail here, on this layer's own cases; which faults it finds, `reports/kills.md` tells.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.evaluate import CheckerError, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from regcheck.case import Case
    from regcheck.host import Session
    from regcheck.property import Array, Property

Reply = dict[str, Any]

PRINTED = 1 << 30  # bytes


def notices(law: Property, case: Case, session: Session, conventions: Mapping[str, Any] | None) -> bool:
    """Whether the law fails on a case once the layer's answers are spoiled in one of the ways that it names.

    Raises CheckerError where the law itself raises.
    """
    return any(_fails(law, case, session, conventions, way) for way in law.sentinels)


def _fails(law: Property, case: Case, session: Session, conventions: Mapping[str, Any] | None, way: str) -> bool:
    with _spoiled(session, way):
        try:
            return evaluate(law, case, session, conventions).violation is not None
        except CheckerError as error:
            msg = f"on spoiled results ({way}), {error}"
            raise CheckerError(msg) from error


@contextlib.contextmanager
def _spoiled(session: Session, way: str) -> Iterator[None]:
    session.spoil = _Spoil(way)
    try:
        yield
    finally:
        session.spoil = None


class _Spoil:
    """Spoils the replies to calls in one way; no two of them alike, but the same ones for the same calls."""

    def __init__(self, way: str) -> None:
        self.way, self.calls = way, 0
        self.first: dict[tuple[Any, ...], Array] = {}

    def __call__(self, call: dict[str, Any], reply: Reply) -> Reply:
        if call["do"] != "call":
            return reply
        self.calls += 1
        if self.way == "errors":
            return _answered(call, reply)
        if "error" in reply:
            return reply
        if self.way == "audit":
            seen = {"changed": ["x"], "aliases": ["x"], "earlier_changed": True, "printed": PRINTED}
            return {**reply, "audit": seen}
        rng = np.random.default_rng(self.calls)
        spoiled: Reply = {part: self._numbers(reply[part], rng, part) for part in ("result", "kept") if part in reply}
        return {**reply, **spoiled}

    def _numbers(self, value: Any, rng: np.random.Generator, name: str) -> Any:
        if isinstance(value, dict):
            return {key: self._numbers(each, rng, key) for key, each in value.items()}
        if isinstance(value, list):
            return [self._numbers(each, rng, name) for each in value]
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            return value
        if self.way == "stuck":
            return self.first.setdefault((name, value.shape, value.dtype), value)
        with np.errstate(all="ignore"):
            return _WAYS[self.way](value, rng)


def _answered(call: dict[str, Any], reply: Reply) -> Reply:
    """The first argument with one axis more, where the layer raised an error."""
    raised = "error" in reply and reply["error"]["kind"] == "raised"
    return {"result": call["args"][0][np.newaxis], "audit": {}} if raised and call["args"] else reply


def _other(value: Array, rng: np.random.Generator) -> Array:
    """Three times the numbers, and noise as large as the largest of them; finite where they were not."""
    finite = np.where(np.isfinite(value), value, 0)
    return np.asarray(3 * finite + rng.normal(size=value.shape) * (1 + np.max(np.abs(finite), initial=0)), value.dtype)


_WAYS: dict[str, Callable[[Array, np.random.Generator], Array]] = {
    "values": _other,
    "nan": lambda value, _: np.full_like(value, np.nan),
    "shape": lambda value, _: value[np.newaxis],
    "dtype": lambda value, _: value.astype(np.float32 if value.dtype == np.float64 else np.float64),
    "shuffled": lambda value, rng: rng.permutation(value.ravel()).reshape(value.shape),
}
