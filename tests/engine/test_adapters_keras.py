"""The adapters for Keras and TensorFlow."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from regcheck.adapters import keras as adapter  # noqa: E402
from regcheck.families import (  # noqa: E402
    BatchNormConfig,
    DropoutConfig,
    LayerNormConfig,
    PenaltyConfig,
    WeightDecayConfig,
)
from regcheck.implementation import Implementation  # noqa: E402
from regcheck.layer import Layer, Missing, WrongReturn  # noqa: E402

pytestmark = pytest.mark.tensorflow


def adapt(make: Any, family: str = "layer_norm", config: Any = None, dtype: str = "float32", **declared: Any) -> Layer:
    with adapter.building(dtype):
        native = make()
    implementation = Implementation(make, family, name="x", **declared)
    return adapter.adapt(native, implementation, config or LayerNormConfig((3,)), dtype)


def batch_norm(ndim: int = 0, **arguments: Any) -> Layer:
    return adapt(lambda: keras.layers.BatchNormalization(**arguments), "batch_norm", BatchNormConfig(3, ndim))


class Own(keras.layers.Layer):  # type: ignore[misc]
    """Multiplies by a weight whose name nobody would guess, in an attribute of another name."""

    def build(self, _shape: Any) -> None:
        self.gain = self.add_weight(shape=(3,), initializer="ones", name="k")

    def call(self, x: Any) -> Any:
        return x * self.gain


class Wrapper(keras.layers.Layer):  # type: ignore[misc]
    """Builds its sublayer in its first call."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = keras.layers.LayerNormalization()

    def call(self, x: Any) -> Any:
        return self.norm(x)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_layer_is_built_under_the_policy_of_the_case(dtype: str) -> None:
    layer = adapt(keras.layers.LayerNormalization, dtype=dtype)
    x = np.arange(6, dtype=dtype).reshape(2, 3)
    assert layer.forward(x, training=True).dtype == dtype
    assert {array.dtype.name for array in (*layer.parameters().values(), *layer.backward(x).values())} == {dtype}
    assert keras.config.dtype_policy().name == "float32"


def test_weights_can_be_read_and_assigned_before_the_first_call() -> None:
    layer = batch_norm()
    assert {name: v.tolist() for name, v in layer.state().items()} == {"running_mean": [0] * 3, "running_var": [1] * 3}
    layer.assign_parameters({"scale": np.array([1, 2, 3], np.float32)})
    layer.assign_state({"running_var": np.array([3, 2, 1], np.float32)})
    assert layer.parameters()["scale"].tolist() == [1, 2, 3]
    assert layer.state()["running_var"].tolist() == [3, 2, 1]


def test_weights_of_sublayers_that_only_a_call_builds_are_found() -> None:
    assert set(adapt(Wrapper).parameters()) == {"scale", "shift"}


def test_a_weight_is_found_by_its_attribute() -> None:
    assert set(adapt(Own).parameters()) == {"scale"}


def test_what_is_not_found_is_missing_by_name() -> None:
    with pytest.raises(Missing, match="Own has no parameter known as 'shift'"):
        adapt(Own).assign_parameters({"shift": np.ones(3, np.float32)})


@pytest.mark.parametrize(("ndim", "axis"), [*itertools.product((0, 1, 2, 3), (-1, 1)), (2, 3), (2, -3), (1, -2)])
def test_the_channel_axis_is_where_the_layer_has_it(ndim: int, axis: int) -> None:
    layer = batch_norm(ndim, axis=axis)
    scale = np.array([1, 2, 3], np.float32)
    layer.assign_parameters({"scale": scale})
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 3, 2, 3, 5)[: ndim + 2]).astype(np.float32)
    y = layer.forward(x, training=True)
    other = tuple(i for i in range(x.ndim) if i != 1)
    assert np.allclose(y.std(axis=other), scale, rtol=1e-2)
    gradients = layer.backward(x)
    assert gradients["x"].shape == x.shape
    assert np.allclose(gradients["scale"], (x * y).sum(axis=other) / scale, rtol=1e-4)


