"""Right dropouts in NumPy that differ in how they draw or in what they declare: no property may fail for them."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class Dropout:
    """Each element 0 with probability p, else x/(1 − p); a variant overrides one step."""

    def __init__(self, config: Any) -> None:
        self.rate = float(config.rate)
        self.generator = np.random.default_rng()
        self.kept: Array | None = None

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        self.generator = np.random.default_rng(value)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.kept = self._drawn(x) if training else None
        return self._applied(x)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx} of the last forward, with its mask."""
        return {"x": self._applied(cotangent)}

    def _drawn(self, x: Array) -> Array:
        return self.generator.random(x.shape) >= self.rate

    def _applied(self, x: Array) -> Array:
        if self.kept is None:
            return x.copy()
        with np.errstate(all="ignore"):
            return np.where(self.kept, self._scaled(x), x.dtype.type(0))

    def _scaled(self, x: Array) -> Array:
        return (x * self._factor()).astype(x.dtype)

    def _factor(self) -> np.float64:
        return np.float64(1 / (1 - self.rate) if self.rate < 1 else 0)


@regcheck.implements("dropout")
class Straightforward(Dropout):
    """numpy.where with float64 draws."""


@regcheck.implements("dropout")
class Divides(Dropout):
    """Divides by 1 − p in x's own type, rather than multiply by its inverse."""

    def _scaled(self, x: Array) -> Array:
        return x / x.dtype.type(1 - self.rate) if self.rate < 1 else np.zeros_like(x)


@regcheck.implements("dropout")
class FactorOfOwnType(Dropout):
    """Multiplies by 1/(1 − p) rounded to x's type."""

    def _scaled(self, x: Array) -> Array:
        return x * x.dtype.type(self._factor())


@regcheck.implements("dropout", declares={"dropped_nonfinite": "nan"})
class MultipliesDeclared(Dropout):
    """x·mask·factor: a dropped ∞ or NaN is NaN, and it says so."""

    def _applied(self, x: Array) -> Array:
        if self.kept is None:
            return x.copy()
        with np.errstate(all="ignore"):
            return x * (self.kept * self._factor()).astype(x.dtype)


@regcheck.implements("dropout")
class InputItself(Dropout):
    """Returns the very input where the law is the identity."""

    def _applied(self, x: Array) -> Array:
        return x if self.kept is None else super()._applied(x)


@regcheck.implements("dropout")
class SixteenBits(Dropout):
    """Compares 16 random bits with p rounded to a 65 536th."""

    def _drawn(self, x: Array) -> Array:
        return self.generator.integers(0, 1 << 16, x.shape, dtype=np.uint32) >= round(self.rate * (1 << 16))


@regcheck.implements("dropout")
class SingleDraws(Dropout):
    """Draws in float32, kept where u < 1 − p."""

    def _drawn(self, x: Array) -> Array:
        return self.generator.random(x.shape, dtype=np.float32) < np.float32(1 - self.rate)


@regcheck.implements("dropout")
class CounterBased(Dropout):
    """A generator that is a function of seed and call."""

    key, calls = 0, 0

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        self.key, self.calls = value + 1, 0

    def _drawn(self, x: Array) -> Array:
        if not self.key:
            return super()._drawn(x)
        self.calls += 1
        return np.random.Generator(np.random.Philox(key=[self.key, self.calls])).random(x.shape) >= self.rate


@regcheck.implements("dropout")
class PackedMask(Dropout):
    """Keeps its mask as bits."""

    def _drawn(self, x: Array) -> Array:
        self.bits, self.drawn = np.packbits(super()._drawn(x)), x.shape
        return np.unpackbits(self.bits, count=x.size).astype(bool).reshape(x.shape)


@regcheck.implements("dropout")
class FlatDraws(Dropout):
    """Draws one flat row, in logical order."""

    def _drawn(self, x: Array) -> Array:
        return (self.generator.random(x.size) >= self.rate).reshape(x.shape)


@regcheck.implements("dropout", declares={"mask_order": "memory"})
class MemoryOrderDeclared(Dropout):
    """Draws in the order of the input's memory, and says so."""

    def _drawn(self, x: Array) -> Array:
        order = sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))
        drawn = self.generator.random([x.shape[axis] for axis in order]) >= self.rate
        return np.transpose(drawn, np.argsort(order)) if order else drawn


@regcheck.implements("dropout", declares={"random_stream": "process"})
class SharedStreamDeclared(Dropout):
    """All layers draw from one generator, and say so."""

    shared = np.random.default_rng()

    def seed(self, value: int) -> None:
        """Restart the stream of every layer."""
        SharedStreamDeclared.shared = np.random.default_rng(value)

    def _drawn(self, x: Array) -> Array:
        return self.shared.random(x.shape) >= self.rate


@regcheck.implements("dropout")
class WithoutSeed(Dropout):
    """Cannot be seeded: what needs it is not-applicable."""

    seed = None  # type: ignore[assignment]


@regcheck.implements("dropout")
class SeededByNumPysStream(Dropout):
    """Takes the seed of its own stream from NumPy's global one."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.generator = np.random.default_rng(np.random.randint(2**31))  # noqa: NPY002  (the older stream is meant)


@regcheck.implements("dropout")
class RateOneRefused(Dropout):
    """Offers rates below 1; the config is left out, and counted."""

    def __init__(self, config: Any) -> None:
        if config.rate == 1:
            msg = "rate must be below 1"
            raise regcheck.Unsupported(msg)
        super().__init__(config)


@regcheck.implements("dropout")
class DrawsNumbersOfZeros(Dropout):
    """Draws how many are kept in a row before the next is dropped (geometric), rather than each."""

    def _drawn(self, x: Array) -> Array:
        kept = np.ones(x.size, bool)
        if self.rate:
            gaps = self.generator.geometric(self.rate, x.size)
            dropped = np.cumsum(gaps) - 1
            kept[dropped[dropped < x.size]] = False
        return kept.reshape(x.shape)


@regcheck.implements("dropout")
class Binomial(Dropout):
    """Draws from the binomial distribution of one trial."""

    def _drawn(self, x: Array) -> Array:
        return self.generator.binomial(1, 1 - self.rate, x.shape).astype(bool)


@regcheck.implements("dropout")
class FortranResult(Dropout):
    """Returns the first axis contiguous."""

    def _applied(self, x: Array) -> Array:
        return np.asfortranarray(super()._applied(x))


@regcheck.implements("dropout")
class WritesTheKept(Dropout):
    """Writes what is kept into zeros, by index."""

    def _applied(self, x: Array) -> Array:
        if self.kept is None:
            return x.copy()
        y = np.zeros_like(x)
        with np.errstate(all="ignore"):
            y[self.kept] = self._scaled(x[self.kept])
        return y


@regcheck.implements("dropout", dtypes=("float64",))
class DoubleOnly(Dropout):
    """Offers float64 alone, and says so."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        if x.dtype != np.float64:
            msg = f"Expected float64. Received {x.dtype}."
            raise TypeError(msg)
        return super().forward(x, training)


@regcheck.implements("dropout", declares={"subnormals": "flushed"})
class FlushedDeclared(Dropout):
    """Takes subnormal numbers for 0 in training and gives none, float16's apart, and says so."""

    def _scaled(self, x: Array) -> Array:
        if x.dtype == np.float16:
            return super()._scaled(x)
        y = super()._scaled(np.where(np.abs(x) < np.finfo(x.dtype).smallest_normal, x.dtype.type(0), x))
        return np.where(np.abs(y) < np.finfo(x.dtype).smallest_normal, x.dtype.type(0), y)
