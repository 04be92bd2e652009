"""Frames between judge and worker: a JSON header and raw array bytes; nothing is ever unpickled.

A frame is two little-endian integers (header length u4, payload length u8), the header and the
payload. In the header an array is `{"~": [dtype, shape, strides or null, writable]}`; its bytes follow in
the payload in order. Strides travel with an array: the receiver rebuilds its layout in memory.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

PREFIX = struct.Struct("<IQ")
MAX_HEADER = 1 << 26
MAX_PAYLOAD = 1 << 34
_KINDS = "fiub"


class BrokenFrame(ValueError):  # noqa: N818  (what arrived, not an error of ours)
    """Bytes that are not a frame."""


def pack(message: dict[str, Any]) -> bytes:
    """The frame for a message of JSON values and arrays."""
    buffers: list[bytes] = []
    header = json.dumps(_encode(message, buffers)).encode()
    payload = b"".join(buffers)
    return PREFIX.pack(len(header), len(payload)) + header + payload


def _encode(value: Any, buffers: list[bytes]) -> Any:
    if isinstance(value, np.ndarray):
        return _encode_array(value, buffers)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {k: _encode(v, buffers) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(v, buffers) for v in value]
    return value


def _encode_array(array: np.ndarray[Any, Any], buffers: list[bytes]) -> dict[str, Any]:
    plain = array.flags.c_contiguous
    buffers.append(array.tobytes())
    strides = None if plain else [s // array.itemsize for s in array.strides]
    return {"~": [array.dtype.str, list(array.shape), strides, bool(array.flags.writeable)]}


def lengths(prefix: bytes) -> tuple[int, int]:
    """Header and payload length; raises BrokenFrame for implausible ones."""
    header, payload = PREFIX.unpack(prefix)
    if header > MAX_HEADER or payload > MAX_PAYLOAD:
        msg = f"a frame announces {header} and {payload} bytes"
        raise BrokenFrame(msg)
    return header, payload


def unpack(header: bytes, payload: bytes | bytearray | memoryview) -> dict[str, Any]:
    """The message of a frame; every array owns its memory. Raises BrokenFrame."""
    try:
        message, end = _decode(json.loads(header), memoryview(payload), 0)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError, OverflowError) as error:
        msg = f"a frame cannot be read: {error}"
        raise BrokenFrame(msg) from error
    if not isinstance(message, dict) or end != len(payload):
        msg = "a frame is not a message"
        raise BrokenFrame(msg)
    return message


def _decode(value: Any, payload: memoryview, offset: int) -> tuple[Any, int]:
    if isinstance(value, list):
        items = []
        for item in value:
            decoded, offset = _decode(item, payload, offset)
            items.append(decoded)
        return items, offset
    if not isinstance(value, dict):
        return value, offset
    if "~" in value:
        return _decode_array(value["~"], payload, offset)
    result = {}
    for key, item in value.items():
        result[key], offset = _decode(item, payload, offset)
    return result, offset


def _decode_array(description: list[Any], payload: memoryview, offset: int) -> tuple[np.ndarray[Any, Any], int]:
    name, shape, strides, writable = description
    dtype = np.dtype(name)
    if dtype.kind not in _KINDS or any(not isinstance(n, int) or n < 0 for n in shape):
        msg = f"not an array: {name!r}, shape {shape}"
        raise ValueError(msg)
    count = 1
    for n in shape:
        count *= n
    end = offset + count * dtype.itemsize
    flat = np.frombuffer(payload[offset:end], dtype=dtype)
    array = rebuild(flat.reshape(shape), strides)
    if not writable:
        array.flags.writeable = False
    return array, end


def rebuild(values: np.ndarray[Any, Any], strides: list[int] | None) -> np.ndarray[Any, Any]:
    """A new array with the values of `values`, laid out by `strides` (in items; None: C order)."""
    if strides is None or values.size == 0:
        return values.copy()
    reach = [(n - 1) * s for n, s in zip(values.shape, strides, strict=True)]
    low, high = sum(min(0, r) for r in reach), sum(max(0, r) for r in reach)
    if high - low > 64 * values.size + 4096:
        msg = f"strides {strides} reach over {high - low} items"
        raise ValueError(msg)
    # One item in front: a layer that drops the storage offset reads the wrong memory.
    base = np.full(high - low + 2, 77, dtype=values.dtype)
    item = values.dtype.itemsize
    view = np.lib.stride_tricks.as_strided(base[1 - low :], values.shape, [s * item for s in strides])
    view[...] = values
    return view
