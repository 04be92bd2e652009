"""Layer normalisations in NumPy that mix up elements, samples or parameters; each differs in one step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "LastAxisOnly": "layer_norm.matches-definition",
    "AxesFromTheFront": "layer_norm.matches-definition",
    "TailLeftOut": "layer_norm.matches-definition",
    "PositionsTogether": "layer_norm.position-independent",
    "LongSamplesCutShort": "layer_norm.long-samples",
    "RowsLeftOut": "layer_norm.batch-size-invariant",
    "RowsBeyondBlock": "layer_norm.batch-size-invariant",
    "WholeBatch": "layer_norm.footprint",
    "MeanOfTheFirst": "layer_norm.footprint",
    "NeighboursMean": "layer_norm.batch-permutation",
    "ScaledByTheLargest": "layer_norm.footprint",
    "NotANumberHidden": "layer_norm.footprint",
    "ScaleIsOneNumber": "layer_norm.matches-definition",
    "ShiftBeforeScale": "layer_norm.matches-definition",
    "ScaleForgottenInInference": "layer_norm.training-equals-inference",
    "ParametersInMemoryOrder": "layer_norm.matches-definition",
    "SumsDependOnBatch": "layer_norm.batch-size-invariant-bitwise",
    "OneValuePassedThrough": "layer_norm.single-value-batch-as-declared",
}


class LayerNorm:
    """The right layer: y = γ·(x − mean)/√(var + ε) + β; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.parameters: dict[str, Array] = {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.shape), "shift": np.zeros(config.shape)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError where x does not end in the config's shape."""
        if x.shape[-len(self.config.shape) :] != self.config.shape:
            msg = f"Expected (..., {self.config.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        self.training = training
        return self._affine(self._normalised(self._widened(x))).astype(x.dtype)

    def _widened(self, x: Array) -> Array:
        return x.astype(np.promote_types(x.dtype, np.float32))

    def _axes(self, _x: Array) -> tuple[int, ...]:
        return tuple(range(-len(self.config.shape), 0))

    def _normalised(self, x: Array) -> Array:
        mean = self._mean(x)
        return (x - mean) * self._inverse(self._variance(x, mean))

    def _mean(self, x: Array) -> Array:
        return np.mean(x, axis=self._axes(x), keepdims=True)

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.mean((x - mean) ** 2, axis=self._axes(x), keepdims=True)

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + self.config.eps))

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        return normalised * self.parameters["scale"] + self.parameters["shift"]


@regcheck.implements("layer_norm")
class LastAxisOnly(LayerNorm):
    """Reduces over the last axis whatever the shape has (keras#17402); invisible with one-dimensional shapes."""

    def _axes(self, _x: Array) -> tuple[int, ...]:
        return (-1,)


@regcheck.implements("layer_norm")
class AxesFromTheFront(LayerNorm):
    """Reduces from axis 1 on, right for one batch axis only (keras#22206, ml-cvnets#34); invisible in (N, F)."""

    def _axes(self, x: Array) -> tuple[int, ...]:
        return tuple(range(1, 1 + len(self.config.shape))) if x.ndim > len(self.config.shape) else super()._axes(x)


