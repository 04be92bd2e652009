"""Gaussian dropouts in NumPy; each differs in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "DeviationIsVariance": "gaussian_dropout.variance",
    "DeviationIsRootOfRate": "gaussian_dropout.variance",
    "DeviationOfTheShareKept": "gaussian_dropout.variance",
    "VarianceTwoPercentOff": "gaussian_dropout.variance",
    "RateForgotten": "gaussian_dropout.variance",
    "HalfPrecisionDeviates": "gaussian_dropout.variance",
    "MeanIsShareKept": "gaussian_dropout.expectation-preserved",
    "MeanSlightlyOff": "gaussian_dropout.expectation-preserved",
    "ClippedAtZero": "gaussian_dropout.expectation-preserved",
    "Absolute": "gaussian_dropout.expectation-preserved",
    "LogNormal": "gaussian_dropout.normal",
    "Uniform": "gaussian_dropout.normal",
    "Truncated": "gaussian_dropout.normal",
    "SumOfUniforms": "gaussian_dropout.normal",
    "TwoValued": "gaussian_dropout.normal",
    "RareSpikes": "gaussian_dropout.variance",
    "Additive": "gaussian_dropout.zero-stays-zero",
    "NoiseOfX": "gaussian_dropout.noise-independent-of-values",
    "LargeValuesSpared": "gaussian_dropout.noise-independent-of-values",
    "BackwardDrawsAnew": "gaussian_dropout.backward-noise",
    "BackwardPasses": "gaussian_dropout.backward-noise",
    "BackwardDivides": "gaussian_dropout.backward-noise",
    "BackwardReadsZeros": "gaussian_dropout.backward-noise",
    "CleansNonfinite": "gaussian_dropout.nonfinite-propagates",
    "NoiseSharedOverBatch": "gaussian_dropout.mask-independence",
    "NoiseSharedOverFeatures": "gaussian_dropout.mask-independence",
    "RadiusUsedTwice": "gaussian_dropout.distance-independence",
    "AntitheticPairs": "gaussian_dropout.mask-independence",
    "ActiveInInference": "gaussian_dropout.inference-identity",
    "DeviationAtLeastATenth": "gaussian_dropout.rate-zero-identity",
    "NoiseCachedByShape": "gaussian_dropout.fresh-mask",
    "SeedIgnored": "gaussian_dropout.reseed-replays",
    "SeedTruncated": "gaussian_dropout.seeds-differ",
    "SeedFixedInConstructor": "gaussian_dropout.layers-differ",
    "StreamSharedUndeclared": "gaussian_dropout.random-stream-as-declared",
    "NoiseInMemoryOrderUndeclared": "gaussian_dropout.mask-order-as-declared",
}


class GaussianDropout:
    """The right layer: x·n, n ~ N(1, p/(1 − p)); a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.rate = float(config.rate)
        self.generator = np.random.default_rng()
        self.noise: Array | None = None

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        self.generator = np.random.default_rng(value)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        if not training or self.rate == 0:
            return self._infer(x)
        self.noise = self._noise(x)
        return self._applied(x)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx} of the last forward, with its noise."""
        if self.noise is None:
            return {"x": cotangent.copy()}
        return {"x": self._transposed(cotangent).astype(cotangent.dtype)}

    def _infer(self, x: Array) -> Array:
        self.noise = None
        return x.copy()

    def _noise(self, x: Array) -> Array:
        return 1 + self._deviation() * self._deviate(x.shape)

    def _deviation(self) -> float:
        return (self.rate / (1 - self.rate)) ** 0.5

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return self.generator.standard_normal(shape)

    def _applied(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(x * self.noise).astype(x.dtype)

    def _transposed(self, cotangent: Array) -> Array:
        return np.asarray(cotangent * self.noise)


@regcheck.implements("gaussian_dropout")
class DeviationIsVariance(GaussianDropout):
    """p/(1 − p) where its root is meant; invisible at ½."""

    def _deviation(self) -> float:
        return self.rate / (1 - self.rate)


@regcheck.implements("gaussian_dropout")
class DeviationIsRootOfRate(GaussianDropout):
    """√p: hardly visible at small rates."""

    def _deviation(self) -> float:
        return self.rate**0.5


@regcheck.implements("gaussian_dropout")
class DeviationOfTheShareKept(GaussianDropout):
    """Takes the rate for the probability of keeping, √((1 − p)/p); invisible at ½."""

    def _deviation(self) -> float:
        return ((1 - self.rate) / self.rate) ** 0.5


@regcheck.implements("gaussian_dropout")
class VarianceTwoPercentOff(GaussianDropout):
    """One percent more of standard deviation."""

    def _deviation(self) -> float:
        return 1.01 * super()._deviation()


@regcheck.implements("gaussian_dropout")
class RateForgotten(GaussianDropout):
    """Standard deviation 1 at every rate; invisible at ½."""

    def _deviation(self) -> float:
        return 1.0


@regcheck.implements("gaussian_dropout")
class HalfPrecisionDeviates(GaussianDropout):
    """Box and Muller's radius from a uniform number of 8 bits: it ends at 3.3, and its square is too small."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        uniform = (self.generator.integers(0, 256, shape) + 1) / 256
        return np.sqrt(-2 * np.log(uniform)) * np.cos(2 * np.pi * self.generator.random(shape))


