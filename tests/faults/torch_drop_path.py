"""Drop paths as PyTorch modules; each has one of the faults of the many copies that are about."""

from __future__ import annotations

import numpy as np
import torch
from torch_dropout import Dropout

import regcheck

EXPECTED = {
    "ScaleForgotten": "drop_path.expectation-preserved",
    "ScaledByKeep": "drop_path.expectation-preserved",
    "ScaledInInference": "drop_path.inference-identity",
    "WholeBatch": "drop_path.samples-independent",
    "PerToken": "drop_path.whole-samples",
    "PerChannel": "drop_path.whole-samples",
    "PlainDropout": "drop_path.whole-samples",
    "LastAxisForBatch": "drop_path.whole-samples",
    "DrawnInHalf": "drop_path.rate",
    "KeepProbability": "drop_path.rate",
    "RateLost": "drop_path.rate",
    "AlwaysTraining": "drop_path.inference-identity",
    "IndicesInPlaceOfMask": "drop_path.mask-independence",
    "BackwardOfBranch": "drop_path.backward-mask",
    "DrawnByNumPy": "drop_path.reseed-replays",
    "MaskKept": "drop_path.fresh-mask",
}


class DropPath(Dropout):
    """The right layer; a fault overrides one step."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return torch.empty((len(x), *(1,) * (x.ndim - 1))).bernoulli_(1 - self.rate).to(x.dtype)


@regcheck.implements("drop_path")
class ScaleForgotten(DropPath):
    """Without the division by 1 − p, which inference does not make up for (composer#372)."""

    def _factor(self) -> float:
        return 1.0


@regcheck.implements("drop_path", dtypes=("float32", "float64"))
class ScaledByKeep(DropPath):
    """Multiplies by 1 − p in training (dlordinal#138's kind)."""

    def _factor(self) -> float:
        return 1 - self.rate


@regcheck.implements("drop_path")
class ScaledInInference(ScaleForgotten):
    """Multiplies by 1 − p in inference, as stochastic depth was first published; the document rescales in training."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        return super().forward(x) if self.training else x * (1 - self.rate)


@regcheck.implements("drop_path")
class WholeBatch(DropPath):
    """torchvision.ops.stochastic_depth(mode="batch"): one draw for all samples."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return super()._mask(x[:1])


@regcheck.implements("drop_path")
class PerToken(Dropout):
    """Keeps two axes of (N, T, C): tokens drop."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return super()._mask(x[..., :1])


@regcheck.implements("drop_path")
class PerChannel(Dropout):
    """Dropout2d in the path's place (deep-learning-for-image-processing#267)."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return torch.feature_dropout(x, self.rate, True) if x.ndim > 1 else super()._dropped(x)  # noqa: FBT003


@regcheck.implements("drop_path")
class PlainDropout(Dropout):
    """nn.Dropout in the path's place."""


@regcheck.implements("drop_path")
class LastAxisForBatch(Dropout):
    """(1, …, 1, n) where (n, 1, …, 1) was meant: broadcasting takes it, with other entries."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return super()._mask(x[(slice(0, 1),) * (x.ndim - 1)])


@regcheck.implements("drop_path")
class DrawnInHalf(DropPath):
    """Draws in the dtype of x: in float16 numbers have 11 bits, and p = 0.001 is 3/2048."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return (torch.rand((len(x), *(1,) * (x.ndim - 1)), dtype=x.dtype) >= self.rate).to(x.dtype)


@regcheck.implements("drop_path")
class KeepProbability(DropPath):
    """bernoulli_(p), p being the probability of dropping."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return 1 - super()._mask(x)


@regcheck.implements("drop_path")
class RateLost(DropPath):
    """Called without its rate (Oneflow-Inc/models#271): the default, a tenth, drops."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        kept = (torch.rand((len(x), *(1,) * (x.ndim - 1)), dtype=torch.float64) >= 0.1).to(x.dtype)
        return kept if 0 < self.rate < 1 else super()._mask(x)


@regcheck.implements("drop_path")
class AlwaysTraining(DropPath):
    """drop_path(x, p) whose mode nobody passes on (WangFeng18/Swin-Transformer#7)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y, dropped in inference too."""
        return self._dropped(x)


@regcheck.implements("drop_path")
class IndicesInPlaceOfMask(DropPath):
    """Chooses a fixed share of each 32 samples by randperm, which is quicker: those of one block know of each other."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        if not 0 < self.rate < 1:
            return super()._mask(x)
        blocks = torch.rand((-(-len(x) // 32), 32), dtype=torch.float64)
        ranks = blocks.argsort(1).argsort(1)
        kept = ranks >= (self.rate * 32 + torch.rand((len(blocks), 1), dtype=torch.float64)).floor()
        return kept.reshape(-1)[: len(x)].reshape(len(x), *(1,) * (x.ndim - 1)).to(x.dtype)


@regcheck.implements("drop_path")
class BackwardOfBranch(DropPath):
    """Skips the branch of a dropped sample by where, and lets its gradient through."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        y = x * self._factor()
        return y - (y * (1 - self._mask(x))).detach()


@regcheck.implements("drop_path")
class DrawnByNumPy(DropPath):
    """Draws with NumPy: torch.manual_seed has no effect."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        drawn = np.random.random_sample((len(x), *(1,) * (x.ndim - 1)))  # noqa: NPY002  (the older stream is meant)
        return torch.from_numpy(drawn >= self.rate).to(x.dtype)


@regcheck.implements("drop_path")
class MaskKept(DropPath):
    """One mask for each size of batch: the samples at the same places always drop."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        if len(getattr(self, "mask", torch.empty(0))) != len(x):
            self.mask = super()._mask(x)
        return self.mask.reshape(len(x), *(1,) * (x.ndim - 1)).to(x.dtype)
