"""The adapter for plain protocol objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from regcheck.adapters import plain
from regcheck.families import BatchNormConfig, DropoutConfig
from regcheck.implementation import Implementation
from regcheck.layer import Array, Layer, Missing, WrongReturn


class Affine:
    """y = scale·x, with a state of its own name."""

    def __init__(self) -> None:
        self.parameters = {"g": np.ones(3)}
        self.state = {"running_mean": np.zeros(3)}
        self.x = np.zeros(3)

    def forward(self, x: Array, training: bool, /) -> Array:  # noqa: FBT001
        self.x = x
        return x * self.parameters["g"] + training

    def backward(self, cotangent: Array) -> dict[str, Array]:
        return {"x": cotangent * self.parameters["g"], "g": (cotangent * self.x).sum(0)}


class Returning:
    """Returns whatever it was given, from every method."""

    def __init__(self, result: object) -> None:
        self.result = result

    def forward(self, *_: object) -> object:
        return self.result

    backward = value = gradient = prox = minimise = step = log_density = forward


def adapt(native: object, family: str = "layer_norm", **declared: Any) -> Layer:
    implementation = Implementation(lambda _: native, family, name="mine", **declared)
    return plain.adapt(native, implementation, DropoutConfig(0.5), "float64")


def test_names_map_the_layers_own_keys_to_canonical_ones() -> None:
    native = Affine()
    layer = adapt(native, names={"scale": "g"})
    layer.assign_parameters({"scale": np.array([1.0, 2.0, 3.0])})
    assert set(layer.parameters()) == {"scale"}
    assert layer.forward(np.ones((2, 3)), training=True)[0].tolist() == [2.0, 3.0, 4.0]
    assert layer.backward(np.ones((2, 3)))["scale"].tolist() == [2.0, 2.0, 2.0]


def test_a_channels_last_layer_gets_a_transposed_view() -> None:
    native = Affine()
    layer = adapt(native, "batch_norm", layout="channels_last")
    native.parameters["g"] = np.array([1.0, 2.0, 3.0])
    x = np.ones((2, 3, 4, 5))
    assert layer.forward(x, training=False)[0, :, 0, 0].tolist() == [1.0, 2.0, 3.0]
    assert layer.backward(x)["x"][0, :, 0, 0].tolist() == [1.0, 2.0, 3.0]
    assert native.x.shape == (2, 4, 5, 3)
    assert np.may_share_memory(native.x, x)


def test_a_channels_last_layer_gets_a_matrix_as_it_is() -> None:
    native = Affine()
    layer = adapt(native, "batch_norm", layout="channels_last")
    assert layer.forward(np.ones((2, 3)), training=False).shape == (2, 3)
    assert native.x.shape == (2, 3)


def test_assigning_puts_a_new_array_under_the_key() -> None:
    native = Affine()
    before, value = native.parameters["g"], np.arange(3.0)
    adapt(native, names={"scale": "g"}).assign_parameters({"scale": value})
    assert before.tolist() == [1.0, 1.0, 1.0]
    assert native.parameters["g"] is not value
    assert native.parameters["g"].tolist() == [0.0, 1.0, 2.0]


def test_assigning_to_an_absent_key_is_missing_by_name_and_changes_nothing() -> None:
    native = Affine()
    layer = adapt(native)
    with pytest.raises(Missing, match="no 'shift' in `parameters`"):
        layer.assign_parameters({"g": np.zeros(3), "shift": np.zeros(3)})
    with pytest.raises(Missing, match="running_var"):
        layer.assign_state({"running_var": np.ones(3)})
    assert native.parameters["g"].tolist() == [1.0, 1.0, 1.0]


def test_parameters_and_state_read_are_copies() -> None:
    native = Affine()
    layer = adapt(native)
    layer.parameters()["g"][:] = 9
    layer.state()["running_mean"][:] = 9
    assert native.parameters["g"].max() == 1
    assert native.state["running_mean"].max() == 0


def test_arrays_pass_through_uncopied() -> None:
    x = np.ones((2, 3))
    assert adapt(Returning(x)).forward(x, training=False) is x


class Looking:
    """Keeps what it is given, and returns it; dγ has three axes of its own."""

    def forward(self, x: Array, training: bool, /) -> Array:  # noqa: FBT001
        self.x = x
        return x

    def backward(self, cotangent: Array) -> dict[str, Array]:
        self.cotangent = cotangent
        return {"x": cotangent, "scale": np.ones((2, 3, 4))}


def adapt_norm(native: object, layout: str | None) -> Layer:
    implementation = Implementation(lambda _: native, "batch_norm", name="mine", layout=layout)
    return plain.adapt(native, implementation, BatchNormConfig(3, ndim=2), "float64")


def test_a_layer_that_declares_channels_last_gets_and_gives_them_as_views() -> None:
    native, x, cotangent = Looking(), np.arange(120.0).reshape(2, 3, 4, 5), -np.ones((2, 3, 4, 5))
    layer = adapt_norm(native, "channels_last")
    y = layer.forward(x, training=True)
    gradients = layer.backward(cotangent)
    assert native.x.shape == native.cotangent.shape == (2, 4, 5, 3)
    assert native.x[1, 3, 4].tolist() == x[1, :, 3, 4].tolist()
    assert y.tolist() == x.tolist()
    assert gradients["x"].shape == x.shape
    assert gradients["scale"].shape == (2, 3, 4)
    assert all(np.shares_memory(*pair) for pair in ((native.x, x), (y, x), (gradients["x"], cotangent)))


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_without_spatial_axes_there_is_nothing_to_move(shape: tuple[int, ...]) -> None:
    x = np.ones(shape)
    assert adapt_norm(Looking(), "channels_last").forward(x, training=True) is x


@pytest.mark.parametrize("layout", [None, "channels_first"])
def test_plain_layers_are_channels_first_unless_they_say_otherwise(layout: str | None) -> None:
    x = np.ones((2, 3, 4, 5))
    assert adapt_norm(Looking(), layout).forward(x, training=True) is x


def test_a_layout_means_nothing_to_a_family_without_a_channel_axis() -> None:
    x = np.ones((2, 3, 4, 5))
    assert adapt(Looking(), layout="channels_last").forward(x, training=True) is x


def test_only_what_the_object_has_is_offered() -> None:
    layer = adapt(Affine())
    assert type(layer).forward is not Layer.forward
    assert type(layer).seed is Layer.seed
    for call in (lambda: layer.seed(1), lambda: layer.value(np.ones(2)), lambda: layer.minimise(np.eye(2), np.ones(2))):
        with pytest.raises(Missing, match="offers no"):
            call()


@pytest.mark.parametrize("result", [[1.0], None, (1.0, 2.0), "text", 1.0, np.ma.ones(3), np.array([None])])
def test_a_result_that_is_no_array_of_numbers_is_refused(result: object) -> None:
    layer = adapt(Returning(result))
    w = np.ones(3)
    for call in (
        lambda: layer.forward(w, training=True),
        lambda: layer.backward(w),
        lambda: layer.gradient(w),
        lambda: layer.prox(w, 0.1),
        lambda: layer.minimise(np.eye(3), w),
        lambda: layer.step(w, w),
        lambda: layer.log_density(w),
    ):
        with pytest.raises(WrongReturn, match="Invalid result of"):
            call()


@pytest.mark.parametrize("result", [1.5, np.float32(1.5), np.array(1.5, np.float32)])
def test_a_value_may_be_a_float_a_numpy_scalar_or_a_zero_dimensional_array(result: object) -> None:
    value = adapt(Returning(result)).value(np.ones(3, np.float32))
    assert (value.shape, value.dtype.name, float(value)) == ((), "float32", 1.5)


def test_a_value_keeps_a_dtype_that_differs() -> None:
    assert adapt(Returning(np.float64(1))).value(np.ones(3, np.float32)).dtype == np.float64


@pytest.mark.parametrize("result", [np.ones(1), [1.0], None, True])
def test_a_value_that_is_not_one_number_is_refused(result: object) -> None:
    with pytest.raises(WrongReturn, match="Invalid result of `value`"):
        adapt(Returning(result)).value(np.ones(3))


def test_a_parameter_that_is_a_list_is_refused() -> None:
    native = Affine()
    native.parameters["g"] = [1.0]  # type: ignore[assignment]
    with pytest.raises(WrongReturn, match="parameters"):
        adapt(native).parameters()


def test_tolerance_is_read_from_the_attribute() -> None:
    native = Returning(np.ones(2))
    assert adapt(native).tolerance() is None
    native.tolerance = 1e-6  # type: ignore[attr-defined]
    assert adapt(native).tolerance() == 1e-6
    native.tolerance = "small"  # type: ignore[attr-defined]
    with pytest.raises(WrongReturn, match="tolerance"):
        adapt(native).tolerance()


class ModuleLike:
    """Like torch.nn.Module: `parameters` is a method."""

    def forward(self) -> None: ...

    def parameters(self) -> list[object]:
        return []


@pytest.mark.parametrize("native", [ModuleLike(), object(), Affine, None, 3])
def test_other_objects_are_refused_in_one_sentence(native: object) -> None:
    assert not plain.adapts(native)
    with pytest.raises(TypeError, match="is no plain layer"):
        adapt(native)
