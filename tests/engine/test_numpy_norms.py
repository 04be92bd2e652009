"""The NumPy normalisations against their oracles, and what they promise beside it."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck import bounds
from regcheck.families import BatchNormConfig, LayerNormConfig
from regcheck.numpy_layers.batch_norm import BatchNorm
from regcheck.numpy_layers.layer_norm import LayerNorm
from regcheck.reference import batch_norm as oracle
from regcheck.reference import layer_norm as layer_norm_oracle
from regcheck.reference.precision import widen

DTYPES = ("float16", "float32", "float64")
RNG = np.random.default_rng()


def draw(shape, dtype, mean=3.0):
    return (mean + RNG.standard_normal(shape)).astype(dtype)


def with_parameters(layer, shape, dtype):
    layer.parameters = {"scale": draw(shape, dtype), "shift": draw(shape, dtype)}
    return layer


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("batch", "shape"), [((7,), (5,)), ((2, 3), (4, 3)), ((), (8,)), ((3,), (1,)), ((2,), (4097,))]
)
def test_layer_norm_is_within_the_bounds_of_its_oracle(batch, shape, dtype):
    x, dy, config = draw((*batch, *shape), dtype, mean=30), draw((*batch, *shape), dtype), LayerNormConfig(shape)
    layer = with_parameters(LayerNorm(shape), shape, dtype)
    scale, shift = layer.parameters["scale"], layer.parameters["shift"]
    norm, ar = layer_norm_oracle.standardise(x, config), bounds.arithmetic(dtype, "float32")
    standard, samples = bounds.standard(norm, ar), tuple(range(len(batch)))
    y = layer_norm_oracle.affine(norm.z, scale, shift)
    assert_within(layer.forward(x, training=True), y, bounds.affine(standard, norm.z, y, ar, scale))
    found, wanted = layer.backward(dy), layer_norm_oracle.backward(dy, x, config, scale)
    assert_within(found["x"], wanted.x, bounds.input_gradient(norm, standard, widen(dy) * widen(scale), ar))
    assert_within(found["scale"], wanted.scale, bounds.scale_gradient(norm, standard, widen(dy), samples, ar))
    assert_within(found["shift"], wanted.shift, bounds.shift_gradient(widen(dy), samples, ar))


def assert_within(observed, expected, bound):
    assert observed.shape == expected.shape
    assert np.all(np.abs(observed - expected) <= bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 8, 17, 129, 8193])
def test_a_sample_s_bits_do_not_depend_on_its_batch_or_layout(n, dtype):
    layer = LayerNorm((n,))
    x = draw((37, n), dtype)
    y = layer.forward(x, training=True)
    assert np.array_equal(layer.forward(np.asfortranarray(x), training=True), y)
    assert np.array_equal(layer.forward(x[::-1], training=True)[::-1], y)
    assert all(np.array_equal(layer.forward(x[i : i + 1], training=False)[0], y[i]) for i in (0, 1, 18, 36))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("spatial", "n"), [((), 9), ((3,), 5), ((2, 3), 2), ((2, 1, 2), 3)])
def test_batch_norm_in_training_is_within_the_bounds_of_its_oracle(spatial, n, dtype):
    x, dy = draw((n, 4, *spatial), dtype, mean=10), draw((n, 4, *spatial), dtype)
    layer, config, old = batch_norm(spatial, dtype)
    norm, ar = oracle.standardise(x, config), bounds.arithmetic(dtype, "float32")
    standard, factor = bounds.standard(norm, ar), norm.n / (norm.n - 1)
    scale, y = broadcast(layer, "scale", x), oracle.affine(norm.z, *layer.parameters.values())
    assert_within(layer.forward(x, training=True), y, bounds.affine(standard, norm.z, y, ar, scale))
    found, wanted = layer.backward(dy), oracle.backward(norm, dy, layer.parameters["scale"], training=True)
    assert_within(found["x"], wanted.x, bounds.input_gradient(norm, standard, widen(dy) * widen(scale), ar))
    assert_within(found["scale"], wanted.scale, bounds.scale_gradient(norm, standard, widen(dy), norm.axes, ar))
    assert_within(found["shift"], wanted.shift, bounds.shift_gradient(widen(dy), norm.axes, ar))
    moved = oracle.update(old, norm, 0.25, unbiased=True)
    assert_within(layer.state["running_mean"], moved.mean, bounds.running_mean(norm, old.mean, 0.25, ar))
    assert_within(layer.state["running_var"], moved.var, bounds.running_variance(norm, old.var, 0.25, factor, ar))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spatial", [(), (3,), (2, 3), (2, 1, 2)])
def test_batch_norm_in_inference_is_within_the_bounds_of_its_oracle(spatial, dtype):
    x, dy = draw((5, 4, *spatial), dtype, mean=10), draw((5, 4, *spatial), dtype)
    layer, config, recorded = batch_norm(spatial, dtype)
    norm, ar = oracle.standardise_recorded(x, config, recorded), bounds.arithmetic(dtype, "float32")
    standard = bounds.standard_recorded(norm, ar)
    scale, y = broadcast(layer, "scale", x), oracle.affine(norm.z, *layer.parameters.values())
    assert_within(layer.forward(x, training=False), y, bounds.affine(standard, norm.z, y, ar, scale))
    dx = oracle.backward(norm, dy, layer.parameters["scale"], training=False).x
    assert_within(layer.backward(dy)["x"], dx, bounds.recorded_gradient(norm, standard, dx, ar))
    assert np.array_equal(layer.state["running_mean"], recorded.mean)
    assert np.array_equal(layer.state["running_var"], recorded.var)


def batch_norm(spatial, dtype):
    """A layer with parameters and state of `dtype`, its config and a copy of its state."""
    layer = with_parameters(BatchNorm(4, len(spatial), momentum=0.25), 4, dtype)
    old = oracle.Running(draw(4, dtype), np.abs(draw(4, dtype)))
    layer.state = {"running_mean": old.mean.copy(), "running_var": old.var.copy()}
    return layer, BatchNormConfig(4, len(spatial), momentum=0.25), old


def broadcast(layer, name, x):
    return oracle.along_channels(layer.parameters[name], x.ndim)


def test_gradients_of_the_normalisations_are_their_finite_differences():
    for layer, shape in [(LayerNorm((2, 2)), (3, 2, 2)), (BatchNorm(4, 1), (3, 4, 2))]:
        parameters = (2, 2) if isinstance(layer, LayerNorm) else (4,)
        with_parameters(layer, parameters, "float64")
        x, dy, way = (draw(shape, "float64", mean=0) for _ in range(3))
        for training in (True, False):
            layer.forward(x, training)
            dx = layer.backward(dy)["x"]
            state = dict(getattr(layer, "state", {}))
            values = []
            for h in (1e-5, -1e-5, 2e-5, -2e-5):
                values.append(np.sum(layer.forward(x + h * way, training) * dy))
                layer.state = dict(state)
            near, far = (values[0] - values[1]) / 2e-5, (values[2] - values[3]) / 4e-5
            # The quotient errs by c·h² and by the rounding of its values; twice the step by 4c·h².
            rounding = 1e-13 * np.sum(np.abs(layer.forward(x, training) * dy)) / 1e-5
            layer.state = dict(state)
            assert abs(near - np.sum(dx * way)) <= abs(far - near) + rounding


def test_one_value_per_group_gives_the_shift_and_a_finite_state():
    for layer, x in [(LayerNorm((1,)), draw((5, 1), "float32")), (BatchNorm(3), draw((1, 3), "float32"))]:
        layer.parameters["shift"] = layer.parameters["shift"] + 2
        assert np.all(layer.forward(x, training=True) == 2)
        assert all(np.isfinite(v).all() for v in getattr(layer, "state", {}).values())


def test_a_value_that_is_not_finite_stays_in_its_group_and_warns_of_nothing():
    x = draw((4, 3), "float32")
    x[1, 1] = np.inf
    rows, columns = LayerNorm((3,)).forward(x, training=True), BatchNorm(3).forward(x, training=True)
    assert np.isfinite(rows).all(axis=1).tolist() == [True, False, True, True]
    assert np.isfinite(columns).all(axis=0).tolist() == [True, False, True]
