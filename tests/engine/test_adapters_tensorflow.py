"""The adapter for TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from regcheck.adapters import tensorflow as adapter  # noqa: E402
from regcheck.families import BatchNormConfig, DropoutConfig, LayerNormConfig, PenaltyConfig  # noqa: E402
from regcheck.implementation import Implementation  # noqa: E402
from regcheck.layer import MODES, Layer, Missing, WrongReturn  # noqa: E402

pytestmark = pytest.mark.tensorflow


def adapt(
    native: Any, family: str = "layer_norm", config: Any = None, dtype: str = "float32", **declared: Any
) -> Layer:
    implementation = Implementation(lambda _: native, family, name="x", **declared)
    return adapter.adapt(native, implementation, config or LayerNormConfig((3,)), dtype)


class Scale(tf.Module):  # type: ignore[misc]
    """Multiplies by a variable and counts its training calls in another."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = tf.Variable(tf.ones(3))
        self.moving_mean = tf.Variable(tf.zeros(3), trainable=False)

    def __call__(self, x: Any, training: Any) -> Any:
        if training:
            self.moving_mean.assign_add(tf.ones(3))
        return x * self.gamma


class Outer(tf.Module):  # type: ignore[misc]
    """Holds another module, and creates nothing of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Scale()

    def __call__(self, x: Any, training: Any) -> Any:
        return self.inner(x, training)


class Lazy(tf.Module):  # type: ignore[misc]
    """Creates its variable in its first call."""

    gain = None

    def __call__(self, x: Any, training: Any) -> Any:
        if self.gain is None:
            self.gain = tf.Variable(tf.ones(x.shape[-1], x.dtype))
        return x * self.gain


@pytest.mark.parametrize("module", [Scale, Outer])
def test_variables_are_found_by_their_attributes(module: Any) -> None:
    layer = adapt(module(), "batch_norm", BatchNormConfig(3, 1))
    layer.assign_parameters({"scale": np.array([1, 2, 3], np.float32)})
    x = np.ones((2, 3, 4), np.float32)
    assert layer.forward(x, training=True)[0, :, 0].tolist() == [1, 2, 3]
    assert layer.backward(x)["scale"].tolist() == [8, 8, 8]
    assert layer.backward(x)["x"][0, :, 0].tolist() == [1, 2, 3]
    assert layer.state()["running_mean"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_module_may_create_its_variables_in_its_first_call(dtype: str) -> None:
    layer = adapt(Lazy(), dtype=dtype)
    assert layer.parameters()["scale"].dtype == dtype
    assert layer.forward(np.ones((2, 3), dtype), training=True).dtype == dtype


def test_a_function_gets_a_fresh_seed_each_call_and_replays() -> None:
    def dropout(x: Any, training: Any, seed: int) -> Any:
        return tf.nn.experimental.stateless_dropout(x, 0.5, seed=[seed, 0]) if training else x

    layer = adapt(dropout, "dropout", DropoutConfig(0.5))
    x, draws = np.ones((9, 9), np.float32), []
    for value in (3, 3, 4):
        layer.seed(value)
        draws.append([layer.forward(x, training=True).tolist() for _ in range(2)])
        assert layer.backward(x)["x"].tolist() == draws[-1][1]
    assert draws[0] == draws[1]
    assert len({str(draw) for pair in draws[1:] for draw in pair}) == 4


def test_seeding_replays_the_process_generator() -> None:
    layer = adapt(lambda x, _: tf.nn.dropout(x, 0.5), "dropout", DropoutConfig(0.5))
    x = np.ones((9, 9), np.float32)
    draws = [(layer.seed(value), layer.forward(x, training=True).tolist())[1] for value in (3, 3, 4)]
    assert draws[0] == draws[1] != draws[2]


def test_another_dtype_of_the_result_is_passed_on() -> None:
    layer = adapt(lambda x, _: tf.cast(x, tf.float64), "dropout", DropoutConfig(0.5))
    assert layer.forward(np.ones(3, np.float32), training=True).dtype == np.float64
    assert layer.backward(np.ones(3, np.float32))["x"].dtype == np.float32


@pytest.mark.parametrize("result", [None, 1.0, [1.0]])
def test_a_result_that_is_no_tensor_is_refused(result: object) -> None:
    with pytest.raises(WrongReturn, match="Invalid result of `forward`"):
        adapt(lambda *_: result, "dropout", DropoutConfig(0.5)).forward(np.ones(3, np.float32), training=True)


def test_the_input_stays_as_it_is() -> None:
    x = np.ones((2, 3), np.float32)[:, ::-1]
    x.flags.writeable = False
    layer = adapt(lambda x, _: x, "dropout", DropoutConfig(0.5))
    assert not np.shares_memory(layer.forward(x, training=True), x)


def test_a_penalty_is_differentiated() -> None:
    layer = adapt(tf.nn.l2_loss, "l2", PenaltyConfig(l2=1.0))
    assert layer.value(np.array([1.0, 3.0])) == 5
    assert layer.gradient(np.array([1.0, 3.0])).tolist() == [1, 3]


@pytest.mark.parametrize(("native", "family"), [(3, "layer_norm"), (len, "minimiser"), (tf.Module(), "batch_norm")])
def test_other_objects_are_refused_in_one_sentence(native: object, family: str) -> None:
    with pytest.raises(TypeError, match=f"cannot be adapted as {family}. Expected one of"):
        adapt(native, family)


@pytest.mark.parametrize("mode", MODES)
def test_second_derivatives_of_a_cube(mode: str) -> None:
    x, g, v = (np.array([row]) for row in ([1.0, -2, 3], [4.0, 5, 6], [0.5, 1, -1]))
    layer = adapt(lambda x, _: x**3, "dropout", DropoutConfig(0.5))
    assert layer.second(x, g, v, True, mode) == pytest.approx(6 * x * g * v)  # noqa: FBT003
    penalty = adapt(tf.nn.l2_loss, "l2", PenaltyConfig(l2=1.0))
    assert penalty.second(x, np.asarray(2.0), v, True, mode) == pytest.approx(2 * v)  # noqa: FBT003


def test_a_mode_that_tensorflow_refuses_is_missing_and_a_layer_s_own_error_is_not() -> None:
    def refuses(x: Any, _: Any) -> Any:
        msg = "gradient registry has no entry for: Cube"
        raise LookupError(msg)

    def broken(x: Any, _: Any) -> Any:
        return {}["key"]

    x = np.ones((1, 3))
    for function, error in ((refuses, Missing), (broken, KeyError)):
        with pytest.raises(error):
            adapt(function, "dropout", DropoutConfig(0.5)).second(x, x, x, True, MODES[0])  # noqa: FBT003
