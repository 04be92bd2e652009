"""RMS normalisation in NumPy and its oracle, against each other, exact arithmetic and slopes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from regcheck import bounds
from regcheck.families import RMSNormConfig
from regcheck.numpy_layers.rms_norm import RMSNorm
from regcheck.reference import rms_norm as oracle
from regcheck.reference.precision import widen

DTYPES = ("float16", "float32", "float64")
RNG = np.random.default_rng()


def draw(shape, dtype, mean=3.0):
    return (mean + RNG.standard_normal(shape)).astype(dtype)


def assert_within(observed, expected, bound):
    assert observed.shape == expected.shape
    assert np.all(np.abs(observed - expected) <= bound)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_oracle_is_the_definition(dtype):
    x = np.array([[1, 2, 4, 9], [-100, 101, 99, 100.5], [0, 0, 0, 0]], dtype)
    norm = oracle.standardise(x, RMSNormConfig((4,), eps=1e-3))
    for row, z in zip(x.tolist(), norm.z.astype(float), strict=True):
        square = sum(Fraction(v) ** 2 for v in row) / 4 + Fraction(1e-3)
        assert z**2 == pytest.approx([float(Fraction(v) ** 2 / square) for v in row], rel=1e-12)
        assert np.array_equal(np.sign(z), np.sign(row))
    assert not norm.mean.any()
    assert not norm.centred


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("batch", "shape"), [((3,), (5,)), ((2, 3), (3, 4)), ((), (7,)), ((4,), (1,))])
def test_the_layer_is_within_the_bounds_of_its_oracle(dtype, batch, shape):
    layer, config = RMSNorm(shape), RMSNormConfig(shape)
    scale = draw(shape, dtype)
    layer.parameters = {"scale": scale}
    x, dy = draw((*batch, *shape), dtype), draw((*batch, *shape), dtype)
    norm, ar, gamma = (
        oracle.standardise(x, config),
        bounds.arithmetic(dtype, "float32"),
        widen(layer.parameters["scale"]),
    )
    standard, axes = bounds.standard(norm, ar), tuple(range(len(batch)))
    y = gamma * norm.z
    assert_within(layer.forward(x, training=True), y, bounds.affine(standard, norm.z, y, ar, gamma))
    found, wanted = layer.backward(dy), oracle.backward(dy, x, config, scale)
    assert set(found) == {"x", "scale"}
    assert_within(found["x"], wanted.x, bounds.input_gradient(norm, standard, widen(dy) * gamma, ar))
    assert_within(found["scale"], wanted.scale, bounds.scale_gradient(norm, standard, widen(dy), axes, ar))


@pytest.mark.parametrize("affine", [True, False])
def test_the_gradient_is_the_slope_of_the_forward(affine):
    layer, (x, dy, direction) = RMSNorm((3, 2), affine=affine), (draw((4, 3, 2), "float64") for _ in range(3))
    assert set(layer.parameters) == ({"scale"} if affine else set())
    layer.forward(x, training=True)
    dx, step = layer.backward(dy)["x"], 1e-6
    up, down = (layer.forward(x + sign * step * direction, training=True) for sign in (1, -1))
    assert np.sum(dx * direction) == pytest.approx(np.sum(dy * (up - down)) / (2 * step), rel=1e-6, abs=1e-8)


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"Invalid `x`\. Expected"):
        RMSNorm((4,)).forward(np.ones((2, 5)), training=True)


def test_backward_needs_a_forward():
    with pytest.raises(RuntimeError, match="backward needs a forward"):
        RMSNorm((4,)).backward(np.ones((2, 4)))
