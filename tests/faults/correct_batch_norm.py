"""Right batch normalisations in NumPy that differ in how they compute or in what they declare: none may fail."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class BatchNorm:
    """y = γ·(x − E)/√(Var + ε) + β over the columns of an (m, C) matrix; a variant overrides one step."""

    names: ClassVar = {"scale": "scale", "shift": "shift", "running_mean": "running_mean", "running_var": "running_var"}
    channel_axis = 1

    def __init__(self, config: Any) -> None:
        self.config, c = config, config.channels
        self.parameters: dict[str, Array] = {}
        if config.affine:
            self.parameters = {self.names["scale"]: np.ones(c), self.names["shift"]: np.zeros(c)}
        self.state = {self.names["running_mean"]: np.zeros(c), self.names["running_var"]: np.ones(c)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError for a wrong rank or channel count, or nothing to train on."""
        wrong = x.ndim != self.config.ndim + 2 or x.shape[self.channel_axis] != self.config.channels
        if wrong or (training and not x.size):
            msg = f"Expected {self.config.channels} channels on axis {self.channel_axis}. Received shape {x.shape}."
            raise ValueError(msg)
        matrix = self._matrix(x)
        with np.errstate(all="ignore"):
            mean, variance = self._of_the_batch(matrix) if training else self._recorded(matrix.dtype)
            self.training, self.inverse = training, 1 / np.sqrt(variance + self.config.eps)
            self.normalised = (matrix - mean) * self.inverse
            return self._tensor(self._affine(matrix, mean), x)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward."""
        given, normalised = self._matrix(cotangent), self.normalised
        scale, shift = np.sum(given * normalised, axis=0), np.sum(given, axis=0)
        dx = given
        if self.training:
            dx = given - np.mean(given, axis=0) - normalised * np.mean(given * normalised, axis=0)
        found = {"x": self._tensor(dx * self.inverse * self._parameter("scale", 1), cotangent)}
        if self.parameters:
            for name, total in (("scale", scale), ("shift", shift)):
                found[self.names[name]] = total.astype(self._parameter(name, 0).dtype)
        return found

    def _matrix(self, x: Array) -> Array:
        moved = np.moveaxis(x, self.channel_axis, -1)
        return moved.reshape(-1, self.config.channels).astype(np.promote_types(x.dtype, np.float32))

    def _tensor(self, matrix: Array, like: Array) -> Array:
        moved = np.moveaxis(like, self.channel_axis, -1).shape
        return np.ascontiguousarray(np.moveaxis(matrix.reshape(moved), -1, self.channel_axis)).astype(like.dtype)

    def _parameter(self, name: str, missing: float) -> Any:
        return self.parameters.get(self.names[name], np.float32(missing))

    def _affine(self, matrix: Array, mean: Array) -> Array:
        return self.normalised * self._parameter("scale", 1) + self._parameter("shift", 0)

    def _of_the_batch(self, matrix: Array) -> tuple[Array, Array]:
        mean, variance = self._statistics(matrix)
        weight = self._weight()
        for name, new in (("running_mean", mean), ("running_var", self._kept(variance, len(matrix)))):
            old = self.state[self.names[name]]
            self.state[self.names[name]] = ((1 - weight) * old.astype(new.dtype) + weight * new).astype(old.dtype)
        return mean, variance

    def _statistics(self, matrix: Array) -> tuple[Array, Array]:
        mean = np.mean(matrix, axis=0)
        return mean, np.mean((matrix - mean) ** 2, axis=0)

    def _weight(self) -> float:
        return float(self.config.momentum)

    def _kept(self, variance: Array, m: int) -> Array:
        return variance * (m / max(m - 1, 1))

    def _recorded(self, dtype: Any) -> tuple[Array, Array]:
        mean, variance = (self.state[self.names[name]].astype(dtype) for name in ("running_mean", "running_var"))
        return mean, variance


@regcheck.implements("batch_norm")
class Straightforward(BatchNorm):
    """Two passes with NumPy's sums."""


@regcheck.implements("batch_norm")
class EinsumStatistics(BatchNorm):
    """Sums and squares by einsum, whose order is its own."""

    def _statistics(self, matrix: Array) -> tuple[Array, Array]:
        mean = np.einsum("mc->c", matrix) / len(matrix)
        centred = matrix - mean
        return mean, np.einsum("mc,mc->c", centred, centred) / len(matrix)


@regcheck.implements("batch_norm")
class Welford(BatchNorm):
    """Running mean and sum of squares, one value after the other."""

    def _statistics(self, matrix: Array) -> tuple[Array, Array]:
        mean, squares = np.zeros_like(matrix[0]), np.zeros_like(matrix[0])
        for count, value in enumerate(matrix, start=1):
            before = value - mean
            mean = mean + before / matrix.dtype.type(count)
            squares = squares + before * (value - mean)
        return mean, squares / len(matrix)


