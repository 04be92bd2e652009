"""Layers and penalties in PyTorch whose values and gradients are right, and whose second derivatives are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

import regcheck

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED = {
    "LayerNormSavedNormalised": "layer_norm.second-derivative-reverse-over-reverse",
    "LayerNormInverseDetached": "layer_norm.second-derivative-reverse-over-reverse",
    "LayerNormBackwardWithoutGraph": "layer_norm.second-derivative-reverse-over-reverse",
    "LayerNormDoubleBackwardTwoForThree": "layer_norm.second-derivative-reverse-over-reverse",
    "LayerNormMeanStopped": "layer_norm.second-derivative-reverse-over-reverse",
    "LayerNormMeanStoppedForwards": "layer_norm.second-derivative-forward-over-reverse",
    "LayerNormTangentOfConstants": "layer_norm.second-derivative-reverse-over-forward",
    "RMSNormSavedInverse": "rms_norm.second-derivative-reverse-over-reverse",
    "InstanceNormMeanStopped": "instance_norm.second-derivative-reverse-over-reverse",
    "GroupNormMeanStopped": "group_norm.second-derivative-reverse-over-forward",
    "BatchNormMeanStopped": "batch_norm.second-derivative-reverse-over-reverse",
    "BatchNormInferenceCurved": "batch_norm.second-derivative-reverse-over-reverse",
    "SquareWithoutCurvature": "l2.second-derivative-reverse-over-reverse",
    "AbsoluteWithCurvature": "l1.second-derivative-reverse-over-reverse",
    "ElasticNetHalved": "elastic_net.second-derivative-reverse-over-reverse",
}


class LayerNorm(torch.nn.Module):
    """y = γ·ẑ + β; a fault overrides how ẑ is formed, or differentiated."""

    centred = True

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.shape, self.eps = config.shape, config.eps
        self.weight = torch.nn.Parameter(torch.ones(config.shape)) if config.affine else None
        self.bias = torch.nn.Parameter(torch.zeros(config.shape)) if config.affine and self.centred else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.normalised(x, tuple(range(-len(self.shape), 0)))
        z = z if self.weight is None else z * self.weight
        return z if self.bias is None else z + self.bias

    def normalised(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return stopped(x, axes, self.eps)


def stopped(x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
    """ẑ with the variance about a mean that is a constant, as tf.nn.moments has it: its gradient is right."""
    mean = x.mean(axes, keepdim=True)
    return (x - mean) * torch.rsqrt((x - mean.detach()).square().mean(axes, keepdim=True) + eps)


def inverse(x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
    """1/√(σ² + ε)."""
    return torch.rsqrt(x.var(axes, correction=0, keepdim=True) + eps)


def gradient(g: torch.Tensor, z: torch.Tensor, s: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """The gradient of the closed form, for whatever ẑ and s are."""
    return s * (g - g.mean(axes, keepdim=True) - z * (g * z).mean(axes, keepdim=True))


class _SavedNormalised(torch.autograd.Function):
    """What ẑ and s depend on is forgotten."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
        s = inverse(x, axes, eps)
        z = (x - x.mean(axes, keepdim=True)) * s
        ctx.axes, ctx.z, ctx.s = axes, z.detach(), s
        return z

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        return gradient(cotangents[0], ctx.z, ctx.s, ctx.axes), None, None


class _TangentOfConstants(_SavedNormalised):
    """So is its tangent."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> torch.Tensor:
        return gradient(tangents[0], ctx.z, ctx.s.detach(), ctx.axes)


class _InverseDetached(torch.autograd.Function):
    """ẑ is formed again from x, s is taken as it was."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
        ctx.axes, ctx.s = axes, inverse(x, axes, eps)
        ctx.save_for_backward(x)
        return (x - x.mean(axes, keepdim=True)) * ctx.s

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (x,) = ctx.saved_tensors
        z = (x - x.mean(ctx.axes, keepdim=True)) * ctx.s
        return gradient(cotangents[0], z, ctx.s, ctx.axes), None, None


