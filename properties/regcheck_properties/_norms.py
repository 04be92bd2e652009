"""What the laws of the normalisations share: the layer of a case, and what it should give."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import Case, Evidence, Fault, Layers, Unsupported, bounds, holds, reference, same_bits, within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from regcheck.host import HostedLayer

    Law = Callable[[Layers, Case], "Evidence | Sequence[Evidence]"]

    Rule = Callable[[reference.Normalised, bounds.Arithmetic], bounds.Standard]

Array = np.ndarray[Any, np.dtype[Any]]
STANDARD = bounds.standard


class Expected(NamedTuple):
    """y by the definition, its bound, and how far from β it may lie where accuracy cannot be claimed.

    `held`: where the type that results are stored in holds y at all; elsewhere nothing is compared.
    """

    norm: reference.Normalised
    standard: bounds.Standard
    ar: bounds.Arithmetic
    y: Array
    bound: Array
    limit: Array
    judged: Array
    held: Array
    dims: tuple[str, ...]

    def of(self, index: slice) -> Expected:
        """The same for some indices along the first axis."""
        cut = {name: getattr(self, name)[index] for name in ("y", "bound", "limit", "judged", "held")}
        return self._replace(**cut)


def layer_of(layers: Layers, case: Case, config: Any = None) -> HostedLayer:
    """A fresh layer with the case's parameters."""
    layer = layers.make(config or case.config, case.dtype)
    layer.assign_parameters(_affine(case))
    return layer


def with_state(layers: Layers, case: Case, **changes: float) -> HostedLayer:
    """As `layer_of`, with the case's recorded statistics; `changes` are fields of the config."""
    layer = layer_of(layers, case, dataclasses.replace(case.config, **changes))
    layer.assign_state({name: case[name] for name in ("running_mean", "running_var")})
    return layer


def finite_state(layer: HostedLayer) -> list[Evidence]:
    """Evidence that everything that the layer has recorded is finite."""
    state = layer.state()
    return [holds(np.isfinite(state[name]), "finite", state[name], dims=("C",), what=name) for name in sorted(state)]


