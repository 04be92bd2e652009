"""Batch normalisations in NumPy that record at the wrong time, or start wrong; each differs in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "RecordsInInference": "batch_norm.inference-does-not-update-state",
    "RecordsOnlyWideBatchesInInference": "batch_norm.inference-does-not-update-state",
    "RecordsTwice": "batch_norm.updated-once",
    "RecordsInBackward": "batch_norm.updated-once",
    "RecordsNever": "batch_norm.running-mean",
    "StartsWithVarianceZero": "batch_norm.fresh-state",
    "StartsWithFirstBatch": "batch_norm.fresh-state",
    "BesselOfOne": "batch_norm.state-finite",
    "ModeSticks": "common.modes-do-not-stick",
    "StateShared": "common.instances-independent",
    "EmptyBatchRecorded": "common.empty-batch",
}


class BatchNorm:
    """The right layer: y = γ·(x − E)/√(Var + ε) + β, of the batch in training, as recorded in inference."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.parameters: dict[str, Array] = {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.channels), "shift": np.zeros(config.channels)}
        self.state = {"running_mean": np.zeros(config.channels), "running_var": np.ones(config.channels)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError for a wrong rank or channel count, or nothing to train on."""
        if x.ndim != self.config.ndim + 2 or x.shape[1] != self.config.channels or (training and not x.size):
            msg = f"Expected (N, {self.config.channels}, *{self.config.ndim} axes). Received shape {x.shape}."
            raise ValueError(msg)
        self.training = training
        wide = x.astype(np.promote_types(x.dtype, np.float32))
        mean, variance = self._of_the_batch(wide) if training else self._recorded(wide)
        return self._standardise(wide, mean, variance).astype(x.dtype)

    def _axes(self, x: Array) -> tuple[int, ...]:
        return (0, *range(2, x.ndim))

    def _spread(self, values: Array) -> Array:
        return values.reshape(1, -1, *[1] * self.config.ndim)

    def _of_the_batch(self, x: Array) -> tuple[Array, Array]:
        mean = self._mean(x)
        variance = self._variance(x, mean)
        self._record(mean, variance, x.size // max(x.shape[1], 1))
        return mean, variance

    def _mean(self, x: Array) -> Array:
        return np.mean(x, axis=self._axes(x))

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.mean((x - self._spread(mean)) ** 2, axis=self._axes(x))

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        self._average("running_mean", mean, self.config.momentum)
        self._average("running_var", variance * (m / max(m - 1, 1)), self.config.momentum)

    def _average(self, name: str, new: Array, weight: float) -> None:
        old = self.state[name]
        self.state[name] = ((1 - weight) * old.astype(new.dtype) + weight * new).astype(old.dtype)

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        return self.state["running_mean"].astype(x.dtype), self.state["running_var"].astype(x.dtype)

    def _standardise(self, x: Array, mean: Array, variance: Array) -> Array:
        return self._affine((x - self._spread(mean)) * self._spread(self._inverse(variance)))

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + self.config.eps))

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        return normalised * self._spread(self.parameters["scale"]) + self._spread(self.parameters["shift"])


@regcheck.implements("batch_norm")
class RecordsInInference(BatchNorm):
    """Updates the moving averages in inference (§8.3); the output is that of the old ones."""

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        found = super()._recorded(x)
        self._of_the_batch(x)
        return found


@regcheck.implements("batch_norm")
class RecordsOnlyWideBatchesInInference(BatchNorm):
    """Updates the moving variance in inference where the batch varies more than what it has recorded."""

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        mean, variance = super()._recorded(x)
        wider = np.maximum(self._variance(x, mean), variance) if x.size else variance
        self.state["running_var"] = wider.astype(self.state["running_var"].dtype)
        return mean, variance


@regcheck.implements("batch_norm")
class RecordsTwice(BatchNorm):
    """Two updates a call, as with activation checkpointing."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        super()._record(mean, variance, m)
        super()._record(mean, variance, m)


@regcheck.implements("batch_norm")
class RecordsInBackward(BatchNorm):
    """Backward repeats the forward pass, update included."""

    def _of_the_batch(self, x: Array) -> tuple[Array, Array]:
        self.x, (mean, variance) = x, super()._of_the_batch(x)
        self.saved = (x - self._spread(mean)) * self._spread(self._inverse(variance)), self._inverse(variance)
        return mean, variance

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """The right dx, dγ and dβ of a training call."""
        super()._of_the_batch(self.x)
        (normalised, inverse), axes = self.saved, self._axes(cotangent)
        given = cotangent.astype(normalised.dtype)
        found = {"scale": np.sum(given * normalised, axis=axes), "shift": np.sum(given, axis=axes)}
        found = {name: value.astype(self.parameters[name].dtype) for name, value in found.items() if self.parameters}
        scaled = given * self._spread(self.parameters["scale"]) if self.parameters else given
        inner = np.mean(scaled * normalised, axis=axes)
        dx = scaled - self._spread(np.mean(scaled, axis=axes)) - normalised * self._spread(inner)
        return {"x": (dx * self._spread(inverse)).astype(cotangent.dtype), **found}


@regcheck.implements("batch_norm")
class RecordsNever(BatchNorm):
    """The moving averages stay as they were."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        pass


@regcheck.implements("batch_norm")
class StartsWithVarianceZero(BatchNorm):
    """A fresh layer's variance is 0: inference before training amplifies by 1/√ε (equinox#955)."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.state["running_var"] = np.zeros(config.channels)


@regcheck.implements("batch_norm")
class StartsWithFirstBatch(BatchNorm):
    """A fresh layer's averages are NaN, to be replaced by the first batch (equinox#1010)."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.state = {name: np.full(config.channels, np.nan) for name in self.state}

    def _average(self, name: str, new: Array, weight: float) -> None:
        super()._average(name, new, 1.0 if np.isnan(self.state[name]).all() else weight)


@regcheck.implements("batch_norm")
class BesselOfOne(BatchNorm):
    """m/(m − 1) at m = 1: the output is β, and the moving variance NaN for ever."""

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        super()._record(mean, variance if m > 1 else variance * np.nan, m)


@regcheck.implements("batch_norm")
class ModeSticks(BatchNorm):
    """Stays in inference after the first inference (Megatron-LM#318, tfjs#562); invisible in train, then infer."""

    def _of_the_batch(self, x: Array) -> tuple[Array, Array]:
        return self._recorded(x) if getattr(self, "inferred", False) else super()._of_the_batch(x)

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        self.inferred = True
        return super()._recorded(x)


@regcheck.implements("batch_norm")
class StateShared(BatchNorm):
    """All layers of one size share their moving averages, a default argument that was meant to be fresh."""

    def __init__(self, config: Any, shared: dict[int, dict[str, Array]] = {}) -> None:  # noqa: B006  (the fault)
        super().__init__(config)
        self.state = shared.setdefault(config.channels, self.state)


@regcheck.implements("batch_norm")
class EmptyBatchRecorded(BatchNorm):
    """Accepts an empty batch in training and records its NaN."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """An empty result for an empty batch."""
        if not x.size and training:
            self._record(*[np.full(self.config.channels, np.nan)] * 2, m=0)
            return x.copy()
        return super().forward(x, training)