def test_a_declared_layout_wins() -> None:
    layer = adapt(Own, "batch_norm", BatchNormConfig(3, 1), layout="channels_first")
    layer.assign_parameters({"scale": np.array([1, 2, 3], np.float32)})
    assert layer.forward(np.ones((1, 3, 3), np.float32), training=True)[0, 0].tolist() == [1, 2, 3]


def test_backward_is_of_the_last_forward_and_updates_no_state() -> None:
    layer = batch_norm()
    rng = np.random.default_rng(0)
    layer.forward(rng.normal(size=(5, 3)).astype(np.float32), training=True)
    state, cotangent = layer.state(), rng.normal(size=(5, 3)).astype(np.float32)
    first, second = layer.backward(cotangent), layer.backward(cotangent)
    assert np.abs(first["x"].sum(axis=0)).max() < 1e-5
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert all(np.array_equal(state[name], layer.state()[name]) for name in state)


def test_inference_updates_no_state() -> None:
    layer = batch_norm()
    layer.forward(np.full((5, 3), 7, np.float32), training=False)
    assert layer.state()["running_mean"].tolist() == [0, 0, 0]


def test_dropouts_gradient_has_the_mask_of_its_forward() -> None:
    layer = adapt(lambda: keras.layers.Dropout(0.5), "dropout", DropoutConfig(0.5))
    x = np.ones((20, 20), np.float32)
    y = layer.forward(x, training=True)
    assert np.array_equal(layer.backward(x)["x"], y)
    assert np.array_equal(layer.backward(x)["x"], y)


@pytest.mark.parametrize("nested", [False, True])
def test_seeding_replays_a_layers_own_generators(nested: bool) -> None:  # noqa: FBT001
    class Outer(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dropout(0.5)

        def call(self, x: Any, training: Any = None) -> Any:
            return self.inner(x, training=training)

    layer = adapt(Outer if nested else lambda: keras.layers.Dropout(0.5), "dropout", DropoutConfig(0.5))
    x = np.ones((9, 9), np.float32)
    draws = []
    for value in (3, 3, 4):
        layer.seed(value)
        draws.append([layer.forward(x, training=True).tolist() for _ in range(2)])
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    assert draws[0][0] != draws[0][1]


def test_a_layer_without_dependence_has_zero_gradients() -> None:
    layer = adapt(lambda: keras.layers.Dropout(1.0), "dropout", DropoutConfig(1.0))
    layer.forward(np.ones(3, np.float32), training=True)
    assert layer.backward(np.ones(3, np.float32))["x"].tolist() == [0, 0, 0]


def test_a_regularizer_is_differentiated() -> None:
    layer = adapt(lambda: keras.regularizers.L1L2(2.0, 0.5), "elastic_net", PenaltyConfig(2.0, 0.5))
    w = np.array([[-1.0, 0.0], [3.0, 4.0]], np.float32)
    assert layer.value(w) == 29
    assert layer.gradient(w).tolist() == [[-3, 0], [5, 6]]


@pytest.mark.parametrize("value", [1.0, None, [1.0]])
def test_a_penalty_that_is_no_scalar_tensor_is_refused(value: Any) -> None:
    with pytest.raises(WrongReturn, match="Invalid result of `value`"):
        adapt(lambda: lambda _: value, "l1", PenaltyConfig()).value(np.ones(2, np.float32))


@pytest.mark.parametrize("wrap", [lambda make: make(), lambda make: lambda _: make()])
def test_an_optimiser_keeps_its_memory_over_the_steps(wrap: Any) -> None:
    def make() -> Any:
        return keras.optimizers.SGD(1.0, momentum=0.5)

    layer = adapt(lambda: wrap(make), "weight_decay", WeightDecayConfig(1.0, 0.0))
    gradient = np.ones(2, np.float32)
    first = layer.step(np.zeros(2, np.float32), gradient)
    assert layer.step(first, gradient).tolist() == [-2.5, -2.5]
    assert layer.step(np.zeros(3, np.float32), np.ones(3, np.float32)).tolist() == [-1, -1, -1]


@pytest.mark.parametrize(("native", "family"), [(3, "layer_norm"), (len, "minimiser"), (None, "l1")])
def test_other_objects_are_refused_in_one_sentence(native: object, family: str) -> None:
    with pytest.raises(TypeError, match=f"cannot be adapted as {family}. Expected one of"):
        adapt(lambda: native, family)
