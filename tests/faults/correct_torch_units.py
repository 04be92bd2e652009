"""Right dropouts of channels and of samples in PyTorch, as the field writes them: none may fail."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

import regcheck

EXPECTED: dict[str, str] = {}
LOGICAL = {"mask_order": "logical"}


class Mode(torch.nn.Module):
    """A rate, and x itself in inference."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.rate = float(config.rate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        return self._dropped(x) if self.training and self.rate > 0 else x


@regcheck.implements("channel_dropout", declares=LOGICAL)
class FeatureDropout(Mode):
    """torch.feature_dropout, of any number of spatial axes."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return torch.feature_dropout(x, self.rate, True)  # noqa: FBT003  (PyTorch's positional flag)


@regcheck.implements("channel_dropout", framework="torch", declares=LOGICAL)
def functional_dropout2d(config: Any) -> Any:
    """functional.dropout2d, of images."""
    if config.ndim != 2:
        msg = f"takes 2 spatial axes, not {config.ndim}"
        raise regcheck.Unsupported(msg)
    return lambda x, training: functional.dropout2d(x, config.rate, training)


@regcheck.implements("channel_dropout", declares=LOGICAL)
class FlattenedImages(Mode):
    """functional.dropout1d of (N, C, all positions)."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        positions = x.shape[2:].numel()
        return functional.dropout1d(x.reshape(*x.shape[:2], positions), self.rate).reshape(x.shape)


@regcheck.implements("channel_dropout", declares={"dropped_nonfinite": "zero", **LOGICAL})
class Selects(Mode):
    """where(mask, x/(1 − p), 0): drops ∞ to 0 and says so."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        kept = torch.rand((*x.shape[:2], *(1,) * (x.ndim - 2)), dtype=torch.float64) >= self.rate
        return torch.where(kept, x / (1 - self.rate) if self.rate < 1 else x, torch.zeros_like(x))


@regcheck.implements("drop_path")
class DropPath(Mode):
    """timm's: bernoulli_(1 − p), divided by 1 − p, times x."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        keep = 1 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        if keep > 0:
            mask.div_(keep)
        return x * mask


@regcheck.implements("drop_path")
class StochasticDepth(Mode):
    """torchvision's, by rows: the noise is made apart from x, in its dtype."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        noise = torch.empty([x.shape[0]] + [1] * (x.ndim - 1), dtype=x.dtype, device=x.device)
        noise = noise.bernoulli_(1 - self.rate)
        return x * (noise.div_(1 - self.rate) if self.rate < 1 else noise)


@regcheck.implements("drop_path")
class Floored(Mode):
    """x/(1 − p)·⌊1 − p + rand⌋, as the older copies have it, the numbers drawn in float32."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        keep = 1 - self.rate
        mask = (keep + torch.rand((len(x), *(1,) * (x.ndim - 1)), dtype=torch.float32)).floor_().to(x.dtype)
        return x.div(keep) * mask if keep else x * mask


@regcheck.implements("drop_path")
class DropoutOfOnes(Mode):
    """functional.dropout of a one for every sample, times x."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return x * functional.dropout(x.new_ones((len(x), *(1,) * (x.ndim - 1))), self.rate)
