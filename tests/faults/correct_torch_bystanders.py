"""Right layers in PyTorch that change the process they live in: no property may fail for them."""

from __future__ import annotations

from typing import Any

import torch
from correct_torch import WrittenOut

import regcheck

EXPECTED: dict[str, str] = {}


class DefaultDouble(WrittenOut):
    """Makes float64 the default of every tensor."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        torch.set_default_dtype(torch.float64)
        return super().forward(x)


@regcheck.implements("layer_norm")
def default_double(config: Any) -> torch.nn.Module:
    """Changes the default dtype."""
    return DefaultDouble(config)


class Flushing(WrittenOut):
    """Lets the processor flush subnormal numbers, NumPy's too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        torch.set_flush_denormal(True)
        return super().forward(x)


@regcheck.implements("layer_norm", declares={"subnormals": "flushed"})
def flushing(config: Any) -> torch.nn.Module:
    """Changes the processor's mode, and says what follows."""
    return Flushing(config)
