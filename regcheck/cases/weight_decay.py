"""Cases for optimisers with weight decay: weights and gradients of some steps; every weight is a case of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.families import WeightDecayConfig

if TYPE_CHECKING:
    from regcheck.property import Plan

Array = np.ndarray[Any, np.dtype[Any]]

RATES = (0.3, 0.1, 0.5, 0.7, 0.01)
DECAYS = (0.7, 1.3, 0.5, 0.1, 0.02)  # times any of RATES less than 1: a step that leaves something of w
STRONG = (3.0, 2.9, 5.0)  # times 0.5 or 0.7 more than 1: a step beyond 0
EXACT = (0.5, 2.0, 1.0, 0.25)  # times a multiple of ⅛ a multiple of 1/32
SIZES, STEPS = (17, 5, 33, 8, 1), (3, 1, 2, 5)
MANY = (130,), (12,)  # weights beyond a block, steps beyond a start
SPREAD = {"float16": 6, "float32": 20, "float64": 60}  # of magnitudes, in powers of 2
SEEDS = st.integers(0, 2**32 - 1)


def steps(plan: Plan) -> st.SearchStrategy[Case]:
    """w and gradient (T, W) of widely differing sizes, T steps of an optimiser; η·decay < 1."""
    return _drawn(_wide, plan, RATES, DECAYS)


def any_decay(plan: Plan) -> list[st.SearchStrategy[Case]]:
    """As `steps`, and with η·decay > 1, and with many weights and steps."""
    return [steps(plan), _drawn(_wide, plan, (0.5, 0.7), STRONG), _drawn(_wide, plan, RATES, DECAYS, *MANY)]


def exact(plan: Plan) -> st.SearchStrategy[Case]:
    """As `steps`, where gradient + decay·w and gradient + 2·decay·w are exact in every dtype and never 0.

    w is a multiple of ⅛ and not 0, the gradient an odd multiple of 1/64, and decay a power of 2.
    """
    return _drawn(_exact, plan, RATES, EXACT)


def _drawn(  # noqa: PLR0913, PLR0917  (one argument a choice)
    fill: Any,
    plan: Plan,
    rates: tuple[float, ...],
    decays: tuple[float, ...],
    sizes: tuple[int, ...] = SIZES,
    steps: tuple[int, ...] = STEPS,
) -> st.SearchStrategy[Case]:
    config = st.builds(WeightDecayConfig, st.sampled_from(rates), st.sampled_from(decays))
    return st.builds(fill, st.just(plan), config, st.sampled_from(steps), st.sampled_from(sizes), SEEDS)


def _wide(plan: Plan, config: WeightDecayConfig, steps: int, size: int, seed: int) -> Case:
    rng, shape = np.random.Generator(np.random.Philox(seed)), (steps, size)
    reach = SPREAD[plan.dtype]
    # A gradient is as large as its weight, give or take a factor of 8: neither part of a step hides the other.
    magnitude = 2.0 ** rng.integers(-reach, reach - 3, shape)
    w = rng.choice([-1, 1], shape) * rng.uniform(1, 2, shape) * magnitude
    gradient = rng.standard_normal(shape) * magnitude * 2.0 ** rng.integers(-3, 4, shape)
    return _case(plan, config, w, gradient, seed)


def _exact(plan: Plan, config: WeightDecayConfig, steps: int, size: int, seed: int) -> Case:
    rng, shape = np.random.Generator(np.random.Philox(seed)), (steps, size)
    w = rng.choice([-1, 1], shape) * rng.integers(1, 25, shape) / 8
    gradient = rng.choice([-1, 1], shape) * (2 * rng.integers(0, 100, shape) + 1) / 64
    return _case(plan, config, w, gradient, seed)


def _case(plan: Plan, config: WeightDecayConfig, w: Array, gradient: Array, seed: int) -> Case:
    dims: dict[str, tuple[str, ...]] = {"w": ("T", "W"), "gradient": ("T", "W")}
    arrays = {"w": w.astype(plan.dtype), "gradient": gradient.astype(plan.dtype)}
    return Case(config, plan.dtype, arrays, dims, ("W",), {"seed": seed})
