"""What the normalisations have in common: a group of values, standardised.

    z = (x − mean)·s,  s = 1/√(var + ε)

RMS normalisation subtracts no mean: there mean is 0 and var the mean of x².
Everything is in the oracle's precision (`regcheck.reference.precision`), in two passes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from regcheck.reference.precision import widen

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Normalised:
    """x standardised over `axes`, which hold `n` values a group.

    `x` and `z` have the input's shape; `mean`, `var` (biased, of the group), `s` and `magnitude`
    (mean of |x|) have size 1 along `axes`. Where a group is not `centred`, mean is 0 and var the mean of x².
    """

    x: Array
    mean: Array
    var: Array
    s: Array
    z: Array
    magnitude: Array
    eps: float
    n: int
    axes: tuple[int, ...]
    centred: bool = True

    def mean_over(self, values: Array) -> Array:
        """Mean of each group of `values`, shaped like `mean`."""
        result: Array = np.mean(values, axis=self.axes, keepdims=True)
        return result


class Gradients(NamedTuple):
    """Vector-Jacobian products: of the input, of γ and of β (the last two as for an affine layer)."""

    x: Array
    scale: Array
    shift: Array


def normalise(x: Array, axes: tuple[int, ...], eps: float, *, centred: bool = True) -> Normalised:
    """Standardise `x` by its own statistics over `axes`."""
    values = widen(x)
    mean = values.mean(axis=axes, keepdims=True)
    mean = mean if centred else np.zeros_like(mean)
    var = np.square(values - mean).mean(axis=axes, keepdims=True)
    return replace(with_statistics(x, mean, var, axes, eps), centred=centred)


def with_statistics(x: Array, mean: Array, var: Array, axes: tuple[int, ...], eps: float) -> Normalised:
    """Standardise `x` by the statistics given, in the oracle's type and of size 1 along `axes`."""
    values = widen(x)
    s = 1 / np.sqrt(var + values.dtype.type(eps))
    magnitude = np.abs(values).mean(axis=axes, keepdims=True)
    n = int(np.prod([x.shape[a] for a in axes], dtype=int))
    return Normalised(values, mean, var, s, (values - mean) * s, magnitude, eps, n, axes)


def input_gradient(norm: Normalised, g: Array) -> Array:
    """dx for g = dy·γ where the statistics depend on x: s·(g − mean g − z·mean(g·z)), without mean g if not centred.

    Source: Ioffe and Szegedy 2015, section 3, with the sums of (x − mean) left out, which are 0.
    """
    along = g - norm.mean_over(g) if norm.centred else g
    dx: Array = norm.s * (along - norm.z * norm.mean_over(g * norm.z))
    return dx


def second_derivative(norm: Normalised, g: Array, v: Array) -> Array:
    """The derivative of `input_gradient` with respect to x along v, g fixed: H·v, H = ∂²⟨z, g⟩/∂x².

    With ḡ = g − mean g, v̄ = v − mean v (g and v themselves if not centred), m = mean g·z, c = mean v·z, p = mean ḡ·v̄:
    along v the variance changes by 2c/s, so

        ds = −s²c,  dz = s(v̄ − z·c),  dm = mean g·dz = s(p − m·c)

    and dx = s(ḡ − z·m) by −s²c(ḡ − z·m) − s·m·dz − s·z·dm, which is

        H·v = −s²[c·ḡ + m·v̄ + z(p − 3m·c)]

    Symmetric in g and v: ⟨w, H·v⟩ = ⟨v, H·w⟩ shows it once more.
    """
    over = norm.mean_over
    around_g, around_v = (a - over(a) if norm.centred else a for a in (g, v))
    m, c, p = over(g * norm.z), over(v * norm.z), over(around_g * around_v)
    along: Array = -(norm.s**2) * (c * around_g + m * around_v + norm.z * (p - 3 * m * c))
    return along


def elementwise_gradients(norm: Normalised, cotangent: Array, scale: Array | None = None) -> Gradients:
    """dx, and dγ = Σ dy·z, dβ = Σ dy over the batch, γ and β being of the shape of the trailing axes normalised."""
    dy = widen(cotangent)
    g = dy if scale is None else dy * widen(scale)
    batch = tuple(range(dy.ndim - len(norm.axes)))
    return Gradients(input_gradient(norm, g), np.sum(dy * norm.z, axis=batch), np.sum(dy, axis=batch))
