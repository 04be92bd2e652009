"""Group and instance normalisation in NumPy against their oracle, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck import bounds
from regcheck.numpy_layers.group_norm import GroupNorm, InstanceNorm
from regcheck.reference import group_norm as oracle
from regcheck.reference.precision import widen

DTYPES = ("float16", "float32", "float64")
RNG = np.random.default_rng()


def draw(shape, dtype, mean=3.0):
    return (mean + RNG.standard_normal(shape)).astype(dtype)


def assert_within(observed, expected, bound):
    assert observed.shape == expected.shape
    assert np.all(np.abs(observed - expected) <= bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 3, 2, 5), (1, 1, 2, 3, 4), (2, 2, 1, 2, 3, 2)])
def test_groups_are_within_the_bounds_of_their_oracle(shape, dtype):
    batch, groups, members, *spatial = shape
    channels, flat = groups * members, (batch, groups * members, *spatial)
    layer = GroupNorm(channels, groups, len(spatial))
    layer.parameters = {"scale": draw((channels,), dtype), "shift": draw((channels,), dtype)}
    x, dy = draw(shape, dtype, mean=30), draw(shape, dtype)
    scale, shift = (value.reshape(groups, members) for value in layer.parameters.values())
    norm, ar = oracle.standardise(x, layer.eps), bounds.arithmetic(dtype, "float32")
    standard, gamma = bounds.standard(norm, ar), oracle.along_channels(widen(scale), x.ndim)
    y = gamma * norm.z + oracle.along_channels(widen(shift), x.ndim)
    seen = layer.forward(x.reshape(flat), training=True).reshape(shape)
    assert_within(seen, y, bounds.affine(standard, norm.z, y, ar, gamma))
    found, wanted = layer.backward(dy.reshape(flat)), oracle.backward(norm, dy, scale)
    summed = oracle.summed_axes(x.ndim, 2)
    assert_within(found["x"].reshape(shape), wanted.x, bounds.input_gradient(norm, standard, widen(dy) * gamma, ar))
    for name, bound in (
        ("scale", bounds.scale_gradient(norm, standard, widen(dy), summed, ar)),
        ("shift", bounds.shift_gradient(widen(dy), summed, ar)),
    ):
        assert_within(found[name].reshape(groups, members), getattr(wanted, name), bound)


def test_an_instance_is_a_group_of_one_channel():
    x = draw((3, 4, 5, 2), "float32")
    one, other = InstanceNorm(4, 2), GroupNorm(4, 4, 2)
    assert np.array_equal(one.forward(x, training=True), other.forward(x, training=True))


@pytest.mark.parametrize("affine", [True, False])
def test_the_gradient_is_the_slope_of_the_forward(affine):
    layer, x, dy = GroupNorm(6, 3, 1, affine=affine), draw((2, 6, 4), "float64"), draw((2, 6, 4), "float64")
    layer.forward(x, training=True)
    dx, step, direction = layer.backward(dy)["x"], 1e-6, draw((2, 6, 4), "float64")
    up, down = (layer.forward(x + sign * step * direction, training=True) for sign in (1, -1))
    assert np.sum(dx * direction) == pytest.approx(np.sum(dy * (up - down)) / (2 * step), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 4), (2, 4, 3, 1)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"Invalid `x`\. Expected"):
        GroupNorm(4, 2, 1).forward(np.ones(shape), training=True)


def test_backward_needs_a_forward():
    with pytest.raises(RuntimeError, match="backward needs a forward"):
        GroupNorm(4, 2, 1).backward(np.ones((2, 4, 3)))
