"""Cases as JSON: every array with dtype, shape, strides and its raw bytes; nothing is unpickled."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import numpy as np

from regcheck.case import Case
from regcheck.families import FAMILIES, config_from_dict
from regcheck.wire import rebuild

DTYPES = ("float16", "float32", "float64", "int32", "int64", "bool", "uint8", "uint32", "uint64")


def case_to_json(case: Case) -> dict[str, Any]:
    """Plain data of a case."""
    return {
        "config": {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(case.config).items()},
        "dtype": case.dtype,
        "arrays": {name: array_to_json(array) for name, array in case.arrays.items()},
        "dims": {name: list(dims) for name, dims in case.dims.items()},
        "independent": list(case.independent),
        "values": case.values,
    }


def array_to_json(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Plain data of an array, with its bits."""
    plain = array.flags.c_contiguous
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "strides": None if plain else [s // array.itemsize for s in array.strides],
        "writable": bool(array.flags.writeable),
        "bytes": base64.b64encode(array.tobytes()).decode("ascii"),
    }


def case_from_json(family: str, data: dict[str, Any]) -> Case:
    """The stored case. Raises ValueError, KeyError or TypeError on data that is none."""
    if family not in FAMILIES:
        msg = f"unknown family {family!r}"
        raise ValueError(msg)
    return Case(
        config=config_from_dict(family, data["config"]),
        dtype=str(data["dtype"]),
        arrays={str(name): array_from_json(value) for name, value in data["arrays"].items()},
        dims={str(name): tuple(map(str, dims)) for name, dims in data["dims"].items()},
        independent=tuple(map(str, data["independent"])),
        values=dict(data["values"]),
    )


def array_from_json(data: dict[str, Any]) -> np.ndarray[Any, Any]:
    """The stored array. Raises ValueError, KeyError or TypeError on data that is none."""
    if data["dtype"] not in DTYPES:
        msg = f"unknown dtype {data['dtype']!r}"
        raise ValueError(msg)
    raw = base64.b64decode(data["bytes"], validate=True)
    values = np.frombuffer(raw, dtype=data["dtype"]).reshape(data["shape"])
    array = rebuild(values, data["strides"])
    if not data["writable"]:
        array.flags.writeable = False
    return array