@regcheck.implements("gaussian_dropout")
class MeanIsShareKept(GaussianDropout):
    """Noise around 1 − p, as an unscaled mask has."""

    def _noise(self, x: Array) -> Array:
        return super()._noise(x) - self.rate


@regcheck.implements("gaussian_dropout")
class MeanSlightlyOff(GaussianDropout):
    """A mean off by 0.015 of the noise's standard deviations."""

    def _noise(self, x: Array) -> Array:
        return super()._noise(x) + 0.015 * self._deviation()


@regcheck.implements("gaussian_dropout")
class ClippedAtZero(GaussianDropout):
    """No negative factors: the mean moves up where s is large."""

    def _noise(self, x: Array) -> Array:
        return np.maximum(super()._noise(x), 0)


@regcheck.implements("gaussian_dropout")
class Absolute(GaussianDropout):
    """Turns negative factors round."""

    def _noise(self, x: Array) -> Array:
        return np.abs(super()._noise(x))


@regcheck.implements("gaussian_dropout")
class LogNormal(GaussianDropout):
    """Log-normal noise of the same mean and variance."""

    def _noise(self, x: Array) -> Array:
        sigma = np.log1p(self.rate / (1 - self.rate)) ** 0.5
        return np.exp(sigma * self._deviate(x.shape) - sigma**2 / 2)


@regcheck.implements("gaussian_dropout")
class Uniform(GaussianDropout):
    """Uniform noise of the same mean and variance."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return self.generator.uniform(-(3**0.5), 3**0.5, shape)


@regcheck.implements("gaussian_dropout")
class Truncated(GaussianDropout):
    """Redraws beyond two standard deviations (`truncated_normal`), rescaled to the same variance."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        z = self.generator.standard_normal(shape)
        while np.any(np.abs(z) > 2):
            z = np.where(np.abs(z) > 2, self.generator.standard_normal(shape), z)
        return z / 0.8796256610342398


@regcheck.implements("gaussian_dropout")
class SumOfUniforms(GaussianDropout):
    """The sum of four uniform numbers, by the central limit."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return (self.generator.random((4, *shape)).sum(axis=0) - 2) * 3**0.5


@regcheck.implements("gaussian_dropout")
class TwoValued(GaussianDropout):
    """Bernoulli noise 1 ± s, of the same mean and variance."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return np.sign(self.generator.random(shape) - 0.5)


@regcheck.implements("gaussian_dropout")
class RareSpikes(GaussianDropout):
    """One factor in ten thousand is twenty times as far from 1: no quantile shows it."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return super()._deviate(shape) * np.where(self.generator.random(shape) < 1e-4, 20, 1)


@regcheck.implements("gaussian_dropout")
class Additive(GaussianDropout):
    """Adds noise of mean 0 (GaussianNoise)."""

    def _applied(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(x + (np.asarray(self.noise) - 1)).astype(x.dtype)

    def _transposed(self, cotangent: Array) -> Array:
        return cotangent.copy()


@regcheck.implements("gaussian_dropout")
class NoiseOfX(GaussianDropout):
    """Noise in proportion to the root of |x|."""

    def _applied(self, x: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(x + np.sqrt(np.abs(x)) * (np.asarray(self.noise) - 1)).astype(x.dtype)


@regcheck.implements("gaussian_dropout")
class LargeValuesSpared(GaussianDropout):
    """Leaves what is beyond 6 as it is."""

    def _noise(self, x: Array) -> Array:
        return np.where(np.abs(x) > 6, 1, super()._noise(x))


@regcheck.implements("gaussian_dropout")
class BackwardDrawsAnew(GaussianDropout):
    """Backward draws noise of its own."""

    def _transposed(self, cotangent: Array) -> Array:
        return cotangent * self._noise(cotangent)


@regcheck.implements("gaussian_dropout")
class BackwardPasses(GaussianDropout):
    """A straight-through gradient."""

    def _transposed(self, cotangent: Array) -> Array:
        return cotangent.copy()


@regcheck.implements("gaussian_dropout")
class BackwardDivides(GaussianDropout):
    """Divides by the noise."""

    def _transposed(self, cotangent: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.asarray(cotangent / self.noise)


@regcheck.implements("gaussian_dropout")
class BackwardReadsZeros(GaussianDropout):
    """Takes a result of 0 for a dropped entry, which gets no gradient."""

    def _applied(self, x: Array) -> Array:
        self.zero = x == 0
        return super()._applied(x)

    def _transposed(self, cotangent: Array) -> Array:
        return np.where(self.zero, 0, super()._transposed(cotangent))


@regcheck.implements("gaussian_dropout")
class CleansNonfinite(GaussianDropout):
    """Replaces NaN and infinities by numbers."""

    def _applied(self, x: Array) -> Array:
        return np.nan_to_num(super()._applied(x))


@regcheck.implements("gaussian_dropout")
class NoiseSharedOverBatch(GaussianDropout):
    """One noise for all samples."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(super()._deviate(shape[1:]), shape) if len(shape) > 1 else super()._deviate(shape)


