"""Cases for minimisers: batches of least-squares problems A (P, N, K), b (P, N); a problem is a case.

Columns differ in scale and are correlated, but no worse than `SPREAD` between the largest and the smallest singular
value, so that an iterative solver can keep its promise in time; equal columns and columns of 0 come on top.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.families import MinimiserConfig

if TYPE_CHECKING:
    from regcheck.property import Plan

    Strata = list[st.SearchStrategy[Case]]

Array = np.ndarray[Any, np.dtype[Any]]

L1 = (1.0, 0.3, 3.0, 0.01)
L2 = (0.5, 0.1, 2.0)
# Rows and columns. Solvers treat wide problems in a way of their own: every law on several columns covers them.
TALL = ((5, 2), (8, 3), (3, 1), (17, 4), (5, 4), (3, 3), (8, 2), (2, 2), (1, 1))
WIDE = ((2, 3), (3, 4), (1, 2), (2, 4), (1, 3))
ONE_COLUMN = ((5, 1), (3, 1), (8, 1), (1, 1), (2, 1), (17, 1))
OVERDETERMINED = ((8, 2), (17, 3), (8, 3), (17, 2), (8, 1), (17, 1))
FACTORS = (3.0, 0.01, -1.0, -0.5, 1000.0)
PROBLEMS = 6
SPREAD = 10.0
SEEDS = st.integers(0, 2**32 - 1)


def strengths(*, l1: bool, l2: bool) -> st.SearchStrategy[MinimiserConfig]:
    """Strengths that are positive or 0."""
    return st.builds(MinimiserConfig, st.sampled_from(L1 if l1 else (0.0,)), st.sampled_from(L2 if l2 else (0.0,)))


L1_ALONE, L2_ALONE, BOTH = strengths(l1=True, l2=False), strengths(l1=False, l2=True), strengths(l1=True, l2=True)


def problems(_plan: Plan) -> Strata:
    """Any problem, with one penalty or both."""
    return _strata(L1_ALONE, L2_ALONE, BOTH)


def strongly_convex(_plan: Plan) -> Strata:
    """Any problem with l2 > 0, so that its solution is unique."""
    return _strata(L2_ALONE, BOTH)


def one_penalty(_plan: Plan) -> Strata:
    """Any problem with one penalty alone."""
    return _strata(L1_ALONE, L2_ALONE)


def thresholds(_plan: Plan) -> Strata:
    """Problems with l1 > 0 whose ‖Aᵀb‖∞ is a little below or above l1."""
    return [cases.map(_near_threshold) for cases in _strata(L1_ALONE, BOTH)]


def rescaled(_plan: Plan) -> Strata:
    """Any problem, and each factor to scale its targets by: what is absolute shows at the large and the small."""
    configs, shapes = st.one_of(L1_ALONE, BOTH, L2_ALONE), st.sampled_from((*TALL, *WIDE))
    return [_problems(configs, shapes, factor=factor) for factor in FACTORS]


def closed_forms(_plan: Plan) -> Strata:
    """Exactly orthonormal A with l1 alone or both, or any A with l1 = 0, some without any penalty."""
    orthonormal = [st.builds(_orthonormal, configs, SEEDS) for configs in (L1_ALONE, BOTH)]
    bare = _problems(strengths(l1=False, l2=False), st.sampled_from(OVERDETERMINED))
    return [*orthonormal, *_strata(L2_ALONE), bare]


def one_dimensional(_plan: Plan) -> st.SearchStrategy[Case]:
    """One unknown, l1 > 0, small integers: aᵀb is exactly at l1, one below, one above, of both signs, 0, or any."""
    configs = st.builds(MinimiserConfig, st.sampled_from((3.0, 1.0, 2.0, 5.0, 8.0)), st.sampled_from((0.0, 0.5, 1.0)))
    return st.builds(_one_dimensional, configs, st.sampled_from((3, 1, 2, 5)), SEEDS)


def one_dimensional_l2(_plan: Plan) -> st.SearchStrategy[Case]:
    """One unknown, l2 > 0 alone."""
    return _problems(L2_ALONE, st.sampled_from(ONE_COLUMN))


def near_equal_columns(_plan: Plan) -> st.SearchStrategy[Case]:
    """Two columns of correlation 0.88 or more, (1, d) and (1, −d), and a b that leans to the first, or the second."""
    return st.builds(_near_equal, st.sampled_from(L1), SEEDS)


def _strata(*kinds: st.SearchStrategy[MinimiserConfig]) -> Strata:
    """Tall and wide problems of each kind of penalty."""
    return [_problems(configs, st.sampled_from(shapes)) for shapes in (TALL, WIDE) for configs in kinds]


def _problems(
    configs: st.SearchStrategy[MinimiserConfig], shapes: st.SearchStrategy[tuple[int, int]], **values: Any
) -> st.SearchStrategy[Case]:
    return st.builds(_batch, configs, shapes, SEEDS, **{name: st.just(value) for name, value in values.items()})


def _case(config: MinimiserConfig, a: Array, b: Array, seed: int, **values: Any) -> Case:
    dims: dict[str, tuple[str, ...]] = {"A": ("P", "N", "K"), "b": ("P", "N")}
    return Case(config, "float64", {"A": a, "b": b}, dims, ("P",), {"seed": seed, **values})


def _batch(config: MinimiserConfig, shape: tuple[int, int], seed: int, **values: Any) -> Case:
    rng = np.random.Generator(np.random.Philox(seed))
    return _case(config, *drawn(rng, config, PROBLEMS, shape), seed, **values)


def drawn(rng: np.random.Generator, config: MinimiserConfig, count: int, shape: tuple[int, int]) -> tuple[Array, Array]:
    """A (count, n, k) and b (count, n) for `shape` (n, k)."""
    n, k = shape
    a = rng.standard_normal((count, n, k)) + rng.standard_normal((count, n, 1)) * rng.choice([0, 1], (count, 1, 1))
    a = _conditioned(a * 2.0 ** rng.integers(-2, 3, (count, 1, k)))
    if k > 1:
        fate = rng.random(count)
        a[fate < 0.1, :, 0] = 0
        a[fate > 0.9, :, 0] = a[fate > 0.9, :, 1]
    truth = rng.standard_normal((count, k)) * rng.choice([0, 1], (count, k))
    noise = 2.0 ** rng.integers(-4, 2, (count, 1)) * rng.standard_normal((count, n))
    b = (a * truth[:, None, :]).sum(axis=-1) + noise
    # Where an l1 matters at all: the largest correlation between half of it and sixteen times.
    peak = np.abs((a * b[:, :, None]).sum(axis=1)).max(axis=1)
    wanted = (config.l1 or 2.0 ** rng.integers(-9, 9)) * 2.0 ** rng.uniform(-1, 4, count)
    return a, b * (wanted / np.where(peak > 0, peak, 1))[:, None]


def _conditioned(a: Array) -> Array:
    """`a` with its small singular values raised to 1/SPREAD of the largest."""
    u, s, v = np.linalg.svd(a, full_matrices=False)
    return np.asarray((u * np.maximum(s, s[:, :1] / SPREAD)[:, None, :]) @ v)


def _near_threshold(case: Case) -> Case:
    rng = np.random.Generator(np.random.Philox(case.values["seed"] ^ 0x9E3779B9))
    a, b = case["A"], case["b"]
    peak = np.abs((a * b[:, :, None]).sum(axis=1)).max(axis=1)
    wanted = case.config.l1 * rng.choice([0.5, 0.9, 0.99, 1.02, 1.1, 2.0], len(a))
    return case.with_arrays(b=b * (wanted / np.where(peak > 0, peak, 1))[:, None])


def _orthonormal(config: MinimiserConfig, seed: int) -> Case:
    """Columns of a Hadamard matrix over its root, or of the identity, in any order and of any sign."""
    rng = np.random.Generator(np.random.Philox(seed))
    two = np.array([[1.0, 1.0], [1.0, -1.0]])
    four = np.kron(two, two)
    base = (four / 2, np.kron(four, four) / 4, np.eye(3), np.eye(1))[rng.integers(4)]
    n = len(base)
    k = int(rng.integers(1, min(n, 4) + 1))
    a = np.stack([(base * rng.choice([-1, 1], n))[:, rng.permutation(n)[:k]] for _ in range(PROBLEMS)])
    b = rng.standard_normal((PROBLEMS, n)) * (config.l1 or 1) * 2.0 ** rng.integers(-1, 3, (PROBLEMS, 1))
    return _case(config, a, b, seed)


def _one_dimensional(config: MinimiserConfig, n: int, seed: int) -> Case:
    rng = np.random.Generator(np.random.Philox(seed))
    l1 = int(config.l1)
    targets = np.array([l1, -l1, l1 + 1, -l1 - 1, l1 - 1, 1 - l1, 0, *rng.integers(-4 * l1, 4 * l1 + 1, 3)])
    a, b = rng.integers(-3, 4, (len(targets), n)), rng.integers(-3, 4, (len(targets), n))
    a[:, -1] = rng.choice([-1, 1], len(targets))
    b[:, -1] += (targets - (a * b).sum(axis=1)) * a[:, -1]
    return _case(config, a[:, :, None].astype(float), b.astype(float), seed)


def _near_equal(l1: float, seed: int) -> Case:
    rng = np.random.Generator(np.random.Philox(seed))
    d = 2.0 ** -np.resize([2, 3, 4], PROBLEMS)
    w = l1 * (1 + rng.random(PROBLEMS))
    w[0] = 2 * l1  # the clearest problem of all: of a solver that promises little, every batch tells or none does
    lean = 2 * d * w * rng.choice([-1, 1], PROBLEMS)
    a = np.stack([np.ones((PROBLEMS, 2)), np.stack([d, -d], axis=1)], axis=1)
    return _case(MinimiserConfig(l1), a, np.stack([l1 + w, lean], axis=1), seed)
