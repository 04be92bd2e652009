"""Right RMS normalisations in NumPy that differ in how they compute: no property may fail for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class RMSNorm:
    """y = γ·x/√(mean(x²) + ε) over rows of n values; a variant overrides how it is computed."""

    def __init__(self, config: Any) -> None:
        self.shape, self.eps, self.n = config.shape, config.eps, math.prod(config.shape)
        self.parameters: dict[str, Array] = {"scale": np.ones(self.shape)} if config.affine else {}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError where x does not end in the config's shape."""
        if x.shape[-len(self.shape) :] != self.shape:
            msg = f"Expected (..., {self.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        rows = self._widened(np.ascontiguousarray(x).reshape(-1, self.n))
        with np.errstate(all="ignore"):
            self.inverse = self._inverse(rows)
            self.x, self.normalised = rows, self._normalised(rows)
            return self._scaled(self.normalised).reshape(x.shape).astype(x.dtype)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ} of the last forward."""
        dy = np.ascontiguousarray(cotangent).reshape(-1, self.n).astype(self.normalised.dtype)
        with np.errstate(all="ignore"):
            dx = self._input_gradient(self._scaled(dy))
            found = {"x": dx.reshape(cotangent.shape).astype(cotangent.dtype)}
            total = np.sum(dy * self.normalised, axis=0)
        return found | {name: total.reshape(self.shape).astype(v.dtype) for name, v in self.parameters.items()}

    def _scaled(self, rows: Array) -> Array:
        return rows * self.parameters["scale"].reshape(1, self.n) if self.parameters else rows

    def _widened(self, rows: Array) -> Array:
        return rows.astype(np.promote_types(rows.dtype, np.float32))

    def _inverse(self, rows: Array) -> Array:
        return 1 / np.sqrt(self._sum(rows * rows) / self.n + rows.dtype.type(self.eps))

    def _normalised(self, rows: Array) -> Array:
        return rows * self.inverse

    def _sum(self, rows: Array) -> Array:
        return np.sum(rows, axis=1, keepdims=True)

    def _input_gradient(self, g: Array) -> Array:
        return self.inverse * (g - self.normalised * (self._sum(g * self.normalised) / self.n))


@regcheck.implements("rms_norm")
class Straightforward(RMSNorm):
    """NumPy's sums."""


@regcheck.implements("rms_norm")
class NormOverRootN(RMSNorm):
    """‖x‖/√n by np.linalg.norm, squared again to meet ε."""

    def _inverse(self, rows: Array) -> Array:
        rms = np.linalg.norm(rows, axis=1, keepdims=True) / np.sqrt(rows.dtype.type(self.n))
        return 1 / np.sqrt(rms * rms + rows.dtype.type(self.eps))


@regcheck.implements("rms_norm")
class ScaledByPeak(RMSNorm):
    """x divided by its peak and ε by the peak's square, as hypot does it: no square overflows."""

    def _inverse(self, rows: Array) -> Array:
        peak = np.max(np.abs(rows), axis=1, keepdims=True)
        peak = np.where(peak > np.sqrt(rows.dtype.type(self.eps)), peak, rows.dtype.type(1))
        small = rows / peak
        return 1 / np.sqrt(self._sum(small * small) / self.n + rows.dtype.type(self.eps) / peak / peak) / peak


@regcheck.implements("rms_norm")
class SequentialSums(RMSNorm):
    """Sums from left to right, and divides by the root."""

    def _sum(self, rows: Array) -> Array:
        return np.add.accumulate(rows, axis=1)[:, -1:]

    def _normalised(self, rows: Array) -> Array:
        return rows / np.sqrt(self._sum(rows * rows) / self.n + rows.dtype.type(self.eps))


@regcheck.implements("rms_norm")
class PairwiseSums(RMSNorm):
    """Sums halves of halves, and multiplies by a rounded 1/n."""

    def _sum(self, rows: Array) -> Array:
        if rows.shape[1] == 1:
            return rows
        half = rows.shape[1] // 2
        return self._sum(rows[:, :half]) + self._sum(rows[:, half:])

    def _inverse(self, rows: Array) -> Array:
        share = rows.dtype.type(1) / rows.dtype.type(self.n)
        return 1 / np.sqrt(self._sum(rows * rows) * share + rows.dtype.type(self.eps))


@regcheck.implements("rms_norm")
class LongDouble(RMSNorm):
    """Computes in long double whatever comes."""

    def _widened(self, rows: Array) -> Array:
        return rows.astype(np.longdouble)


@regcheck.implements("rms_norm", declares={"compute_dtype": "float32", "batch_invariance": "bitwise"})
class HalfInSingleDeclared(RMSNorm):
    """float16 in float32, one row after the other, and says so: held to the narrower bound and to the bits."""

    def _sum(self, rows: Array) -> Array:
        return np.array([[np.sum(row)] for row in rows], rows.dtype).reshape(-1, 1)


@regcheck.implements("rms_norm")
class ReciprocalRoot(RMSNorm):
    """1/√ from its power −½ and one step of Newton's, as kernels refine an estimate; γ meets the inverse first."""

    def _inverse(self, rows: Array) -> Array:
        square = self._sum(rows * rows) / self.n + rows.dtype.type(self.eps)
        guess = square ** rows.dtype.type(-0.5)
        return guess * (rows.dtype.type(1.5) - rows.dtype.type(0.5) * square * guess * guess)


@regcheck.implements("rms_norm")
class ChainRule(RMSNorm):
    """dx through the mean of squares: g·s − x·s³·Σ(g·x)/n, as automatic differentiation has it."""

    def _input_gradient(self, g: Array) -> Array:
        along = self._sum(g * self.x) * (-(self.inverse**3) / 2)
        return g * self.inverse + along * (2 * self.x / self.n)
