"""Frames carry values, bits and layouts, and nothing that arrives can do harm."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from regcheck import wire

ARRAYS = hnp.arrays(st.sampled_from(["f2", "f4", "f8", "i4", "?", "u1"]), hnp.array_shapes(min_dims=0, min_side=0))


def through(message: dict[str, Any]) -> dict[str, Any]:
    """The message as the other side sees it."""
    frame = wire.pack(message)
    header, payload = wire.lengths(frame[: wire.PREFIX.size])
    assert len(frame) == wire.PREFIX.size + header + payload
    return wire.unpack(frame[wire.PREFIX.size :][:header], frame[wire.PREFIX.size + header :])


@given(ARRAYS)
def test_an_array_arrives_bit_by_bit(array: np.ndarray[Any, Any]) -> None:
    got = through({"a": [{"b": array}]})["a"][0]["b"]
    assert got.dtype == array.dtype
    assert got.shape == array.shape
    assert got.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        lambda a: a[::2],
        lambda a: a[:, ::3],
        lambda a: a[::-1],
        lambda a: a[1:, 2:],
        lambda a: np.broadcast_to(a[0], a.shape),
        np.asfortranarray,
    ],
)
def test_strides_travel_with_an_array(view: Any) -> None:
    array = view(np.arange(42, dtype="f4").reshape(6, 7))
    got = through({"a": array})["a"]
    assert got.strides == array.strides
    assert np.array_equal(got, array)


def test_a_read_only_array_arrives_read_only() -> None:
    array = np.ones(3)
    array.flags.writeable = False
    assert not through({"a": array})["a"].flags.writeable


def test_numbers_arrive_as_they_are() -> None:
    message = {"a": [0.1, float("inf"), -0.0, None, True, "\ud800".encode("utf-8", "replace").decode(), 3]}
    assert through(message) == message


BROKEN = {
    "no JSON": (b"{", b""),
    "no message": (b"[]", b""),
    "an object dtype": (json.dumps({"a": {"~": ["|O", [1], None, True]}}).encode(), b"12345678"),
    "too few bytes": (json.dumps({"a": {"~": ["<f4", [9], None, True]}}).encode(), b"1234"),
    "too many bytes": (json.dumps({"a": 1}).encode(), b"1234"),
    "a negative size": (json.dumps({"a": {"~": ["<f4", [-1], None, True]}}).encode(), b""),
    "huge strides": (json.dumps({"a": {"~": ["<f4", [2], [1 << 40], True]}}).encode(), b"12345678"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_frame_is_refused(name: str) -> None:
    with pytest.raises(wire.BrokenFrame):
        wire.unpack(*BROKEN[name])


def test_an_implausible_length_is_refused() -> None:
    with pytest.raises(wire.BrokenFrame):
        wire.lengths(wire.PREFIX.pack(1 << 31, 0))
