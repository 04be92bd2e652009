"""Right alpha and Gaussian dropouts in PyTorch: no property may fail for them."""

from __future__ import annotations

import math
from typing import Any

import torch

import regcheck

EXPECTED: dict[str, str] = {}

SATURATION = -1.7580993408473766


class Training(torch.nn.Module):
    """Changes its input in training alone."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.rate = float(config.rate)
        self.deviation = math.sqrt(self.rate / (1 - self.rate))
        self.scale = ((1 - self.rate) * (1 + self.rate * SATURATION**2)) ** -0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        return self._changed(x) if self.training else x

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


@regcheck.implements("alpha_dropout", declares={"dropped_nonfinite": "zero", "mask_order": "logical"})
class AlphaByWhere(Training):
    """torch.where, which selects."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        kept = torch.rand(x.shape) >= self.rate
        y = torch.where(kept, x, torch.full((), SATURATION, dtype=x.dtype))
        return self.scale * y - self.scale * SATURATION * self.rate


@regcheck.implements("channel_alpha_dropout", declares={"dropped_nonfinite": "zero", "mask_order": "logical"})
class ChannelAlphaByWhere(Training):
    """torch.where with one draw for a channel."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        kept = torch.rand(*x.shape[:2], *(1,) * (x.ndim - 2)) >= self.rate
        y = torch.where(kept, x, torch.full((), SATURATION, dtype=x.dtype))
        return self.scale * y - self.scale * SATURATION * self.rate


@regcheck.implements("gaussian_dropout", declares={"mask_order": "logical"})
class GaussianByRandn(Training):
    """1 + s·randn in float32, whatever the dtype of x."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        return x * (1 + self.deviation * torch.randn(x.shape, dtype=torch.float32)).to(x.dtype)


@regcheck.implements("gaussian_dropout", declares={"mask_order": "logical"})
class GaussianByNormal(Training):
    """torch.normal(1, s)."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.normal(1.0, self.deviation, tuple(x.shape), dtype=torch.float32).to(x.dtype)
