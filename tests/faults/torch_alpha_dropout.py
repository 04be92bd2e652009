"""Alpha and Gaussian dropouts as PyTorch modules; each has one of the faults that PyTorch makes easy."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

import regcheck

EXPECTED = {
    "AlphaAlwaysTraining": "alpha_dropout.inference-identity",
    "AlphaKeepProbability": "alpha_dropout.rate",
    "AlphaOrdinary": "alpha_dropout.zero-moves",
    "AlphaFeatures": "alpha_dropout.mask-independence",
    "AlphaStraightThrough": "alpha_dropout.backward-mask",
    "ChannelAlphaOfEntries": "channel_alpha_dropout.whole-channels",
    "GaussianOfVariance": "gaussian_dropout.variance",
    "GaussianNoiseOfOneSample": "gaussian_dropout.mask-independence",
    "GaussianGradientStopped": "gaussian_dropout.backward-noise",
    "GaussianAlwaysTraining": "gaussian_dropout.inference-identity",
}


class Training(torch.nn.Module):
    """Changes its input in training alone; a fault is what it does to it."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.rate = float(config.rate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        return self._changed(x) if self.training and self.rate else x

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        return functional.alpha_dropout(x, self.rate, training=True)


@regcheck.implements("alpha_dropout")
class AlphaAlwaysTraining(Training):
    """Hands a fixed mode over."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y, dropped in inference too."""
        return self._changed(x) if self.rate else x


@regcheck.implements("alpha_dropout")
class AlphaKeepProbability(Training):
    """Takes the rate for the probability of keeping."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        return functional.alpha_dropout(x, 1 - self.rate, training=True)


@regcheck.implements("alpha_dropout")
class AlphaOrdinary(Training):
    """Ordinary dropout under another name."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        return functional.dropout(x, self.rate)


@regcheck.implements("alpha_dropout")
class AlphaFeatures(Training):
    """feature_alpha_dropout, which takes the second axis for channels."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim > 2:
            return functional.feature_alpha_dropout(x, self.rate, training=True)
        return super()._changed(x)


@regcheck.implements("alpha_dropout")
class AlphaStraightThrough(Training):
    """The gradient passes as if nothing had been dropped or scaled."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        return x + (super()._changed(x) - x).detach()


@regcheck.implements("channel_alpha_dropout")
class ChannelAlphaOfEntries(Training):
    """alpha_dropout, of entries."""


class Gaussian(Training):
    """The right layer: x·n, n ~ N(1, p/(1 − p)); a fault overrides one step."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        return x * self._noise(x)

    def _noise(self, x: torch.Tensor) -> torch.Tensor:
        return (1 + self._deviation() * torch.randn(x.shape)).to(x.dtype)

    def _deviation(self) -> float:
        return math.sqrt(self.rate / (1 - self.rate))


@regcheck.implements("gaussian_dropout")
class GaussianOfVariance(Gaussian):
    """Takes the variance for the standard deviation."""

    def _deviation(self) -> float:
        return self.rate / (1 - self.rate)


@regcheck.implements("gaussian_dropout")
class GaussianNoiseOfOneSample(Gaussian):
    """randn_like(x[:1]) is broadcast over the batch."""

    def _noise(self, x: torch.Tensor) -> torch.Tensor:
        return super()._noise(x[:1]) if x.ndim > 1 else super()._noise(x)


@regcheck.implements("gaussian_dropout")
class GaussianGradientStopped(Gaussian):
    """Adds the change beside the graph: a straight-through gradient."""

    def _changed(self, x: torch.Tensor) -> torch.Tensor:
        return x + (super()._changed(x) - x).detach()


@regcheck.implements("gaussian_dropout")
class GaussianAlwaysTraining(Gaussian):
    """Ignores the mode."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y, changed in inference too."""
        return self._changed(x) if self.rate else x
