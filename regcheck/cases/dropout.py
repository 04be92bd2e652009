"""Cases for dropouts: rates, shapes of one to five axes, and rows of numbers unlike each other.

What drops as a whole, an entry, a channel or a sample, is the family's unit. Every row has a scale of its own; one in
six entries is an exact zero, since a mask read off x·mask cannot be seen where x is 0. Magnitudes stay where
x/(1 − rate) neither overflows nor underflows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.families import DropoutConfig

if TYPE_CHECKING:
    from regcheck.property import Plan

Array = np.ndarray[Any, np.dtype[Any]]


class Unit(NamedTuple):
    """What drops as a whole: each index of the first `axes` axes is one (None: of all axes)."""

    name: str
    plural: str
    axes: int | None

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """How the units of an input of this shape are arranged."""
        return shape[: self.axes]

    def first(self, mask: Array) -> Array:
        """The first entry of every unit."""
        return np.asarray(mask.reshape(*self.shape(mask.shape), -1)[..., 0])

    def many(self, rows: int, columns: int, config: DropoutConfig) -> tuple[int, ...]:
        """The shape of an input of rows × columns units, each of few entries."""
        if self.axes == 1:
            return (rows * columns, 2, 2)
        return (rows, columns, *(2,) * (config.ndim if self.axes else 0))


ENTRY, CHANNEL, SAMPLE = Unit("entry", "entries", None), Unit("channel", "channels", 2), Unit("sample", "samples", 1)
UNITS = {
    "dropout": ENTRY,
    "alpha_dropout": ENTRY,
    "gaussian_dropout": ENTRY,
    "channel_dropout": CHANNEL,
    "channel_alpha_dropout": CHANNEL,
    "drop_path": SAMPLE,
}

RATES = (0.25, 0.1, 0.7, 0.3, 0.5, 0.9, 0.01, 0.99)
# Small ones too: half-precision uniforms, multiples of 2⁻¹⁰ or 2⁻¹¹, show at 0.001 (0.00195 or 0.00146 instead).
STATISTICAL_RATES = (0.25, 0.5, 0.1, 0.3, 0.7, 0.999, 0.01, 0.001)
MIDDLING_RATES = (0.25, 0.5, 0.3, 0.7)
# Few units, and the rate: what is drawn once for all of them, or as a fixed number of them, shows here alone.
FEW = ((1, 0.3), (2, 0.5), (3, 0.25))
# How units are arranged, of which inputs, in how many calls: many for small correlations, few for masks that one number
# of axes alone shares, and short axes for totals that are kept too even. `independence` gives channels their space.
ARRANGEMENTS: dict[Unit, tuple[tuple[tuple[int, ...], int], ...]] = {
    ENTRY: (
        ((16, 8, 17, 31), 8),
        ((263, 257), 2),
        ((37, 41, 43), 2),
        ((67_601,), 2),
        ((8, 5, 7, 16, 15), 2),
    ),
    CHANNEL: (((4241, 16), 8), ((8, 8456), 2), ((263, 257), 2), ((1009, 67), 2), ((67_601, 1), 2)),
    SAMPLE: (((67_601, 2), 8), ((67_601, 1), 2), ((67_601, 2, 1), 2), ((67_601,), 2), ((67_601, 1, 2, 1), 2)),
}
SIZES = (17, 3, 1, 8, 33, 2)
CHANNELS = (5, 1, 8, 3)
LENGTHS = (33, 1, 5, 8, 65, 127)
NDIMS = (2, 1, 0, 3)  # numbers of spatial axes
SPATIAL = (3, 1, 2, 4)
TRAILING = ((5,), (), (1,), (3, 2), (2, 1, 3))  # what follows the axis of samples
EXPONENTS = {"float16": 4, "float32": 60, "float64": 300}  # of the largest scale 2ᵉ and, with a minus, the smallest
SEEDS = st.integers(0, 2**31 - 1)


def batches(plan: Plan) -> list[st.SearchStrategy[Case]]:
    """A rate in (0, 1), x with exact zeros and a random cotangent, in shapes of the family.

    Where channels or samples drop, every number of axes is a stratum: what drops as a whole may depend on it.
    """
    return _batches(plan, st.sampled_from(RATES))


def batches_at(rate: float) -> Any:
    """The strategy of `batches` at one rate, 0 or 1."""

    def cases(plan: Plan) -> list[st.SearchStrategy[Case]]:
        matrices = [st.tuples(st.sampled_from(SIZES), st.sampled_from(LENGTHS))]
        return _batches(plan, st.just(rate), matrices if UNITS[plan.family] is ENTRY else None)

    return cases


def grids(plan: Plan) -> list[st.SearchStrategy[Case]]:
    """As `batches`, with two axes of units."""
    unit = UNITS[plan.family]
    return [each.filter(lambda case: len(unit.shape(case["x"].shape)) == 2) for each in batches(plan)]


def _batches(
    plan: Plan, rate: st.SearchStrategy[float], shapes: list[st.SearchStrategy[Any]] | None = None
) -> list[st.SearchStrategy[Case]]:
    shapes = shapes or _shapes(plan)
    strata = [st.one_of(shapes)] if UNITS[plan.family] is ENTRY else shapes
    return [st.builds(_batch, st.just(plan), rate, each, SEEDS) for each in strata]


def _shapes(plan: Plan) -> list[st.SearchStrategy[Any]]:
    """(N,), (N, F0), (N, F0, F1); or (N, C, *spatial); or (N, *)."""
    size, length = st.sampled_from(SIZES), st.sampled_from(LENGTHS)
    unit = UNITS[plan.family]
    if unit is CHANNEL:
        spatial = [st.tuples(*[st.sampled_from(SPATIAL)] * ndim) for ndim in ndims(plan)]
        return [st.builds(lambda n, c, rest: (n, c, *rest), size, st.sampled_from(CHANNELS), each) for each in spatial]
    if unit is SAMPLE:
        return [st.builds(lambda n, rest: (n, *rest), length, st.just(each)) for each in TRAILING]
    rows = st.tuples(size, st.sampled_from((3, 1, 4)), st.sampled_from((5, 8, 17)))
    return [st.tuples(size, length), st.tuples(length), rows]


def ndims(plan: Plan) -> tuple[int, ...]:
    """Numbers of spatial axes that the layer takes; 0 alone where the family's unit is no channel."""
    return tuple(n for n in NDIMS if n in (plan.axes or NDIMS)) if UNITS[plan.family] is CHANNEL else (0,)


