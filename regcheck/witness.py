"""A witness in a form that people read: values in decimal and hexadecimal."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from regcheck.verdict import Witness, number

if TYPE_CHECKING:
    import numpy as np

    from regcheck.case import Case
    from regcheck.property import Violation

SHOWN = 64  # elements of an array that a report shows; the replay file holds them all


def witness_of(case: Case, violation: Violation) -> Witness:
    """The witness record of a failing case."""
    config = {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(case.config).items()}
    inputs: dict[str, Any] = {"dtype": case.dtype}
    inputs.update({name: _array(array) for name, array in case.arrays.items()})
    inputs.update(case.values)
    return Witness(
        config=config,
        inputs=inputs,
        expected=violation.expected,
        observed=violation.observed,
        where=violation.where,
    )


def _array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    flat = array.ravel()[:SHOWN]
    shown: dict[str, Any] = {"shape": list(array.shape), "values": [_number(v) for v in flat]}
    if array.dtype.kind == "f":
        shown["hex"] = [float(v).hex() for v in flat]
    if array.size > SHOWN:
        shown["left_out"] = int(array.size - SHOWN)
    return shown


def _number(value: np.generic) -> Any:
    if value.dtype.kind == "f":
        # The shortest decimal of the value's own type, not of its widening.
        return number(float(str(value)))
    return value.item()
