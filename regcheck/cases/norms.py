"""Cases of the normalisations: one batch holds some dozens of cases, a row or a channel each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.cases import fill
from regcheck.families import BatchNormConfig, LayerNormConfig

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from regcheck.property import Plan

__all__ = ["batch_norm", "largest", "layer_norm"]

# Small lengths show the most: typical ones first (the simplest example), then edges, block sizes, their neighbours.
LENGTHS = (3, 5, 8, 2, 17, 4, 32, 33, 7, 13, 64, 127, 128)
EPS = (1e-5, 1e-3, 1e-2, 1.0)
MOMENTA = (0.1, 0.3, 0.75, 0.01, 1.0)
ROWS = (24, 32, 40, 17, 48, 1)
ELEMENTS = 4000
SEEDS = st.integers(0, 2**32 - 1)


def largest(plan: Plan, n: int) -> float:
    """Largest |x| whose squares can be summed over n values, with a quarter to spare, in the type computed in.

    Half-precision input in a layer that declares to compute in float32 goes over its whole range; what a layer
    without that declaration does beyond its squares' range is judged by `half-precision-range` alone.
    """
    if plan.dtype == "float16" and plan.declares.get("compute_dtype") == "float32":
        return float(np.finfo("float16").max)
    return float(np.sqrt(float(np.finfo(plan.dtype).max) / 4 / n))


def _least(plan: Plan) -> int:
    """Fewest values a group may hold: one value alone is for those who give β for it."""
    return 1 if plan.declares.get("single_value_batch", "shift") == "shift" else 2


@st.composite
def _layer_norm(draw: DrawFn, plan: Plan, lengths: tuple[int, ...], *, whole: bool) -> Case:
    n = draw(st.sampled_from(lengths))
    inner = draw(st.sampled_from((1, 1, 1, 2, 3)))
    shape = (n,) if n % inner or inner == 1 else (n // inner, inner)
    count = min(draw(st.sampled_from(ROWS)), max(1, ELEMENTS // n))
    config = LayerNormConfig(
        shape=shape, eps=draw(st.sampled_from(EPS)), affine=draw(st.sampled_from((True, True, True, False)))
    )
    seed, training = draw(SEEDS), draw(st.booleans())
    rng = fill.generator(seed)
    most = float(np.finfo(plan.dtype).max) if whole else largest(plan, n)
    x = fill.rows(rng, (count, n), plan.dtype, config.eps, most).reshape(count, *shape)
    features = tuple(f"F{i}" for i in range(len(shape)))
    arrays = {"x": x, "cotangent": fill.cotangent(rng, x.shape, plan.dtype)}
    dims = {"x": ("N", *features), "cotangent": ("N", *features)}
    if config.affine:
        arrays |= fill.parameters(rng, shape, plan.dtype)
        dims |= {"scale": features, "shift": features}
    values = {"seed": seed, "training": training, "cut": int(rng.integers(1, count)) if count > 1 else 0}
    return Case(config, plan.dtype, arrays, dims, ("N",), values)


def layer_norm(plan: Plan) -> SearchStrategy[Case]:
    """x and cotangent (N, *shape), γ and β where affine; `values`: training, cut (an index into the batch), seed."""
    lengths = LENGTHS + (1,) * (_least(plan) == 1)
    return _layer_norm(plan, lengths, whole=False)


@st.composite
def _batch_norm(draw: DrawFn, plan: Plan, least: int) -> Case:
    ndim = draw(st.sampled_from((0, 2, 1, 3)))
    spatial = tuple(draw(st.sampled_from((2, 3, 1, 5))) for _ in range(ndim))
    inner = int(np.prod(spatial, dtype=int))
    sizes = tuple(n for n in (*LENGTHS, 1) if least <= n * inner <= 400)
    batch, second = draw(st.sampled_from(sizes)), draw(st.sampled_from(sizes))
    m, m2 = batch * inner, second * inner
    channels = min(draw(st.sampled_from(ROWS)), max(1, ELEMENTS // max(m, m2)))
    config = BatchNormConfig(
        channels=channels,
        ndim=ndim,
        eps=draw(st.sampled_from(EPS)),
        momentum=draw(st.sampled_from(MOMENTA)),
        affine=draw(st.sampled_from((True, True, True, False))),
    )
    seed = draw(SEEDS)
    rng = fill.generator(seed)
    most = recordable(plan, max(m, m2))
    fills = [fill.rows(rng, (channels, size), plan.dtype, config.eps, most) for size in (m, m2)]
    x, x2 = (_to_channels(rows, n, spatial) for rows, n in zip(fills, (batch, second), strict=True))
    axes = tuple(f"S{i}" for i in range(ndim))
    dims = {"x": ("N", "C", *axes), "cotangent": ("N", "C", *axes), "x2": ("M", "C", *axes)}
    arrays = {"x": x, "cotangent": fill.cotangent(rng, x.shape, plan.dtype), "x2": x2}
    made = {**fill.statistics(rng, channels, plan.dtype)}
    if config.affine:
        made |= fill.parameters(rng, (channels,), plan.dtype)
    return Case(config, plan.dtype, arrays | made, dims | dict.fromkeys(made, ("C",)), ("C",), {"seed": seed})


def recordable(plan: Plan, n: int) -> float:
    """Largest |x| whose squares, summed over n values, the state's own type can hold."""
    return float(np.sqrt(float(np.finfo(plan.dtype).max) / 4 / n))


def _to_channels(rows: fill.Array, batch: int, spatial: tuple[int, ...]) -> fill.Array:
    """(channels, batch·∏spatial) as contiguous (batch, channels, *spatial)."""
    return np.ascontiguousarray(np.moveaxis(rows.reshape(len(rows), batch, *spatial), 0, 1))


def batch_norm(plan: Plan) -> SearchStrategy[Case]:
    """x, cotangent (N, C, *spatial), a second batch x2 (M, C, *spatial), γ, β, running_mean, running_var (C,).

    At least two values a channel.
    """
    return _batch_norm(plan, least=2)
