"""Cases of group and instance normalisation: every group of every sample is a case.

Arrays are drawn grouped, (N, G, K, *spatial) for G groups of K channels, and (N, C, *spatial) for instance
normalisation: so groups, and channels of a group, can be cut away. A layer is given (N, channels, *spatial).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.cases import fill
from regcheck.cases.norms import AFFINE, LENGTHS, Recipe, Stratum, count_of, drawing, seeded, values_of
from regcheck.families import GroupNormConfig, InstanceNormConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from regcheck.property import Plan

__all__ = ["groups"]

GROUPS = (2, 3, 1, 4, 8)
MEMBERS = (2, 3, 1, 5)  # channels of a group, where space makes it long
ALONE = (1,)  # where one value a group is asked for, there is no second axis
SPATIAL = {"group_norm": (0, 2, 1, 3), "instance_norm": (1, 2, 3)}


def groups(plan: Plan, recipe: Recipe | None = None) -> list[SearchStrategy[Case]]:
    """x and cotangent (N, G, K, *spatial) or (N, C, *spatial); where the config is affine, γ and β (G, K) or (C,).

    For moderate data also offset, (N, G) or (N, C). Every number of spatial axes is a stratum, and of lengths that are
    not the usual ones each is: there the first axis that a group is made of has that length.
    """
    recipe, known = recipe or Recipe(), SPATIAL[plan.family]
    axes = [ndim for ndim in known if ndim in (plan.axes or known)]
    if recipe.lengths is LENGTHS or len(recipe.lengths) < len(axes):
        lengths = recipe.lengths if recipe.lengths == ALONE else recipe.sizes(plan)
        return [_groups(plan, replace(recipe, lengths=lengths), Stratum(i, len(axes)), n) for i, n in enumerate(axes)]
    each = [replace(recipe, lengths=(length,)) for length in recipe.lengths]
    return [_groups(plan, one, Stratum(i, len(each)), axes[i % len(axes)]) for i, one in enumerate(each)]


@st.composite
def _groups(draw: DrawFn, plan: Plan, recipe: Recipe, stratum: Stratum, ndim: int) -> Case:
    one_of = drawing(draw, plan, stratum)
    group = _group(one_of, recipe, ndim, whole=plan.family == "group_norm")
    n = int(np.prod(group, dtype=int))
    rows = count_of(one_of, n)
    count = min(one_of(GROUPS), rows)
    samples = max(1, rows // count)
    eps, affine = one_of(recipe.eps), one_of(AFFINE) or recipe.affine
    config = _config(plan, count, group, ndim, (eps, affine))
    seed = seeded(draw, plan)
    if not plan.takes(config):
        return Case(config, plan.dtype)
    rng = fill.generator(seed)
    made = recipe.rows(rng, (samples * count, n), plan, eps)
    x = made.reshape(samples, count, *group)
    channels = ("G", "K") if plan.family == "group_norm" else ("C",)
    axes = ("N", *channels, *(f"S{i}" for i in range(ndim)))
    arrays = {"x": x} | recipe.cotangents(rng, x.shape, plan.dtype)
    dims: dict[str, tuple[str, ...]] = dict.fromkeys(arrays, axes)
    if recipe.data == "moderate":
        offset = fill.offsets(rng, made, plan.dtype).reshape(samples, count)
        arrays["offset"], dims["offset"] = offset, axes[:2]
    if config.affine:
        arrays |= fill.parameters(rng, x.shape[1 : 1 + len(channels)], plan.dtype)
        dims |= {"scale": channels, "shift": channels}
    values = values_of(seed, rng, plan.dtype)
    drawn = recipe.directions(rng, x.shape, plan.dtype)
    dims |= dict.fromkeys(drawn, axes)
    return recipe.only(Case(config, plan.dtype, arrays | drawn, dims, axes[:2], values))


def _group(one_of: Callable[[Sequence[Any]], Any], recipe: Recipe, ndim: int, *, whole: bool) -> tuple[int, ...]:
    """Sizes of the axes that a group is made of: its channels if `whole`, and space; the first spatial one is long."""
    long = one_of(recipe.lengths)
    others = long < 64 and recipe.lengths != ALONE
    short = tuple(one_of(recipe.spatial) if others else 1 for _ in range(ndim - 1))
    if not whole:
        return (long, *short)
    return (one_of(MEMBERS) if others else 1, long, *short) if ndim else (long,)


def _config(plan: Plan, count: int, group: tuple[int, ...], ndim: int, rest: tuple[float, bool]) -> Any:
    eps, affine = rest
    if plan.family == "group_norm":
        return GroupNormConfig(count * group[0], count, ndim, eps, affine)
    return InstanceNormConfig(count, ndim, eps, affine)
