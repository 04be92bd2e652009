"""Right layers written out in PyTorch operations, each in a way of its own: no property may fail for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from correct_torch import RAISES, OwnBatchNorm, WrittenOut
from torch.nn import functional

import regcheck

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED: dict[str, str] = {}


# --- layer normalisation


class ByHand(torch.autograd.Function):
    """Layer normalisation of rows with its gradient written out."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, eps: float) -> torch.Tensor:
        """z (N, n)."""
        centred = rows - rows.mean(1, keepdim=True)
        inverse = torch.rsqrt(centred.square().mean(1, keepdim=True) + eps)
        z = centred * inverse
        ctx.save_for_backward(z, inverse)
        return z

    @staticmethod
    def backward(ctx: Any, *cotangents: torch.Tensor) -> Any:
        """dx of (N, n)."""
        z, inverse = ctx.saved_tensors
        (g,) = cotangents
        return inverse * (g - g.mean(1, keepdim=True) - z * (g * z).mean(1, keepdim=True)), None


class ByHandLayerNorm(WrittenOut):
    """The affine map around a function with a gradient of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        if x.shape[-len(self.shape) :] != self.shape:
            msg = f"Expected (..., {self.shape}). Received shape {tuple(x.shape)}."
            raise ValueError(msg)
        wide = x.float() if x.dtype == torch.float16 else x
        z = ByHand.apply(wide.reshape(-1, math.prod(self.shape)), self.eps).reshape(x.shape)
        return (z if self.weight is None else z * self.weight + self.bias).to(x.dtype)


@regcheck.implements(
    "layer_norm",
    deviations={"layer_norm.second-derivative-reverse-over-reverse": "what it saved are constants"},
)
def layer_norm_by_hand(config: Any) -> torch.nn.Module:
    """Its gradient is written out."""
    return ByHandLayerNorm(config)


class Double(torch.nn.Module):
    """A layer that is computed in float64 whatever comes."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        named = {name: value.double() for name, value in self.inner.named_parameters()}
        return torch.func.functional_call(self.inner, named, (x.double(),)).to(x.dtype)


@regcheck.implements(
    "layer_norm",
    deviations={"layer_norm.second-derivative-reverse-over-forward": "a saved mean and 1/σ are constants"},
)
def layer_norm_in_double(config: Any) -> torch.nn.Module:
    """float64 inside."""
    return Double(torch.nn.LayerNorm(config.shape, eps=config.eps, elementwise_affine=config.affine))


class Transposing(WrittenOut):
    """Returns a tensor whose first axis is contiguous."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        y = super().forward(x)
        axes = tuple(reversed(range(y.ndim)))
        return y.permute(axes).contiguous().permute(axes)


@regcheck.implements("layer_norm")
def layer_norm_transposed(config: Any) -> torch.nn.Module:
    """A result of another layout."""
    return Transposing(config)


# --- batch normalisation


class Written(OwnBatchNorm):
    """Batch normalisation in plain tensor operations; float16 in float32."""

    biased = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype. Raises ValueError for a wrong rank, or one value per channel."""
        config, m = self.config, x.numel() // max(x.shape[1], 1)
        if x.ndim != config.ndim + 2 or x.shape[1] != config.channels or (self.training and m < 2):
            msg = f"Expected (N, {config.channels}, *) with {config.ndim} axes more. Received {tuple(x.shape)}."
            raise ValueError(msg)
        wide = x.float() if x.dtype == torch.float16 else x
        mean, variance = self.centre.to(wide.dtype), self.spread.to(wide.dtype)
        if self.training:
            variance, mean = torch.var_mean(wide, [0, *range(2, x.ndim)], correction=0)
            with torch.no_grad():
                kept = variance if self.biased else variance * (m / (m - 1))
                self.centre.mul_(1 - config.momentum).add_(config.momentum * mean)
                self.spread.mul_(1 - config.momentum).add_(config.momentum * kept)
        shape = (1, -1, *[1] * config.ndim)
        y = (wide - mean.view(shape)) / torch.sqrt(variance + config.eps).view(shape)
        if self.multiplier is not None:
            y = y * self.multiplier.view(shape) + self.addend.view(shape)
        return y.to(x.dtype)


NAMES = {"scale": "multiplier", "shift": "addend", "running_mean": "centre", "running_var": "spread"}


@regcheck.implements("batch_norm", names=NAMES, declares=RAISES, dtypes=("float32", "float64"))
def batch_norm_written(config: Any) -> torch.nn.Module:
    """var_mean, differentiated by autograd; averages in place, in the type of the state."""
    return Written(config)


class Biased(Written):
    """Records σ² without m/(m − 1)."""

    biased = True


@regcheck.implements(
    "batch_norm", names=NAMES, declares={**RAISES, "running_variance": "biased"}, dtypes=("float32", "float64")
)
def batch_norm_biased(config: Any) -> torch.nn.Module:
    """Says that it records the biased variance."""
    return Biased(config)


# --- dropout


class Bernoulli(torch.nn.Module):
    """where(mask, x / (1 − p), 0) from the process' generator, in logical order."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.rate = float(config.rate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        if not self.training:
            return x
        kept = torch.empty(x.shape).bernoulli_(1 - self.rate).bool()
        return torch.where(kept, x / (1 - self.rate) if self.rate < 1 else x, torch.zeros_like(x))


@regcheck.implements("dropout", declares={"dropped_nonfinite": "zero", "mask_order": "logical"})
def bernoulli_dropout(config: Any) -> torch.nn.Module:
    """Drops ∞ to 0 and draws by position, and says so."""
    return Bernoulli(config)


@regcheck.implements("dropout")
def inplace_dropout(config: Any) -> torch.nn.Module:
    """torch.nn.Dropout in place, on a copy."""
    return torch.nn.Sequential(Copying(), torch.nn.Dropout(config.rate, inplace=True))


class Copying(torch.nn.Module):
    """A copy."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x."""
        return x.clone()


# --- penalties


@regcheck.implements("l1", framework="torch")
def l1_loss(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """functional.l1_loss against zeros."""
    return lambda w: config.l1 * functional.l1_loss(w, torch.zeros_like(w), reduction="sum")


@regcheck.implements("l1", framework="torch")
def l1_signs(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """sign(w)·w, the strength first."""
    return lambda w: (config.l1 * w.sign() * w).sum()


@regcheck.implements("l2", framework="torch")
def l2_by_rows(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Sums along one axis after the other."""

    def value(w: torch.Tensor) -> torch.Tensor:
        squares = config.l2 * w * w
        while squares.ndim:
            squares = squares.sum(-1)
        return squares

    return value


@regcheck.implements("elastic_net", framework="torch", declares={"l2_factor": "0.5"})
def elastic_net_half(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """l1·Σ|w| + ½·l2·Σw², and says so."""
    return lambda w: config.l1 * w.abs().sum() + 0.5 * config.l2 * w.square().sum()
