"""Cases for dropout: rates, shapes of one to three axes, and rows of numbers unlike each other.

Every row has a scale of its own; one in six entries is an exact zero, since a mask read off x·mask cannot be seen
where x is 0. Magnitudes stay where x/(1 − rate) neither overflows nor underflows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.families import DropoutConfig

if TYPE_CHECKING:
    from regcheck.property import Plan

Array = np.ndarray[Any, np.dtype[Any]]

RATES = (0.25, 0.1, 0.7, 0.3, 0.5, 0.9, 0.01, 0.99)
# Small ones too: half-precision uniforms, multiples of 2⁻¹⁰ or 2⁻¹¹, show at 0.001 (0.00195 or 0.00146 instead).
STATISTICAL_RATES = (0.25, 0.1, 0.3, 0.7, 0.9, 0.01, 0.001)
# Shapes and numbers of calls: many for small correlations, few for masks that one number of axes alone shares.
VOLUMES = (
    ((16, 8, 17, 31), 8),
    ((263, 257), 2),
    ((37, 41, 43), 2),
    ((67_601,), 2),
    ((8, 5, 7, 16, 15), 2),
)
SIZES = (17, 3, 1, 8, 33, 2)
LENGTHS = (33, 1, 5, 8, 65, 127)
EXPONENTS = {"float16": 4, "float32": 60, "float64": 300}  # of the largest scale 2ᵉ and, with a minus, the smallest
SEEDS = st.integers(0, 2**31 - 1)


def batches(plan: Plan) -> st.SearchStrategy[Case]:
    """A rate in (0, 1), x with exact zeros and a random cotangent: (N,), (N, F0) or (N, F0, F1)."""
    shapes = st.one_of(
        st.tuples(st.sampled_from(SIZES), st.sampled_from(LENGTHS)),
        st.tuples(st.sampled_from(LENGTHS)),
        st.tuples(st.sampled_from(SIZES), st.sampled_from((3, 1, 4)), st.sampled_from((5, 8, 17))),
    )
    return st.builds(_batch, st.just(plan.dtype), st.sampled_from(RATES), shapes, SEEDS)


def matrices(plan: Plan) -> st.SearchStrategy[Case]:
    """As `batches`, with two axes."""
    return batches(plan).filter(lambda case: case["x"].ndim == 2)


def batches_at(rate: float) -> Any:
    """The strategy of `batches` at one rate, 0 or 1."""

    def cases(plan: Plan) -> st.SearchStrategy[Case]:
        shapes = st.tuples(st.sampled_from(SIZES), st.sampled_from(LENGTHS))
        return st.builds(_batch, st.just(plan.dtype), st.just(rate), shapes, SEEDS)

    return cases


def nonfinite(plan: Plan) -> st.SearchStrategy[Case]:
    """As `batches`, with infinities of both signs and NaN in a quarter of the entries."""
    return batches(plan).map(_with_nonfinite)


def rates(plan: Plan) -> st.SearchStrategy[Case]:
    """Every statistical rate once, without arrays: a statistical law draws its samples itself."""
    seeds = {rate: 0x5EED + 7919 * i for i, rate in enumerate(STATISTICAL_RATES)}
    return st.sampled_from(STATISTICAL_RATES).map(
        lambda rate: Case(DropoutConfig(rate), plan.dtype, values={"seed": seeds[rate]})
    )


def independence(plan: Plan) -> st.SearchStrategy[Case]:
    """Every volume once, at a rate near ½, where a correlation shows best; without arrays."""

    def make(number: int) -> Case:
        shape, calls = VOLUMES[number]
        values = {"seed": 0xD1CE + number, "shape": list(shape), "calls": calls}
        return Case(DropoutConfig((0.3, 0.6)[number % 2]), plan.dtype, values=values)

    return st.sampled_from(range(len(VOLUMES))).map(make)


def middling_rates(plan: Plan) -> st.SearchStrategy[Case]:
    """A rate at which two masks of some thousand elements never agree by chance, without arrays."""
    return st.builds(_bare, st.just(plan.dtype), st.sampled_from((0.25, 0.3, 0.7)), SEEDS)


def nonzero(x: Array) -> Array:
    """`x` with every 0 replaced by 1."""
    return np.where(x == 0, np.ones_like(x), x)


def _bare(dtype: str, rate: float, seed: int) -> Case:
    return Case(DropoutConfig(rate), dtype, values={"seed": seed})


def _batch(dtype: str, rate: float, shape: tuple[int, ...], seed: int) -> Case:
    fill = np.random.Generator(np.random.Philox(seed))
    dims = ("N", "F0", "F1")[: len(shape)]
    arrays = {"x": _rows(fill, shape, dtype), "cotangent": _rows(fill, shape, dtype)}
    arrays["x"][fill.random(shape) < 1 / 6] = 0
    return Case(DropoutConfig(rate), dtype, arrays, dict.fromkeys(arrays, dims), ("N",), {"seed": seed})


def _rows(fill: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    """Numbers of which each row has its own scale and offset; every fifth row holds small whole numbers."""
    row = (shape[0],) + (1,) * (len(shape) - 1)
    most = EXPONENTS[dtype]
    exponent = np.where(fill.random(row) < 0.5, 0, fill.integers(-most, most, row, endpoint=True))
    values = fill.standard_normal(shape) + fill.choice([0.0, 0.0, 3.0], row)
    values = np.where(fill.random(row) < 0.2, np.rint(values), values)
    # Away from 0, so that no entry is subnormal in half precision; zeros are put in on purpose.
    values = np.copysign(np.clip(np.abs(values), 1 / 16, 8), values)
    return np.asarray(np.ldexp(values, exponent)).astype(dtype)


def _with_nonfinite(case: Case) -> Case:
    x = case["x"].copy()
    fill = np.random.Generator(np.random.Philox(case.values["seed"] + 1))
    kind = fill.integers(0, 12, x.shape)
    for code, value in enumerate((np.inf, -np.inf, np.nan)):
        x[kind == code] = value
    return case.with_arrays(x=x)