@regcheck.implements("gaussian_dropout")
class NoiseSharedOverFeatures(GaussianDropout):
    """One factor for all features of a sample."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(super()._deviate((*shape[:-1], 1)), shape) if len(shape) > 1 else super()._deviate(shape)


class Polar(GaussianDropout):
    """Box and Muller's numbers, two of each pair of uniform ones."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        size = int(np.prod(shape))
        radius = np.sqrt(-2 * np.log1p(-self.generator.random(-(-size // 2))))
        return np.stack(self._pair(radius), axis=1).ravel()[:size].reshape(shape)

    def _pair(self, radius: Array) -> tuple[Array, Array]:
        angle = 2 * np.pi * self.generator.random(radius.size)
        return radius * np.cos(angle), radius * np.sin(angle)


@regcheck.implements("gaussian_dropout")
class RadiusUsedTwice(Polar):
    """Box and Muller's radius with two angles and two cosines: neighbours are far from 1 together, on either side."""

    def _pair(self, radius: Array) -> tuple[Array, Array]:
        angles = 2 * np.pi * self.generator.random((2, radius.size))
        return radius * np.cos(angles[0]), radius * np.cos(angles[1])


@regcheck.implements("gaussian_dropout")
class AntitheticPairs(GaussianDropout):
    """Every second deviate is minus the one before: moments and shares are right."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        size = int(np.prod(shape))
        half = super()._deviate((-(-size // 2),))
        return np.stack([half, -half], axis=1).ravel()[:size].reshape(shape)


@regcheck.implements("gaussian_dropout")
class ActiveInInference(GaussianDropout):
    """Ignores the mode."""

    def _infer(self, x: Array) -> Array:
        return super()._infer(x) if self.rate == 0 else self.forward(x, training=True)


@regcheck.implements("gaussian_dropout")
class DeviationAtLeastATenth(GaussianDropout):
    """Never switches off: at rate 0 a tenth remains."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        if not training:
            return self._infer(x)
        self.noise = self._noise(x)
        return self._applied(x)

    def _deviation(self) -> float:
        return max(super()._deviation(), 0.1)


@regcheck.implements("gaussian_dropout")
class NoiseCachedByShape(GaussianDropout):
    """Draws once for each shape."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        if getattr(self, "drawn", np.empty(0)).shape != shape:
            self.drawn = super()._deviate(shape)
        return self.drawn


@regcheck.implements("gaussian_dropout")
class SeedIgnored(GaussianDropout):
    """Takes a seed and does nothing with it."""

    def seed(self, value: int) -> None:
        """Leave the random stream as it is."""


@regcheck.implements("gaussian_dropout")
class SeedTruncated(GaussianDropout):
    """Keeps 16 bits of the seed."""

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        super().seed(value % 2**16)


@regcheck.implements("gaussian_dropout")
class SeedFixedInConstructor(GaussianDropout):
    """Every new layer draws the same."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.seed(0)


@regcheck.implements("gaussian_dropout")
class StreamSharedUndeclared(GaussianDropout):
    """All layers draw from one generator, and do not say so."""

    shared = np.random.default_rng()

    def seed(self, value: int) -> None:
        """Restart the stream of every layer."""
        StreamSharedUndeclared.shared = np.random.default_rng(value)

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return self.shared.standard_normal(shape)


@regcheck.implements("gaussian_dropout")
class NoiseInMemoryOrderUndeclared(GaussianDropout):
    """Draws in the order of x's memory, and does not say so."""

    def _noise(self, x: Array) -> Array:
        order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
        drawn = self._deviate(tuple(x.shape[axis] for axis in order))
        return 1 + self._deviation() * (np.transpose(drawn, np.argsort(order)) if order else drawn)
