"""Right layers in PyTorch whose derivatives are written by hand, or refused: no property may fail for them."""

from __future__ import annotations

from typing import Any

import torch

import regcheck

EXPECTED: dict[str, str] = {}


def standardised(x: torch.Tensor, axes: tuple[int, ...], eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """ẑ and 1/√(σ² + ε)."""
    mean = x.mean(axes, keepdim=True)
    s = torch.rsqrt((x - mean).square().mean(axes, keepdim=True) + eps)
    return (x - mean) * s, s


class _ByHand(torch.autograd.Function):
    """The closed form, formed again from x, so that it is differentiable itself."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
        ctx.axes, ctx.eps = axes, eps
        ctx.save_for_backward(x)
        return standardised(x, axes, eps)[0]

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        g, axes = cotangents[0], ctx.axes
        z, s = standardised(ctx.saved_tensors[0], axes, ctx.eps)
        return s * (g - g.mean(axes, keepdim=True) - z * (g * z).mean(axes, keepdim=True)), None, None


class _Once(torch.autograd.Function):
    """Saved statistics, and the word that they do not bear a second derivative."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
        z, s = standardised(x, axes, eps)
        ctx.axes = axes
        ctx.save_for_backward(z, s)
        return z

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (z, s), g, axes = ctx.saved_tensors, cotangents[0], ctx.axes
        return s * (g - g.mean(axes, keepdim=True) - z * (g * z).mean(axes, keepdim=True)), None, None


class LayerNorm(torch.nn.Module):
    """y = γ·ẑ + β; a variant says how ẑ is formed."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.shape, self.eps = config.shape, config.eps
        self.axes = tuple(range(-len(config.shape), 0))
        self.weight = torch.nn.Parameter(torch.ones(config.shape)) if config.affine else None
        self.bias = torch.nn.Parameter(torch.zeros(config.shape)) if config.affine else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-len(self.shape) :] != self.shape:
            msg = f"Expected (..., {self.shape}). Received shape {tuple(x.shape)}."
            raise ValueError(msg)
        wide = x.float() if x.dtype == torch.float16 else x
        z = self.normalised(wide)
        return (z if self.weight is None else z * self.weight + self.bias).to(x.dtype)

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        return standardised(x, self.axes, self.eps)[0]


@regcheck.implements("layer_norm")
class LayerNormWrittenOut(LayerNorm):
    """By the definition: every mode is offered, and right."""


@regcheck.implements("layer_norm")
class LayerNormFolded(LayerNorm):
    """x·k − mean·k."""

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        k = standardised(x, self.axes, self.eps)[1]
        return x * k - x.mean(self.axes, keepdim=True) * k


@regcheck.implements("layer_norm")
class LayerNormByHand(LayerNorm):
    """A Function whose backward is differentiable; without a jvp it refuses forward mode."""

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        return _ByHand.apply(x, self.axes, self.eps)


@regcheck.implements("layer_norm")
class LayerNormOnce(LayerNorm):
    """Marked with once_differentiable: refuses every mode."""

    def normalised(self, x: torch.Tensor) -> torch.Tensor:
        return _Once.apply(x, self.axes, self.eps)
