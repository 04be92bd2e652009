"""Right layer normalisations in NumPy that differ in how they compute: no property may fail for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class LayerNorm:
    """y = γ·(x − mean)/√(var + ε) + β over rows of n values; a variant overrides how the sums are taken."""

    names = ("scale", "shift")

    def __init__(self, config: Any) -> None:
        self.shape, self.eps, self.n = config.shape, config.eps, math.prod(config.shape)
        self.parameters: dict[str, Array] = {}
        if config.affine:
            self.parameters = {self.names[0]: np.ones(self.shape), self.names[1]: np.zeros(self.shape)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError where x does not end in the config's shape."""
        if x.shape[-len(self.shape) :] != self.shape:
            msg = f"Expected (..., {self.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        rows = self._widened(np.ascontiguousarray(x).reshape(-1, self.n))
        with np.errstate(all="ignore"):
            mean, variance = self._statistics(rows)
            self.inverse = 1 / np.sqrt(variance + self.eps)
            self.normalised = (rows - mean) * self.inverse
            return self._affine(self.normalised).reshape(x.shape).astype(x.dtype)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward."""
        given = np.ascontiguousarray(cotangent).reshape(-1, self.n).astype(self.normalised.dtype)
        scaled = given * self._row(0) if self.parameters else given
        inner = np.mean(scaled * self.normalised, axis=1, keepdims=True)
        dx = self.inverse * (scaled - np.mean(scaled, axis=1, keepdims=True) - self.normalised * inner)
        sums = (np.sum(given * self.normalised, axis=0), np.sum(given, axis=0))
        named = zip(self.parameters.items(), sums, strict=False)
        found = {name: total.reshape(self.shape).astype(value.dtype) for (name, value), total in named}
        return {"x": dx.reshape(cotangent.shape).astype(cotangent.dtype), **found}

    def _row(self, which: int) -> Array:
        return self.parameters[self.names[which]].reshape(1, self.n)

    def _widened(self, rows: Array) -> Array:
        return rows.astype(np.promote_types(rows.dtype, np.float32))

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = self._sum(rows) / self.n
        return mean, self._sum((rows - mean) ** 2) / self.n

    def _sum(self, rows: Array) -> Array:
        return np.sum(rows, axis=1, keepdims=True)

    def _affine(self, normalised: Array) -> Array:
        return normalised * self._row(0) + self._row(1) if self.parameters else normalised


@regcheck.implements("layer_norm")
class Straightforward(LayerNorm):
    """Two passes with NumPy's sums."""


@regcheck.implements("layer_norm")
class Welford(LayerNorm):
    """Running mean and sum of squares, one value after the other (Welford 1962)."""

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        mean, squares = _welford(rows)
        return mean, squares / self.n


@regcheck.implements("layer_norm")
class WelfordInLanes(LayerNorm):
    """Four runs of Welford's update side by side, merged one by one, as vector instructions make them."""

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        mean, squares, count = *_welford(rows[:, ::4]), len(range(0, self.n, 4))
        for lane in range(1, min(4, self.n)):
            part = rows[:, lane::4]
            more, (mean_more, squares_more) = part.shape[1], _welford(part)
            step, both = mean_more - mean, count + more
            mean = mean + step * rows.dtype.type(more / both)
            squares = squares + squares_more + step * step * rows.dtype.type(count * more / both)
            count = both
        return mean, squares / self.n


def _welford(rows: Array) -> tuple[Array, Array]:
    mean, squares = np.zeros_like(rows[:, :1]), np.zeros_like(rows[:, :1])
    for count in range(1, rows.shape[1] + 1):
        value = rows[:, count - 1 : count]
        before = value - mean
        mean = mean + before / rows.dtype.type(count)
        squares = squares + before * (value - mean)
    return mean, squares


