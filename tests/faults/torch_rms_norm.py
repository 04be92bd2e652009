"""RMS normalisations as PyTorch modules; each differs from a right one in one step."""

from __future__ import annotations

import math
from typing import Any

import torch

import regcheck

EXPECTED = {
    "RMSNormByNormalize": "rms_norm.normalised",
    "RMSNormEpsForgotten": "rms_norm.normalised",
    "RMSNormByStd": "rms_norm.matches-definition",
    "RMSNormOfWholeTensor": "rms_norm.batch-size-invariant",
    "RMSNormInHalf": "rms_norm.matches-definition",
    "RMSNormDetached": "rms_norm.gradient-along-input",
    "RMSNormStridesIgnored": "common.layouts",
    "RMSNormInPlace": "common.input-unchanged",
}


class RMSNorm(torch.nn.Module):
    """The right layer; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.shape, self.eps = config.shape, config.eps
        self.axes = tuple(range(-len(config.shape), 0))
        self.weight = torch.nn.Parameter(torch.ones(config.shape)) if config.affine else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        if x.shape[-len(self.shape) :] != self.shape:
            msg = f"Expected (..., {self.shape}). Received shape {tuple(x.shape)}."
            raise ValueError(msg)
        y = self._normalised(self._widened(x))
        return (y if self.weight is None else y * self.weight).to(x.dtype)

    def _widened(self, x: torch.Tensor) -> torch.Tensor:
        return x.float() if x.dtype == torch.float16 else x

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(self._square(x) + self.eps)

    def _square(self, x: torch.Tensor) -> torch.Tensor:
        return x.square().mean(self.axes, keepdim=True)


@regcheck.implements("rms_norm")
class RMSNormByNormalize(RMSNorm):
    """F.normalize(x)·√n·g, as copied through many repositories: no ε but its own."""

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        flat = torch.nn.functional.normalize(x.flatten(-len(self.shape)), dim=-1)
        return flat.reshape(x.shape) * math.sqrt(math.prod(self.shape))


@regcheck.implements("rms_norm")
class RMSNormEpsForgotten(RMSNorm):
    """Hands no eps to nn.RMSNorm, which then takes the machine's (pytorch#189581)."""

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.rms_norm(x, self.shape)


@regcheck.implements("rms_norm")
class RMSNormByStd(RMSNorm):
    """x/(std + ε) with the unbiased std."""

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        return x / (x.std(self.axes, keepdim=True) + self.eps)


@regcheck.implements("rms_norm")
class RMSNormOfWholeTensor(RMSNorm):
    """Forgets the axes: one root mean square for the whole tensor."""

    def _square(self, x: torch.Tensor) -> torch.Tensor:
        return x.square().mean()


@regcheck.implements("rms_norm")
class RMSNormInHalf(RMSNorm):
    """Squares float16 in float16: infinite where |x| > 255."""

    def _widened(self, x: torch.Tensor) -> torch.Tensor:
        return x


@regcheck.implements("rms_norm")
class RMSNormDetached(RMSNorm):
    """Takes the root mean square under no_grad (keras#19102, tinygrad#141)."""

    def _square(self, x: torch.Tensor) -> torch.Tensor:
        return super()._square(x.detach())


@regcheck.implements("rms_norm")
class RMSNormStridesIgnored(RMSNorm):
    """Reads the memory as if it were contiguous (unsloth#10675, pytorch#133520)."""

    def _widened(self, x: torch.Tensor) -> torch.Tensor:
        rows = torch.empty(x.shape, device="meta").stride()
        return super()._widened(x.as_strided(x.shape, rows, x.storage_offset()))


@regcheck.implements("rms_norm")
class RMSNormInPlace(RMSNorm):
    """Normalises the caller's tensor in place."""

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        y = super()._normalised(x)
        with torch.no_grad():
            x.copy_(y)
        return y
