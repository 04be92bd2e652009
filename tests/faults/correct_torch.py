"""Right layers in PyTorch clothes, with names, layouts and conventions of their own: no property may fail for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

import regcheck

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED: dict[str, str] = {}
RAISES = {"single_value_batch": "error"}


class OwnLayerNorm(torch.nn.Module):
    """functional.layer_norm behind attributes that no list of synonyms knows."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.shape, self.eps = config.shape, config.eps
        self.multiplier = torch.nn.Parameter(torch.ones(config.shape)) if config.affine else None
        self.addend = torch.nn.Parameter(torch.zeros(config.shape)) if config.affine else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        return functional.layer_norm(x, self.shape, self.multiplier, self.addend, self.eps)


@regcheck.implements(
    "layer_norm",
    names={"scale": "multiplier", "shift": "addend"},
    deviations={"layer_norm.second-derivative-reverse-over-forward": "a saved mean and 1/σ are constants"},
)
def named_layer_norm(config: Any) -> torch.nn.Module:
    """Found through `names`."""
    return OwnLayerNorm(config)


@regcheck.implements(
    "layer_norm",
    deviations={"layer_norm.second-derivative-reverse-over-forward": "a saved mean and 1/σ are constants"},
)
def wrapped_layer_norm(config: Any) -> torch.nn.Module:
    """torch.nn.LayerNorm two modules deep."""
    return torch.nn.Sequential(
        torch.nn.Identity(), torch.nn.LayerNorm(config.shape, eps=config.eps, elementwise_affine=config.affine)
    )


@regcheck.implements(
    "layer_norm",
    framework="torch",
    deviations={"layer_norm.second-derivative-reverse-over-forward": "a saved mean and 1/σ are constants"},
)
def function_layer_norm(config: Any) -> Callable[..., torch.Tensor]:
    """A function without parameters, for the configs that have none: what needs them is not-applicable."""
    if config.affine:
        msg = "a function has no γ and β"
        raise regcheck.Unsupported(msg)
    return lambda x, training: functional.layer_norm(x, config.shape, None, None, config.eps)


class WrittenOut(torch.nn.Module):
    """Layer normalisation in plain tensor operations, float16 in float32."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.axes, self.shape, self.eps = tuple(range(-len(config.shape), 0)), config.shape, config.eps
        self.weight = torch.nn.Parameter(torch.ones(config.shape)) if config.affine else None
        self.bias = torch.nn.Parameter(torch.zeros(config.shape)) if config.affine else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        if x.shape[-len(self.shape) :] != self.shape:
            msg = f"Expected (..., {self.shape}). Received shape {tuple(x.shape)}."
            raise ValueError(msg)
        wide = x.float() if x.dtype == torch.float16 else x
        variance, mean = torch.var_mean(wide, self.axes, correction=0, keepdim=True)
        y = (wide - mean) * torch.rsqrt(variance + self.eps)
        return (y if self.weight is None else y * self.weight + self.bias).to(x.dtype)


@regcheck.implements("layer_norm")
def written_layer_norm(config: Any) -> torch.nn.Module:
    """Differentiated by autograd."""
    return WrittenOut(config)


_BATCH_NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)


def _batch_norm(config: Any, momentum: float) -> torch.nn.Module:
    return _BATCH_NORMS[config.ndim](config.channels, eps=config.eps, momentum=momentum, affine=config.affine)


class ChannelsLast(torch.nn.Module):
    """torch.nn.BatchNorm behind a permutation."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.inner = _batch_norm(config, config.momentum)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y (N, *spatial, C)."""
        return self.inner(x.movedim(-1, 1)).movedim(1, -1)


@regcheck.implements(
    "batch_norm",
    layout="channels_last",
    declares=RAISES,
    deviations={"batch_norm.second-derivative-reverse-over-forward": "a saved mean and 1/σ are constants"},
)
def channels_last_batch_norm(config: Any) -> torch.nn.Module:
    """Takes (N, *spatial, C), and says so."""
    return ChannelsLast(config)