@regcheck.implements("layer_norm")
class CorrectedVariance(LayerNorm):
    """Two passes; the squares less what the centred values' sum adds to them (Chan, Golub and LeVeque 1983)."""

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = self._sum(rows) / self.n
        centred = rows - mean
        squares = self._sum(centred * centred) - np.square(self._sum(centred)) / self.n
        return mean, np.maximum(squares, 0) / self.n


@regcheck.implements("layer_norm")
class SequentialSums(LayerNorm):
    """Sums from left to right."""

    def _sum(self, rows: Array) -> Array:
        return np.add.accumulate(rows, axis=1)[:, -1:]


@regcheck.implements("layer_norm")
class BackwardSums(LayerNorm):
    """Sums from right to left."""

    def _sum(self, rows: Array) -> Array:
        return np.add.accumulate(rows[:, ::-1], axis=1)[:, -1:]


@regcheck.implements("layer_norm")
class PairwiseSums(LayerNorm):
    """Sums halves of halves."""

    def _sum(self, rows: Array) -> Array:
        if rows.shape[1] == 1:
            return rows
        half = rows.shape[1] // 2
        return self._sum(rows[:, :half]) + self._sum(rows[:, half:])


@regcheck.implements("layer_norm")
class MatrixProductSums(LayerNorm):
    """Sums by a product with ones, whose order is the matrix library's and changes with the batch."""

    def _sum(self, rows: Array) -> Array:
        return rows @ np.ones((self.n, 1), rows.dtype)


@regcheck.implements("layer_norm")
class EinsumSums(LayerNorm):
    """Sums by einsum."""

    def _sum(self, rows: Array) -> Array:
        return np.einsum("nf->n", rows)[:, None]


@regcheck.implements("layer_norm")
class ReciprocalOfLength(LayerNorm):
    """Multiplies by a rounded 1/n, as kernels do."""

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        share = rows.dtype.type(1) / rows.dtype.type(self.n)
        mean = self._sum(rows) * share
        return mean, self._sum((rows - mean) ** 2) * share


@regcheck.implements("layer_norm")
class WideInside(LayerNorm):
    """Computes in float64 whatever comes."""

    def _widened(self, rows: Array) -> Array:
        return rows.astype(np.float64)


@regcheck.implements("layer_norm", declares={"compute_dtype": "float32"})
class WideForHalfDeclared(LayerNorm):
    """float16 in float32, and says so: held to the narrower bound."""


@regcheck.implements("layer_norm", declares={"batch_invariance": "bitwise"})
class BitwiseDeclared(LayerNorm):
    """One row after the other, and says that the batch changes no bit."""

    def _sum(self, rows: Array) -> Array:
        return np.array([[np.sum(row)] for row in rows], rows.dtype).reshape(-1, 1)


@regcheck.implements("layer_norm", declares={"single_value_batch": "error"})
class OneValueRefused(LayerNorm):
    """Raises for samples of one value in training, and says so."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        if training and self.n == 1 and x.size:
            msg = "Expected more than one value per sample."
            raise ValueError(msg)
        return super().forward(x, training)


@regcheck.implements("layer_norm", names={"scale": "g", "shift": "b"})
class OwnNames(LayerNorm):
    """Calls its parameters g and b, in its gradients too."""

    names = ("g", "b")


@regcheck.implements("layer_norm")
class WithoutBackward(LayerNorm):
    """Offers no gradients: what needs them is not-applicable."""

    backward = None  # type: ignore[assignment]


@regcheck.implements("layer_norm", dtypes=("float32",))
class SinglePrecisionOnly(LayerNorm):
    """Refuses other types than float32, and says so."""

    def _widened(self, rows: Array) -> Array:
        if rows.dtype != np.float32:
            msg = f"Expected float32. Received {rows.dtype}."
            raise TypeError(msg)
        return rows


@regcheck.implements("layer_norm")
class OneAxisOnly(LayerNorm):
    """Offers one-dimensional shapes alone; the others are left out, and counted."""

    def __init__(self, config: Any) -> None:
        if len(config.shape) != 1:
            msg = "one axis only"
            raise regcheck.Unsupported(msg)
        super().__init__(config)
