"""Right penalties in NumPy that differ in how they compute or in what they declare: no property may fail for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class Penalty:
    """l1·Σ|w| + l2·Σw², without prox; a variant overrides one step."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, config.l2

    def value(self, w: Array) -> Any:
        """The penalty, of w's dtype."""
        with np.errstate(all="ignore"):
            return w.dtype.type(self._value(w.astype(np.promote_types(w.dtype, np.float32)).ravel()))

    def gradient(self, w: Array) -> Array:
        """A subgradient."""
        with np.errstate(all="ignore"):
            return np.asarray(self.l1 * self._sign(w) + 2 * self.l2 * w).astype(w.dtype)

    def _value(self, w: Array) -> Any:
        # A strength of 0 must not meet a sum that overflowed.
        linear = self.l1 * np.sum(np.abs(w)) if self.l1 else 0
        return linear + (self.l2 * np.sum(w * w) if self.l2 else 0)

    def _sign(self, w: Array) -> Array:
        return np.sign(w)


class Proximal(Penalty):
    """The same, with prox."""

    def prox(self, w: Array, step: float) -> Array:
        """argmin over v of ½‖v − w‖² + step·penalty(v)."""
        with np.errstate(all="ignore"):
            shrunk = self._soft(w, w.dtype.type(step * self.l1))
            return np.asarray(shrunk / w.dtype.type(1 + 2 * step * self.l2)).astype(w.dtype)

    def _soft(self, w: Array, threshold: Any) -> Array:
        return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


class L1(Proximal):
    """l1·Σ|w|."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, 0.0


class L2(Proximal):
    """l2·Σw²."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = 0.0, config.l2


@regcheck.implements("l1")
class L1Straightforward(L1):
    """NumPy's sums."""


@regcheck.implements("l1")
class L1Exact(L1):
    """math.fsum."""

    def _value(self, w: Array) -> Any:
        try:
            return self.l1 * math.fsum(np.abs(w).tolist())
        except OverflowError:
            return math.inf


@regcheck.implements("l1")
class L1Sequential(L1):
    """One weight after the other, strength first."""

    def _value(self, w: Array) -> Any:
        total = w.dtype.type(0)
        for value in w:
            total = total + w.dtype.type(self.l1) * abs(value)
        return total


@regcheck.implements("l1")
class L1PlusAtZero(L1):
    """+λ at 0, which is a subgradient as good as 0."""

    def _sign(self, w: Array) -> Array:
        return np.where(w < 0, -1, 1).astype(w.dtype)


@regcheck.implements("l1")
class L1ByMoreau(L1):
    """prox = w − clip(w, −λt, λt)."""

    def _soft(self, w: Array, threshold: Any) -> Array:
        return w - np.clip(w, -threshold, threshold)


@regcheck.implements("l1")
class L1ValueOnly(Penalty):
    """Offers value and gradient alone; reads config.l1 alone."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, 0.0


@regcheck.implements("l2")
class L2Straightforward(L2):
    """NumPy's sums."""


@regcheck.implements("l2")
class L2ByProduct(L2):
    """wᵀw."""

    def _value(self, w: Array) -> Any:
        return self.l2 * (w @ w)


@regcheck.implements("l2", declares={"l2_factor": "0.5"})
class L2HalfDeclared(L2):
    """½λ·Σw², and says so."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = 0.0, config.l2 / 2


@regcheck.implements("l2")
class L2ReturnsFloat(L2):
    """Returns a Python float."""

    def value(self, w: Array) -> Any:
        """The penalty."""
        return float(super().value(w))


@regcheck.implements("l2")
class L2ReturnsArray(L2):
    """Returns an array of no axes."""

    def value(self, w: Array) -> Any:
        """The penalty."""
        return np.asarray(super().value(w))


@regcheck.implements("elastic_net")
class ElasticNetStraightforward(Proximal):
    """NumPy's sums."""


@regcheck.implements("elastic_net")
class ElasticNetByWeight(Proximal):
    """Adds both terms of a weight before it sums."""

    def _value(self, w: Array) -> Any:
        magnitude = np.abs(w)
        return np.sum(magnitude * (self.l1 + self.l2 * magnitude))


@regcheck.implements("elastic_net", declares={"l2_factor": "0.5"})
class ElasticNetHalfDeclared(Proximal):
    """l1·Σ|w| + ½·l2·Σw², and says so."""

    def __init__(self, config: Any) -> None:
        self.l1, self.l2 = config.l1, config.l2 / 2


@regcheck.implements("elastic_net")
class ElasticNetDifference(Proximal):
    """Soft threshold as the difference of two rectifiers."""

    def _soft(self, w: Array, threshold: Any) -> Array:
        return np.maximum(w - threshold, 0) - np.maximum(-w - threshold, 0)


@regcheck.implements("l1")
class L1ByNorm(L1):
    """numpy.linalg.norm."""

    def _value(self, w: Array) -> Any:
        return self.l1 * np.linalg.norm(w, 1) if w.size else 0.0


@regcheck.implements("l1")
class L1MinusAtZero(L1):
    """-λ at 0, which is a subgradient as good as 0."""

    def _sign(self, w: Array) -> Array:
        return np.where(w > 0, 1, -1).astype(w.dtype)


@regcheck.implements("l1", dtypes=("float64",))
class L1DoubleOnly(L1):
    """Offers float64 alone, and says so."""

    def value(self, w: Array) -> Any:
        """The penalty."""
        if w.dtype != np.float64:
            msg = f"Expected float64. Received {w.dtype}."
            raise TypeError(msg)
        return super().value(w)


@regcheck.implements("l1", declares={"subnormals": "flushed"})
class L1FlushedDeclared(L1):
    """Takes subnormal weights for 0, and says so."""

    def _value(self, w: Array) -> Any:
        return super()._value(np.where(np.abs(w) < np.finfo(w.dtype).smallest_normal, 0, w))


@regcheck.implements("l2")
class L2Exact(L2):
    """math.fsum of squares in float64."""

    def _value(self, w: Array) -> Any:
        try:
            return self.l2 * math.fsum(np.square(w.astype(np.float64)).tolist()) if self.l2 else 0.0
        except OverflowError:
            return math.inf


@regcheck.implements("l2")
class L2ByEinsum(L2):
    """einsum, the strength first."""

    def _value(self, w: Array) -> Any:
        return np.einsum("i,i->", w * w.dtype.type(self.l2), w)


@regcheck.implements("elastic_net")
class ElasticNetShrinksFirst(Proximal):
    """Divides by 1 + 2tλ₂ before the soft threshold, which is divided too."""

    def prox(self, w: Array, step: float) -> Array:
        """argmin over v of ½‖v − w‖² + step·penalty(v)."""
        size = 1 + 2 * step * self.l2
        with np.errstate(all="ignore"):
            return self._soft(w / w.dtype.type(size), w.dtype.type(step * self.l1 / size)).astype(w.dtype)
