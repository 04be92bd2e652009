"""The oracles of the normalisations against exact arithmetic, and against derivatives of themselves."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from regcheck.families import BatchNormConfig, LayerNormConfig
from regcheck.reference import batch_norm, layer_norm, widen
from regcheck.reference.precision import oracle_roundoff, unit_roundoff, wide


def exactly(row, eps):
    """(mean, variance, squares of (x − mean)/√(var + ε)) in rational arithmetic."""
    values = [Fraction(float(x)) for x in row]
    mean = sum(values) / len(values)
    var = sum((x - mean) ** 2 for x in values) / len(values)
    return mean, var, [(x - mean) ** 2 / (var + Fraction(eps)) for x in values]


def few_roundoffs(dtype, n):
    return (n + 8) * oracle_roundoff(dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_layer_norm_is_the_definition(dtype):
    x = np.array([[1, 2, 4, 9], [100, 101, 99, 100.5], [0, 0, 0, 0]], dtype)
    norm = layer_norm.standardise(x, LayerNormConfig((4,), eps=1e-3))
    for i, row in enumerate(x):
        mean, var, squares = exactly(row, 1e-3)
        assert norm.mean[i, 0] == pytest.approx(float(mean), rel=few_roundoffs(dtype, 4))
        assert norm.var[i, 0] == pytest.approx(float(var), rel=few_roundoffs(dtype, 4))
        assert (norm.z[i] ** 2).astype(float) == pytest.approx([float(s) for s in squares], rel=1e-12)
        assert np.all(np.sign(norm.z[i]) == np.sign(row.astype(float) - float(mean)))


def test_layer_norm_maps_by_scale_and_shift_over_several_axes():
    x = np.arange(24.0).reshape(2, 2, 3, 2) ** 2
    config = LayerNormConfig((3, 2), eps=1.0)
    scale, shift = np.arange(6.0).reshape(3, 2), np.ones((3, 2))
    norm = layer_norm.standardise(x, config)
    assert norm.mean.shape == (2, 2, 1, 1)
    assert norm.n == 6
    assert np.array_equal(layer_norm.forward(x, config, scale, shift), scale * norm.z + shift)
    assert np.array_equal(layer_norm.forward(x, config), norm.z)


def differences(value, x, direction, step=1e-5):
    """The derivative of `value` at x along `direction`, from four values: the error is of order step⁴."""
    near, far = (value(x + k * direction) - value(x - k * direction) for k in (step, 2 * step))
    return (8 * near - far) / (12 * step)


@pytest.mark.parametrize("name", ["x", "scale", "shift"])
def test_layer_norm_gradients_are_derivatives(name):
    rng = np.random.default_rng()
    config = LayerNormConfig((3, 2), eps=0.1)
    at = {"x": rng.normal(size=(4, 3, 2)), "scale": rng.normal(size=(3, 2)), "shift": rng.normal(size=(3, 2))}
    dy = rng.normal(size=(4, 3, 2))
    direction = widen(rng.normal(size=at[name].shape))

    def value(moved):
        return np.sum(widen(dy) * layer_norm.forward(**{**at, name: moved}, config=config))

    found = getattr(layer_norm.backward(dy, at["x"], config, at["scale"]), name)
    expected = differences(value, widen(at[name]), direction)
    assert float(np.sum(found * direction)) == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


def trained(x, config, scale, shift):
    return batch_norm.affine(batch_norm.standardise(x, config).z, scale, shift)


@pytest.mark.parametrize("name", ["x", "scale", "shift"])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_gradients_are_derivatives(name, training):
    rng = np.random.default_rng()
    config = BatchNormConfig(2, ndim=1, eps=0.1)
    recorded = batch_norm.running(rng.normal(size=2), rng.random(2))
    at = {"x": rng.normal(size=(4, 2, 3)), "scale": rng.normal(size=2), "shift": rng.normal(size=2)}
    dy = rng.normal(size=(4, 2, 3))
    direction = widen(rng.normal(size=at[name].shape))

    def standardise(x):
        return batch_norm.standardise(x, config) if training else batch_norm.standardise_recorded(x, config, recorded)

    def value(moved):
        here = {**at, name: moved}
        return np.sum(widen(dy) * batch_norm.affine(standardise(here["x"]).z, here["scale"], here["shift"]))

    found = getattr(batch_norm.backward(standardise(at["x"]), dy, at["scale"], training=training), name)
    expected = differences(value, widen(at[name]), direction)
    assert float(np.sum(found * direction)) == pytest.approx(float(expected), rel=1e-9, abs=1e-9)


def test_batch_norm_reduces_all_axes_but_the_channels():
    x = np.random.default_rng().normal(size=(4, 2, 3, 5))
    norm = batch_norm.standardise(x, BatchNormConfig(2, ndim=2))
    assert norm.n == 60
    assert norm.mean.shape == (1, 2, 1, 1)
    assert np.allclose(norm.mean.ravel().astype(float), x.mean(axis=(0, 2, 3)), rtol=1e-14, atol=1e-14)


def test_batch_norm_infers_by_the_record_alone():
    recorded = batch_norm.running(np.array([2.0, -1.0]), np.array([4.0, 0.0]))
    norm = batch_norm.standardise_recorded(np.array([[4.0, -1.0]]), BatchNormConfig(2, eps=1e-3), recorded)
    assert norm.z[0].astype(float) == pytest.approx([2 / 4.001**0.5, 0.0])


@pytest.mark.parametrize(("unbiased", "var"), [(True, 0.75 * 3.0 + 0.25 * 2.0), (False, 0.75 * 3.0 + 0.25 * 1.0)])
def test_the_record_moves_by_the_weight_of_the_new_batch(unbiased, var):
    start = batch_norm.running(np.array([1.0]), np.array([3.0]))
    norm = batch_norm.standardise(np.array([[4.0], [6.0]]), BatchNormConfig(1))
    now = batch_norm.update(start, norm, 0.25, unbiased=unbiased)
    assert (now.mean.tolist(), now.var.tolist()) == ([0.75 * 1 + 0.25 * 5], [var])


def test_an_unbiased_variance_of_one_value_is_undefined():
    start = batch_norm.running(np.zeros(1), np.ones(1))
    norm = batch_norm.standardise(np.array([[4.0]]), BatchNormConfig(1))
    assert np.isnan(batch_norm.update(start, norm, 0.1, unbiased=True).var[0])
    assert batch_norm.update(start, norm, 0.1, unbiased=False).var[0] == pytest.approx(0.9)


def test_oracles_are_wider_than_the_case():
    assert [wide(dtype) for dtype in ("float16", "float32", "float64")] == [np.float64, np.float64, np.longdouble]
    assert unit_roundoff("float16") == 2.0**-11
    assert oracle_roundoff("float32") == 2.0**-53