@regcheck.implements("layer_norm")
class TailLeftOut(LayerNorm):
    """Sums in blocks of four and drops the last, partial one (FlagGems#4984); invisible where 4 divides n."""

    def _mean(self, x: Array) -> Array:
        flat = x.reshape(*x.shape[: x.ndim - len(self.config.shape)], -1)
        whole = flat[..., : max(flat.shape[-1] // 4 * 4, 1)]
        return np.mean(whole, axis=-1).reshape(*flat.shape[:-1], *[1] * len(self.config.shape))


@regcheck.implements("layer_norm")
class PositionsTogether(LayerNorm):
    """One mean and variance for all positions of a sequence (§10.3); invisible in (N, F)."""

    def _axes(self, x: Array) -> tuple[int, ...]:
        own = super()._axes(x)
        return (-len(own) - 1, *own) if x.ndim > len(own) + 1 else own


@regcheck.implements("layer_norm")
class LongSamplesCutShort(LayerNorm):
    """Beyond 1024 features it sums whole blocks of 256 alone (apex#411's kind); invisible in short samples."""

    def _mean(self, x: Array) -> Array:
        n = self.config.shape[-1]
        return super()._mean(x[..., : n // 256 * 256] if n > 1024 else x)


@regcheck.implements("layer_norm")
class RowsLeftOut(LayerNorm):
    """Normalises the first 16 samples and copies the others (pytorch#181555, with its 2³¹ made small)."""

    def _normalised(self, x: Array) -> Array:
        return np.concatenate([super()._normalised(x[:16]), x[16:]])


@regcheck.implements("layer_norm")
class RowsBeyondBlock(LayerNorm):
    """Works in a block of 64 samples; those beyond it get the first one's result."""

    def _normalised(self, x: Array) -> Array:
        y = super()._normalised(x)
        y[64:] = y[:1]
        return y


@regcheck.implements("layer_norm")
class WholeBatch(LayerNorm):
    """One mean and variance for the batch (pyg#9647); invisible with one sample."""

    def _axes(self, x: Array) -> tuple[int, ...]:
        return tuple(range(x.ndim))


@regcheck.implements("layer_norm")
class MeanOfTheFirst(LayerNorm):
    """Centres every sample with the first one's mean."""

    def _mean(self, x: Array) -> Array:
        return super()._mean(x)[:1]


@regcheck.implements("layer_norm")
class NeighboursMean(LayerNorm):
    """An index off by one: each sample is centred with the mean of the sample before it."""

    def _mean(self, x: Array) -> Array:
        return np.roll(super()._mean(x), 1, axis=0)


@regcheck.implements("layer_norm")
class ScaledByTheLargest(LayerNorm):
    """Divides the batch by its largest value, ε rightly too: only rounding, ∞ and NaN tell."""

    def _normalised(self, x: Array) -> Array:
        largest = np.max(np.abs(x), initial=0) or x.dtype.type(1)
        scaled = x / largest
        mean = self._mean(scaled)
        return (scaled - mean) / np.sqrt(self._variance(scaled, mean) + self.config.eps / largest**2)


@regcheck.implements("layer_norm")
class NotANumberHidden(LayerNorm):
    """Replaces NaN by 0 before it normalises: a diverged network goes unnoticed."""

    def _widened(self, x: Array) -> Array:
        return np.nan_to_num(super()._widened(x), posinf=np.inf, neginf=-np.inf)


@regcheck.implements("layer_norm")
class ScaleIsOneNumber(LayerNorm):
    """Applies γ's first element everywhere; invisible with constant γ."""

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        return normalised * self.parameters["scale"].flat[0] + self.parameters["shift"]


@regcheck.implements("layer_norm")
class ShiftBeforeScale(LayerNorm):
    """γ·(x̂ + β); invisible with γ = 1 or β = 0."""

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        return (normalised + self.parameters["shift"]) * self.parameters["scale"]


@regcheck.implements("layer_norm")
class ScaleForgottenInInference(LayerNorm):
    """Inference takes a path without γ and β."""

    def _affine(self, normalised: Array) -> Array:
        return super()._affine(normalised) if self.training else normalised


@regcheck.implements("layer_norm")
class ParametersInMemoryOrder(LayerNorm):
    """Lays γ out column by column (unsloth#10675); invisible with one-dimensional shapes."""

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        scale = self.parameters["scale"].ravel().reshape(self.config.shape, order="F")
        return normalised * scale + self.parameters["shift"]


@regcheck.implements("layer_norm", declares={"batch_invariance": "bitwise"})
class SumsDependOnBatch(LayerNorm):
    """Declares equal bits for every batch size, but sums in another order from three samples on."""

    def _mean(self, x: Array) -> Array:
        if len(x) < 3:
            return super()._mean(x)
        flat = x.reshape(*x.shape[: x.ndim - len(self.config.shape)], -1)
        total = np.add.accumulate(flat, axis=-1)[..., -1] / flat.dtype.type(flat.shape[-1])
        return np.asarray(total).reshape(*flat.shape[:-1], *[1] * len(self.config.shape))


@regcheck.implements("layer_norm")
class OneValuePassedThrough(LayerNorm):
    """Leaves a sample of one value as it is, since "there is nothing to normalise"."""

    def _normalised(self, x: Array) -> Array:
        return x if math.prod(self.config.shape) == 1 else super()._normalised(x)