class _WithoutGraph(torch.autograd.Function):
    """The backward pass is computed under no_grad: what it gives is a constant."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
        ctx.axes, ctx.eps = axes, eps
        ctx.save_for_backward(x)
        return (x - x.mean(axes, keepdim=True)) * inverse(x, axes, eps)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (x,) = ctx.saved_tensors
        with torch.no_grad():
            s = inverse(x, ctx.axes, ctx.eps)
            return gradient(cotangents[0], (x - x.mean(ctx.axes, keepdim=True)) * s, s, ctx.axes), None, None


class _Gradient(torch.autograd.Function):
    """The gradient, with a backward pass of its own that takes 2·m·c where 3·m·c is due."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, g: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
        ctx.axes, ctx.eps = axes, eps
        ctx.save_for_backward(x, g)
        s = inverse(x, axes, eps)
        return gradient(g, (x - x.mean(axes, keepdim=True)) * s, s, axes)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (x, g), axes, v = ctx.saved_tensors, ctx.axes, cotangents[0]
        s = inverse(x, axes, ctx.eps)
        z = (x - x.mean(axes, keepdim=True)) * s
        m, c = (g * z).mean(axes, keepdim=True), (v * z).mean(axes, keepdim=True)
        g, v = g - g.mean(axes, keepdim=True), v - v.mean(axes, keepdim=True)
        along = -s.square() * (c * g + m * v + z * ((g * v).mean(axes, keepdim=True) - 2 * m * c))
        return along, gradient(cotangents[0], z, s, axes), None, None


