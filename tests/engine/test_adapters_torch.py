"""The adapter for PyTorch."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from regcheck import loading  # noqa: E402
from regcheck.adapters import torch as adapter  # noqa: E402
from regcheck.families import (  # noqa: E402
    BatchNormConfig,
    DropoutConfig,
    LayerNormConfig,
    PenaltyConfig,
    PriorConfig,
    WeightDecayConfig,
)
from regcheck.implementation import Implementation  # noqa: E402
from regcheck.layer import MODES, Layer, Missing, WrongReturn  # noqa: E402

pytestmark = pytest.mark.torch
nn = torch.nn


def adapt(
    native: object, family: str = "layer_norm", config: Any = None, dtype: str = "float32", **declared: Any
) -> Layer:
    config = config or LayerNormConfig((3,))
    return adapter.adapt(native, Implementation(lambda _: native, family, name="x", **declared), config, dtype)


class Lambda(nn.Module):
    """A module from a function."""

    def __init__(self, function: Any, **tensors: Any) -> None:
        super().__init__()
        self.function = function
        for name, size in tensors.items():
            self.register_parameter(name, nn.Parameter(torch.ones(size)))

    def forward(self, x: Any) -> Any:
        return self.function(self, x)


def test_a_layer_is_seen_overwriting_its_input() -> None:
    x = np.ones((2, 3), np.float32)
    y = adapt(Lambda(lambda _, x: x.mul_(2))).forward(x, training=True)
    assert x.max() == 2
    assert np.shares_memory(x, y)


def test_gradients_of_a_layer_that_overwrites_its_input_are_those_of_what_it_was_given() -> None:
    layer = adapt(Lambda(lambda _, x: x.pow_(2)))
    layer.forward(np.full((1, 3), 3, np.float32), training=True)
    assert layer.backward(np.ones((1, 3), np.float32))["x"].tolist() == [[6, 6, 6]]


def test_a_result_that_is_a_view_of_the_input_shares_its_memory() -> None:
    x = np.ones((2, 3), np.float32)
    assert np.shares_memory(x, adapt(nn.Identity()).forward(x, training=True))


@pytest.mark.parametrize(
    "cut",
    [lambda a: a[::2], lambda a: a[:, ::2], lambda a: a[1:], lambda a: a.T, lambda a: np.broadcast_to(a[0], a.shape)],
)
def test_strides_reach_the_layer_uncopied(cut: Any) -> None:
    x, seen = cut(np.arange(36, dtype=np.float32).reshape(6, 6)), []
    adapt(Lambda(lambda _, x: seen.append((x.stride(), x.data_ptr())) or x)).forward(x, training=True)
    assert seen == [(tuple(s // 4 for s in x.strides), x.ctypes.data)]


def test_negative_strides_arrive_as_a_copy() -> None:
    x = np.arange(6, dtype=np.float32)[::-1].reshape(2, 3)
    layer = adapt(Lambda(lambda _, x: 2 * x))
    assert np.array_equal(layer.forward(x, training=True), 2 * x)
    assert np.array_equal(layer.backward(x)["x"], 2 * x)


def test_read_only_input_is_taken_without_a_warning() -> None:
    x = np.ones((2, 3), np.float32)
    x.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adapt(nn.LayerNorm(3)).forward(x, training=True)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_module_takes_the_case_dtype(dtype: str) -> None:
    layer = adapt(nn.LayerNorm(3), dtype=dtype)
    x = np.arange(6, dtype=dtype).reshape(2, 3)
    assert layer.forward(x, training=True).dtype == dtype
    assert {array.dtype.name for array in (*layer.parameters().values(), *layer.backward(x).values())} == {dtype}


def test_another_dtype_of_the_result_is_passed_on() -> None:
    layer = adapt(Lambda(lambda _, x: x.double()))
    assert layer.forward(np.ones((2, 3), np.float32), training=True).dtype == np.float64
    assert layer.backward(np.ones((2, 3), np.float32))["x"].dtype == np.float32


@pytest.mark.parametrize("result", [None, 1.0, [1.0], "tuple", "sparse", "bfloat16"])
def test_a_result_that_is_no_dense_tensor_is_refused(result: Any) -> None:
    odd = {"tuple": (torch.ones(3),), "sparse": torch.eye(3).to_sparse(), "bfloat16": torch.ones(3).bfloat16()}
    with pytest.raises(WrongReturn, match="Invalid result of `forward`"):
        adapt(Lambda(lambda *_: odd.get(result, result) if isinstance(result, str) else result)).forward(
            np.ones((3, 3), np.float32), training=True
        )


def test_the_mode_is_set_before_every_call() -> None:
    layer = adapt(Lambda(lambda module, x: x * (2 if module.training else 3)))
    x = np.ones((1, 3), np.float32)
    assert [layer.forward(x, training=t).max() for t in (True, False, True)] == [2, 3, 2]


def test_backward_twice_gives_the_same_and_leaves_the_state_alone() -> None:
    layer = adapt(nn.BatchNorm1d(3), "batch_norm", BatchNormConfig(3))
    rng = np.random.default_rng(0)
    layer.forward(rng.normal(size=(5, 3)).astype(np.float32), training=True)
    state, cotangent = layer.state(), rng.normal(size=(5, 3)).astype(np.float32)
    first, second = layer.backward(cotangent), layer.backward(cotangent)
    assert set(first) == {"x", "scale", "shift"}
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert all(np.array_equal(state[name], layer.state()[name]) for name in ("running_mean", "running_var"))


def test_backward_belongs_to_the_last_forward() -> None:
    layer = adapt(Lambda(lambda _, x: x**2))
    for value in (3, 5):
        layer.forward(np.full((1, 3), value, np.float32), training=True)
    assert layer.backward(np.ones((1, 3), np.float32))["x"].max() == 10


def test_an_output_outside_the_graph_has_zero_gradients() -> None:
    layer = adapt(Lambda(lambda module, x: (x * module.weight).detach(), weight=3))
    layer.forward(np.ones((2, 3), np.float32), training=True)
    assert {name: g.tolist() for name, g in layer.backward(np.ones((2, 3), np.float32)).items()} == {
        "x": [[0, 0, 0], [0, 0, 0]],
        "scale": [0, 0, 0],
    }


def test_parameters_are_found_by_synonyms_of_matching_size() -> None:
    layer = adapt(Lambda(lambda *_: None, gamma=3, beta=(1, 3, 1), b=4))
    assert {name: p.shape for name, p in layer.parameters().items()} == {"scale": (3,), "shift": (3,)}


def test_parameters_of_a_wrapped_module_are_found() -> None:
    wrapper = Lambda(lambda module, x: module.norm(x))
    wrapper.norm = nn.LayerNorm(3)
    assert set(adapt(wrapper).parameters()) == {"scale", "shift"}


def test_a_name_that_two_arrays_bear_is_not_guessed() -> None:
    wrapper = Lambda(lambda *_: None)
    wrapper.one, wrapper.two = nn.LayerNorm(3), nn.LayerNorm(3)
    with pytest.raises(Missing, match="no parameter known as 'scale'; map it with names"):
        adapt(wrapper).assign_parameters({"scale": np.ones(3, np.float32)})
    assert set(adapt(wrapper, names={"scale": "one.weight", "shift": "two.bias"}).parameters()) == {"scale", "shift"}


def test_declared_names_win_over_synonyms() -> None:
    module = Lambda(lambda module, x: x * module.g, weight=3, g=3)
    layer = adapt(module, names={"scale": "g"})
    layer.assign_parameters({"scale": np.array([1, 2, 3], np.float32)})
    assert module.g.tolist() == [1, 2, 3]
    assert module.weight.tolist() == [1, 1, 1]


def test_state_may_be_a_plain_attribute_that_is_replaced() -> None:
    def forward(module: Any, x: Any) -> Any:
        module.mu = module.mu + 1
        return x

    module = Lambda(forward)
    module.mu = torch.zeros(3)
    layer = adapt(module, "batch_norm", BatchNormConfig(3), names={"running_mean": "mu"})
    layer.assign_state({"running_mean": np.full(3, 5, np.float32)})
    layer.forward(np.ones((2, 3), np.float32), training=True)
    assert layer.state()["running_mean"].tolist() == [6, 6, 6]


def test_parameters_and_state_read_are_copies() -> None:
    layer = adapt(nn.BatchNorm1d(3), "batch_norm", BatchNormConfig(3))
    layer.parameters()["scale"][:] = 9
    layer.state()["running_mean"][:] = 9
    assert layer.parameters()["scale"].max() == 1
    assert layer.state()["running_mean"].max() == 0


def test_without_affine_there_are_no_parameters() -> None:
    assert adapt(nn.LayerNorm(3, elementwise_affine=False)).parameters() == {}


def test_a_channels_last_layer_gets_a_transposed_view() -> None:
    seen = []
    module = Lambda(lambda module, x: seen.append(x.shape) or x * module.weight, weight=3)
    layer = adapt(module, "batch_norm", BatchNormConfig(3, 2), layout="channels_last")
    layer.assign_parameters({"scale": np.array([1, 2, 3], np.float32)})
    x = np.ones((2, 3, 4, 5), np.float32)
    assert layer.forward(x, training=True)[0, :, 0, 0].tolist() == [1, 2, 3]
    assert layer.backward(x)["x"][0, :, 0, 0].tolist() == [1, 2, 3]
    assert layer.backward(x)["scale"].tolist() == [40, 40, 40]
    assert seen == [(2, 4, 5, 3)]


def test_seeding_replays_modules_with_generators_of_their_own() -> None:
    module = Lambda(lambda module, x: x * torch.rand(x.shape, generator=module.generator))
    module.generator = torch.Generator()
    layer = adapt(module, "dropout", DropoutConfig(0.5))
    x = np.ones((2, 3), np.float32)
    draws = [(layer.seed(seed), layer.forward(x, training=True).tolist())[1] for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_dropout_draws_in_the_order_of_memory_as_the_adapter_says_for_it() -> None:
    layer = adapt(nn.Dropout(0.5), "dropout", DropoutConfig(0.5))
    kept = []
    for x in (np.ones((32, 48), np.float32), np.asfortranarray(np.ones((48, 32), np.float32))):
        layer.seed(1)
        kept.append(layer.forward(x, training=True) != 0)
    assert adapter.DEFAULTS["mask_order"] == "memory"
    assert (kept[0] == kept[1].T).all()


def test_a_default_of_the_adapter_is_told_where_the_family_knows_it_and_the_author_said_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loading, "ADAPTERS", {"plain": "regcheck.adapters.plain", "torch": "regcheck.adapters.torch"})
    told = []
    for family, declares in (("dropout", {}), ("dropout", {"mask_order": "logical"}), ("layer_norm", {})):
        implementation = Implementation(lambda _: nn.Dropout(0.5), family, name="x", declares=declares)
        told.append(loading.describe("x", implementation, [DropoutConfig(0.5)])["defaults"])
    assert told[0] == adapter.DEFAULTS
    assert told[1] == {k: v for k, v in adapter.DEFAULTS.items() if k != "mask_order"}
    assert told[2] == {}


def test_a_function_gets_a_fresh_seed_each_call_and_replays() -> None:
    seeds: list[int] = []
    layer = adapt(lambda x, _, seed: (seeds.append(seed), x)[1], "dropout", DropoutConfig(0.5), framework="torch")
    x = np.ones(3, np.float32)
    for value in (7, 7, 8):
        layer.seed(value)
        layer.forward(x, training=True)
        layer.forward(x, training=True)
    assert seeds[:2] == seeds[2:4]
    assert len(set(seeds)) == 4


def test_functions_that_nobody_seeded_get_seeds_of_their_own() -> None:
    seeds: list[int] = []
    for _ in range(2):
        layer = adapt(lambda x, _, seed: (seeds.append(seed), x)[1], "dropout", DropoutConfig(0.5), framework="torch")
        layer.forward(np.ones(3), training=True)
    assert len(set(seeds)) == 2


def test_a_penalty_is_differentiated() -> None:
    layer = adapt(lambda w: 2 * w.abs().sum(), "l1", PenaltyConfig(l1=2))
    w = np.array([[-1.0, 0.0], [3.0, 4.0]])
    assert layer.value(w) == 16
    assert layer.gradient(w).tolist() == [[-2, 0], [2, 2]]
    assert type(layer).prox is Layer.prox


@pytest.mark.parametrize("value", [torch.ones(1), 1.0, None])
def test_a_penalty_that_is_no_scalar_tensor_is_refused(value: Any) -> None:
    with pytest.raises(WrongReturn, match="a scalar tensor"):
        adapt(lambda _: value, "l1", PenaltyConfig()).value(np.ones(2))


def test_a_constant_penalty_has_gradient_zero() -> None:
    assert adapt(lambda _: torch.zeros(()), "l1", PenaltyConfig()).gradient(np.ones(2)).tolist() == [0, 0]


FIRST_STEP = """
import sys
from regcheck.adapters import torch as adapter
from torch import nn, optim
w = nn.Parameter(adapter.torch.ones(3))
w.grad = adapter.torch.ones(3)
before = set(sys.modules)
optim.Adam([w]).step()
print(sum(name.startswith(("torch._dynamo", "sympy")) for name in set(sys.modules) - before))
"""


def test_what_an_optimiser_imports_at_its_first_step_is_there_before_any_call() -> None:
    seen = subprocess.run([sys.executable, "-c", FIRST_STEP], capture_output=True, text=True, check=True)
    assert seen.stdout == "0\n"


def test_an_optimiser_keeps_its_memory_over_the_steps() -> None:
    layer = adapt(lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.5), "weight_decay", WeightDecayConfig(1.0, 0.0))
    w, gradient = np.zeros(2), np.ones(2)
    first = layer.step(w, gradient)
    assert layer.step(first, gradient).tolist() == [-2.5, -2.5]
    assert first.tolist() == [-1, -1]
    assert w.tolist() == [0, 0]


def test_a_distribution_gives_its_log_density() -> None:
    with adapter.building("float64"):
        native = torch.distributions.Laplace(0.0, 0.3)
    density = adapt(native, "laplace_prior", PriorConfig(0.3), "float64").log_density(np.array([0.0, 1.0]))
    assert np.allclose(density, [-np.log(0.6), -np.log(0.6) - 1 / 0.3], rtol=1e-15)
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize(
    ("native", "family"), [(3, "layer_norm"), (nn.Identity(), "minimiser"), (len, "minimiser"), (None, "l1")]
)
def test_other_objects_are_refused_in_one_sentence(native: object, family: str) -> None:
    with pytest.raises(TypeError, match=f"cannot be adapted as {family}. Expected one of"):
        adapt(native, family)


@pytest.mark.parametrize("mode", MODES)
def test_second_derivatives_of_a_cube(mode: str) -> None:
    x, g, v = (np.array([row], np.float64) for row in ([1, -2, 3], [4, 5, 6], [0.5, 1, -1]))
    layer = adapt(Lambda(lambda _, x: x.pow_(3)), dtype="float64")
    assert layer.second(x, g, v, True, mode) == pytest.approx(6 * x * g * v)  # noqa: FBT003
    assert x.tolist() == [[1, -2, 3]]
    assert not adapt(Lambda(lambda _, x: 2 * x), dtype="float64").second(x, g, v, True, mode).any()  # noqa: FBT003


class _Once(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *cotangents: Any) -> Any:
        return 2 * ctx.saved_tensors[0] * cotangents[0]


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_pytorch_refuses_is_missing(mode: str) -> None:
    x = np.ones((1, 3), np.float32)
    with pytest.raises(Missing, match=mode):
        adapt(Lambda(lambda _, x: _Once.apply(x))).second(x, x, x, True, mode)  # noqa: FBT003


@pytest.mark.parametrize("mode", MODES)
def test_a_layer_s_own_error_is_no_refusal_of_a_mode(mode: str) -> None:
    def broken(_: Any, x: Any) -> Any:
        msg = "this layer is not implemented"
        raise NotImplementedError(msg)

    x = np.ones((1, 3), np.float32)
    with pytest.raises(NotImplementedError, match="this layer"):
        adapt(Lambda(broken)).second(x, x, x, True, mode)  # noqa: FBT003