@regcheck.implements("batch_norm")
class ChunksMerged(BatchNorm):
    """Merges the statistics of unequal chunks with their counts (Chan, Golub, LeVeque 1979)."""

    def _statistics(self, matrix: Array) -> tuple[Array, Array]:
        if len(matrix) < 3:
            return super()._statistics(matrix)
        (n, first), (k, second) = ((len(part), part) for part in np.split(matrix, [len(matrix) // 3]))
        (mean, variance), (other, spread) = super()._statistics(first), super()._statistics(second)
        apart, m = other - mean, n + k
        return mean + apart * (k / m), (n * variance + k * spread) / m + apart**2 * (n * k / m**2)


@regcheck.implements("batch_norm")
class WideInside(BatchNorm):
    """Computes in float64 whatever comes."""

    def _matrix(self, x: Array) -> Array:
        return super()._matrix(x).astype(np.float64)


@regcheck.implements("batch_norm", declares={"compute_dtype": "float32"})
class WideForHalfDeclared(BatchNorm):
    """float16 in float32, and says so."""


@regcheck.implements("batch_norm", declares={"running_variance": "biased"})
class BiasedDeclared(BatchNorm):
    """Records σ² without m/(m − 1), and says so."""

    def _kept(self, variance: Array, m: int) -> Array:
        return variance


@regcheck.implements("batch_norm", declares={"momentum": "old"})
class MomentumOfOldDeclared(BatchNorm):
    """Weighs the old average with config.momentum, and says so."""

    def _weight(self) -> float:
        return 1 - float(self.config.momentum)


@regcheck.implements(
    "batch_norm",
    layout="channels_last",
    declares={"momentum": "old", "running_variance": "biased"},
    names={"scale": "gamma", "shift": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"},
)
class KerasStyle(BatchNorm):
    """Channels last, biased, momentum of the old, other names: all of it declared."""

    names: ClassVar = {
        "scale": "gamma",
        "shift": "beta",
        "running_mean": "moving_mean",
        "running_var": "moving_variance",
    }
    channel_axis = -1

    def _kept(self, variance: Array, m: int) -> Array:
        return variance

    def _weight(self) -> float:
        return 1 - float(self.config.momentum)


@regcheck.implements("batch_norm", layout="channels_last")
class ChannelsLast(BatchNorm):
    """Takes (N, *spatial, C), and says so."""

    channel_axis = -1


@regcheck.implements("batch_norm", declares={"single_value_batch": "error"})
class OneValueRefused(BatchNorm):
    """Raises for one value per channel in training, before anything is recorded, and says so."""

    def _of_the_batch(self, matrix: Array) -> tuple[Array, Array]:
        if len(matrix) == 1:
            msg = "Expected more than one value per channel when training."
            raise ValueError(msg)
        return super()._of_the_batch(matrix)


@regcheck.implements("batch_norm")
class FoldedInference(BatchNorm):
    """Inference as kx + c (§8.4)."""

    def _affine(self, matrix: Array, mean: Array) -> Array:
        if self.training:
            return super()._affine(matrix, mean)
        k = self._parameter("scale", 1) * self.inverse
        return matrix * k + (self._parameter("shift", 0) - k * mean)


@regcheck.implements("batch_norm")
class ScaleBeforeInverse(BatchNorm):
    """(x − μ)·(γs) + β: another order of the same products."""

    def _affine(self, matrix: Array, mean: Array) -> Array:
        return (matrix - mean) * (self._parameter("scale", 1) * self.inverse) + self._parameter("shift", 0)


@regcheck.implements("batch_norm")
class DifferenceUpdate(BatchNorm):
    """Records old + weight·(new − old), one rounding elsewhere."""

    def _of_the_batch(self, matrix: Array) -> tuple[Array, Array]:
        mean, variance = self._statistics(matrix)
        for name, new in (("running_mean", mean), ("running_var", self._kept(variance, len(matrix)))):
            old = self.state[self.names[name]].astype(new.dtype)
            moved = old + self._weight() * (new - old)
            self.state[self.names[name]] = moved.astype(self.state[self.names[name]].dtype)
        return mean, variance


@regcheck.implements("batch_norm", dtypes=("float32", "float64"))
class WithoutHalf(BatchNorm):
    """Offers no float16, and says so."""


@regcheck.implements("batch_norm")
class MatricesOnly(BatchNorm):
    """Offers (N, C) alone; the other ranks are left out, and counted."""

    def __init__(self, config: Any) -> None:
        if config.ndim:
            msg = "no spatial axes"
            raise regcheck.Unsupported(msg)
        super().__init__(config)
