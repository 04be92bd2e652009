"""Channel dropouts as PyTorch modules; each has one of the faults that PyTorch makes easy."""

from __future__ import annotations

import torch
from torch.nn import functional
from torch_dropout import Dropout

import regcheck

EXPECTED = {
    "PlainDropout": "channel_dropout.whole-channels",
    "SequencesNotPermuted": "channel_dropout.whole-channels",
    "WithoutBatchAxis": "channel_dropout.channels-independent",
    "MaskOfTheFirstSample": "channel_dropout.samples-independent",
    "MaskOfTheFirstChannel": "channel_dropout.channels-independent",
    "AlwaysTraining": "channel_dropout.inference-identity",
    "KeepProbability": "channel_dropout.rate",
    "DrawnInHalf": "channel_dropout.rate",
    "RawBernoulli": "channel_dropout.expectation-preserved",
    "ShareKeptOfSample": "channel_dropout.support",
    "FeatureAlphaInstead": "channel_dropout.support",
    "StraightThrough": "channel_dropout.backward-mask",
    "GeneratorRestarted": "channel_dropout.fresh-mask",
    "InPlace": "common.input-unchanged",
}


LOGICAL = {"mask_order": "logical"}


class ChannelDropout(Dropout):
    """The right layer; a fault overrides one step."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        drawn = torch.rand((*x.shape[:2], *(1,) * (x.ndim - 2)), dtype=torch.float32)
        return (drawn >= self.rate).to(x.dtype)


@regcheck.implements("channel_dropout")
class PlainDropout(Dropout):
    """nn.Dropout, whose name stands in the paper."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return functional.dropout(x, self.rate)


@regcheck.implements("channel_dropout", declares=LOGICAL)
class SequencesNotPermuted(Dropout):
    """Was given (N, L, C) once, and still exchanges the two axes: positions drop, over all channels."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim < 3:
            return torch.feature_dropout(x, self.rate, True)  # noqa: FBT003  (PyTorch's positional flag)
        return torch.feature_dropout(x.transpose(1, 2), self.rate, True).transpose(1, 2)  # noqa: FBT003


@regcheck.implements("channel_dropout", declares=LOGICAL)
class WithoutBatchAxis(Dropout):
    """Adds a batch axis to what has one: samples are taken for channels (pytorch#69801)."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return torch.feature_dropout(x.unsqueeze(0), self.rate, True).squeeze(0)  # noqa: FBT003


@regcheck.implements("channel_dropout", declares=LOGICAL)
class MaskOfTheFirstSample(ChannelDropout):
    """The mask of one sample is broadcast over the batch (Lux.jl#770)."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return super()._mask(x[:1])


@regcheck.implements("channel_dropout", declares=LOGICAL)
class MaskOfTheFirstChannel(ChannelDropout):
    """The mask of one channel is broadcast over the others (VideoX#85's kind)."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        return super()._mask(x[:, :1])


@regcheck.implements("channel_dropout", declares=LOGICAL)
class AlwaysTraining(Dropout):
    """functional.dropout2d, which trains unless told not to (DME#3)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y, dropped in inference too."""
        return torch.feature_dropout(x, self.rate, True)  # noqa: FBT003


@regcheck.implements("channel_dropout", declares=LOGICAL)
class KeepProbability(Dropout):
    """Ported from TensorFlow 1, whose argument was the probability of keeping (electra#61)."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return torch.feature_dropout(x, 1 - self.rate, True)  # noqa: FBT003


@regcheck.implements("channel_dropout", declares=LOGICAL)
class DrawnInHalf(ChannelDropout):
    """Draws in the dtype of x: in float16 numbers have 11 bits, and p = 0.001 is 3/2048."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        drawn = torch.rand((*x.shape[:2], *(1,) * (x.ndim - 2)), dtype=x.dtype)
        return (drawn >= self.rate).to(x.dtype)


@regcheck.implements("channel_dropout", declares=LOGICAL)
class RawBernoulli(ChannelDropout):
    """x·bernoulli(1 − p), not rescaled (§5.2)."""

    def _factor(self) -> float:
        return 1.0


@regcheck.implements("channel_dropout", declares=LOGICAL)
class ShareKeptOfSample(ChannelDropout):
    """Rescales each sample by its own share of kept channels."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        mask = self._mask(x)
        if x.numel() == 0:
            return x * mask
        return (x * mask / mask.double().mean(1, keepdim=True).clamp(min=1 / x.shape[1])).to(x.dtype)


@regcheck.implements("channel_dropout", declares=LOGICAL)
class FeatureAlphaInstead(Dropout):
    """nn.FeatureAlphaDropout, which drops channels to another value."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return functional.feature_alpha_dropout(x, self.rate, training=True)


@regcheck.implements("channel_dropout", declares=LOGICAL)
class StraightThrough(ChannelDropout):
    """The gradient passes as if nothing had been dropped."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return x + (super()._dropped(x) - x).detach()


@regcheck.implements("channel_dropout", declares=LOGICAL)
class GeneratorRestarted(ChannelDropout):
    """A generator with a fixed seed in every call."""

    def _mask(self, x: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        drawn = torch.rand((*x.shape[:2], *(1,) * (x.ndim - 2)), generator=generator)
        return (drawn >= self.rate).to(x.dtype)


@regcheck.implements("channel_dropout", declares=LOGICAL)
class InPlace(Dropout):
    """nn.Dropout2d(inplace=True)."""

    def _dropped(self, x: torch.Tensor) -> torch.Tensor:
        return torch.feature_dropout_(x, self.rate, True)  # noqa: FBT003
