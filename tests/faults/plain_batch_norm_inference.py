"""Batch normalisations in NumPy whose inference, or whose use of the mode, is wrong; each differs in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "EpsClampsVariance": "batch_norm.inference-affine",
    "EpsOfItsOwnInInference": "batch_norm.inference-affine",
    "ModeIgnored": "batch_norm.inference-independent-of-batch",
    "NothingRecorded": "batch_norm.inference-independent-of-batch",
    "ModeIgnoredForLargeBatches": "batch_norm.inference-independent-of-batch",
    "TrainsOnRecorded": "batch_norm.training-ignores-running-state",
    "TrainsOnBlend": "batch_norm.training-ignores-running-state",
    "InferenceForgetsMean": "batch_norm.inference-affine",
    "InferenceScalesTwice": "batch_norm.inference-affine",
    "FoldedOnce": "batch_norm.inference-affine",
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
class EpsClampsVariance(BatchNorm):
    """1/√max(Var, ε) in inference; invisible where Var ≫ ε."""

    def _inverse(self, variance: Array) -> Array:
        return super()._inverse(variance) if self.training else 1 / np.sqrt(np.maximum(variance, self.config.eps))


@regcheck.implements("batch_norm")
class EpsOfItsOwnInInference(BatchNorm):
    """Inference was exported with ε = 1e-3 (TensorRT#260)."""

    def _inverse(self, variance: Array) -> Array:
        return super()._inverse(variance) if self.training else np.asarray(1 / np.sqrt(variance + 1e-3))


@regcheck.implements("batch_norm")
class ModeIgnored(BatchNorm):
    """Normalises with the batch at hand in inference too (thinc#355, §8.3)."""

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        mean = self._mean(x)
        return mean, self._variance(x, mean)


@regcheck.implements("batch_norm")
class ModeIgnoredForLargeBatches(BatchNorm):
    """Trusts the batch at hand in inference once it has eight values per channel."""

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        if x.size < 8 * x.shape[1]:
            return super()._recorded(x)
        mean = self._mean(x)
        return mean, self._variance(x, mean)


@regcheck.implements("batch_norm")
class TrainsOnRecorded(BatchNorm):
    """Normalises with the moving averages in training (equinox#659); nearly right once they have settled."""

    def _of_the_batch(self, x: Array) -> tuple[Array, Array]:
        super()._of_the_batch(x)
        return self._recorded(x)


@regcheck.implements("batch_norm")
class TrainsOnBlend(BatchNorm):
    """A hundredth of the moving mean leaks into training, as renormalisation once left it."""

    def _of_the_batch(self, x: Array) -> tuple[Array, Array]:
        recorded = self._recorded(x)[0]
        mean, variance = super()._of_the_batch(x)
        return 0.99 * mean + 0.01 * recorded, variance


@regcheck.implements("batch_norm")
class InferenceForgetsMean(BatchNorm):
    """c = β in place of β − kE (§8.4); invisible with E = 0."""

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        mean, variance = super()._recorded(x)
        return np.zeros_like(mean), variance


@regcheck.implements("batch_norm")
class InferenceScalesTwice(BatchNorm):
    """Folded into the layer before it, and applied again: γ² (§8.4); invisible with γ = 1."""

    def _affine(self, normalised: Array) -> Array:
        if self.training or not self.parameters:
            return super()._affine(normalised)
        scale, shift = (self._spread(self.parameters[name]) for name in ("scale", "shift"))
        return normalised * scale**2 + shift


@regcheck.implements("batch_norm")
class FoldedOnce(BatchNorm):
    """Folds k and c at the first inference and never again; invisible until training goes on."""

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        if not hasattr(self, "folded"):
            self.folded = super()._recorded(x)
        return self.folded


@regcheck.implements("batch_norm")
class NothingRecorded(BatchNorm):
    """Keeps no record: inference too takes the statistics of its batch, and whatever asks for a record has none."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.state = {}

    def _record(self, mean: Array, variance: Array, m: int) -> None:
        pass

    def _recorded(self, x: Array) -> tuple[Array, Array]:
        return self._of_the_batch(x)