def nonfinite(plan: Plan) -> list[st.SearchStrategy[Case]]:
    """As `batches`, with infinities of both signs and NaN in a quarter of the entries."""
    return [each.map(_with_nonfinite) for each in batches(plan)]


def rates(plan: Plan) -> st.SearchStrategy[Case]:
    """Every statistical rate once, without arrays: a statistical law draws its samples itself."""
    axes = ndims(plan)

    def make(number: int) -> Case:
        config = DropoutConfig(STATISTICAL_RATES[number], axes[number % len(axes)])
        return Case(config, plan.dtype, values={"seed": 0x5EED + 7919 * number})

    return st.sampled_from(range(len(STATISTICAL_RATES))).map(make)


def independence(plan: Plan) -> st.SearchStrategy[Case]:
    """Every volume once, at a rate near ½, where a correlation shows best; without arrays."""
    volumes, axes = ARRANGEMENTS[UNITS[plan.family]], ndims(plan)

    def make(number: int) -> Case:
        (shape, calls), ndim = volumes[number], axes[number % len(axes)]
        values = {"seed": 0xD1CE + number, "shape": [*shape, *(2,) * ndim], "calls": calls}
        return Case(DropoutConfig((0.3, 0.5, 0.6)[number % 3], ndim), plan.dtype, values=values)

    return st.sampled_from(range(len(volumes))).map(make)


def few_units(plan: Plan) -> st.SearchStrategy[Case]:
    """Every number of FEW units once, at its rate, without arrays."""
    axes = ndims(plan)

    def make(number: int) -> Case:
        units, rate = FEW[number]
        values = {"seed": 0xF3 + 104729 * number, "units": units}
        return Case(DropoutConfig(rate, axes[number % len(axes)]), plan.dtype, values=values)

    return st.sampled_from(range(len(FEW))).map(make)


def middling_rates(plan: Plan) -> list[st.SearchStrategy[Case]]:
    """Rates at which two masks of some thousand units never agree by chance, each a stratum; without arrays."""
    dtype, axes = st.just(plan.dtype), st.sampled_from(ndims(plan))
    return [st.builds(_bare, dtype, st.just(rate), axes, SEEDS) for rate in MIDDLING_RATES]


def nonzero(x: Array) -> Array:
    """`x` with every 0 replaced by 1."""
    return np.where(x == 0, np.ones_like(x), x)


def _bare(dtype: str, rate: float, ndim: int, seed: int) -> Case:
    return Case(DropoutConfig(rate, ndim), dtype, values={"seed": seed})


def _batch(plan: Plan, rate: float, shape: tuple[int, ...], seed: int) -> Case:
    channels = UNITS[plan.family] is CHANNEL
    config = DropoutConfig(rate, len(shape) - 2 if channels else 0)
    if not plan.takes(config):
        return Case(config, plan.dtype)
    fill = np.random.Generator(np.random.Philox(seed))
    names = ("N", "C", "S0", "S1", "S2") if channels else ("N", "F0", "F1", "F2")
    dims = names[: len(shape)]
    arrays = {"x": _rows(fill, shape, plan.dtype), "cotangent": _rows(fill, shape, plan.dtype)}
    arrays["x"][fill.random(shape) < 1 / 6] = 0
    return Case(config, plan.dtype, arrays, dict.fromkeys(arrays, dims), ("N",), {"seed": seed})


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
