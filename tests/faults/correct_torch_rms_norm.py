"""Right RMS normalisations in PyTorch, as they are written elsewhere: no property may fail for them."""

from __future__ import annotations

import math
from typing import Any

import torch

import regcheck

EXPECTED: dict[str, str] = {}


class RMSNorm(torch.nn.Module):
    """Weight and axes; a variant says how it computes."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.shape, self.eps = config.shape, config.eps
        self.axes = tuple(range(-len(config.shape), 0))
        self.weight = torch.nn.Parameter(torch.ones(config.shape)) if config.affine else None

    def checked(self, x: torch.Tensor) -> torch.Tensor:
        """x in the type that is computed in. Raises ValueError where x does not end in the config's shape."""
        if x.shape[-len(self.shape) :] != self.shape:
            msg = f"Expected (..., {self.shape}). Received shape {tuple(x.shape)}."
            raise ValueError(msg)
        return x.float() if x.dtype == torch.float16 else x


@regcheck.implements("rms_norm", declares={"compute_dtype": "float32"})
class RMSNormFunctional(RMSNorm):
    """torch.nn.functional.rms_norm."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.rms_norm(x, self.shape, self.weight, self.eps)


@regcheck.implements("rms_norm")
class RMSNormOfLlama(RMSNorm):
    """As Llama's in Hugging Face's transformers: half precision is rounded before γ, which the wider bound allows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.checked(x)
        wide = wide * torch.rsqrt(wide.pow(2).mean(self.axes, keepdim=True) + self.eps)
        return wide.to(x.dtype) if self.weight is None else self.weight * wide.to(x.dtype)


@regcheck.implements(
    "rms_norm",
    declares={"compute_dtype": "float32"},
    deviations={
        "rms_norm.second-derivative-reverse-over-reverse": "vector_norm cannot be differentiated twice at 0",
        "rms_norm.second-derivative-reverse-over-forward": "vector_norm cannot be differentiated twice at 0",
    },
)
class RMSNormByVectorNorm(RMSNorm):
    """By torch.linalg.vector_norm, and hypot with √ε."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.checked(x)
        norm = torch.linalg.vector_norm(wide, dim=self.axes, keepdim=True) / math.sqrt(math.prod(self.shape))
        y = wide / torch.hypot(norm, torch.full_like(norm, math.sqrt(self.eps)))
        return (y if self.weight is None else y * self.weight).to(x.dtype)
