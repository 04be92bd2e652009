"""Cases of the normalisations: one batch holds some dozens of cases, a row or a channel each."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from regcheck.case import Case
from regcheck.cases import fill
from regcheck.cases.order import turned
from regcheck.families import FAMILIES, BatchNormConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import DrawFn, SearchStrategy

    from regcheck.property import Plan

__all__ = [
    "ELEMENTS",
    "LENGTHS",
    "LONG",
    "MANY_ELEMENTS",
    "MANY_ROWS",
    "MOMENTA",
    "ROWS",
    "TINY_EPS",
    "Recipe",
    "batch_norm",
    "count_of",
    "layer_norm",
]

# Small lengths show the most: typical ones first (the simplest example), then edges, block sizes, their neighbours.
LENGTHS = (3, 5, 8, 2, 17, 4, 32, 33, 7, 13, 64, 127, 128)
LONG = (1025, 255, 1023, 4096, 4097, 16383, 65537, 70001)
EPS = (1e-5, 1e-3, 1e-2, 1.0)
TINY_EPS = (1e-5, 1e-8, 1e-2, 1.0)  # the second is 0 in half precision
MOMENTA = (0.1, 0.3, 0.75, 0.01, 1.0)  # not 0, at which a record shows nothing but that it stays
Trailing = tuple[tuple[int, ...], ...]
TRAILING: Trailing = ((2,), (3,), (2, 3))  # what follows the first of several axes
SPATIAL = (0, 2, 1, 3)  # numbers of spatial axes, each a stratum: libraries have a layer of its own for each
ROWS = (12, 65, 24, 128, 33, 100, 1)
# Beyond the blocks in which a layer may work. A batch costs the judge 2.4 ms and 5 µs a row of 100: many are cheap.
MANY_ROWS = (257, 1025)
CROWD, CROWDED_LENGTHS = 2205, (3, 5, 8)  # beyond a block of 2 048, also without what is ill-conditioned
AFFINE = (True, True, True, False)
BATCH_AXES = (1, 2, 0, 3)  # in how many axes a layer_norm's samples may come
ELEMENTS, MANY_ELEMENTS = 16_000, 2**16
SEEDS = st.integers(0, 2**32 - 1)
Array = fill.Array


@dataclass(frozen=True)
class Recipe:
    """What kind of data a law needs.

    `data`: "hostile", "moderate" (neither large nor tiny, mean ~ std), "far" (so too, but mean ≫ std), "constant",
    "lost" (a few last bits around a large mean) or "overflow" (squares do). `squares`: the type that must hold the
    squares of hostile data: "compute", "input", or "any" for half precision over its whole range. `affine`: γ and β in
    every case. `least`: fewest values a group; 1 only where the layer gives β for it. `needs`: names of the arrays and
    values that the law looks at beside x, γ and β ("state" for both running statistics), so that a witness shows no
    others. `crowded`: in every run some batch has CROWD samples, as a sum over them asks for.
    """

    data: str = "hostile"
    squares: str = "compute"
    affine: bool = False
    least: int = 1
    lengths: tuple[int, ...] = LENGTHS
    eps: tuple[float, ...] = EPS
    spatial: tuple[int, ...] = (2, 3, 1, 5)
    momenta: tuple[float, ...] = MOMENTA
    needs: tuple[str, ...] | None = None
    crowded: bool = False

    def reach(self, plan: Plan, n: int) -> fill.Range:
        """Where the data of a group of n values may lie."""
        if self.data == "moderate":
            return fill.MODERATE
        hostile = fill.far if self.data == "far" else fill.hostile
        return hostile(plan.dtype, n, self._largest(plan, n))

    def _largest(self, plan: Plan, n: int) -> float:
        half = plan.dtype == "float16"
        wide = self.squares == "compute" and plan.declares.get("compute_dtype") == "float32"
        if half and (wide or self.squares == "any"):
            return float(np.finfo("float16").max)
        return float(np.sqrt(float(np.finfo(plan.dtype).max) / 4 / n))

    def rows(self, rng: fill.Generator, shape: tuple[int, int], plan: Plan, eps: float) -> Array:
        """(count, n) values, a case each row."""
        if self.data in _SPECIAL:
            return _SPECIAL[self.data](rng, shape, plan.dtype)
        return fill.rows(rng, shape, plan.dtype, eps, self.reach(plan, shape[1]))

    def only(self, case: Case) -> Case:
        """The case without what the law does not look at."""
        if self.needs is None:
            return case
        kept = {"x", "scale", "shift", *self.needs, *(("running_mean", "running_var") if "state" in self.needs else ())}
        arrays = {name: array for name, array in case.arrays.items() if name in kept}
        dims = {name: case.dims[name] for name in arrays}
        values = {name: value for name, value in case.values.items() if name in kept}
        return replace(case, arrays=arrays, dims=dims, values=values)

    def wants(self, name: str) -> bool:
        """Whether the law looks at an array that is there by default."""
        return self.needs is None or name in self.needs

    def cotangents(self, rng: fill.Generator, shape: tuple[int, ...], dtype: str) -> dict[str, Array]:
        """{"cotangent": of `shape`} where the law looks at one."""
        return {"cotangent": fill.cotangent(rng, shape, dtype)} if self.wants("cotangent") else {}

    def directions(self, rng: fill.Generator, shape: tuple[int, ...], dtype: str) -> dict[str, Array]:
        """{"direction": of `shape`} where the law asks for one; drawn last, so that no other law's data changes."""
        asked = "direction" in (self.needs or ())
        return {"direction": fill.cotangent(rng, shape, dtype)} if asked else {}

    def sizes(self, plan: Plan) -> tuple[int, ...]:
        """Lengths of groups to draw from."""
        one = self.least == 1 and plan.declares.get("single_value_batch", "shift") == "shift"
        return (*self.lengths, 1) if one else self.lengths


