"""Layer normalisations in NumPy with wrong statistics or a wrong ε; each differs from the right layer in one step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "CorrectedUpToThree": "layer_norm.is-batch-norm-of-transpose",
    "OnePassVariance": "layer_norm.matches-definition",
    "OnePassVarianceUnclipped": "layer_norm.shift-invariance",
    "UnbiasedVariance": "layer_norm.normalised",
    "MeanOfSquares": "layer_norm.shift-invariance",
    "EpsOutsideRoot": "layer_norm.matches-definition",
    "EpsTwice": "layer_norm.matches-definition",
    "EpsMissing": "layer_norm.constant-input-gives-shift",
    "EpsClamped": "layer_norm.matches-definition",
    "EpsOfItsOwn": "layer_norm.matches-definition",
    "EpsOfTheType": "layer_norm.matches-definition",
    "EpsInTheInputsType": "layer_norm.constant-input-gives-shift",
    "EpsZeroTakenForNotGiven": "layer_norm.zero-eps",
    "EpsNotRescaled": "layer_norm.matches-definition",
    "EpsRelative": "layer_norm.scale-law",
    "CoarseInverseRoot": "layer_norm.matches-definition",
    "HalfPrecisionThroughout": "layer_norm.matches-definition",
    "HalfPrecisionDeclaredWide": "layer_norm.matches-definition",
    "SquaresOverflow": "layer_norm.scale-law",
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
        self.training, self.dtype = training, x.dtype
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
class OnePassVariance(LayerNorm):
    """mean(x²) − mean², clipped at 0: the digits cancel where mean ≫ std (pytorch#51102, tensorflow#25115)."""

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.maximum(np.mean(x * x, axis=self._axes(x), keepdims=True) - mean * mean, 0)


@regcheck.implements("layer_norm")
class OnePassVarianceUnclipped(LayerNorm):
    """mean(x²) − mean² as it comes, NaN where it falls below −ε (pytorch#81090, onnxruntime#28463)."""

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.asarray(np.mean(x * x, axis=self._axes(x), keepdims=True) - mean * mean)


@regcheck.implements("layer_norm")
class UnbiasedVariance(LayerNorm):
    """Divides by n − 1; invisible where n is large."""

    def _variance(self, x: Array, mean: Array) -> Array:
        n = math.prod(self.config.shape)
        return super()._variance(x, mean) * (n / max(n - 1, 1))


@regcheck.implements("layer_norm")
class MeanOfSquares(LayerNorm):
    """Centres x but divides by its root mean square (llama.cpp#173 the other way round); invisible at mean 0."""

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.mean(x * x, axis=self._axes(x), keepdims=True)


@regcheck.implements("layer_norm")
class EpsOutsideRoot(LayerNorm):
    """1/(√var + ε) (pyg#2917, OLMo#281); nearly invisible where var ≫ ε."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / (np.sqrt(variance) + self.config.eps))


@regcheck.implements("layer_norm")
class EpsTwice(LayerNorm):
    """1/(√(var + ε) + ε)."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / (np.sqrt(variance + self.config.eps) + self.config.eps))


@regcheck.implements("layer_norm")
class EpsMissing(LayerNorm):
    """1/√var: NaN on constant input (tilelang#1243)."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance))


@regcheck.implements("layer_norm")
class EpsClamped(LayerNorm):
    """Raises ε to 1.001e-5, as cuDNN once asked for (chainer#2214, tensorflow#37768)."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + max(self.config.eps, 1.001e-5)))


@regcheck.implements("layer_norm")
class EpsOfItsOwn(LayerNorm):
    """Loses the argument: ε is always 1e-5 (vision#2169)."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + 1e-5))


@regcheck.implements("layer_norm")
class EpsOfTheType(LayerNorm):
    """ε is the type's machine epsilon (pytorch#189581)."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + np.finfo(variance.dtype).eps))


@regcheck.implements("layer_norm")
class EpsInTheInputsType(LayerNorm):
    """Rounds ε to x's type, whatever the variance has: in float16 an ε below 3e-8 is 0, and a constant gives NaN."""

    def _inverse(self, variance: Array) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(1 / np.sqrt(variance + float(self.dtype.type(self.config.eps))))


@regcheck.implements("layer_norm")
class EpsZeroTakenForNotGiven(LayerNorm):
    """`eps or 1e-5`; invisible at every other ε."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + (self.config.eps or 1e-5)))


@regcheck.implements("layer_norm")
class EpsNotRescaled(LayerNorm):
    """Divides each sample by its largest value against overflow, and forgets to divide ε (coremltools#2821)."""

    def _normalised(self, x: Array) -> Array:
        largest = np.max(np.abs(x), axis=self._axes(x), keepdims=True)
        return super()._normalised(x / np.where(largest > 0, largest, 1))


@regcheck.implements("layer_norm")
class EpsRelative(LayerNorm):
    """ε·(1 + var) in place of ε: right at var ≪ 1 only."""

    def _inverse(self, variance: Array) -> Array:
        return np.asarray(1 / np.sqrt(variance + self.config.eps * (1 + variance)))


@regcheck.implements("layer_norm")
class CoarseInverseRoot(LayerNorm):
    """An inverse square root of some 11 bits, as a fast instruction gives it without a Newton step."""

    def _inverse(self, variance: Array) -> Array:
        mantissa, exponent = np.frexp(super()._inverse(variance))
        return np.ldexp(np.round(mantissa * 2048) / 2048, exponent)


@regcheck.implements("layer_norm")
class HalfPrecisionThroughout(LayerNorm):
    """Squares float16 in float16: infinite where |x − mean| > 256, and y = 0."""

    def _widened(self, x: Array) -> Array:
        return x


@regcheck.implements("layer_norm", declares={"compute_dtype": "float32"}, dtypes=("float16",))
class HalfPrecisionDeclaredWide(LayerNorm):
    """Declares float32 arithmetic, but keeps its mean in float16."""

    def _mean(self, x: Array) -> Array:
        return super()._mean(x).astype(np.float16).astype(np.float32)


@regcheck.implements("layer_norm")
class CorrectedUpToThree(LayerNorm):
    """Divides by n − 1 where there are three features or fewer."""

    def _variance(self, x: Array, mean: Array) -> Array:
        n = int(np.prod(self.config.shape))
        return super()._variance(x, mean) * (n / (n - 1) if 1 < n <= 3 else 1)


@regcheck.implements("layer_norm")
class SquaresOverflow(LayerNorm):
    """Takes fourth powers on its way to the variance: infinite from 1e9 on in float32 (pytorch#178123, early)."""

    def _variance(self, x: Array, mean: Array) -> Array:
        return np.sqrt(super()._variance(x, mean) ** 2)