@regcheck.implements(
    "batch_norm",
    declares=RAISES,
    deviations={"batch_norm.second-derivative-reverse-over-forward": "a saved mean and 1/σ are constants"},
)
def wrapped_batch_norm(config: Any) -> torch.nn.Module:
    """torch.nn.BatchNorm one module deep."""
    return torch.nn.Sequential(_batch_norm(config, config.momentum))


@regcheck.implements(
    "batch_norm",
    declares={**RAISES, "momentum": "old"},
    deviations={"batch_norm.second-derivative-reverse-over-forward": "a saved mean and 1/σ are constants"},
)
def keras_momentum_batch_norm(config: Any) -> torch.nn.Module:
    """A port whose momentum weighs the old average, and which says so."""
    return _batch_norm(config, 1 - config.momentum)


class OwnBatchNorm(torch.nn.Module):
    """functional.batch_norm behind attributes of its own."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.multiplier = torch.nn.Parameter(torch.ones(config.channels)) if config.affine else None
        self.addend = torch.nn.Parameter(torch.zeros(config.channels)) if config.affine else None
        self.register_buffer("centre", torch.zeros(config.channels))
        self.register_buffer("spread", torch.ones(config.channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype. Raises ValueError for a wrong rank."""
        if x.ndim != self.config.ndim + 2:
            msg = f"Expected {self.config.ndim + 2} axes. Received {x.ndim}."
            raise ValueError(msg)
        weights = (self.multiplier, self.addend)
        return functional.batch_norm(
            x, self.centre, self.spread, *weights, self.training, self.config.momentum, self.config.eps
        )


@regcheck.implements(
    "batch_norm",
    names={"scale": "multiplier", "shift": "addend", "running_mean": "centre", "running_var": "spread"},
    declares=RAISES,
    deviations={"batch_norm.second-derivative-reverse-over-forward": "a saved mean and 1/σ are constants"},
)
def named_batch_norm(config: Any) -> torch.nn.Module:
    """Found through `names`."""
    return OwnBatchNorm(config)


@regcheck.implements("dropout")
def module_dropout(config: Any) -> torch.nn.Module:
    """torch.nn.Dropout."""
    return torch.nn.Dropout(config.rate)


@regcheck.implements("dropout", framework="torch")
def function_dropout(config: Any) -> Callable[..., torch.Tensor]:
    """functional.dropout as a function."""
    return lambda x, training: functional.dropout(x, config.rate, training)


class Selecting(torch.nn.Module):
    """Dropout that selects rather than multiplies, from a generator of its own."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.rate = float(config.rate)
        self.generator = torch.Generator()
        self.generator.seed()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        if not self.training:
            return x
        kept = torch.rand(x.shape, generator=self.generator) >= self.rate
        return torch.where(kept, x / (1 - self.rate) if self.rate < 1 else x, torch.zeros_like(x))


@regcheck.implements("dropout", declares={"dropped_nonfinite": "zero", "mask_order": "logical", "random_stream": "own"})
def selecting_dropout(config: Any) -> torch.nn.Module:
    """Drops ∞ to 0, draws by position and keeps its stream to itself, unlike PyTorch's, and says so."""
    return Selecting(config)


@regcheck.implements("l1", framework="torch")
def l1_abs(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """w.abs().sum()."""
    return lambda w: config.l1 * w.abs().sum()


@regcheck.implements("l2", framework="torch")
def l2_pow(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """w.pow(2).sum()."""
    return lambda w: config.l2 * w.pow(2).sum()


@regcheck.implements("l2", framework="torch", declares={"l2_factor": "0.5"})
def l2_half(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """½λ·Σw², and says so."""
    return lambda w: 0.5 * config.l2 * torch.dot(w.flatten(), w.flatten())


@regcheck.implements(
    "elastic_net",
    framework="torch",
    deviations={"elastic_net.second-derivative-reverse-over-forward": "raises RuntimeError: its sign is overwritten"},
)
def elastic_net_sum(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Both sums."""
    return lambda w: config.l1 * torch.linalg.vector_norm(w, 1) + config.l2 * w.square().sum()
