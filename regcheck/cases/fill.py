"""Hostile data from a seed: every row a case of its own, with its own mean, scale and specials.

Normal data blind a test: what loses digits shows at mean ≫ std, what divides by zero at constants,
what underflows at tiny magnitudes. A counter-based generator fills thousands of values for the
price of one draw of Hypothesis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Generator = np.random.Generator


@dataclass(frozen=True)
class Range:
    """Where data of a dtype may lie: exponents of ten of the scale, and the largest mean/std."""

    least: float
    most: float
    ratio: float


RANGES = {
    "float16": Range(-4.0, 4.0, 500.0),
    "float32": Range(-30.0, 18.0, 1e4),
    "float64": Range(-150.0, 150.0, 1e8),
}


def generator(seed: int) -> Generator:
    """The generator of a case's data, the same on every machine."""
    return np.random.Generator(np.random.Philox(seed))


def rows(rng: Generator, shape: tuple[int, int], dtype: str, eps: float, largest: float) -> Array:
    """(count, n) = `shape` values of `dtype`; each row one of the kinds below, no value beyond `largest`.

    Mean/std stays where accuracy can be claimed in that dtype, (n + 1)·u·mean/std < 1/4, for most rows.
    """
    n, reach = shape[1], RANGES[dtype]
    reach = replace(reach, ratio=min(reach.ratio, max(4.0, 0.4 / ((n + 1) * float(np.finfo(dtype).eps)))))
    noise = rng.standard_normal(shape)
    kind = rng.choice(len(_KINDS), size=(shape[0], 1), p=_WEIGHTS)
    made = [make(rng, noise, reach, eps) for make in _KINDS]
    x = np.select([kind == i for i in range(len(_KINDS))], made)
    peak = np.max(np.abs(x), axis=1, keepdims=True, initial=0.0)
    with np.errstate(divide="ignore"):
        x = x * np.minimum(1.0, largest / peak)
    filled: Array = x.astype(dtype)
    return filled


def _per_row(rng: Generator, noise: Array, low: float, high: float) -> Array:
    factor: Array = np.power(10.0, rng.uniform(low, high, (len(noise), 1)))
    return factor


def _sign(rng: Generator, noise: Array) -> Array:
    return rng.choice([-1.0, 1.0], (len(noise), 1))


def _normal(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    return noise + rng.standard_normal((len(noise), 1))


def _far_mean(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    ratio = _per_row(rng, noise, 0.5, np.log10(reach.ratio))
    return (noise + _sign(rng, noise) * ratio) * _per_row(rng, noise, -1.0, 1.0)


def _magnitude(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    scale = _per_row(rng, noise, reach.least, reach.most)
    x: Array = (noise + rng.standard_normal((len(noise), 1))) * scale
    return x


def _near_eps(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    scale = np.sqrt(eps) * _per_row(rng, noise, -2.0, 1.0)
    x: Array = (noise + 3 * rng.standard_normal((len(noise), 1))) * scale
    return x


def _integers(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    return np.rint(3 * noise) + rng.integers(-8, 9, (len(noise), 1))


def _constant(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    return 0 * noise + rng.integers(-8, 9, (len(noise), 1))


def _zero(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    return np.zeros_like(noise)


def _sparse(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    return np.where(rng.random(noise.shape) < 0.2, noise, 0.0)


def _outlier(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    at = rng.integers(0, noise.shape[1], (len(noise), 1))
    return np.where(np.arange(noise.shape[1]) == at, noise * _per_row(rng, noise, 1.0, 3.0), noise)


_KINDS = (_normal, _far_mean, _magnitude, _near_eps, _integers, _constant, _zero, _sparse, _outlier)
_WEIGHTS = (0.2, 0.3, 0.12, 0.1, 0.08, 0.06, 0.03, 0.05, 0.06)


def parameters(rng: Generator, shape: tuple[int, ...], dtype: str) -> dict[str, Array]:
    """γ distinct, of both signs and never 1, and β."""
    scale = rng.uniform(0.25, 2.5, shape) * rng.choice([1.0, 1.0, 1.0, -1.0], shape)
    return {"scale": scale.astype(dtype), "shift": (2 * rng.standard_normal(shape)).astype(dtype)}


def cotangent(rng: Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """A random cotangent: with ones most gradients of a normalisation are 0."""
    return rng.standard_normal(shape).astype(dtype)


def statistics(rng: Generator, channels: int, dtype: str) -> dict[str, Array]:
    """Recorded statistics that no fresh layer has; some variances are far below any ε, some 0."""
    var = 10.0 ** rng.uniform(-3, 1.5, channels) * (rng.random(channels) < 0.95)
    mean = rng.standard_normal(channels) * 10.0 ** rng.uniform(-1, 1, channels)
    return {"running_mean": mean.astype(dtype), "running_var": var.astype(dtype)}
