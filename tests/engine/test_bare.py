"""Bare classes: family and constructor arguments from conventional names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from regcheck import bare, loading
from regcheck.families import (
    BatchNormConfig,
    DropoutConfig,
    GroupNormConfig,
    InstanceNormConfig,
    LayerNormConfig,
    PenaltyConfig,
    PriorConfig,
    WeightDecayConfig,
)
from regcheck.implementation import Unsupported

MARKS = {
    "torch": pytest.mark.torch,
    "keras": pytest.mark.tensorflow,
    "tensorflow": pytest.mark.tensorflow,
    "sklearn": pytest.mark.sklearn,
}


def of(framework: str, *values: Any) -> Any:
    """Parameters of a test that needs a framework."""
    return pytest.param(*values, marks=MARKS[framework])


@pytest.fixture(autouse=True)
def _adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        loading, "ADAPTERS", {n: f"regcheck.adapters.{n}" for n in ("plain", "torch", "keras", "sklearn")}
    )


class Recording:
    """Remembers its arguments."""

    def __init__(self, **given: Any) -> None:
        self.given = given


class LayerNorm(Recording):
    def __init__(
        self, dim: int, variance_epsilon: float = 1e-6, *, bias: bool = True, elementwise_affine: bool = True
    ) -> None:
        super().__init__(dim=dim, eps=variance_epsilon, bias=bias, affine=elementwise_affine)


class RMSNorm(Recording):
    def __init__(self, hidden_size: int, norm_eps: float = 1e-6, bias: Any = None) -> None:
        super().__init__(size=hidden_size, eps=norm_eps, bias=bias)


class BatchNorm(Recording):
    def __init__(self, num_features: int, eps: float, momentum: float, *, affine: bool = True) -> None:
        super().__init__(channels=num_features, eps=eps, momentum=momentum, affine=affine)


class BatchNorm1d(BatchNorm):
    pass


class InstanceNorm2d(Recording):
    def __init__(self, channels: int, epsilon: float = 0.0, *, center: bool = True, scale: bool = True) -> None:
        super().__init__(channels=channels, eps=epsilon, center=center, scale=scale)


class GroupNorm(Recording):
    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5) -> None:
        super().__init__(groups=num_groups, channels=num_channels, eps=eps)


class DropPath(Recording):
    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__(rate=drop_prob)


class L1(Recording):
    def __init__(self, strength: float) -> None:
        super().__init__(strength=strength)


class Laplace(Recording):
    def __init__(self, loc: float, scale: float) -> None:
        super().__init__(loc=loc, scale=scale)


class SGD(Recording):
    def __init__(self, params: Any, lr: float = 1e-3, weight_decay: float = 0.0) -> None:
        super().__init__(params=params, lr=lr, weight_decay=weight_decay)


class Odd(Recording):
    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__(width=width, eps=eps)


class GroupNormalization(Recording):
    def __init__(self, groups: int = 2) -> None:
        super().__init__(groups=groups)


@pytest.mark.parametrize(
    ("cls", "family", "config", "given"),
    [
        (LayerNorm, "layer_norm", LayerNormConfig((3,), 1e-3), {"dim": 3, "eps": 1e-3, "bias": True, "affine": True}),
        (
            LayerNorm,
            "layer_norm",
            LayerNormConfig((3,), affine=False),
            {"dim": 3, "eps": 1e-5, "bias": False, "affine": False},
        ),
        (RMSNorm, "rms_norm", LayerNormConfig((3,), 1e-3), {"size": 3, "eps": 1e-3, "bias": None}),
        (BatchNorm, "batch_norm", BatchNormConfig(3, 2), {"channels": 3, "eps": 1e-5, "momentum": 0.1, "affine": True}),
        (
            InstanceNorm2d,
            "instance_norm",
            InstanceNormConfig(3, 2, affine=False),
            {"channels": 3, "eps": 1e-5, "center": False, "scale": False},
        ),
        (GroupNorm, "group_norm", GroupNormConfig(6, 3), {"groups": 3, "channels": 6, "eps": 1e-5}),
        (DropPath, "drop_path", DropoutConfig(0.3), {"rate": 0.3}),
        (L1, "l1", PenaltyConfig(l1=0.7, l2=0.2), {"strength": 0.7}),
        (Laplace, "laplace_prior", PriorConfig(0.3), {"loc": 0.0, "scale": 0.3}),
    ],
)
def test_conventional_names_are_filled_from_the_config(
    cls: Any, family: str, config: Any, given: dict[str, Any]
) -> None:
    implementation = bare.infer(cls, None)
    assert implementation.family == family
    assert implementation.factory(config).given == given


def test_an_optimiser_waits_for_its_parameters() -> None:
    make = bare.infer(SGD, None).factory(WeightDecayConfig(0.5, 0.1))
    assert make(["w"]).given == {"params": ["w"], "lr": 0.5, "weight_decay": 0.1}


@pytest.mark.parametrize(
    ("cls", "config", "reason"),
    [
        (LayerNorm, LayerNormConfig((2, 3)), "one axis"),
        (GroupNorm, GroupNormConfig(6, 3, affine=False), "always has a scale"),
        (InstanceNorm2d, InstanceNormConfig(3, 1), "takes 2 spatial axes, not 1"),
        (BatchNorm1d, BatchNormConfig(3, 2), "takes 0 or 1 spatial axes, not 2"),
    ],
)
def test_a_config_that_the_class_does_not_offer_is_left_out(cls: Any, config: Any, reason: str) -> None:
    with pytest.raises(Unsupported, match=reason):
        bare.infer(cls, None).factory(config)


def test_the_error_shows_the_lines_to_write() -> None:
    with pytest.raises(bare.NotInferredError, match="cannot infer what to give 'width'") as caught:
        bare.infer(Odd, "layer_norm")
    module = Odd.__module__
    assert caught.value.lines == [
        f"    from {module} import Odd",
        '    @regcheck.implements("layer_norm")',
        "    def odd(config):",
        "        return Odd(eps=config.eps, width=...)",
    ]


def test_a_hyper_parameter_that_the_class_cannot_be_given_is_an_error() -> None:
    with pytest.raises(ValueError, match="which argument is eps/epsilon"):
        bare.infer(GroupNormalization, None)


@pytest.mark.parametrize("family", [None, "nonsense", "minimiser"])
def test_an_unknown_family_is_an_error_that_lists_them(family: str | None) -> None:
    with pytest.raises(ValueError, match=r"Expected one of l1, l2, .* Give it with --family, or write"):
        bare.infer(Odd, family)


@pytest.mark.torch
def test_a_name_carries_the_framework_of_the_ancestry() -> None:
    torch = pytest.importorskip("torch")

    class Norm(torch.nn.LayerNorm):  # type: ignore[misc, name-defined]
        pass

    implementation = bare.infer(Norm, "layer_norm")
    assert (implementation.name, implementation.framework, implementation.declares) == ("torch.Norm", "torch", {})


@pytest.mark.parametrize(
    ("framework", "path", "family", "declares"),
    [
        of("sklearn", "sklearn", "sklearn.linear_model:Lasso", "minimiser", {"tolerance": 2e-10}),
        of(
            "torch",
            "torch",
            "torch.nn:LayerNorm",
            "layer_norm",
            {"batch_invariance": "bitwise", "compute_dtype": "float32"},
        ),
        of("torch", "torch", "torch.nn.modules.batchnorm:BatchNorm2d", "batch_norm", {"single_value_batch": "error"}),
        of("keras", "keras", "keras.regularizers:L1", "l1", {"subnormals": "flushed"}),
        of(
            "torch",
            "torch",
            "torch.nn:RMSNorm",
            "rms_norm",
            {"batch_invariance": "bitwise", "compute_dtype": "float32"},
        ),
        of(
            "keras",
            "keras",
            "keras.layers:RMSNormalization",
            "rms_norm",
            {"subnormals": "flushed", "compute_dtype": "float32"},
        ),
    ],
)
def test_a_stock_class_takes_over_its_declarations(framework: str, path: str, family: str, declares: Any) -> None:
    pytest.importorskip(framework)
    found = loading.load({"kind": "bare", "path": path})[path]
    assert (found.family, found.framework) == (family, framework)
    assert found.declares == declares
    assert found.name == f"{framework}.{path.partition(':')[2]}"


@pytest.mark.parametrize("framework", [of(framework, framework) for framework in MARKS])
def test_every_stock_class_exists_and_is_found(framework: str) -> None:
    pytest.importorskip(framework)
    stock = loading.importlib.import_module(f"regcheck.stock.{framework}")
    for path, attribute in stock.STOCK_CLASSES.items():
        found = loading.load({"kind": "bare", "path": path})[path]
        assert found is getattr(stock, attribute).__regcheck__


@pytest.mark.parametrize(
    ("path", "momentum"),
    [of("torch", "torch.nn:SyncBatchNorm", 0.3), of("keras", "keras.layers:BatchNormalization", 0.7)],
)
def test_momentum_is_handed_over_as_the_framework_means_it(path: str, momentum: float, monkeypatch: Any) -> None:
    pytest.importorskip(path.partition(".")[0])
    monkeypatch.setattr(bare, "_stock", lambda _: None)
    layer: Any = loading.load({"kind": "bare", "path": path, "family": "batch_norm"})[path].factory(
        BatchNormConfig(3, momentum=0.3)
    )
    assert layer.momentum == pytest.approx(momentum)


class FlatNorm:
    """Batch normalisation of (N, C) and (N, C, L), whose name does not say so."""

    def __init__(self, num_features: int, eps: float, momentum: float) -> None:
        self.state = {"running_mean": np.zeros(num_features), "running_var": np.ones(num_features)}

    def forward(self, x: Any, training: bool) -> Any:  # noqa: FBT001  (the contract's positional flag)
        if x.ndim not in {2, 3}:
            msg = f"expected 2D or 3D input, got {x.ndim}D"
            raise ValueError(msg)
        return x


class BrokenNorm(FlatNorm):
    def forward(self, x: Any, training: bool) -> Any:  # noqa: FBT001  (the contract's positional flag)
        raise ZeroDivisionError


@pytest.mark.parametrize("ndim", range(4))
def test_numbers_of_axes_that_a_class_refuses_are_left_out(ndim: int) -> None:
    factory = bare.infer(FlatNorm, "batch_norm").factory
    if ndim < 2:
        assert isinstance(factory(BatchNormConfig(3, ndim=ndim)), FlatNorm)
    else:
        with pytest.raises(Unsupported, match=f"{ndim} spatial axes: ValueError: expected 2D or 3D input"):
            factory(BatchNormConfig(3, ndim=ndim))


def test_a_class_that_takes_no_input_at_all_is_judged() -> None:
    assert isinstance(bare.infer(BrokenNorm, "batch_norm").factory(BatchNormConfig(3, ndim=1)), BrokenNorm)