def run(layer: HostedLayer, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
    """The layer's output for x. Raises Fault where it has not x's shape."""
    y = layer.forward(x, training)
    if y.shape != x.shape:
        kind, seen = "wrong-return", f"y has shape {y.shape} for x of shape {x.shape}"
        raise Fault(kind, "", seen, "forward")
    return y


def part(found: Mapping[str, Array], name: str, like: Array) -> Array:
    """A gradient or a state by name, shaped like `like`.

    Raises Unsupported where the layer shows none, Fault where the shape is another.
    """
    if name not in found:
        msg = f"the layer shows no {name}; map it with names={{{name!r}: ...}}"
        raise Unsupported(msg)
    if found[name].shape != like.shape:
        kind, seen = "wrong-return", f"{name} has shape {found[name].shape}, not {like.shape}"
        raise Fault(kind, "", seen, "backward")
    return found[name]


def expected(  # noqa: PLR0913  (one keyword per operand)
    norm: reference.Normalised,
    standard: bounds.Standard,
    ar: bounds.Arithmetic,
    *,
    case: Case,
    scale: Array | None = None,
    shift: Array | None = None,
) -> Expected:
    """γ·z + β with its bounds; γ and β broadcast against z."""
    gamma = np.ones((), norm.z.dtype) if scale is None else reference.widen(scale)
    beta = np.zeros((), norm.z.dtype) if shift is None else reference.widen(shift)
    y = gamma * norm.z + beta
    bound = bounds.affine(standard, norm.z, y, ar, gamma)
    reach = np.abs(gamma) * standard.limit
    limit = np.abs(y - beta) + reach + 2 * (ar.u + ar.u_out) * (reach + np.abs(beta))
    held = np.abs(y) + bound < float(np.finfo(case.dtype).max)
    return Expected(norm, standard, ar, y, bound, limit, standard.judged & held, held, case.dims["x"])


def judge(observed: Array, want: Expected, what: str = "y") -> list[Evidence]:
    """Evidence that `observed` is accurate, and within its limit where accuracy cannot be claimed."""
    found = [within(observed, want.y, want.bound, dims=want.dims, what=what, judged=want.judged)]
    if not want.judged.all():
        lost = want.held & ~want.judged
        inside = np.where(lost, observed, want.y)
        found.append(within(inside, want.y, want.limit, dims=want.dims, what=f"{what}, ill-conditioned"))
    return found


def agree(observed: Array, other: Array, want: Expected, what: str) -> Evidence:
    """Evidence that two results for the same data agree: each may err by the bound."""
    return within(observed, other.astype(want.y.dtype), 2 * want.bound, dims=want.dims, what=what, judged=want.judged)


def outside(case: Case) -> Evidence:
    """Evidence of a case outside the law's domain: nothing judged, every element of x labelled."""
    x = case["x"]
    return Evidence(np.zeros(x.shape), x, x, case.dims["x"], "outside the law's domain", x.size)


def defined(law: Law) -> Law:
    """The law, but for groups of one value where the layer declares to give no β for them."""

    @functools.wraps(law)
    def judged(layers: Layers, case: Case) -> Evidence | Sequence[Evidence]:
        alone = min(group_size(case, name) for name in ("x", "x2") if name in case.arrays) == 1
        if alone and layers.declared("single_value_batch") != "shift":
            return outside(case)
        return law(layers, case)

    return judged


def several(law: Law) -> Law:
    """The law, but for groups of one value, whatever is declared for them."""

    @functools.wraps(law)
    def judged(layers: Layers, case: Case) -> Evidence | Sequence[Evidence]:
        alone = min(group_size(case, name) for name in ("x", "x2") if name in case.arrays) == 1
        return outside(case) if alone else law(layers, case)

    return judged


def group_size(case: Case, name: str = "x") -> int:
    """How many values share a mean: a sample's features, or a channel's entries in the batch."""
    if hasattr(case.config, "shape"):
        return int(np.prod(case.config.shape, dtype=int))
    return case[name].size // int(case.config.channels)


def layer_norm(
    layers: Layers, case: Case, x: Array | None = None, config: Any = None, rule: Rule = STANDARD
) -> Expected:
    """What layer_norm's definition gives for x (the case's own where none is given)."""
    ar = bounds.declared_arithmetic(layers, case.dtype)
    norm = reference.layer_norm.standardise(case["x"] if x is None else x, config or case.config)
    return expected(norm, rule(norm, ar), ar, case=case, **_affine(case))


def batch_norm(
    layers: Layers, case: Case, x: Array | None = None, config: Any = None, rule: Rule = STANDARD
) -> Expected:
    """What batch_norm's definition gives for x in training."""
    ar = bounds.declared_arithmetic(layers, case.dtype)
    norm = reference.batch_norm.standardise(case["x"] if x is None else x, config or case.config)
    return expected(norm, rule(norm, ar), ar, case=case, **_per_channel(case))


def recorded(layers: Layers, case: Case, x: Array | None = None) -> Expected:
    """What batch_norm's definition gives for x in inference, with the case's recorded statistics."""
    ar = bounds.declared_arithmetic(layers, case.dtype)
    statistics = reference.batch_norm.running(case["running_mean"], case["running_var"])
    norm = reference.batch_norm.standardise_recorded(case["x"] if x is None else x, case.config, statistics)
    return expected(norm, bounds.standard_recorded(norm, ar), ar, case=case, **_per_channel(case))


def _affine(case: Case) -> dict[str, Array]:
    return {name: case[name] for name in ("scale", "shift") if name in case.arrays}


def _per_channel(case: Case) -> dict[str, Array]:
    along = reference.batch_norm.along_channels
    return {name: along(value, case["x"].ndim) for name, value in _affine(case).items()}


def moments(y: Array, want: Expected, case: Case, shift: Array | float = 0.0) -> list[Evidence]:
    """Evidence that each group of y has the mean `shift` and the variance of the definition's y.

    An error of at most B an element moves the mean by mean B and the variance by 2·mean(|y − β|B) + mean B².
    """
    mean, wide, each = want.norm.mean_over, reference.widen(y), case.independent
    off, judged = np.abs(want.y - shift), np.all(want.judged, axis=want.norm.axes)
    seen = mean(wide)
    spread = mean(np.square(wide - seen)), mean(np.square(want.y - shift))
    slack = 2 * mean(off * want.bound) + mean(np.square(want.bound))
    pairs = [("mean y", seen, np.zeros_like(seen) + shift, mean(want.bound)), ("var y", *spread, slack)]
    return [
        within(a.reshape(-1), b.reshape(-1), c.reshape(-1), dims=each, what=what, judged=judged)
        for what, a, b, c in pairs
    ]


def isolated(layer: HostedLayer, case: Case, training: bool, axis: int) -> list[Evidence]:  # noqa: FBT001
    """Evidence that what is in some groups, the indices along `axis`, reaches no other, and a NaN all of its own."""
    x, dims, index = case["x"], case.dims["x"], case.values["index"]
    half = np.random.default_rng(case.values["seed"]).random(x.shape[axis]) < 1 / 2
    before, place = run(layer, x, training), np.unravel_index(index % (x.size // len(half)), _without(x.shape, axis))
    found = []
    for value, kept in itertools.product((np.nan, 3.0), (half, ~half)):
        changed = np.moveaxis(x.copy(), axis, 0)
        changed[(~kept, *place)] = value
        after = run(layer, np.moveaxis(changed, 0, axis), training)
        same = np.broadcast_to(np.expand_dims(kept, tuple(a for a in range(x.ndim) if a != axis)), x.shape)
        found.append(same_bits(np.where(same, after, before), before, dims=dims, what=f"y beside {value:g} elsewhere"))
        if np.isnan(value):
            found.append(holds(np.isnan(after) | same, np.nan, after, dims=dims, what="y beside NaN"))
    return found


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]


def constant(y: Array, want: Expected) -> list[Evidence]:
    """Evidence for groups of one small integer, whose mean is exact: β within the bound, and exactly where x is 0."""
    norm, precise = want.norm, 2 / float(np.finfo(y.dtype).eps)
    exact = (norm.var == 0) & (norm.x == np.rint(norm.x)) & (norm.magnitude * norm.n <= precise)
    only = want._replace(judged=want.judged & exact, held=want.held & exact)
    zero = np.broadcast_to(norm.magnitude == 0, y.shape)
    return [*judge(y, only), holds(~zero | (y == want.y), want.y, y, dims=want.dims, what="y of zeros")]


def single_value(layers: Layers, layer: HostedLayer, case: Case, want: Expected) -> list[Evidence]:
    """Evidence that training on one value per group does as declared: β, an error, or NaN."""
    declared = layers.declared("single_value_batch")
    try:
        y = run(layer, case["x"], True)  # noqa: FBT003  (the contract's positional flag)
    except Fault as fault:
        if fault.kind != "raised":
            raise
        return [holds(declared == "error", declared, fault.sentence(), what="y")]
    if declared == "shift":
        return judge(y, want)
    promised = np.isnan(y) if declared == "nan" else np.zeros(y.shape, bool)
    return [holds(promised, "NaN" if declared == "nan" else "an error", y, dims=want.dims, what="y")]
