"""Cases for priors: weights, each a case of its own, of sizes around the prior's scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.families import PriorConfig

if TYPE_CHECKING:
    from regcheck.property import Plan

Array = np.ndarray[Any, np.dtype[Any]]

SCALES = (0.3, 3.0, 0.5, 1.0, 0.05, 2.3, 10.0)  # ½ among them, where Laplace's log p(0) is exactly 0
FACTORS = (2.0, 0.25, 8.0)  # powers of 2: nothing is rounded
SEEDS = st.integers(0, 2**32 - 1)
COUNT = 100
LARGEST = {"float16": 16.0, "float32": 1e6, "float64": 1e6}  # 8 times as large, its square is far from overflowing
# Of the largest size, 2ᵉ, on the full range: where 200·w² does not overflow; half precision over its whole range.
FULL_RANGE = {"float16": 15, "float32": 58, "float64": 500}


def weights(plan: Plan) -> st.SearchStrategy[Case]:
    """w (W,) within some scales of 0, zeros among them, and a factor that is a power of 2."""
    return st.builds(_weights, st.just(plan), _configs(), SEEDS, st.sampled_from(FACTORS))


def full_range(plan: Plan) -> list[st.SearchStrategy[Case]]:
    """As `weights`, and w of all magnitudes.

    In half precision these go with scales from 1 on: beside smaller ones, log p itself leaves the range with w².
    """
    least = 1 if plan.dtype == "float16" else 0
    return [weights(plan), st.builds(_full_range, st.just(plan), _configs(least), SEEDS)]


def scales(plan: Plan) -> st.SearchStrategy[Case]:
    """A scale alone: the law makes its own grid."""
    return st.builds(lambda config: Case(config, plan.dtype), _configs())


def near_zero(plan: Plan) -> st.SearchStrategy[Case]:
    """Distances h (H,) > 0 from the peak, a tenth of the scale and less; each is a case."""
    return st.builds(_near_zero, st.just(plan), _configs(), SEEDS)


def losses(plan: Plan) -> st.SearchStrategy[Case]:
    """Losses k·(w − m)²/2: their minima m (B,), on both sides of the scale, and curvatures k (B,) > 0."""
    return st.builds(_losses, st.just(plan), _configs(), SEEDS)


def _configs(least: float = 0) -> st.SearchStrategy[PriorConfig]:
    return st.builds(PriorConfig, st.sampled_from([scale for scale in SCALES if scale >= least]))


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def _weights(plan: Plan, config: PriorConfig, seed: int, factor: float) -> Case:
    rng = _generator(seed)
    w = rng.standard_normal(COUNT) * config.scale * 2.0 ** rng.integers(-6, 5, COUNT)
    w[rng.random(COUNT) < 0.05] = 0
    limited = np.clip(w, -LARGEST[plan.dtype], LARGEST[plan.dtype])
    return _case(plan, config, limited, seed=seed, factor=factor)


def _full_range(plan: Plan, config: PriorConfig, seed: int) -> Case:
    rng, widest = _generator(seed), FULL_RANGE[plan.dtype]
    sizes = rng.uniform(1, 2, COUNT) * 2.0 ** rng.integers(-widest, widest, COUNT)
    return _case(plan, config, rng.choice([-1, 1], COUNT) * sizes, seed=seed, factor=1.0)


def _case(plan: Plan, config: PriorConfig, w: Array, **values: Any) -> Case:
    return Case(config, plan.dtype, {"w": w.astype(plan.dtype)}, {"w": ("W",)}, ("W",), values)


def _near_zero(plan: Plan, config: PriorConfig, seed: int) -> Case:
    rng = _generator(seed)
    h = (config.scale * 2.0 ** -rng.uniform(3.5, 8, COUNT)).astype(plan.dtype)
    return Case(config, plan.dtype, {"h": h}, {"h": ("H",)}, ("H",), {"seed": seed})


def _losses(plan: Plan, config: PriorConfig, seed: int) -> Case:
    rng, count = _generator(seed), COUNT
    curvature = 2.0 ** rng.integers(-3, 4, count) / config.scale**2
    # |m| on both sides of 1/(k·b), where Laplace's maximum leaves 0.
    m = rng.choice([-1, 1], count) * rng.uniform(0.2, 3, count) / (curvature * config.scale)
    largest = LARGEST[plan.dtype]
    dims: dict[str, tuple[str, ...]] = {"m": ("B",), "k": ("B",)}
    return Case(config, plan.dtype, {"m": np.clip(m, -largest, largest), "k": curvature}, dims, ("B",), {"seed": seed})
