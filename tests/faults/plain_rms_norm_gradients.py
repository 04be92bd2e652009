"""RMS normalisations in NumPy whose outputs are right and whose gradients are not."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED = {
    "RMSDetached": "rms_norm.gradient-along-input",
    "CentredGradient": "rms_norm.gradient-input",
    "EpsForgottenInBackward": "rms_norm.gradient-along-input",
    "ScaleLeftOutOfInputGradient": "rms_norm.gradient-input",
    "ScaleGradientOfFirstSample": "rms_norm.gradient-additive",
    "ScaleGradientAveraged": "rms_norm.gradient-additive",
    "ScaleGradientOfRawInput": "rms_norm.gradient-parameters",
    "ScaleGradientOverOneBatchAxis": "rms_norm.gradient-parameters",
    "ScaleGradientInHalf": "rms_norm.gradient-parameters",
    "ScaleGradientOf2048Samples": "rms_norm.gradient-parameters",
    "FirstStatisticsKept": "common.calls-do-not-leak",
}


class RMSNorm:
    """The right layer, with dx = s·(g − x̂·mean(g·x̂)), g = γ·dy, and dγ = Σ dy·x̂; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.axes = tuple(range(-len(config.shape), 0))
        self.parameters: dict[str, Array] = {"scale": np.ones(config.shape)} if config.affine else {}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError where x does not end in the config's shape."""
        if x.shape[-len(self.config.shape) :] != self.config.shape:
            msg = f"Expected (..., {self.config.shape}). Received shape {x.shape}."
            raise ValueError(msg)
        wide = x.astype(np.promote_types(x.dtype, np.float32))
        with np.errstate(all="ignore"):
            s = np.asarray(1 / np.sqrt(self.mean(np.square(wide)) + wide.dtype.type(self.config.eps)))
            self.save(wide, s)
            return (wide * s * self.parameters["scale"] if self.parameters else wide * s).astype(x.dtype)

    def save(self, x: Array, s: Array) -> None:
        self.x, self.s, self.z = x, s, x * s

    def mean(self, values: Array) -> Array:
        return np.mean(values, axis=self.axes, keepdims=True)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ} of the last forward."""
        dy = cotangent.astype(self.z.dtype)
        with np.errstate(all="ignore"):
            dx = self.input_gradient(dy * self.parameters["scale"] if self.parameters else dy, dy)
            found = {"x": dx.astype(cotangent.dtype)}
            return found | {name: self.summed(self.terms(dy)).astype(v.dtype) for name, v in self.parameters.items()}

    def input_gradient(self, g: Array, dy: Array) -> Array:
        return self.s * (g - self.z * self.mean(g * self.z))

    def terms(self, dy: Array) -> Array:
        return dy * self.z

    def summed(self, terms: Array) -> Array:
        return np.sum(terms, axis=tuple(range(terms.ndim - len(self.config.shape))))


@regcheck.implements("rms_norm")
class RMSDetached(RMSNorm):
    """Takes the root mean square for a constant (keras#19102's kind)."""

    def input_gradient(self, g: Array, dy: Array) -> Array:
        return self.s * g


@regcheck.implements("rms_norm")
class CentredGradient(RMSNorm):
    """Layer normalisation's gradient, whose mean is subtracted."""

    def input_gradient(self, g: Array, dy: Array) -> Array:
        return self.s * (g - self.mean(g) - self.z * self.mean(g * self.z))


@regcheck.implements("rms_norm")
class EpsForgottenInBackward(RMSNorm):
    """Backward with x̂ of ε = 0; invisible where mean(x²) ≫ ε."""

    def input_gradient(self, g: Array, dy: Array) -> Array:
        rms = np.sqrt(self.mean(np.square(self.z)))
        z = self.z / np.where(rms > 0, rms, 1)
        return self.s * (g - z * self.mean(g * z))


@regcheck.implements("rms_norm")
class ScaleLeftOutOfInputGradient(RMSNorm):
    """dx of dy, not of γ·dy; invisible with γ = 1."""

    def input_gradient(self, g: Array, dy: Array) -> Array:
        return super().input_gradient(dy, dy)


@regcheck.implements("rms_norm")
class ScaleGradientOf2048Samples(RMSNorm):
    """dγ leaves out what is beyond a block of 2 048 samples."""

    def summed(self, terms: Array) -> Array:
        return super().summed(terms.reshape(-1, *self.config.shape)[:2048])


@regcheck.implements("rms_norm")
class ScaleGradientOfFirstSample(RMSNorm):
    """dγ of the batch's first index alone."""

    def summed(self, terms: Array) -> Array:
        return super().summed(terms[:1] if terms.ndim > len(self.config.shape) else terms)


@regcheck.implements("rms_norm")
class ScaleGradientAveraged(RMSNorm):
    """dγ averaged over the batch, not summed; invisible with one sample."""

    def summed(self, terms: Array) -> Array:
        return np.mean(terms, axis=tuple(range(terms.ndim - len(self.config.shape))))


@regcheck.implements("rms_norm")
class ScaleGradientOfRawInput(RMSNorm):
    """dγ = Σ dy·x."""

    def terms(self, dy: Array) -> Array:
        return dy * self.x


@regcheck.implements("rms_norm")
class ScaleGradientOverOneBatchAxis(RMSNorm):
    """dγ summed over the first batch axis, and of the others' first index: right for (N, *shape) alone."""

    def summed(self, terms: Array) -> Array:
        while terms.ndim > 1 + len(self.config.shape):
            terms = terms[:, 0]
        return super().summed(terms)


@regcheck.implements("rms_norm", declares={"compute_dtype": "float32"})
class ScaleGradientInHalf(RMSNorm):
    """Adds dγ up in half precision (Liger#950)."""

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ}."""
        self.kept = cotangent.dtype
        return super().backward(cotangent)

    def summed(self, terms: Array) -> Array:
        return super().summed(terms.astype(self.kept))


@regcheck.implements("rms_norm")
class FirstStatisticsKept(RMSNorm):
    """Backward uses the first call's root mean square where the shapes agree (AiDotNet.Tensors#722)."""

    def save(self, x: Array, s: Array) -> None:
        kept = getattr(self, "s", s)
        super().save(x, kept if kept.shape == s.shape else s)