_SPECIAL = {"constant": fill.constant_rows, "lost": fill.lost_rows, "overflow": fill.overflowing_rows}


def values_of(seed: int, rng: fill.Generator, dtype: str) -> dict[str, object]:
    """Scalars that laws draw on: an index, a power of two that no square overflows at, repeats, a mode."""
    power = {"float16": 2, "float32": 40, "float64": 280}[dtype]
    return {
        "seed": seed,
        "training": bool(rng.random() < 1 / 2),
        "index": int(rng.integers(0, 2**16)),
        "power": int(power if rng.random() < 1 / 2 else rng.integers(power + 1)),  # what overflows does at the end
        "sign": int(rng.choice([-1, 1])),
        "repeats": int(rng.integers(2, 6)),
    }


def drawing(draw: DrawFn, plan: Plan, stratum: Stratum) -> Callable[[Sequence[Any]], Any]:
    """A function that draws one of some values."""

    def one_of(values: Sequence[Any]) -> Any:
        offered = turned(values, plan, stratum.number, stratum.of)
        return draw(_choice(offered, tuple(map(type, offered))))

    return one_of


@functools.cache
def _choice(values: tuple[Any, ...], _types: tuple[type, ...]) -> SearchStrategy[Any]:
    """A strategy, which Hypothesis validates once: an eighth of what judging costs. 1 and True are not the same."""
    return st.sampled_from(values)


