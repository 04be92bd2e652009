"""Cases for the laws of every layer: whatever a family's method takes, small, and in the family's own shapes.

Purity and interface do not depend on hostile numbers, so the numbers are multiples of ⅛ that every dtype holds;
`wide` alone goes to the ends of the range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.cases.order import turned
from regcheck.families import (
    FAMILIES,
    BatchNormConfig,
    DropoutConfig,
    GroupNormConfig,
    InstanceNormConfig,
    LayerNormConfig,
    MinimiserConfig,
    PenaltyConfig,
    PriorConfig,
    RMSNormConfig,
    WeightDecayConfig,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DrawFn, SearchStrategy

    from regcheck.property import Plan

Array = np.ndarray[Any, np.dtype[Any]]
Dims = dict[str, tuple[str, ...]]


class Lengths(NamedTuple):
    """Lengths of the first axis, of channels and features, and of spatial axes."""

    batch: tuple[int, ...]
    inner: tuple[int, ...]
    spatial: tuple[int, ...]


class Wanted(NamedTuple):
    """The lengths of a case's axes, the numbers of spatial axes (empty: any), whether there are γ and β, and ε."""

    lengths: Lengths
    axes: tuple[int, ...]
    affine: bool
    eps: tuple[float, ...]


# Many samples in one call cost little more than few: a long batch is many cases.
USUAL = Lengths((17, 24, 12, 1, 33, 2), (5, 3, 8, 1, 2), (3, 2, 1, 4))
POWERS = Lengths((8, 4, 16), (4, 2, 8), (2, 4))  # the mean of so many small whole numbers is exact in every dtype
SEEDS = st.integers(0, 2**31 - 1)
STRENGTHS = ((0.5, 0.25), (0.5, 0.0), (0.0, 0.25))
RATES = (0.25, 0.5, 0.7)
EPS = (1e-5, 1e-3)


def calls(plan: Plan) -> list[SearchStrategy[Case]]:
    """Arguments, cotangent, parameters and state of one layer; `values`: training, seed.

    With γ and β and without are strata: a layer goes another way without them.
    """
    return _strata(plan, USUAL, _eighths)


def with_parameters(plan: Plan) -> list[SearchStrategy[Case]]:
    """As `calls`, with γ and β where the family has them."""
    return _strata(plan, USUAL, _eighths)[:1]


def whole(plan: Plan) -> list[SearchStrategy[Case]]:
    """As `calls`, small whole numbers on short axes and ε = 1: the order of a sum matters as little as it can."""
    return _strata(plan, POWERS, _whole, eps=(1.0,))


def wide(plan: Plan) -> list[SearchStrategy[Case]]:
    """As `calls`; every group has a magnitude of its own, up to where squares overflow; some are constant or 0."""
    return _strata(plan, USUAL, _wide)


def laid_out(case: Case, layout: str) -> Case:
    """The case with its arguments and cotangent in a layout of LAYOUTS."""
    lay = LAYOUTS[layout]
    names = [name for name in ("x", "cotangent", "w", "gradient", "a", "b") if name in case.arrays]
    return case.with_arrays(**{name: lay(case[name]) for name in names})


def _strata(
    plan: Plan, sizes: Lengths, fill: Callable[..., Array], eps: tuple[float, ...] = EPS
) -> list[SearchStrategy[Case]]:
    affine = (True, False) if hasattr(FAMILIES[plan.family].config, "affine") else (False,)
    wanted = [Wanted(_from(sizes, plan, i, len(affine)), plan.axes, choice, eps) for i, choice in enumerate(affine)]
    return [_cases(plan, each, fill) for each in wanted]


def _from(sizes: Lengths, plan: Plan, stratum: int, strata: int) -> Lengths:
    """The lengths of batches and of spatial axes in the order of a stratum; features stay, so that 1 meets not 1."""
    batch, spatial = (turned(lengths, plan, stratum, strata) for lengths in (sizes.batch, sizes.spatial))
    return Lengths(batch, sizes.inner, spatial)


@st.composite
def _cases(draw: DrawFn, plan: Plan, wanted: Wanted, fill: Callable[..., Array]) -> Case:
    config, dims = _SHAPES[FAMILIES[plan.family].config](draw, wanted)
    lengths = _lengths(draw, config, dims, wanted.lengths)
    seed, training = draw(SEEDS), draw(st.booleans())
    if not plan.takes(config):
        return Case(config, plan.dtype)
    rng = np.random.Generator(np.random.Philox(seed))
    arrays = {}
    for name, axes in dims.items():
        shape = tuple(lengths[axis] for axis in axes)
        filled = name in {"x", "w"}
        numbers = fill(rng, shape, _group(config, shape), plan.dtype) if filled else _small(rng, name, shape)
        arrays[name] = numbers.astype(plan.dtype)
    values = {"seed": seed, "training": training}
    return Case(config, plan.dtype, arrays, dims, (next(iter(dims.values()))[0],), values)


