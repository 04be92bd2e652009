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
    """Where data may lie: exponents of ten of their scale, the largest mean/std, the largest |x|."""

    least: float
    most: float
    ratio: float
    largest: float


def hostile(dtype: str, n: int, largest: float) -> Range:
    """All magnitudes of `dtype` up to `largest`, mean/std where accuracy over n values can just be claimed."""
    reach = _HOSTILE[dtype]
    claimed = 0.4 / ((n + 1) * float(np.finfo(dtype).eps))
    return replace(reach, ratio=min(reach.ratio, max(4.0, claimed)), largest=largest)


def far(dtype: str, n: int, largest: float) -> Range:
    """As `hostile` in mean/std, as `MODERATE` in magnitude: no power of a standard deviation under- or overflows."""
    return replace(hostile(dtype, n, largest), least=MODERATE.least, most=MODERATE.most)


_HOSTILE = {
    "float16": Range(-4.0, 4.0, 500.0, 0.0),
    "float32": Range(-30.0, 18.0, 1e4, 0.0),
    "float64": Range(-150.0, 150.0, 1e8, 0.0),
}
MODERATE = Range(-1.0, 0.5, 4.0, 100.0)


def generator(seed: int) -> Generator:
    """The generator of a case's data, the same on every machine."""
    return np.random.Generator(np.random.Philox(seed))


def rows(rng: Generator, shape: tuple[int, int], dtype: str, eps: float, reach: Range) -> Array:
    """(count, n) = `shape` values of `dtype`; each row one of the kinds below.

    Kinds are sampled systematically: among `count` rows each has its share, to within one row. Drawn row by row, a kind
    that alone shows a fault would be absent from a quarter of all batches.
    """
    noise = rng.standard_normal(shape)
    places = (rng.permutation(shape[0]) + rng.random()) / max(shape[0], 1)
    kind = np.searchsorted(np.cumsum(_WEIGHTS)[:-1], places, side="right")
    for i, make in enumerate(_KINDS):
        chosen = np.flatnonzero(kind == i)
        noise[chosen] = make(rng, noise[chosen], reach, eps)
    return _limited(noise, reach.largest).astype(dtype)


def constant_rows(rng: Generator, shape: tuple[int, int], dtype: str) -> Array:
    """Rows of one small integer each, whose sums are exact in every dtype; a third of them 0."""
    values = rng.integers(-8, 9, (shape[0], 1)) * (rng.random((shape[0], 1)) < 2 / 3)
    constant: Array = np.repeat(values, shape[1], axis=1).astype(dtype)
    return constant


def lost_rows(rng: Generator, shape: tuple[int, int], dtype: str) -> Array:
    """Rows that differ from a large mean in their last bits alone, where no accuracy can be claimed."""
    digits = -np.log10(float(np.finfo(dtype).eps))
    large = np.power(10.0, rng.uniform(digits - 3, digits + 2, (shape[0], 1)))
    steps = np.rint(rng.standard_normal(shape) * np.power(10.0, rng.uniform(0, 1, (shape[0], 1))))
    lost: Array = (large * (1 + float(np.finfo(dtype).eps) * steps)).astype(dtype)
    return lost


def overflowing_rows(rng: Generator, shape: tuple[int, int], dtype: str) -> Array:
    """Rows whose squares overflow, though their sums do not."""
    most = float(np.finfo(dtype).max)
    # A tenth of the largest number: a normal number times that is still one.
    scale = np.power(10.0, rng.uniform(np.log10(most) / 2, np.log10(most) - 1, (shape[0], 1)))
    overflowing: Array = _limited(rng.standard_normal(shape) * scale, most / 8 / shape[1]).astype(dtype)
    return overflowing


def parameters(rng: Generator, shape: tuple[int, ...], dtype: str) -> dict[str, Array]:
    """γ distinct, of both signs and never 1, and β."""
    scale = rng.uniform(0.25, 2.5, shape) * rng.choice([1.0, 1.0, 1.0, -1.0], shape)
    return {"scale": scale.astype(dtype), "shift": (2 * rng.standard_normal(shape)).astype(dtype)}