def count_of(one_of: Callable[[Sequence[int]], int], n: int) -> int:
    """How many cases of n values each a batch holds."""
    count = one_of((*ROWS, *MANY_ROWS))
    return min(count, max(1, (MANY_ELEMENTS if count in MANY_ROWS else ELEMENTS) // n))


def seeded(draw: DrawFn, plan: Plan) -> int:
    """A seed of the data. Hypothesis begins with 0 and prefers small numbers: the run's own seed tells runs apart."""
    return (draw(SEEDS) + plan.seed) % 2**32


class Stratum(NamedTuple):
    """Which of how many strata, and what is fixed in it.

    That is what follows the first axis, whether there are γ and β, and the number of cases.
    """

    number: int
    of: int
    trailing: Trailing = ((),)
    affine: tuple[bool, ...] = AFFINE
    cases: int | None = None


@st.composite
def _layer_norm(draw: DrawFn, plan: Plan, recipe: Recipe, stratum: Stratum) -> Case:
    one_of = drawing(draw, plan, stratum)
    first, others = one_of(recipe.sizes(plan)), one_of(stratum.trailing)
    shape = (first, *others) if first < 64 else (first,)
    n = int(np.prod(shape, dtype=int))
    count = stratum.cases or count_of(one_of, n)
    eps = one_of(recipe.eps)
    affine = one_of(stratum.affine) or recipe.affine
    config = FAMILIES[plan.family].config(shape=shape, eps=eps, affine=affine)
    axes, seed = one_of(BATCH_AXES), seeded(draw, plan)
    if not plan.takes(config):
        return Case(config, plan.dtype)
    rng = fill.generator(seed)
    rows = recipe.rows(rng, (count, n), plan, eps)
    x = rows.reshape(count, *shape)
    features = tuple(f"F{i}" for i in range(len(shape)))
    arrays = {"x": x} | recipe.cotangents(rng, x.shape, plan.dtype)
    dims: dict[str, tuple[str, ...]] = dict.fromkeys(arrays, ("N", *features))
    if recipe.data == "moderate":
        arrays["offset"], dims["offset"] = fill.offsets(rng, rows, plan.dtype), ("N",)
    if config.affine:
        learnt = fill.parameters(rng, shape, plan.dtype)
        if plan.family == "rms_norm":
            del learnt["shift"]
        arrays |= learnt
        dims |= dict.fromkeys(learnt, features)
    values = {**values_of(seed, rng, plan.dtype), "axes": axes}
    drawn = recipe.directions(rng, x.shape, plan.dtype)
    dims |= dict.fromkeys(drawn, dims["x"])
    return recipe.only(Case(config, plan.dtype, arrays | drawn, dims, ("N",), values))


@st.composite
def _batch_norm(draw: DrawFn, plan: Plan, recipe: Recipe, stratum: Stratum, ndim: int) -> Case:
    one_of = drawing(draw, plan, stratum)
    spatial = tuple(one_of(recipe.spatial) for _ in range(ndim))
    inner = int(np.prod(spatial, dtype=int))
    longest = max(400, *recipe.lengths)
    sizes = tuple(n for n in (*recipe.lengths, 1) if min(recipe.sizes(plan)) <= n * inner <= longest)
    batches = one_of(sizes), draw(st.sampled_from(sizes))
    counts = [n * inner for n in batches]
    channels = count_of(one_of, max(counts))
    eps, affine, momentum = one_of(recipe.eps), one_of(stratum.affine), one_of(recipe.momenta)
    config = BatchNormConfig(channels, ndim, eps, momentum, affine or recipe.affine)
    seed = seeded(draw, plan)
    if not plan.takes(config):
        return Case(config, plan.dtype)
    rng = fill.generator(seed)
    rows = recipe.rows(rng, (channels, counts[0]), plan, eps)
    x = _to_channels(rows, batches[0], spatial)
    axes = tuple(f"S{i}" for i in range(ndim))
    arrays = {"x": x} | recipe.cotangents(rng, x.shape, plan.dtype)
    dims: dict[str, tuple[str, ...]] = dict.fromkeys(arrays, ("N", "C", *axes))
    if recipe.wants("x2"):
        dims["x2"] = ("M", "C", *axes)
        arrays["x2"] = _to_channels(recipe.rows(rng, (channels, counts[1]), plan, eps), batches[1], spatial)
    per_channel = fill.statistics(rng, channels, plan.dtype)
    if recipe.data == "moderate":
        per_channel["offset"] = fill.offsets(rng, rows, plan.dtype)
    if config.affine:
        per_channel |= fill.parameters(rng, (channels,), plan.dtype)
    dims |= dict.fromkeys(per_channel, ("C",))
    values = values_of(seed, rng, plan.dtype)
    drawn = recipe.directions(rng, x.shape, plan.dtype)
    dims |= dict.fromkeys(drawn, dims["x"])
    return recipe.only(Case(config, plan.dtype, arrays | per_channel | drawn, dims, ("C",), values))


def _to_channels(rows: Array, batch: int, spatial: tuple[int, ...]) -> Array:
    """(channels, batch·∏spatial) as contiguous (batch, channels, *spatial)."""
    return np.ascontiguousarray(np.moveaxis(rows.reshape(len(rows), batch, *spatial), 0, 1))


def layer_norm(plan: Plan, recipe: Recipe | None = None) -> list[SearchStrategy[Case]]:
    """x, cotangent (N, *shape), γ, β of `shape` where the config is affine, offset (N,) for moderate data.

    Of rms_norm too, which has no β. The value `axes` says in how many batch axes a law may hand the samples to the
    layer.

    Shapes of one axis, and of several, are strata: a layer may take the last axis alone, or the wrong order. Those of
    several without γ and β too: what has parameters of the wrong size is judged there alone. So is each LONG length.
    """
    recipe = recipe or Recipe()
    if recipe.lengths is LENGTHS:
        kinds = (((),), AFFINE), (TRAILING, (True,)), (TRAILING, (False,))
        of = 2 if recipe.affine else 3
        found = [_layer_norm(plan, recipe, Stratum(i, of, *kind)) for i, kind in enumerate(kinds[:of])]
        crowd = replace(recipe, lengths=CROWDED_LENGTHS)
        return [*found, _layer_norm(plan, crowd, Stratum(0, of, cases=CROWD))] if recipe.crowded else found
    alone = [replace(recipe, lengths=(length,)) for length in recipe.lengths]
    return [_layer_norm(plan, one, Stratum(i, len(alone))) for i, one in enumerate(alone)]


def batch_norm(plan: Plan, recipe: Recipe | None = None) -> list[SearchStrategy[Case]]:
    """x, cotangent (N, C, *spatial), a second batch x2 (M, C, *spatial), and per channel, shaped (C,), the rest.

    The rest are running_mean, running_var, γ, β where the config is affine, offset for moderate data. What a channel
    records is of the size of its squares: `squares="input"` is the widest choice where the state is looked at.
    """
    axes = [ndim for ndim in SPATIAL if ndim in (plan.axes or SPATIAL)]
    recipe = recipe or Recipe(squares="input")
    return [_batch_norm(plan, recipe, Stratum(i, len(axes)), ndim) for i, ndim in enumerate(axes)]
