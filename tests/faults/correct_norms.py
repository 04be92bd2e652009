"""Right normalisations in NumPy with other sums, layouts, types and promises: no property may fail for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from correct_batch_norm import BatchNorm
from correct_layer_norm import LayerNorm

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


def _compensated(terms: Array) -> Array:
    """The sum over the first axis by halves, with what each addition lost (Knuth's TwoSum) added at the end."""
    lost = np.zeros_like(terms[0])
    while len(terms) > 1:
        a, b = terms[: len(terms) // 2], terms[len(terms) // 2 : len(terms) // 2 * 2]
        added = a + b
        second = added - a
        lost = lost + np.sum((a - (added - second)) + (b - second), axis=0)
        terms = np.concatenate([added, terms[len(terms) // 2 * 2 :]])
    # Where the sum overflowed, what it lost is no number.
    return np.where(np.isfinite(terms[0]), terms[0] + lost, terms[0])


def _pairwise(terms: Array) -> Array:
    """The sum over the first axis by halves of halves."""
    if len(terms) < 2:
        return np.sum(terms, axis=0)
    return _pairwise(terms[::2]) + _pairwise(terms[1::2])


def _merged(terms: Array, size: int) -> tuple[Array, Array]:
    """Mean and variance over the first axis, block after block (Chan, Golub, LeVeque 1979)."""
    count, mean, squares = 0, np.zeros_like(terms[0]), np.zeros_like(terms[0])
    for start in range(0, len(terms), size):
        block = terms[start : start + size]
        centre = np.mean(block, axis=0)
        apart, share = centre - mean, len(block) / (count + len(block))
        squares = squares + np.sum((block - centre) ** 2, axis=0) + apart**2 * (count * share)
        mean, count = mean + apart * share, count + len(block)
    return mean, squares / count


def _corrected(terms: Array) -> tuple[Array, Array]:
    """Mean and variance over the first axis, less what the rounded mean adds (Chan, Golub, LeVeque 1983)."""
    n, mean = len(terms), np.mean(terms, axis=0)
    centred = terms - mean
    return mean, (np.sum(centred**2, axis=0) - np.sum(centred, axis=0) ** 2 / n) / n


def _flushed(x: Array) -> Array:
    """Zeros, with their signs, for subnormal numbers."""
    return np.where(np.abs(x) < np.finfo(x.dtype).smallest_normal, np.copysign(x.dtype.type(0), x), x)


# --- layer normalisation


@regcheck.implements("layer_norm")
class LayerCompensated(LayerNorm):
    """Compensated sums."""

    def _sum(self, rows: Array) -> Array:
        return _compensated(rows.T)[:, None]


@regcheck.implements("layer_norm")
class LayerBlocksMerged(LayerNorm):
    """Statistics of blocks of 16, merged."""

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        mean, variance = _merged(rows.T, 16)
        return mean[:, None], variance[:, None]


@regcheck.implements("layer_norm")
class LayerCorrected(LayerNorm):
    """Two passes, the second corrected."""

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        mean, variance = _corrected(rows.T)
        return mean[:, None], variance[:, None]


@regcheck.implements("layer_norm")
class LayerFortranResult(LayerNorm):
    """Returns the first axis contiguous."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        return np.asfortranarray(super().forward(x, training))


@regcheck.implements("layer_norm")
class LayerStridedResult(LayerNorm):
    """Returns every other number of a larger buffer."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        y = super().forward(x, training)
        buffer = np.full((*y.shape[:-1], 2 * y.shape[-1]), np.nan, y.dtype)
        buffer[..., ::2] = y
        return buffer[..., ::2]


@regcheck.implements("layer_norm")
class LayerScaleFirst(LayerNorm):
    """(x − mean)·(γ/√(var + ε)) + β: another order of the same products."""

    def _affine(self, normalised: Array) -> Array:
        if not self.parameters:
            return normalised
        # The inverse is taken out and put in again with γ: two roundings more.
        return (normalised / self.inverse) * (self.inverse * self._row(0)) + self._row(1)


@regcheck.implements("layer_norm", dtypes=("float64",))
class LayerDoubleOnly(LayerNorm):
    """Offers float64 alone, and says so."""

    def _widened(self, rows: Array) -> Array:
        if rows.dtype != np.float64:
            msg = f"Expected float64. Received {rows.dtype}."
            raise TypeError(msg)
        return rows


@regcheck.implements("layer_norm", declares={"single_value_batch": "nan"})
class LayerOneValueNan(LayerNorm):
    """NaN for samples of one value in training, and says so."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        y = super().forward(x, training)
        return np.full_like(y, np.nan) if training and self.n == 1 else y


@regcheck.implements("layer_norm", declares={"subnormals": "flushed"})
class LayerFlushedDeclared(LayerNorm):
    """Takes subnormal numbers for 0 and gives none, and says so."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        return _flushed(super().forward(_flushed(x), training))

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward."""
        return {name: _flushed(value) for name, value in super().backward(_flushed(cotangent)).items()}


# --- batch normalisation


@regcheck.implements("batch_norm")
class BatchAffineAlone(BatchNorm):
    """Offers no layer without γ and β."""

    def __init__(self, config: Any) -> None:
        if not config.affine:
            msg = "there is no layer without scale and shift"
            raise regcheck.Unsupported(msg)
        super().__init__(config)


@regcheck.implements("batch_norm")
class BatchCompensated(BatchNorm):
    """Compensated sums."""

    def _statistics(self, matrix: Array) -> tuple[Array, Array]:
        mean = _compensated(matrix) / len(matrix)
        return mean, _compensated((matrix - mean) ** 2) / len(matrix)


@regcheck.implements("batch_norm")
class BatchPairwise(BatchNorm):
    """Sums of halves of halves."""

    def _statistics(self, matrix: Array) -> tuple[Array, Array]:
        mean = _pairwise(matrix) / len(matrix)
        return mean, _pairwise((matrix - mean) ** 2) / len(matrix)


@regcheck.implements("batch_norm")
class BatchBlocksMerged(BatchNorm):
    """Statistics of blocks of 16, merged."""

    def _statistics(self, matrix: Array) -> tuple[Array, Array]:
        return _merged(matrix, 16)


@regcheck.implements("batch_norm")
class BatchCorrected(BatchNorm):
    """Two passes, the second corrected."""

    def _statistics(self, matrix: Array) -> tuple[Array, Array]:
        return _corrected(matrix)


@regcheck.implements("batch_norm")
class BatchGradientAsOneFraction(BatchNorm):
    """dx = γs/m·(m·g − Σg − z·Σgz)."""

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward."""
        found = super().backward(cotangent)
        if not self.training:
            return found
        given = self._matrix(cotangent)
        m = given.dtype.type(len(given))
        sums = np.sum(given, axis=0), np.sum(given * self.normalised, axis=0)
        dx = self._parameter("scale", 1) * self.inverse / m * (m * given - sums[0] - self.normalised * sums[1])
        return {**found, "x": self._tensor(dx, cotangent)}


@regcheck.implements("batch_norm")
class BatchStateInPlace(BatchNorm):
    """Writes the new averages into the arrays of the old ones."""

    def _of_the_batch(self, matrix: Array) -> tuple[Array, Array]:
        own = dict(self.state)
        mean, variance = super()._of_the_batch(matrix)
        for name, array in own.items():
            array[...] = self.state[name]
        self.state = own
        return mean, variance


@regcheck.implements("batch_norm")
class BatchFortranResult(BatchNorm):
    """Returns the first axis contiguous."""

    def _tensor(self, matrix: Array, like: Array) -> Array:
        return np.asfortranarray(super()._tensor(matrix, like))


@regcheck.implements("batch_norm")
class BatchChannelsInnermost(BatchNorm):
    """Takes channels first, and returns them so as a view of a channels-last buffer."""

    def _tensor(self, matrix: Array, like: Array) -> Array:
        moved = np.moveaxis(like, 1, -1).shape
        return np.moveaxis(matrix.reshape(moved).astype(like.dtype), -1, 1)


@regcheck.implements("batch_norm", dtypes=("float64",))
class BatchDoubleOnly(BatchNorm):
    """Offers float64 alone, and says so."""

    def _matrix(self, x: Array) -> Array:
        if x.dtype != np.float64:
            msg = f"Expected float64. Received {x.dtype}."
            raise TypeError(msg)
        return super()._matrix(x)


@regcheck.implements("batch_norm", declares={"single_value_batch": "nan"})
class BatchOneValueNan(BatchNorm):
    """NaN for one value per channel in training, a finite state, and says so."""

    def _affine(self, matrix: Array, mean: Array) -> Array:
        y = super()._affine(matrix, mean)
        return np.full_like(y, np.nan) if self.training and len(matrix) == 1 else y


@regcheck.implements("batch_norm", declares={"batch_invariance": "bitwise"})
class BatchBitwiseDeclared(BatchNorm):
    """Infers element by element, and says that the batch changes no bit."""


@regcheck.implements("batch_norm", declares={"subnormals": "flushed"})
class BatchFlushedDeclared(BatchNorm):
    """Takes subnormal numbers for 0 and gives none, and says so."""

    def _matrix(self, x: Array) -> Array:
        return super()._matrix(_flushed(x))

    def _tensor(self, matrix: Array, like: Array) -> Array:
        return _flushed(super()._tensor(matrix, like))
