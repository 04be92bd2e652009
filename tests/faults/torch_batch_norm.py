"""Batch normalisations as PyTorch modules; each differs from a right one in one step."""

from __future__ import annotations

from typing import Any

import torch

import regcheck

EXPECTED = {
    "BatchNormRecordsBiased": "batch_norm.running-variance-as-declared",
    "BatchNormUnbiasedByDefault": "batch_norm.matches-definition",
    "BatchNormMomentumOfOld": "batch_norm.momentum-as-declared",
    "BatchNormAlwaysTraining": "batch_norm.inference-independent-of-batch",
    "BatchNormRecordsInInference": "batch_norm.inference-does-not-update-state",
    "BatchNormFrozen": "batch_norm.training-ignores-running-state",
    "BatchNormGhostBatches": "batch_norm.matches-definition",
    "BatchNormPositionsApart": "batch_norm.matches-definition",
    "BatchNormStatisticsDetached": "batch_norm.gradient-input",
    "BatchNormVarianceDetached": "batch_norm.gradient-input",
    "BatchNormEpsOfInference": "batch_norm.inference-affine",
    "BatchNormRanksMerged": "batch_norm.permutation",
    "BatchNormBuffersShared": "common.instances-independent",
}


class BatchNorm(torch.nn.Module):
    """The right layer; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.eps, self.momentum, self.ndim = config.eps, config.momentum, config.ndim
        self.weight = torch.nn.Parameter(torch.ones(config.channels)) if config.affine else None
        self.bias = torch.nn.Parameter(torch.zeros(config.channels)) if config.affine else None
        self.register_buffer("running_mean", torch.zeros(config.channels))
        self.register_buffer("running_var", torch.ones(config.channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y of x's shape and dtype."""
        if x.ndim != self.ndim + 2 or x.shape[1] != len(self.running_mean) or (self.training and not x.numel()):
            msg = f"Expected (N, {len(self.running_mean)}, *{self.ndim} axes). Received shape {tuple(x.shape)}."
            raise ValueError(msg)
        wide = x.float() if x.dtype == torch.float16 else x
        mean, variance = self._of_the_batch(wide) if self.training else self._recorded(wide)
        y = (wide - self._spread(mean)) * self._spread(torch.rsqrt(variance + self._eps()))
        if self.weight is not None:
            y = y * self._spread(self.weight) + self._spread(self.bias)
        return y.to(x.dtype)

    def _axes(self, x: torch.Tensor) -> tuple[int, ...]:
        return (0, *range(2, x.ndim))

    def _spread(self, values: torch.Tensor) -> torch.Tensor:
        return values.reshape(1, -1, *[1] * self.ndim) if values.ndim == 1 else values

    def _of_the_batch(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, variance = self._statistics(x)
        m = x.numel() // x.shape[1]
        self._record(mean.detach(), variance.detach(), m)
        return mean, variance

    def _statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean = x.mean(self._axes(x))
        return mean, (x - self._spread(mean)).square().mean(self._axes(x))

    def _record(self, mean: torch.Tensor, variance: torch.Tensor, m: int) -> None:
        self._average(self.running_mean, mean, self.momentum)
        self._average(self.running_var, variance * (m / max(m - 1, 1)), self.momentum)

    def _average(self, old: torch.Tensor, new: torch.Tensor, weight: float) -> None:
        old.copy_((1 - weight) * old.to(new.dtype) + weight * new)

    def _recorded(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.running_mean.to(x.dtype), self.running_var.to(x.dtype)

    def _eps(self) -> float:
        return self.eps


@regcheck.implements("batch_norm")
class BatchNormRecordsBiased(BatchNorm):
    """Records σ² without m/(m − 1), and does not say so."""

    def _record(self, mean: torch.Tensor, variance: torch.Tensor, m: int) -> None:
        super()._record(mean, variance, 1)


@regcheck.implements("batch_norm")
class BatchNormUnbiasedByDefault(BatchNorm):
    """torch.var divides by m − 1 unless told not to: right in the record, wrong in the output."""

    def _statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, variance = super()._statistics(x)
        m = x.numel() // x.shape[1]
        return mean, variance * (m / max(m - 1, 1))

    def _record(self, mean: torch.Tensor, variance: torch.Tensor, m: int) -> None:
        super()._record(mean, variance, 1)


@regcheck.implements("batch_norm")
class BatchNormMomentumOfOld(BatchNorm):
    """Weighs the old average with momentum, as Keras does (Paddle#51120); invisible at ½."""

    def _average(self, old: torch.Tensor, new: torch.Tensor, weight: float) -> None:
        super()._average(old, new, 1 - weight)


@regcheck.implements("batch_norm")
class BatchNormAlwaysTraining(BatchNorm):
    """functional.batch_norm(training=True), whatever the mode; the record stays as it is in inference."""

    def _recorded(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self._statistics(x)


@regcheck.implements("batch_norm")
class BatchNormRecordsInInference(BatchNorm):
    """Updates the moving averages in inference, after it has used them."""

    def _recorded(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, variance = (value.clone() for value in super()._recorded(x))
        self._of_the_batch(x)
        return mean, variance


@regcheck.implements("batch_norm")
class BatchNormFrozen(BatchNorm):
    """Its train() is overridden so that it never trains, as frozen backbones do (Megatron-LM#318)."""

    def train(self, mode: bool = True) -> Any:  # noqa: FBT001, FBT002  (PyTorch's signature)
        """Stay in inference."""
        return super().train(False)  # noqa: FBT003


@regcheck.implements("batch_norm")
class BatchNormGhostBatches(BatchNorm):
    """Normalises eight samples at a time ("ghost" batches); invisible up to eight samples."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """y, chunk by chunk in training."""
        if not self.training or len(x) <= 8:
            return super().forward(x)
        return torch.cat([super(BatchNormGhostBatches, self).forward(part) for part in x.split(8)])


@regcheck.implements("batch_norm")
class BatchNormPositionsApart(BatchNorm):
    """x.mean(0): every position has statistics of its own; invisible in (N, C)."""

    def _statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if x.ndim == 2:
            return super()._statistics(x)
        return x.mean(0, keepdim=True), x.var(0, unbiased=False, keepdim=True)

    def _record(self, mean: torch.Tensor, variance: torch.Tensor, m: int) -> None:
        if mean.ndim > 1:
            axes = self._axes(mean)
            within = (mean - mean.mean(axes, keepdim=True)).square().mean(axes)
            mean, variance = mean.mean(axes), variance.mean(axes) + within
        super()._record(mean, variance, m)


@regcheck.implements("batch_norm")
class BatchNormStatisticsDetached(BatchNorm):
    """Takes mean and variance under no_grad."""

    def _statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return super()._statistics(x.detach())


@regcheck.implements("batch_norm")
class BatchNormVarianceDetached(BatchNorm):
    """Takes the variance alone under no_grad: the sum of dx is still 0."""

    def _statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, variance = super()._statistics(x)
        return mean, variance.detach()


@regcheck.implements("batch_norm")
class BatchNormEpsOfInference(BatchNorm):
    """Inference was exported with ε = 1e-3 (TensorRT#260)."""

    def _eps(self) -> float:
        return self.eps if self.training else 1e-3


@regcheck.implements("batch_norm")
class BatchNormRanksMerged(BatchNorm):
    """Averages the statistics of two ranks, as if each had as many samples (pytorch#22192)."""

    def _statistics(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if len(x) < 2:
            return super()._statistics(x)
        parts = [x[: len(x) // 2], x[len(x) // 2 :]]
        mean = torch.stack([part.mean(self._axes(x)) for part in parts]).mean(0)
        squares = [(part - self._spread(mean)).square().mean(self._axes(x)) for part in parts]
        return mean, torch.stack(squares).mean(0)


@regcheck.implements("batch_norm")
class BatchNormBuffersShared(BatchNorm):
    """All layers of a size share their buffers, after a shallow copy of a model; invisible once they are converted."""

    buffers_of: dict[tuple[int, torch.dtype], tuple[torch.Tensor, torch.Tensor]] = {}  # noqa: RUF012  (the fault)

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        own = (self.running_mean, self.running_var)
        key = (config.channels, self.running_mean.dtype)
        self.running_mean, self.running_var = self.buffers_of.setdefault(key, own)