# --- shapes


def _penalty(draw: DrawFn, _wanted: Wanted) -> tuple[Any, Dims]:
    return PenaltyConfig(l1=0.5, l2=0.25), {"w": draw(st.sampled_from((("W",), ("W", "V"))))}


def _minimiser(draw: DrawFn, _wanted: Wanted) -> tuple[Any, Dims]:
    return MinimiserConfig(*draw(st.sampled_from(STRENGTHS))), {"a": ("N", "K"), "b": ("N",)}


def _weight_decay(_draw: DrawFn, _wanted: Wanted) -> tuple[Any, Dims]:
    return WeightDecayConfig(learning_rate=0.125, decay=0.5), {"w": ("W",), "gradient": ("W",)}


def _prior(draw: DrawFn, _wanted: Wanted) -> tuple[Any, Dims]:
    return PriorConfig(draw(st.sampled_from((0.5, 2.0)))), {"w": ("W",)}


def _dropout(draw: DrawFn, wanted: Wanted) -> tuple[Any, Dims]:
    ndim = draw(st.sampled_from([n for n in (1, 2, 0, 3) if n in (wanted.axes or (1, 2))]))
    return DropoutConfig(draw(st.sampled_from(RATES)), ndim), _batched(("N", "C", "S0", "S1", "S2")[: 2 + ndim])


def _channels(kind: type, **options: Any) -> Callable[..., tuple[Any, Dims]]:
    def shapes(draw: DrawFn, wanted: Wanted) -> tuple[Any, Dims]:
        known = (2, 1, 0, 3) if kind is not InstanceNormConfig else (2, 1, 3)
        ndim = draw(st.sampled_from([n for n in known if n in (wanted.axes or known)]))
        extra = {name: draw(st.sampled_from(choices)) for name, choices in options.items()}
        extra["eps"] = draw(st.sampled_from(wanted.eps))
        channels = draw(st.sampled_from(wanted.lengths.inner))
        if kind is GroupNormConfig:
            channels = channels if ndim else max(channels, 2)
            extra["groups"] = draw(st.sampled_from((channels, 1))) if ndim else 1
        config = kind(channels=channels, ndim=ndim, affine=wanted.affine, **extra)
        dims = _batched(("N", "C", "S0", "S1", "S2")[: 2 + ndim], ("C",) if config.affine else None)
        state: Dims = {"running_mean": ("C",), "running_var": ("C",)} if kind is BatchNormConfig else {}
        return config, dims | state

    return shapes


def _features(kind: type) -> Callable[..., tuple[Any, Dims]]:
    def shapes(draw: DrawFn, wanted: Wanted) -> tuple[Any, Dims]:
        shape = tuple(draw(st.sampled_from(wanted.lengths.inner)) for _ in range(draw(st.sampled_from((1, 2)))))
        shape = shape if any(n > 1 for n in shape) else (*shape[:-1], 2)
        config = kind(shape=shape, eps=draw(st.sampled_from(wanted.eps)), affine=wanted.affine)
        features = ("F0", "F1")[: len(shape)]
        dims = _batched(("N", *features), features if config.affine else None)
        if kind is RMSNormConfig:
            dims.pop("shift", None)
        return config, dims

    return shapes


def _batched(axes: tuple[str, ...], parameters: tuple[str, ...] | None = None) -> Dims:
    dims = {"x": axes, "cotangent": axes}
    return dims | {"scale": parameters, "shift": parameters} if parameters else dims


_SHAPES: dict[type, Callable[..., tuple[Any, Dims]]] = {
    PenaltyConfig: _penalty,
    MinimiserConfig: _minimiser,
    WeightDecayConfig: _weight_decay,
    PriorConfig: _prior,
    DropoutConfig: _dropout,
    BatchNormConfig: _channels(BatchNormConfig, momentum=(0.1, 0.3)),
    InstanceNormConfig: _channels(InstanceNormConfig),
    GroupNormConfig: _channels(GroupNormConfig),
    LayerNormConfig: _features(LayerNormConfig),
    RMSNormConfig: _features(RMSNormConfig),
}


