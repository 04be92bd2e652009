"""Cases for penalties: rows of weights, each of its own kind and scale; a row is a case.

Magnitudes stay where neither the sum of squares nor its product with the strength overflows; squares may underflow,
which the bounds allow for.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.families import PenaltyConfig

if TYPE_CHECKING:
    from regcheck.property import Plan

Array = np.ndarray[Any, np.dtype[Any]]

STRENGTHS = (0.7, 3.0, 0.3, 1.0, 0.01, 0.9, 2.3, 10.0)  # few that float32 holds; not 1 first, where λ² is λ
SIZES = (5, 3, 2, 8, 1, 17, 33, 64, 127)
STEPS = (0.5, 0.1, 2.0, 1.0, 0.01)
FACTORS = (2.0, 0.25, 3.0, 0.1, 7.0)
ELEMENTS, ROWS = 600, 10  # few rows, so that a cell sees many strengths and sizes
SEEDS = st.integers(0, 2**32 - 1)
# Of the largest scale 2ᵉ and, with a minus, the smallest: where squares do not overflow, and over the whole range.
EXPONENTS = {"float16": 4, "float32": 50, "float64": 400}
FULL_RANGE = {"float16": 8, "float32": 110, "float64": 950}
MODERATE = 8
NEAREST = {"float16": 9, "float32": 40, "float64": 300}  # distances from 0, in powers of ½; normal numbers with room
LOSSES = ("square", "log-cosh", "fourth power")


def rows(plan: Plan) -> st.SearchStrategy[Case]:
    """w (B, W), a factor ≠ 1 and a step > 0."""
    values = {"factor": st.sampled_from(FACTORS), "step": st.sampled_from(STEPS)}
    return st.builds(_rows, st.just(plan), _configs(), st.sampled_from(SIZES), SEEDS, **values)


def full_range(plan: Plan) -> st.SearchStrategy[Case]:
    """w (B, W), half of them over all magnitudes whose sum does not overflow, though their squares may."""
    return st.one_of(rows(plan), st.builds(_full_range, st.just(plan), _configs(), st.sampled_from(SIZES), SEEDS))


def directed(plan: Plan) -> st.SearchStrategy[Case]:
    """w and a direction v (B, W), w of moderate size: a norm's second derivative has its third power."""
    return st.builds(_directed, st.just(plan), _configs(), st.sampled_from(SIZES), SEEDS, st.sampled_from(FACTORS))


def pairs(plan: Plan) -> st.SearchStrategy[Case]:
    """w and v (B, W), of every kind of two rows: unlike, parallel, one of them 0."""
    return st.builds(_pairs, rows(plan))


def points(plan: Plan) -> st.SearchStrategy[Case]:
    """A one-dimensional convex loss L(x) = slope·x + curvature·φ(x) for each row, and points x > 0 (W,) for both sides.

    `ratio` (B,) is slope/l1 in (−1, 1) for the laws of l1, and slope/l2 for those of l2.
    """
    return st.builds(_points, st.just(plan), _configs(), st.sampled_from(LOSSES), SEEDS)


def _configs() -> st.SearchStrategy[PenaltyConfig]:
    return st.builds(PenaltyConfig, st.sampled_from(STRENGTHS), st.sampled_from(STRENGTHS))


def _rows(plan: Plan, config: PenaltyConfig, size: int, seed: int, **values: float) -> Case:
    w = _fill(seed, size, EXPONENTS[plan.dtype])
    w = limited(w, math.sqrt(room(w.size, plan, config, max(values.values()))))
    return _case(plan, config, w, seed, **values)


def _full_range(plan: Plan, config: PenaltyConfig, size: int, seed: int) -> Case:
    w = _fill(seed, size, FULL_RANGE[plan.dtype])
    return _case(plan, config, limited(w, room(w.size, plan, config, 1)), seed)


def _directed(plan: Plan, config: PenaltyConfig, size: int, seed: int, factor: float) -> Case:
    w = _fill(seed, size, MODERATE)
    v = np.asarray(np.random.Generator(np.random.Philox(seed ^ 0x9E3779B9)).standard_normal(w.shape))
    both: dict[str, tuple[str, ...]] = {"w": ("B", "W"), "v": ("B", "W")}
    arrays = {"w": w.astype(plan.dtype), "v": v.astype(plan.dtype)}
    return Case(config, plan.dtype, arrays, both, ("B",), {"seed": seed, "factor": factor})


def _case(plan: Plan, config: PenaltyConfig, w: Array, seed: int, **values: float) -> Case:
    dims: dict[str, tuple[str, ...]] = {"w": ("B", "W")}
    return Case(config, plan.dtype, {"w": w.astype(plan.dtype)}, dims, ("B",), {"seed": seed, **values})


