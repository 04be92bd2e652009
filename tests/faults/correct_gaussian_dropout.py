"""Right Gaussian dropouts in NumPy that differ in how they draw, multiply or declare: no property may fail for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class GaussianDropout:
    """x·n, n ~ N(1, p/(1 − p)); a variant overrides one step."""

    def __init__(self, config: Any) -> None:
        self.deviation = math.sqrt(config.rate / (1 - config.rate))
        self.generator = np.random.default_rng()
        self.noise: Array | None = None

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        self.generator = np.random.default_rng(value)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.noise = self._noise(x) if training and self.deviation else None
        return self._applied(x)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx} of the last forward, with its noise."""
        return {"x": self._applied(cotangent)}

    def _noise(self, x: Array) -> Array:
        return 1 + self.deviation * self._deviate(x.shape)

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return self.generator.standard_normal(shape)

    def _applied(self, x: Array) -> Array:
        if self.noise is None:
            return x.copy()
        with np.errstate(all="ignore"):
            return np.asarray(x * self.noise).astype(x.dtype)


@regcheck.implements("gaussian_dropout")
class Straightforward(GaussianDropout):
    """1 + s·standard_normal."""


@regcheck.implements("gaussian_dropout")
class Normal(GaussianDropout):
    """normal(1, s)."""

    def _noise(self, x: Array) -> Array:
        return self.generator.normal(1, self.deviation, x.shape)


@regcheck.implements("gaussian_dropout")
class OfOwnType(GaussianDropout):
    """z, s, their product and n are stored in x's type."""

    def _noise(self, x: Array) -> Array:
        own = x.dtype.type
        return own(1) + own(self.deviation) * self._deviate(x.shape).astype(x.dtype)


@regcheck.implements("gaussian_dropout")
class AddsTheNoise(GaussianDropout):
    """x + (x·s)·z in x's type."""

    def _noise(self, x: Array) -> Array:
        return self._deviate(x.shape).astype(x.dtype)

    def _applied(self, x: Array) -> Array:
        if self.noise is None:
            return x.copy()
        with np.errstate(all="ignore"):
            return x + (x * x.dtype.type(self.deviation)) * self.noise


@regcheck.implements("gaussian_dropout")
class BoxMuller(GaussianDropout):
    """Cosine and sine of one angle, with one radius: two independent normal numbers."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        size = math.prod(shape)
        radius = np.sqrt(-2 * np.log1p(-self.generator.random(-(-size // 2))))
        angle = 2 * np.pi * self.generator.random(radius.size)
        pair = radius * np.cos(angle), radius * np.sin(angle)
        return np.stack(pair, axis=1).ravel()[:size].reshape(shape)


@regcheck.implements("gaussian_dropout")
class SinglePrecision(GaussianDropout):
    """Draws in float32."""

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return self.generator.standard_normal(shape, dtype=np.float32)


@regcheck.implements("gaussian_dropout", declares={"mask_order": "memory"})
class MemoryOrderDeclared(GaussianDropout):
    """Draws in the order of x's memory, and says so."""

    def _noise(self, x: Array) -> Array:
        order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
        drawn = self._deviate(tuple(x.shape[axis] for axis in order))
        return 1 + self.deviation * (np.transpose(drawn, np.argsort(order)) if order else drawn)


@regcheck.implements("gaussian_dropout", declares={"random_stream": "process"})
class SharedStreamDeclared(GaussianDropout):
    """All layers draw from one generator, and say so."""

    shared = np.random.default_rng()

    def seed(self, value: int) -> None:
        """Restart the stream of every layer."""
        SharedStreamDeclared.shared = np.random.default_rng(value)

    def _deviate(self, shape: tuple[int, ...]) -> Array:
        return self.shared.standard_normal(shape)


@regcheck.implements("gaussian_dropout")
class WithoutSeed(GaussianDropout):
    """Cannot be seeded: what needs it is not-applicable."""

    seed = None  # type: ignore[assignment]
