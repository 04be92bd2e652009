"""Every stock implementation, through its adapter, against the definition in float64."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from regcheck.adapters import plain
from regcheck.families import (
    FAMILIES,
    BatchNormConfig,
    DropoutConfig,
    MinimiserConfig,
    PenaltyConfig,
    PriorConfig,
    WeightDecayConfig,
)
from regcheck.implementation import Implementation, Unsupported, implementations_in

if TYPE_CHECKING:
    from regcheck.layer import Array, Layer

MARKS = {
    "torch": pytest.mark.torch,
    "keras": pytest.mark.tensorflow,
    "tensorflow": pytest.mark.tensorflow,
    "sklearn": pytest.mark.sklearn,
}
UNIT = {"float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}
# keras.regularizers cast their Python float through float32, whatever the dtype of w.
ROUNDED_STRENGTH = ("keras.L1", "keras.L2", "keras.L1L2")


def _cases(*families: str) -> list[Any]:
    found = []
    for framework, mark in MARKS.items():
        for _, stock in implementations_in(importlib.import_module(f"regcheck.stock.{framework}")):
            if stock.family in families:
                dtypes = stock.dtypes or tuple(UNIT)
                found += [pytest.param(stock, dtype, id=f"{stock.name}-{dtype}", marks=mark) for dtype in dtypes]
    return found


def build(stock: Implementation, config: Any, dtype: str) -> Layer:
    """The adapted layer; skips with the reason where the framework is missing."""
    pytest.importorskip(stock.framework or "")
    adapter = importlib.import_module(f"regcheck.adapters.{stock.framework}")
    with getattr(adapter, "building", lambda _: np.errstate())(dtype):
        native = stock.factory(config)
    if plain.adapts(native):
        adapter = plain
    layer: Layer = adapter.adapt(native, stock, config, dtype)
    return layer


def close(observed: Array, expected: Any, scale: Any, dtype: str) -> bool:
    """Whether the error is at most 16 units of rounding of `scale`, in the dtype and shape of the case."""
    expected = np.asarray(expected)
    error = np.abs(observed.astype(np.float64) - expected)
    return (
        observed.shape == expected.shape and observed.dtype == dtype and bool(np.all(error <= 16 * UNIT[dtype] * scale))
    )


def normalised(  # noqa: PLR0913, PLR0917
    x: Array, axes: tuple[int, ...], eps: float, scale: Array, cotangent: Array, centred: float = 1.0
) -> tuple[Array, Array, Array]:
    """x̂, dx and the condition number |x|·s + 1, in float64; `centred` is 0 where no mean is subtracted."""
    mean = centred * x.mean(axes, keepdims=True)
    s = 1 / np.sqrt(np.square(x - mean).mean(axes, keepdims=True) + eps)
    z, dz = (x - mean) * s, cotangent * scale
    dx = s * (dz - centred * dz.mean(axes, keepdims=True) - z * (dz * z).mean(axes, keepdims=True))
    return (
        z,
        dx,
        (1 + np.abs(x).max() * s.max()) * (1 + np.abs(scale).max()) * (1 + s.max()) * (1 + np.abs(cotangent).max()),
    )


@pytest.mark.parametrize(("stock", "dtype"), [*_cases("layer_norm"), *_cases("rms_norm")])
@pytest.mark.parametrize(
    ("batch", "shape", "affine"), [((4,), (5,), True), ((2, 3), (3, 4), True), ((5,), (17,), False)]
)
def test_over_features(stock: Implementation, dtype: str, batch: Any, shape: Any, affine: bool) -> None:  # noqa: FBT001
    config, rng = FAMILIES[stock.family].config(shape, 1e-3, affine), np.random.default_rng(0)
    try:
        layer = build(stock, config, dtype)
    except Unsupported as reason:
        pytest.skip(str(reason))
    x, cotangent = (rng.normal(1, 2, (*batch, *shape)).astype(dtype) for _ in range(2))
    given = {name: rng.normal(size=shape).astype(dtype) for name in ("scale", "shift")}
    if stock.family == "rms_norm":
        del given["shift"]
    if affine:
        layer.assign_parameters(given)
    else:
        assert layer.parameters() == {}
        given = {}
    scale, shift = given.get("scale", np.ones(shape)), given.get("shift", np.zeros(shape))
    axes, wide, centred = (
        tuple(range(-len(shape), 0)),
        cotangent.astype(np.float64),
        float(stock.family == "layer_norm"),
    )
    z, dx, condition = normalised(x.astype(np.float64), axes, config.eps, scale.astype(np.float64), wide, centred)
    for training in (True, False):
        assert close(layer.forward(x, training=training), z * scale + shift, condition, dtype)
        gradients = layer.backward(cotangent)
        assert close(gradients["x"], dx, condition, dtype)
        rows = tuple(range(len(batch)))
        for name, expected in {"scale": wide * z, "shift": wide}.items():
            if name in given:
                assert close(gradients[name], expected.sum(rows), condition * np.abs(expected).sum(rows), dtype)


@pytest.mark.parametrize(("stock", "dtype"), _cases("batch_norm"))
@pytest.mark.parametrize("ndim", range(4))
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm(stock: Implementation, dtype: str, ndim: int, affine: bool) -> None:  # noqa: FBT001
    config, rng = BatchNormConfig(3, ndim, 1e-3, 0.3, affine), np.random.default_rng(0)
    try:
        layer = build(stock, config, dtype)
    except Unsupported as reason:
        pytest.skip(str(reason))
    x, cotangent = (rng.normal(1, 2, (5, 3, 2, 3, 4)[: ndim + 2]).astype(dtype) for _ in range(2))
    start = {"running_mean": rng.normal(size=3).astype(dtype), "running_var": rng.uniform(1, 2, 3).astype(dtype)}
    assert {name: value.tolist() for name, value in layer.state().items()} == {
        "running_mean": [0, 0, 0],
        "running_var": [1, 1, 1],
    }
    layer.assign_state(start)
    scale, shift = np.ones(3), np.zeros(3)
    if affine:
        scale, shift = (rng.normal(size=3).astype(dtype) for _ in range(2))
        layer.assign_parameters({"scale": scale, "shift": shift})
    assert set(layer.parameters()) == ({"scale", "shift"} if affine else set())
    axes, shape = (0, *range(2, ndim + 2)), (3, *(1,) * ndim)
    wide, exact = x.astype(np.float64), cotangent.astype(np.float64)
    gamma, beta = scale.astype(np.float64).reshape(shape), shift.astype(np.float64).reshape(shape)
    z, dx, condition = normalised(wide, axes, config.eps, gamma, exact)

    assert close(layer.forward(x, training=True), z * gamma + beta, condition, dtype)
    count = x.size // 3
    bessel = 1 if stock.declares.get("running_variance") == "biased" else count / (count - 1)
    batch = {"running_mean": wide.mean(axes), "running_var": wide.var(axes) * bessel}
    state = {name: 0.7 * start[name].astype(np.float64) + 0.3 * batch[name] for name in start}
    assert all(close(layer.state()[name], state[name], np.abs(wide).max() ** 2, dtype) for name in state)
    gradients = layer.backward(cotangent)
    assert close(gradients["x"], dx, condition, dtype)
    if affine:
        assert close(gradients["scale"], (exact * z).sum(axes), condition * np.abs(exact * z).sum(axes), dtype)
        assert close(gradients["shift"], exact.sum(axes), np.abs(exact).sum(axes), dtype)
    assert all(close(layer.state()[name], state[name], np.abs(wide).max() ** 2, dtype) for name in state)

    layer.assign_state(start)
    mean, variance = (start[name].astype(np.float64).reshape(shape) for name in ("running_mean", "running_var"))
    k = gamma / np.sqrt(variance + config.eps)
    assert close(layer.forward(x, training=False), k * (wide - mean) + beta, condition, dtype)
    assert close(layer.backward(cotangent)["x"], k * exact, condition, dtype)
    assert all(np.array_equal(layer.state()[name], start[name]) for name in start)


@pytest.mark.parametrize(("stock", "dtype"), _cases("dropout"))
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.8, 1.0])
def test_dropout(stock: Implementation, dtype: str, rate: float) -> None:
    try:
        layer = build(stock, DropoutConfig(rate), dtype)
    except Unsupported as reason:
        pytest.skip(str(reason))
    rng = np.random.default_rng(0)
    x, cotangent = np.ones((20, 30), dtype), rng.normal(size=(20, 30)).astype(dtype)
    layer.seed(1)
    first, second = (layer.forward(x, training=True) for _ in range(2))
    kept, factor = second != 0, 1 / (1 - rate) if rate < 1 else 0
    assert close(second, kept * factor, factor, dtype)
    assert close(layer.backward(cotangent)["x"], kept * cotangent.astype(np.float64) * factor, 10 * factor, dtype)
    assert np.array_equal(layer.backward(cotangent)["x"], layer.backward(cotangent)["x"])
    layer.seed(1)
    assert np.array_equal(layer.forward(x, training=True), first)
    assert np.array_equal(layer.forward(x, training=True), second)
    assert np.array_equal(first, second) == (rate in {0, 1})
    assert np.array_equal(layer.forward(cotangent, training=False), cotangent)


@pytest.mark.parametrize(("stock", "dtype"), _cases("channel_dropout", "drop_path"))
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_dropout_of_channels_and_samples(stock: Implementation, dtype: str, ndim: int) -> None:
    try:
        layer = build(stock, DropoutConfig(0.3, ndim), dtype)
    except Unsupported as reason:
        pytest.skip(str(reason))
    shape, axes = (20, 30, 2, 3, 4)[: 2 + ndim], 2 if stock.family == "channel_dropout" else 1
    x, cotangent = np.ones(shape, dtype), np.random.default_rng(0).normal(size=shape).astype(dtype)
    layer.seed(1)
    y = layer.forward(x, training=True)
    first = y.reshape(*shape[:axes], -1)[..., 0]
    kept = np.broadcast_to(first.reshape(*shape[:axes], *(1,) * (len(shape) - axes)) != 0, shape)
    assert 0 < np.count_nonzero(first) < first.size
    assert close(y, kept / 0.7, 1 / 0.7, dtype)
    assert close(layer.backward(cotangent)["x"], kept * cotangent.astype(np.float64) / 0.7, 10, dtype)
    layer.seed(1)
    assert np.array_equal(layer.forward(x, training=True), y)
    assert np.array_equal(layer.forward(cotangent, training=False), cotangent)


@pytest.mark.parametrize(("stock", "dtype"), _cases("l1", "l2", "elastic_net"))
def test_penalty(stock: Implementation, dtype: str) -> None:
    config = PenaltyConfig(l1=0.3 * (stock.family != "l2"), l2=0.7 * (stock.family != "l1"))
    layer, w = build(stock, config, dtype), np.random.default_rng(0).normal(size=(3, 5)).astype(dtype)
    w[0, 0] = 0
    l2 = config.l2 * float(stock.declares.get("l2_factor", 1))
    unit = "float32" if stock.name in ROUNDED_STRENGTH and dtype == "float64" else dtype
    wide, scale = w.astype(np.float64), UNIT[unit] / UNIT[dtype]
    value, gradient = config.l1 * np.abs(wide).sum() + l2 * (wide**2).sum(), config.l1 * np.sign(wide) + 2 * l2 * wide
    assert close(layer.value(w), value, scale * value, dtype)
    assert close(layer.gradient(w), gradient, scale * np.abs(gradient), dtype)


@pytest.mark.parametrize(("stock", "dtype"), _cases("laplace_prior", "gaussian_prior"))
def test_prior(stock: Implementation, dtype: str) -> None:
    w = np.random.default_rng(0).normal(size=(3, 5)).astype(dtype)
    size = np.abs(w.astype(np.float64)) / 0.3
    fallen, peak = (
        (size, -np.log(0.6)) if stock.family == "laplace_prior" else (size**2 / 2, -np.log(0.3 * np.sqrt(2 * np.pi)))
    )
    assert close(build(stock, PriorConfig(0.3), dtype).log_density(w), peak - fallen, 1 + fallen, dtype)


@pytest.mark.parametrize(("stock", "dtype"), _cases("weight_decay"))
def test_weight_decay(stock: Implementation, dtype: str) -> None:
    config, rng = WeightDecayConfig(0.5, 0.25), np.random.default_rng(0)  # exact in single precision, as Keras keeps it
    layer = build(stock, config, dtype)
    w, gradient = (rng.normal(size=(3, 5)).astype(dtype) for _ in range(2))
    copies, wide = (w.copy(), gradient.copy()), w.astype(np.float64)
    first = layer.step(w, gradient)
    coupled = stock.declares.get("decay") == "coupled"
    joined = gradient.astype(np.float64) + (0.25 * wide if coupled else 0)
    kept = wide if coupled else 0.875 * wide
    adaptive = stock.declares.get("optimiser") == "adaptive"
    slack = 1e-2 / UNIT[dtype] / 16 if adaptive else 0  # ε, and averages in half precision
    assert close(first, kept - 0.5 * (np.sign(joined) if adaptive else joined), 1 + np.abs(wide) + slack, dtype)
    assert np.array_equal(w, copies[0])
    assert np.array_equal(gradient, copies[1])
    again = build(stock, config, dtype).step(w, gradient)
    assert np.array_equal(first, again)  # a fresh one knows nothing of the other's gradients
    if not adaptive:
        assert np.array_equal(first, layer.step(w, gradient)) == ("momentum" not in stock.name)


@pytest.mark.parametrize(("stock", "dtype"), _cases("minimiser"))
@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.1), (0.1, 0.0), (0.0, 0.1)])
def test_minimiser_leaves_its_inputs_alone(stock: Implementation, dtype: str, l1: float, l2: float) -> None:
    try:
        layer = build(stock, MinimiserConfig(l1, l2), dtype)
    except Unsupported as reason:
        pytest.skip(str(reason))
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(6, 3)).astype(dtype), rng.normal(size=6).astype(dtype)
    copies = a.copy(), b.copy()
    w = layer.minimise(a, b)
    assert (w.shape, w.dtype.name) == ((3,), dtype)
    assert np.array_equal(a, copies[0])
    assert np.array_equal(b, copies[1])


def problem(name: str, l1: float, l2: float) -> tuple[Array, Array, Array]:
    """A, b and the solution that the implementation called `name` gives."""
    stock = next(case.values[0] for case in _cases("minimiser") if case.values[0].name == name)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(8, 5)), rng.normal(size=8)
    return a, b, build(stock, MinimiserConfig(l1, l2), "float64").minimise(a, b)


@pytest.mark.tensorflow
@pytest.mark.parametrize(("l1", "l2"), [(0.7, 0.0), (0.0, 0.7), (0.7, 0.3), (100.0, 0.0)])
def test_proximal_gradient_descent_solves_the_documents_problem(l1: float, l2: float) -> None:
    a, b, w = problem("tensorflow.ProximalGradientDescent", l1, l2)
    slope = a.T @ (a @ w - b) + 2 * l2 * w
    assert np.allclose(slope[w != 0], -l1 * np.sign(w[w != 0]), atol=1e-6)
    assert np.all(np.abs(slope[w == 0]) <= l1)


@pytest.mark.torch
def test_a_subgradient_never_reaches_zero() -> None:
    a, b, w = problem("torch.SGD", 100.0, 0.0)
    assert np.abs(a.T @ b).max() < 100
    assert np.all(w != 0)
    assert np.abs(w).max() < 1e-3


@pytest.mark.tensorflow
def test_ftrl_forgets_its_penalties() -> None:
    from regcheck.stock import keras as stock  # noqa: PLC0415

    a, b, _ = problem("keras.Ftrl", 0.7, 0.7)
    unpenalised = np.linalg.lstsq(a, b, rcond=None)[0]
    follow = [stock._following(0.7, 0.7, 5, steps)(a, b, np.linalg.norm(a, 2) ** 2) for steps in (30, 300, 3000)]
    far, near, nearest = (np.abs(w.numpy() - unpenalised).max() for w in follow)
    assert far > near > nearest
    assert nearest < 0.05