def _lengths(draw: DrawFn, config: Any, dims: Dims, sizes: Lengths) -> dict[str, int]:
    """A length for every axis: what the config says, else one of `sizes`.

    No group has one value alone, on which libraries differ: laws of the interface say nothing of it.
    """
    known = {f"F{i}": n for i, n in enumerate(getattr(config, "shape", ()))}
    if hasattr(config, "channels"):
        known["C"] = config.channels
    batch = next(iter(dims.values()))[0]
    axes = dict.fromkeys(axis for names in dims.values() for axis in names)
    choices = {
        axis: sizes.spatial if axis[0] == "S" else sizes.batch if axis == batch else sizes.inner for axis in axes
    }
    found = {axis: known.get(axis) or draw(st.sampled_from(choices[axis])) for axis in axes}
    alike = {name: found[name] for name in _alike(config, found)}
    if alike and set(alike.values()) == {1}:
        found[min(alike)] = 2
    return found


def _alike(config: Any, lengths: dict[str, int]) -> list[str]:
    """The axes, beside channels, whose entries share a mean, where they alone make a group."""
    spatial = [axis for axis in lengths if axis[0] == "S"]
    if isinstance(config, BatchNormConfig):
        return ["N", *spatial]
    whole = isinstance(config, GroupNormConfig) and config.groups < config.channels
    return spatial if hasattr(config, "channels") and not whole else []


# --- numbers


def _small(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    """Parameters, state, cotangents and targets."""
    if name == "running_var":
        return rng.integers(2, 33, shape) / 8
    if name == "scale":
        return rng.choice([-2.0, -0.5, 0.5, 0.75, 1.5, 2.0], shape)
    return rng.integers(-4, 5, shape).astype(float)


def _group(config: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that broadcasts one number to every normalisation group, or to every row."""
    channels, samples = hasattr(config, "channels"), not isinstance(config, BatchNormConfig)
    return tuple(n if (axis == 0 and samples) or (axis == 1 and channels) else 1 for axis, n in enumerate(shape))


def _eighths(rng: np.random.Generator, shape: tuple[int, ...], group: tuple[int, ...], dtype: str) -> Array:
    del group, dtype
    return rng.integers(-40, 41, shape) / 8


def _whole(rng: np.random.Generator, shape: tuple[int, ...], group: tuple[int, ...], dtype: str) -> Array:
    del group, dtype
    return rng.integers(-4, 5, shape).astype(float)


def _wide(rng: np.random.Generator, shape: tuple[int, ...], group: tuple[int, ...], dtype: str) -> Array:
    """Groups of any magnitude: noise, a constant, 0, or a mean far above the noise.

    The squares of all entries sum to less than a quarter of the largest number.
    """
    info, size = np.finfo(dtype), max(1, int(np.prod(shape)))
    top, bottom = np.log2(float(info.max) / 4 / size) / 2 - 1, np.log2(float(info.tiny)) / 2
    magnitude = rng.uniform(1, 2, group) * 2.0 ** (rng.choice([top, bottom, 0.0, top / 2], group) - 1)
    noise, kind = rng.uniform(-2, 2, shape), rng.integers(0, 6, group)
    return np.asarray(magnitude * np.select([kind == 0, kind == 1, kind == 2], [1.0, 0.0, 1 + noise / 256], noise))


# --- layouts

BETWEEN = 77  # what lies in memory between the entries of an argument


def _spread(x: Array, axis: int) -> Array:
    """`x` as every second entry along an axis."""
    shape = list(x.shape)
    shape[axis] *= 2
    base = np.full(shape, BETWEEN, x.dtype)
    index = [slice(None)] * x.ndim
    index[axis] = slice(None, None, 2)
    base[tuple(index)] = x
    part: Array = base[tuple(index)]
    return part


def _padded(x: Array) -> Array:
    """`x` as a part of wider rows."""
    base = np.full((*x.shape[:-1], x.shape[-1] + 3), BETWEEN, x.dtype)
    base[..., : x.shape[-1]] = x
    return base[..., : x.shape[-1]]


def _read_only(x: Array) -> Array:
    copy = x.copy()
    copy.flags.writeable = False
    return copy


REPEATED = "one row repeated"  # strides of 0; the only layout that changes the data
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "contiguous": np.array,
    "read-only": _read_only,
    "in Fortran order": np.asfortranarray,
    "every second row": lambda x: _spread(x, 0),
    "every second column": lambda x: _spread(x, -1),
    "part of wider rows": _padded,
    "rows reversed": lambda x: np.ascontiguousarray(x[::-1])[::-1],
    REPEATED: lambda x: np.broadcast_to(x[:1], x.shape),
}
