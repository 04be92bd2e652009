"""RMS normalisations in NumPy, each with one fault."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED = {
    "StandardDeviation": "rms_norm.normalised",
    "CentredToo": "rms_norm.shift-shows",
    "MultipliesByRMS": "rms_norm.scale-law",
    "NormalisedTwice": "rms_norm.matches-definition",
    "SumInsteadOfMean": "rms_norm.normalised",
    "Unbiased": "rms_norm.normalised",
    "OneFeaturePassedThrough": "rms_norm.single-value",
    "FirstEightFeatures": "rms_norm.matches-definition",
    "LastAxisAlone": "rms_norm.matches-definition",
    "FrontAxes": "rms_norm.position-independent",
    "StatisticsOfBatch": "rms_norm.batch-size-invariant",
    "RunningMeanSquare": "rms_norm.training-equals-inference",
    "LargestOfBatch": "rms_norm.footprint",
    "NeighboursRMS": "rms_norm.batch-permutation",
    "BlockedBits": "rms_norm.batch-size-invariant-bitwise",
    "EpsOutsideRoot": "rms_norm.scale-law",
    "EpsDoubled": "rms_norm.matches-definition",
    "EpsAsFloor": "rms_norm.normalised",
    "EpsOfPeakDivided": "rms_norm.scale-law",
    "WithoutEps": "rms_norm.constant-input",
    "EpsLostInHalf": "rms_norm.constant-input",
    "AccumulatedInHalf": "rms_norm.matches-definition",
    "SquaresInHalf": "rms_norm.matches-definition",
    "TailLeftOut": "rms_norm.long-samples",
    "OnePlusScale": "rms_norm.scale-per-feature",
    "ScaleBefore": "rms_norm.scale-per-feature",
    "ScaleOfFirstFeature": "rms_norm.scale-per-feature",
    "ScalePerSample": "rms_norm.batch-size-invariant",
    "InferenceWithoutScale": "rms_norm.training-equals-inference",
}


class RMSNorm:
    """y = γ·x/√(mean(x²) + ε), half precision in float32; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.config, self.n = config, math.prod(config.shape)
        self.parameters: dict[str, Array] = {"scale": np.ones(config.shape)} if config.affine else {}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError where x does not end in the config's shape."""
        if x.shape[-len(self.config.shape) :] != self.config.shape:
            msg = f"Expected (..., {self.config.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        self.training, wide = training, self.widened(x)
        with np.errstate(all="ignore"):
            self.s = self.inverse(self.mean_square(wide))
            self.z = self.normalised(wide)
            return self.scaled(self.z).astype(x.dtype)

    def widened(self, x: Array) -> Array:
        return x.astype(np.promote_types(x.dtype, np.float32))

    def axes(self, x: Array) -> tuple[int, ...]:
        return tuple(range(x.ndim - len(self.config.shape), x.ndim))

    def mean_square(self, x: Array) -> Array:
        return np.mean(np.square(x), axis=self.axes(x), keepdims=True)

    def inverse(self, square: Array) -> Array:
        return np.asarray(1 / np.sqrt(square + square.dtype.type(self.config.eps)))

    def normalised(self, x: Array) -> Array:
        return x * self.s

    def scaled(self, z: Array) -> Array:
        return z * self.parameters["scale"] if self.parameters else z

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ} of the last forward."""
        dy = cotangent.astype(self.z.dtype)
        g = dy * self.parameters["scale"] if self.parameters else dy
        along = np.mean(g * self.z, axis=self.axes(g), keepdims=True)
        found = {"x": (self.s * (g - self.z * along)).astype(cotangent.dtype)}
        batch = tuple(range(dy.ndim - len(self.config.shape)))
        return found | {n: np.sum(dy * self.z, axis=batch).astype(v.dtype) for n, v in self.parameters.items()}


# --- what is divided by


@regcheck.implements("rms_norm")
class StandardDeviation(RMSNorm):
    """Takes the variance for the mean square (keras#22393, llama.cpp#173); invisible with data of mean 0."""

    def mean_square(self, x: Array) -> Array:
        return np.var(x, axis=self.axes(x), keepdims=True)


@regcheck.implements("rms_norm")
class CentredToo(RMSNorm):
    """Subtracts the mean: layer normalisation under another name."""

    def widened(self, x: Array) -> Array:
        wide = super().widened(x)
        return wide - np.mean(wide, axis=self.axes(wide), keepdims=True)


@regcheck.implements("rms_norm")
class MultipliesByRMS(RMSNorm):
    """x·√(…) for x/√(…), rsqrt being taken for the root (llm-foundry#372)."""

    def inverse(self, square: Array) -> Array:
        return np.sqrt(square + square.dtype.type(self.config.eps))


@regcheck.implements("rms_norm")
class NormalisedTwice(RMSNorm):
    """Normalises what is normalised (zeta#180); invisible where mean(x²) ≫ ε."""

    def normalised(self, x: Array) -> Array:
        once = super().normalised(x)
        return once * self.inverse(self.mean_square(once))


@regcheck.implements("rms_norm")
class SumInsteadOfMean(RMSNorm):
    """Divides by the norm, not by norm/√n."""

    def mean_square(self, x: Array) -> Array:
        return np.sum(np.square(x), axis=self.axes(x), keepdims=True)


@regcheck.implements("rms_norm")
class Unbiased(RMSNorm):
    """Divides Σx² by n − 1, as variances are."""

    def mean_square(self, x: Array) -> Array:
        return super().mean_square(x) * x.dtype.type(self.n / max(self.n - 1, 1))


@regcheck.implements("rms_norm")
class OneFeaturePassedThrough(RMSNorm):
    """Takes one feature for nothing to normalise."""

    def inverse(self, square: Array) -> Array:
        return super().inverse(square) if self.n > 1 else np.ones_like(square)


@regcheck.implements("rms_norm")
class FirstEightFeatures(RMSNorm):
    """Partial RMS (the paper's pRMSNorm) of eight features; invisible with no more than eight."""

    def mean_square(self, x: Array) -> Array:
        flat = x.reshape(*x.shape[: x.ndim - len(self.config.shape)], self.n)[..., :8]
        return np.mean(np.square(flat), axis=-1).reshape(*flat.shape[:-1], *[1] * len(self.config.shape))


# --- over which axes


@regcheck.implements("rms_norm")
class LastAxisAlone(RMSNorm):
    """Normalises over the last axis whatever the shape has (keras#22206's kind); invisible with one axis."""

    def axes(self, x: Array) -> tuple[int, ...]:
        return (x.ndim - 1,)


@regcheck.implements("rms_norm")
class FrontAxes(RMSNorm):
    """Counts axes from the batch on; invisible with one batch axis."""

    def axes(self, x: Array) -> tuple[int, ...]:
        return tuple(range(min(1, x.ndim - 1), x.ndim))


@regcheck.implements("rms_norm")
class StatisticsOfBatch(RMSNorm):
    """One mean square for the whole batch (pyg#9647's kind)."""

    def mean_square(self, x: Array) -> Array:
        return np.mean(np.square(x), keepdims=True).reshape([1] * x.ndim) if x.size else super().mean_square(x)


@regcheck.implements("rms_norm")
class RunningMeanSquare(RMSNorm):
    """Infers with a running mean square, as batch normalisation does."""

    running = 1.0

    def mean_square(self, x: Array) -> Array:
        own = super().mean_square(x)
        if not self.training:
            return np.full_like(own, self.running)
        self.running = 0.9 * self.running + 0.1 * float(np.mean(own))
        return own


@regcheck.implements("rms_norm")
class LargestOfBatch(RMSNorm):
    """Divides by the batch's largest magnitude first, "for stability": a NaN spreads over all samples."""

    def mean_square(self, x: Array) -> Array:
        peak = np.max(np.abs(x), initial=1e-30)
        return super().mean_square(x / peak) * np.square(peak)


@regcheck.implements("rms_norm")
class NeighboursRMS(RMSNorm):
    """Reads the statistic of the sample before."""

    def inverse(self, square: Array) -> Array:
        return np.roll(super().inverse(square), 1, axis=0) if square.ndim > len(self.config.shape) else square


@regcheck.implements("rms_norm", declares={"batch_invariance": "bitwise"})
class BlockedBits(RMSNorm):
    """Sums from the right where the number of samples is even, and else from the left."""

    def mean_square(self, x: Array) -> Array:
        rows = np.square(x.reshape(-1, self.n))
        forward = rows if len(rows) % 2 else rows[:, ::-1]
        total = np.add.accumulate(forward, axis=1)[:, -1] / rows.dtype.type(self.n)
        return total.reshape(*x.shape[: x.ndim - len(self.config.shape)], *[1] * len(self.config.shape))


# --- ε


@regcheck.implements("rms_norm")
class EpsOutsideRoot(RMSNorm):
    """x/(√mean(x²) + ε) (OLMo#281's kind)."""

    def inverse(self, square: Array) -> Array:
        return 1 / (np.sqrt(square) + square.dtype.type(self.config.eps))


@regcheck.implements("rms_norm")
class EpsDoubled(RMSNorm):
    """Adds ε to the squares and once more to their mean."""

    def mean_square(self, x: Array) -> Array:
        return super().mean_square(x) + x.dtype.type(self.config.eps)


@regcheck.implements("rms_norm")
class EpsAsFloor(RMSNorm):
    """max(mean(x²), ε) for mean(x²) + ε, as Keras' documentation has it: "a lower bound value for the norm"."""

    def inverse(self, square: Array) -> Array:
        return 1 / np.sqrt(np.maximum(square, square.dtype.type(self.config.eps)))


@regcheck.implements("rms_norm")
class EpsOfPeakDivided(RMSNorm):
    """Divides x by its peak so that no square overflows, and forgets to divide ε by the peak's square."""

    def widened(self, x: Array) -> Array:
        wide = super().widened(x)
        peak = np.max(np.abs(wide), axis=self.axes(wide), keepdims=True, initial=0)
        return wide / np.where(peak > 0, peak, 1)


@regcheck.implements("rms_norm")
class WithoutEps(RMSNorm):
    """Forgets ε: zeros become NaN."""

    def inverse(self, square: Array) -> Array:
        return 1 / np.sqrt(square)


@regcheck.implements("rms_norm")
class EpsLostInHalf(RMSNorm):
    """Holds ε in the input's type: 1e-8 is 0 in half precision, and zeros become NaN."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.eps = x.dtype.type(self.config.eps)
        return super().forward(x, training)

    def inverse(self, square: Array) -> Array:
        return 1 / np.sqrt(square + self.eps.astype(square.dtype))


# --- precision and size


@regcheck.implements("rms_norm", declares={"compute_dtype": "float32"})
class AccumulatedInHalf(RMSNorm):
    """Squares in float32 and keeps the mean of squares in half precision (Liger#950's kind)."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.kept = x.dtype
        return super().forward(x, training)

    def mean_square(self, x: Array) -> Array:
        return super().mean_square(x).astype(self.kept).astype(x.dtype)


@regcheck.implements("rms_norm")
class SquaresInHalf(RMSNorm):
    """Squares half precision in half: infinite beyond 255, and the output 0."""

    def widened(self, x: Array) -> Array:
        return x


@regcheck.implements("rms_norm")
class TailLeftOut(RMSNorm):
    """From 4 096 features on, leaves those beyond the last whole block of 1 024 out (apex#1768's kind)."""

    def mean_square(self, x: Array) -> Array:
        if self.n < 4096:
            return super().mean_square(x)
        flat = x.reshape(*x.shape[: x.ndim - len(self.config.shape)], self.n)
        whole = np.sum(np.square(flat[..., : self.n // 1024 * 1024]), axis=-1) / x.dtype.type(self.n)
        return whole.reshape(*whole.shape, *[1] * len(self.config.shape))


# --- γ


@regcheck.implements("rms_norm")
class OnePlusScale(RMSNorm):
    """(1 + γ)·ẑ, as Gemma stores its weights, beside a γ that begins at 1."""

    def scaled(self, z: Array) -> Array:
        return z * (1 + self.parameters["scale"]) if self.parameters else z


@regcheck.implements("rms_norm")
class ScaleBefore(RMSNorm):
    """Normalises γ·x: invisible with a γ of equal numbers."""

    def mean_square(self, x: Array) -> Array:
        return super().mean_square(self.scaled(x))


@regcheck.implements("rms_norm")
class ScaleOfFirstFeature(RMSNorm):
    """One γ for all features."""

    def scaled(self, z: Array) -> Array:
        return z * self.parameters["scale"].reshape(-1)[0] if self.parameters else z


@regcheck.implements("rms_norm")
class ScalePerSample(RMSNorm):
    """Takes γ along the batch where that is as long as it."""

    def scaled(self, z: Array) -> Array:
        if not self.parameters or z.ndim <= len(self.config.shape):
            return super().scaled(z)
        along = np.resize(self.parameters["scale"], z.shape[0]).astype(z.dtype)
        return z * along.reshape(-1, *[1] * (z.ndim - 1))


@regcheck.implements("rms_norm")
class InferenceWithoutScale(RMSNorm):
    """Applies γ in training alone."""

    def scaled(self, z: Array) -> Array:
        return super().scaled(z) if self.training else z
