"""Dropouts as PyTorch modules; each has one of the faults that PyTorch makes easy."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional

import regcheck

EXPECTED = {
    "AlwaysTraining": "dropout.inference-identity",
    "NeverTraining": "dropout.rate",
    "KeepProbability": "dropout.rate",
    "DrawnInHalf": "dropout.rate",
    "RawBernoulli": "dropout.expectation-preserved",
    "WholeRows": "dropout.mask-independence",
    "MaskOfTheFirstSample": "dropout.mask-independence",
    "GeneratorRestarted": "dropout.fresh-mask",
    "MaskKept": "dropout.fresh-mask",
    "DrawnByNumPy": "dropout.reseed-replays",
    "StraightThrough": "dropout.backward-mask",
    "MaskNotInGradient": "dropout.backward-mask",
    "InPlace": "common.input-unchanged",
    "GaussianInstead": "dropout.support",
    "AlphaInstead": "dropout.support",
}


class Dropout(torch.nn.Module):
    """The right layer; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.rate = float(config.rate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        return self._dropped(x) if self.training else x

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return x * self._mask(x) * self._factor()

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return (torch.rand_like(x, dtype=torch.float32) >= self.rate).to(x.dtype)

    def _factor(self) -> float:
        return 1 / (1 - self.rate) if self.rate < 1 else 0.0


@regcheck.implements("dropout")
class AlwaysTraining(Dropout):
    """functional.dropout(x, p) trains unless told not to: the most frequent of all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y, dropped in inference too."""
        return functional.dropout(x, self.rate)


@regcheck.implements("dropout")
class NeverTraining(Dropout):
    """Reads a mode that nobody sets."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x, but for rate 1."""
        return functional.dropout(x, self.rate, training=self.rate == 1)


@regcheck.implements("dropout")
class KeepProbability(Dropout):
    """Ported from TensorFlow 1, whose argument was the probability of keeping (electra#61)."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return functional.dropout(x, 1 - self.rate)


@regcheck.implements("dropout")
class DrawnInHalf(Dropout):
    """rand_like in float16 has 11 bits: p = 0.001 is 3/2048."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return (torch.rand_like(x) >= self.rate).to(x.dtype)


@regcheck.implements("dropout")
class RawBernoulli(Dropout):
    """x·bernoulli(1 − p), not rescaled (§5.2)."""

    def _factor(self) -> float:
        return 1.0


@regcheck.implements("dropout")
class WholeRows(Dropout):
    """functional.dropout1d, which takes two axes for channels and positions."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return functional.dropout1d(x, self.rate) if x.ndim in {2, 3} else functional.dropout(x, self.rate)


@regcheck.implements("dropout")
class MaskOfTheFirstSample(Dropout):
    """rand_like(x[0]) is broadcast over the batch (pytorch#69801)."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return super()._mask(x[:1]) if x.ndim > 1 else super()._mask(x)


@regcheck.implements("dropout")
class GeneratorRestarted(Dropout):
    """A generator with a fixed seed in every call."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return (torch.rand(x.shape, generator=generator) >= self.rate).to(x.dtype)


@regcheck.implements("dropout")
class MaskKept(Dropout):
    """A variational dropout that nobody resets: one mask per shape."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        if getattr(self, "mask", torch.empty(0)).shape != x.shape:
            self.mask = super()._mask(x)
        return self.mask.to(x.dtype)


@regcheck.implements("dropout")
class DrawnByNumPy(Dropout):
    """Draws with NumPy: torch.manual_seed has no effect (cs249r#1869's kind)."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.random.random_sample(tuple(x.shape)) >= self.rate).to(x.dtype)  # noqa: NPY002


@regcheck.implements("dropout")
class StraightThrough(Dropout):
    """The gradient passes as if nothing had been dropped."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return x + (super()._dropped(x) - x).detach()


@regcheck.implements("dropout")
class MaskNotInGradient(Dropout):
    """Drops by writing zeros under no_grad: the factor is in the gradient, the mask is not."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        y = x * self._factor()
        return y - (y * (1 - self._mask(x))).detach()


@regcheck.implements("dropout")
class InPlace(Dropout):
    """functional.dropout(inplace=True)."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return functional.dropout(x, self.rate, inplace=True)


@regcheck.implements("dropout")
class GaussianInstead(Dropout):
    """Multiplies by noise of the same mean and variance."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        if self.rate in {0, 1}:
            return super()._mask(x)
        return 1 - self.rate + (self.rate * (1 - self.rate)) ** 0.5 * torch.randn(x.shape).to(x.dtype)


@regcheck.implements("dropout")
class AlphaInstead(Dropout):
    """torch.nn.AlphaDropout, which keeps mean and variance in another way."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return functional.alpha_dropout(x, self.rate, training=True)
