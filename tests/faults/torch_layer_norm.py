"""Layer normalisations as PyTorch modules; each differs from a right one in one step."""

from __future__ import annotations

import math
from typing import Any

import torch

import regcheck

EXPECTED = {
    "LayerNormUnbiasedByDefault": "layer_norm.matches-definition",
    "LayerNormOfTheAnnotatedTransformer": "layer_norm.matches-definition",
    "LayerNormOnePass": "layer_norm.matches-definition",
    "LayerNormLastAxisOnly": "layer_norm.matches-definition",
    "LayerNormStatisticsDetached": "layer_norm.gradient-input",
    "LayerNormStridesIgnored": "common.layouts",
    "LayerNormInPlace": "common.input-unchanged",
    "LayerNormOutputReused": "common.calls-do-not-leak",
    "LayerNormParameterGradientsAveraged": "layer_norm.gradient-parameters",
    "LayerNormCotangentClipped": "layer_norm.gradient-input",
    "LayerNormInHalf": "layer_norm.matches-definition",
}


class LayerNorm(torch.nn.Module):
    """The right layer; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.shape, self.eps = config.shape, config.eps
        self.weight = torch.nn.Parameter(torch.ones(config.shape)) if config.affine else None
        self.bias = torch.nn.Parameter(torch.zeros(config.shape)) if config.affine else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        if x.shape[-len(self.shape) :] != self.shape:
            msg = f"Expected (..., {self.shape}). Received shape {tuple(x.shape)}."
            raise ValueError(msg)
        return self._affine(self._normalised(self._widened(x))).to(x.dtype)

    def _widened(self, x: torch.Tensor) -> torch.Tensor:
        return x.float() if x.dtype == torch.float16 else x

    def _axes(self) -> tuple[int, ...]:
        return tuple(range(-len(self.shape), 0))

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(self._axes(), keepdim=True)
        return (x - mean) * torch.rsqrt(self._variance(x, mean) + self.eps)

    def _variance(self, x: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        return (x - mean).square().mean(self._axes(), keepdim=True)

    def _affine(self, y: torch.Tensor) -> torch.Tensor:
        return y if self.weight is None else y * self.weight + self.bias


@regcheck.implements("layer_norm")
class LayerNormUnbiasedByDefault(LayerNorm):
    """torch.var divides by n − 1 unless told not to."""

    def _variance(self, x: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        return x.var(self._axes(), keepdim=True) if math.prod(self.shape) > 1 else torch.zeros_like(mean)


@regcheck.implements("layer_norm")
class LayerNormOfTheAnnotatedTransformer(LayerNorm):
    """a·(x − mean)/(std + ε) + b with the unbiased std (harvardnlp/annotated-transformer), copied everywhere."""

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        std = x.std(self._axes(), keepdim=True)
        return (x - x.mean(self._axes(), keepdim=True)) / (std + self.eps)


@regcheck.implements("layer_norm")
class LayerNormOnePass(LayerNorm):
    """mean(x²) − mean² (pytorch#51102)."""

    def _variance(self, x: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        return (x.square().mean(self._axes(), keepdim=True) - mean.square()).clamp(min=0)


@regcheck.implements("layer_norm")
class LayerNormLastAxisOnly(LayerNorm):
    """Normalises over the last axis whatever the shape has; invisible with one-dimensional shapes."""

    def _axes(self) -> tuple[int, ...]:
        return (-1,)


@regcheck.implements("layer_norm")
class LayerNormStatisticsDetached(LayerNorm):
    """Takes mean and variance under no_grad (keras#19102, tinygrad#141)."""

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        still = x.detach()
        mean = still.mean(self._axes(), keepdim=True)
        return (x - mean) * torch.rsqrt(self._variance(still, mean) + self.eps)


@regcheck.implements("layer_norm")
class LayerNormStridesIgnored(LayerNorm):
    """Reads the memory as if it were contiguous (unsloth#10675, pytorch#133520)."""

    def _widened(self, x: torch.Tensor) -> torch.Tensor:
        rows = torch.empty(x.shape, device="meta").stride()
        return super()._widened(x.as_strided(x.shape, rows, x.storage_offset()))


@regcheck.implements("layer_norm")
class LayerNormInPlace(LayerNorm):
    """Centres the caller's tensor in place."""

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            x.sub_(x.mean(self._axes(), keepdim=True))
        return super()._normalised(x)

    def _widened(self, x: torch.Tensor) -> torch.Tensor:
        return x


@regcheck.implements("layer_norm")
class LayerNormOutputReused(LayerNorm):
    """Writes every result into one buffer, so that a call changes the last one's result."""

    def _affine(self, y: torch.Tensor) -> torch.Tensor:
        y = super()._affine(y)
        if getattr(self, "buffer", torch.empty(0)).shape != y.shape:
            self.buffer = torch.empty_like(y)
        self.buffer.data.copy_(y.detach())
        return _Stored.apply(y, self.buffer.data)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y, in the buffer; half precision in half precision's own."""
        self.buffer = getattr(self, "buffer", torch.empty(0)).to(x.dtype)
        return super().forward(x)


class _Stored(torch.autograd.Function):
    """The value of `buffer` with the gradient of `y`."""

    @staticmethod
    def forward(ctx: Any, y: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
        return buffer

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> Any:
        return cotangent, None


class _Averaged(torch.autograd.Function):
    """γ and β copied to each sample; their gradients are averaged over samples, not summed."""

    @staticmethod
    def forward(ctx: Any, parameter: torch.Tensor, samples: int) -> torch.Tensor:
        ctx.samples = samples
        return parameter.clone()

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> Any:
        return cotangent / max(ctx.samples, 1), None


@regcheck.implements("layer_norm")
class LayerNormParameterGradientsAveraged(LayerNorm):
    """dγ and dβ are means over samples (Liger#1376's kind); invisible with one sample."""

    def _affine(self, y: torch.Tensor) -> torch.Tensor:
        if self.weight is None:
            return y
        samples = y.numel() // max(self.weight.numel(), 1)
        return y * _Averaged.apply(self.weight, samples) + _Averaged.apply(self.bias, samples)


class _Clipped(torch.autograd.Function):
    """The identity whose cotangent is clipped to ±1."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, cotangent: torch.Tensor) -> torch.Tensor:
        return cotangent.clamp(-1, 1)


@regcheck.implements("layer_norm")
class LayerNormCotangentClipped(LayerNorm):
    """Clips its gradient, "for stability"; invisible with ones."""

    def _affine(self, y: torch.Tensor) -> torch.Tensor:
        return _Clipped.apply(super()._affine(y))


@regcheck.implements("layer_norm")
class LayerNormInHalf(LayerNorm):
    """Squares float16 in float16: infinite where |x − mean| > 256."""

    def _widened(self, x: torch.Tensor) -> torch.Tensor:
        return x