def statistics(rng: Generator, channels: int, dtype: str) -> dict[str, Array]:
    """Recorded statistics that no fresh layer has; some variances are far below any ε, some 0."""
    var = 10.0 ** rng.uniform(-3, 1.5, channels) * (rng.random(channels) < 0.95)
    mean = rng.standard_normal(channels) * 10.0 ** rng.uniform(-1, 1, channels)
    return {"running_mean": mean.astype(dtype), "running_var": var.astype(dtype)}


def cotangent(rng: Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """A random cotangent, each index of the first axis on a scale of its own.

    With ones most gradients of a normalisation are 0.
    """
    most = 1.0 if dtype == "float16" else 3.0
    scale = np.power(10.0, rng.uniform(-2.0, most, (shape[0], *[1] * (len(shape) - 1))))
    drawn: Array = (rng.standard_normal(shape) * scale).astype(dtype)
    return drawn


def offsets(rng: Generator, x: Array, dtype: str) -> Array:
    """One offset a row of x, 10 to 1e4 (float64: 1e8) times the row's standard deviation, of both signs."""
    most = min(_HOSTILE[dtype].ratio, hostile(dtype, x.shape[1], 0.0).ratio)
    ratio = 10.0 ** rng.uniform(1.0, max(1.0, np.log10(most)), len(x)) * rng.choice([-1.0, 1.0], len(x))
    std = x.astype(np.float64).std(axis=1)
    drawn: Array = (ratio * np.where(std > 0, std, 1.0)).astype(dtype)
    return drawn


def _limited(x: Array, largest: float) -> Array:
    peak = np.max(np.abs(x), axis=1, keepdims=True, initial=0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        limited: Array = x * np.minimum(1.0, np.where(peak > 0, largest / peak, 1.0))
    return limited


def _per_row(rng: Generator, noise: Array, low: float, high: float) -> Array:
    factor: Array = np.power(10.0, rng.uniform(low, high, (len(noise), 1)))
    return factor


def _normal(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    return noise + rng.standard_normal((len(noise), 1))


def _far_mean(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    ratio = _per_row(rng, noise, 0.5, np.log10(reach.ratio)) * rng.choice([-1.0, 1.0], (len(noise), 1))
    x: Array = (noise + ratio) * _per_row(rng, noise, -1.0, 1.0)
    return x


def _magnitude(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    x: Array = (noise + rng.standard_normal((len(noise), 1))) * 10.0 ** _exponents(rng, len(noise), reach)
    return x


def _exponents(rng: Generator, count: int, reach: Range) -> Array:
    """Anywhere in the range for half of the rows; near an end, where numbers overflow or vanish, for the others."""
    uniform = rng.uniform(reach.least, reach.most, (count, 1))
    end = rng.choice([reach.least, reach.most], (count, 1))
    exponents: Array = np.where(rng.random((count, 1)) < 1 / 2, uniform, end + (uniform - end) / 8)
    return exponents


def _near_eps(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    scale = np.sqrt(eps) * _per_row(rng, noise, -2.0, 1.0)
    x: Array = (noise + 3 * rng.standard_normal((len(noise), 1))) * scale
    return x


def _integers(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    x: Array = np.rint(3 * noise) + rng.integers(-8, 9, (len(noise), 1))
    return x


def _constant(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    x: Array = 0 * noise + rng.integers(-8, 9, (len(noise), 1))
    return x


def _zero(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    return np.zeros_like(noise)


def _sparse(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    return np.where(rng.random(noise.shape) < 0.2, noise, 0.0)


def _outlier(rng: Generator, noise: Array, reach: Range, eps: float) -> Array:  # noqa: ARG001
    at = rng.integers(0, noise.shape[1], (len(noise), 1))
    return np.where(np.arange(noise.shape[1]) == at, noise * _per_row(rng, noise, 1.0, 3.0), noise)


_KINDS = (_normal, _far_mean, _magnitude, _near_eps, _integers, _constant, _zero, _sparse, _outlier)
_WEIGHTS = (0.2, 0.3, 0.12, 0.1, 0.08, 0.06, 0.03, 0.05, 0.06)