def _fill(seed: int, size: int, widest: int) -> Array:
    return weights(np.random.Generator(np.random.Philox(seed)), (min(ROWS, ELEMENTS // size), size), widest)


def weights(rng: np.random.Generator, shape: tuple[int, int], widest: int) -> Array:
    """Rows of one kind each: normal, positive, integers, constant, of widely differing sizes, one nonzero."""
    count, size = shape
    x = rng.standard_normal(shape)
    kind = rng.integers(0, 6, (count, 1))
    lone = np.arange(size) == rng.integers(0, size, (count, 1))
    choices = [x, np.abs(x), np.rint(4 * x), x[:, :1] + 0 * x, x * 2.0 ** rng.integers(-8, 4, shape), x * lone]
    x = np.select([kind == i for i in range(6)], choices)
    x[(rng.random(shape) < 1 / 6) & (kind != 3)] = 0
    # Half of the rows near 1, where nearly right layers go wrong, the others over the whole range.
    near = rng.random(count) < 0.5
    return np.asarray(
        x * 2.0 ** np.where(near, rng.integers(-3, 4, count), rng.integers(-widest, widest, count))[:, None]
    )


def room(terms: int, plan: Plan, config: PenaltyConfig, factor: float) -> float:
    """The largest term for which strengths·factor·Σ stays below a sixteenth of the type's maximum."""
    return float(np.finfo(plan.dtype).max) / (16 * terms * (1 + factor) * (1 + config.l1 + config.l2))


def limited(w: Array, largest: float) -> Array:
    """`w` with too large rows scaled down by powers of 2."""
    peak = np.abs(w).max(axis=1, keepdims=True)
    return np.asarray(w / 2.0 ** np.ceil(np.maximum(np.log2(np.maximum(peak, largest) / largest), 0)))


def _pairs(case: Case) -> Case:
    w = case["w"]
    rng = np.random.Generator(np.random.Philox(case.values["seed"] ^ 0x9E3779B9))
    kind = rng.integers(0, 4, (len(w), 1))
    other = np.roll(w, 1, axis=1) * rng.choice([-1, 1], w.shape).astype(w.dtype)
    v = np.select([kind == i for i in range(4)], [other, 0 * w, w * w.dtype.type(0.25), -w])
    both: dict[str, tuple[str, ...]] = {"w": ("B", "W"), "v": ("B", "W")}
    return Case(case.config, case.dtype, {"w": w, "v": v.astype(w.dtype)}, both, ("B",), case.values)


def _points(plan: Plan, config: PenaltyConfig, loss: str, seed: int) -> Case:
    rng = np.random.Generator(np.random.Philox(seed))
    count = 8
    ratio = rng.choice([-1, 1], count) * np.where(
        rng.random(count) < 0.5, rng.random(count) * 0.9, 0.9 ** rng.integers(1, 60, count)
    )
    # A straight loss, every fourth, leaves all of the curvature to the penalty.
    curvature = 2.0 ** rng.integers(-3, 4, count) * (1 + rng.random(count)) * (rng.random(count) < 0.75)
    # Half of the distances are far smaller: a penalty that is smooth at 0 differs only there.
    depth = np.where(rng.random(12) < 0.5, rng.integers(0, 11, 12), rng.integers(0, max(11, NEAREST[plan.dtype]), 12))
    x = np.sort(2.0**-depth * (1 + rng.integers(0, 8, 12) / 8)).astype(plan.dtype)
    arrays = {"ratio": ratio, "curvature": curvature, "x": x}
    dims: dict[str, tuple[str, ...]] = {"ratio": ("B",), "curvature": ("B",), "x": ("X",)}
    return Case(config, plan.dtype, arrays, dims, ("B",), {"seed": seed, "loss": loss})


def near_zero(plan: Plan) -> st.SearchStrategy[Case]:
    """Distances h (H,) > 0 from 0, down to where h is still a normal number with room to spare; each is a case."""
    return st.builds(_near_zero, st.just(plan), _configs(), SEEDS)


def _near_zero(plan: Plan, config: PenaltyConfig, seed: int) -> Case:
    rng = np.random.Generator(np.random.Philox(seed))
    h = (2.0 ** -rng.integers(0, NEAREST[plan.dtype], 10) * (1 + rng.integers(0, 8, 10) / 8)).astype(plan.dtype)
    return Case(config, plan.dtype, {"h": h}, {"h": ("H",)}, ("H",), {"seed": seed})