class _TwoForThree(torch.autograd.Function):
    """Its gradient is a Function of its own."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
        ctx.axes, ctx.eps = axes, eps
        ctx.save_for_backward(x)
        return (x - x.mean(axes, keepdim=True)) * inverse(x, axes, eps)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        return _Gradient.apply(ctx.saved_tensors[0], cotangents[0], ctx.axes, ctx.eps), None, None


@regcheck.implements("layer_norm")
class LayerNormSavedNormalised(LayerNorm):
    """A fused kernel's backward: right, and a constant in all that was saved."""

    def normalised(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return _SavedNormalised.apply(x, axes, self.eps)


@regcheck.implements("layer_norm")
class LayerNormInverseDetached(LayerNorm):
    """The backward pass detaches 1/σ alone."""

    def normalised(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return _InverseDetached.apply(x, axes, self.eps)


@regcheck.implements("layer_norm")
class LayerNormBackwardWithoutGraph(LayerNorm):
    """No second derivative at all, and no word of it."""

    def normalised(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return _WithoutGraph.apply(x, axes, self.eps)


@regcheck.implements("layer_norm")
class LayerNormDoubleBackwardTwoForThree(LayerNorm):
    """A double backward written by hand, with one of the three ways to m·c forgotten."""

    def normalised(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return _TwoForThree.apply(x, axes, self.eps)


@regcheck.implements("layer_norm")
class LayerNormMeanStopped(LayerNorm):
    """The variance about a mean that is a constant (tf.nn.moments)."""


@regcheck.implements("layer_norm")
class LayerNormMeanStoppedForwards(LayerNorm):
    """The same, seen by forward mode."""


@regcheck.implements("layer_norm")
class LayerNormTangentOfConstants(LayerNorm):
    """The tangent is right, and a constant in the ẑ and 1/σ that were saved (pytorch#196700)."""

    def normalised(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return _TangentOfConstants.apply(x, axes, self.eps)


@regcheck.implements("rms_norm")
class RMSNormSavedInverse(LayerNorm):
    """1/r is saved, and taken for a constant."""

    centred = False

    def normalised(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return _RootSaved.apply(x, axes, self.eps)


class _RootSaved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, axes: tuple[int, ...], eps: float) -> torch.Tensor:
        ctx.axes, ctx.s = axes, torch.rsqrt(x.square().mean(axes, keepdim=True) + eps)
        ctx.save_for_backward(x)
        return x * ctx.s

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        g, z = cotangents[0], ctx.saved_tensors[0] * ctx.s
        return ctx.s * (g - z * (g * z).mean(ctx.axes, keepdim=True)), None, None


class Channels(torch.nn.Module):
    """γ and β per channel of (N, channels, *spatial)."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config, self.eps = config, config.eps
        self.weight = torch.nn.Parameter(torch.ones(config.channels)) if config.affine else None
        self.bias = torch.nn.Parameter(torch.zeros(config.channels)) if config.affine else None

    def affine(self, z: torch.Tensor) -> torch.Tensor:
        """y = γ·z + β."""
        shape = (-1, *[1] * (z.ndim - 2))
        return z if self.weight is None else z * self.weight.reshape(shape) + self.bias.reshape(shape)


@regcheck.implements("instance_norm")
class InstanceNormMeanStopped(Channels):
    """The variance about a mean that is a constant."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.affine(stopped(x, tuple(range(2, x.ndim)), self.eps))


@regcheck.implements("group_norm")
class GroupNormMeanStopped(Channels):
    """The variance about a mean that is a constant."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grouped = x.reshape(len(x), self.config.groups, -1)
        return self.affine(stopped(grouped, (-1,), self.eps).reshape(x.shape))


class BatchNorm(Channels):
    """Running statistics as PyTorch keeps them; training by `normalised`."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.register_buffer("running_mean", torch.zeros(config.channels))
        self.register_buffer("running_var", torch.ones(config.channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return self.affine(self.recorded(x))
        axes = (0, *range(2, x.ndim))
        with torch.no_grad():
            w, values = self.config.momentum, x.detach()
            self.running_mean.mul_(1 - w).add_(w * values.mean(axes))
            self.running_var.mul_(1 - w).add_(w * values.var(axes))
        return self.affine(self.normalised(x, axes))

    def normalised(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        mean = x.mean(axes, keepdim=True)
        return (x - mean) * torch.rsqrt((x - mean).square().mean(axes, keepdim=True) + self.eps)

    def recorded(self, x: torch.Tensor) -> torch.Tensor:
        shape = (-1, *[1] * (x.ndim - 2))
        return (x - self.running_mean.reshape(shape)) * torch.rsqrt(self.running_var.reshape(shape) + self.eps)


@regcheck.implements("batch_norm", declares={"single_value_batch": "nan"})
class BatchNormMeanStopped(BatchNorm):
    """The variance about a mean that is a constant."""

    def normalised(self, x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return stopped(x, axes, self.eps)


class _Curved(torch.autograd.Function):
    """x as it is, and a gradient that depends on x by nothing but its derivative."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> Any:
        (x,) = ctx.saved_tensors
        return cotangents[0] * (1 + (x - x.detach()))


@regcheck.implements("batch_norm", declares={"single_value_batch": "nan"})
class BatchNormInferenceCurved(BatchNorm):
    """In inference the gradient is right, and has a derivative where it should have none."""

    def recorded(self, x: torch.Tensor) -> torch.Tensor:
        return super().recorded(_Curved.apply(x))


@regcheck.implements("l2", framework="torch")
def SquareWithoutCurvature(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:  # noqa: N802
    """Σw·w with the other w held: 2·Σw·stop(w) − Σstop(w)² has the value and the gradient, and no curvature."""
    return lambda w: config.l2 * (2 * w * w.detach() - w.detach().square()).sum()


@regcheck.implements("l1", framework="torch")
def AbsoluteWithCurvature(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:  # noqa: N802
    """|w| with half a square about w itself: 0 in value and gradient."""
    return lambda w: config.l1 * (w.abs() + (w - w.detach()).square() / 2).sum()


@regcheck.implements("elastic_net", framework="torch")
def ElasticNetHalved(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:  # noqa: N802
    """The curvature of ½w² beside the gradient of w²."""

    def penalty(w: torch.Tensor) -> torch.Tensor:
        square = (w.square() + 2 * w * w.detach() - w.detach().square()) / 2
        return (config.l1 * w.abs() + config.l2 * square).sum()

    return penalty
