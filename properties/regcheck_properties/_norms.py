"""What the laws of the normalisations share: the layer of a case, and what it should give."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from regcheck import Case, Evidence, Fault, Layers, Unsupported, bounds, cases, reference, within
from regcheck.families import BatchNormConfig, GroupNormConfig, RMSNormConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from regcheck.host import HostedLayer

    Law = Callable[[Layers, Case], "Evidence | Sequence[Evidence]"]
    Rule = Callable[[reference.Normalised, bounds.Arithmetic], bounds.Standard]

Array = np.ndarray[Any, np.dtype[Any]]
STANDARD = bounds.standard
WIDE = ("float32", "float64")
# Lengths that have no exact reciprocal, and one of two values: what is lost in a constant's mean grows with them.
INEXACT = (33, 127, 2, 1025)


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


def given(strategy: Callable[..., Any], *needs: str, **recipe: Any) -> Callable[..., Any]:
    """The strategy's cases by a recipe, with what the law looks at beside x, γ and β."""
    return functools.partial(strategy, recipe=cases.Recipe(needs=needs, **recipe))


class Grouped:
    """A layer of (N, channels, *spatial) that is given, and gives, its channels in groups: (N, G, K, *spatial)."""

    def __init__(self, layer: HostedLayer, config: GroupNormConfig) -> None:
        self.layer, self.channels, self.ndim = layer, config.channels, config.ndim
        self.grouped = (config.groups, config.channels // config.groups)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape where the layer's result has the flat one."""
        return self._grouped(self.layer.forward(self._flat(x), training))

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """Gradients, those of γ and β of shape (G, K)."""
        found = self.layer.backward(self._flat(cotangent))
        own = {k: v.reshape(self.grouped) if v.shape == (self.channels,) else v for k, v in found.items() if k != "x"}
        return own | {"x": self._grouped(found["x"])} if "x" in found else own

    def second(self, x: Array, cotangent: Array, direction: Array, training: bool, mode: str) -> Array:  # noqa: FBT001
        """The second derivative's product with a direction, of x's shape."""
        g, v = self._flat(cotangent), self._flat(direction)
        return self._grouped(self.layer.second(self._flat(x), g, v, training, mode))

    def assign_parameters(self, values: dict[str, Array]) -> None:
        """γ and β of shape (G, K)."""
        self.layer.assign_parameters({name: value.reshape(-1) for name, value in values.items()})

    def _flat(self, x: Array) -> Array:
        return x.reshape(len(x), self.channels, *x.shape[x.ndim - self.ndim :])

    def _grouped(self, y: Array) -> Array:
        flat = y.ndim == 2 + self.ndim and y.shape[1] == self.channels
        return y.reshape(len(y), *self.grouped, *y.shape[2:]) if flat else y


def layer_of(layers: Layers, case: Case, config: Any = None) -> HostedLayer:
    """A fresh layer with the case's parameters; of arrays in groups where the family has them."""
    config = config or case.config
    made = layers.make(config, case.dtype)
    layer = cast("HostedLayer", Grouped(made, config)) if isinstance(config, GroupNormConfig) else made
    layer.assign_parameters(_affine(case))
    return layer


def with_state(layers: Layers, case: Case, **changes: float) -> HostedLayer:
    """As `layer_of`, with the case's recorded statistics; `changes` are fields of the config."""
    layer = layers.make(dataclasses.replace(case.config, **changes), case.dtype)
    layer.assign_parameters(_affine(case))
    layer.assign_state({name: case[name] for name in ("running_mean", "running_var")})
    return layer


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
    lost = want.held & ~want.judged
    if lost.any():
        seen, wanted = (np.where(lost, values, 0) for values in (observed, want.y))
        found.append(within(seen, wanted, want.limit, dims=want.dims, what=f"{what}, ill-conditioned"))
    return found


def agree(observed: Array, other: Array, want: Expected, what: str) -> Evidence:
    """Evidence that two results for the same data agree: each may err by the bound."""
    return within(observed, other.astype(want.y.dtype), 2 * want.bound, dims=want.dims, what=what, judged=want.judged)


def outside(case: Case) -> Evidence:
    """Evidence of a case outside the law's domain: nothing judged, every element of x labelled."""
    x = case["x"]
    return Evidence(np.zeros(x.shape), x, x, case.dims["x"], "outside the law's domain", x.size)


def defined(law: Law) -> Law:
    """The law, but for groups of one value where the layer declares to give no β for them.

    Without a mean to subtract one value is a case like any other.
    """

    @functools.wraps(law)
    def judged(layers: Layers, case: Case) -> Evidence | Sequence[Evidence]:
        alone = min(group_size(case, name) for name in ("x", "x2") if name in case.arrays) == 1
        if alone and not isinstance(case.config, RMSNormConfig) and layers.declared("single_value_batch") != "shift":
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


def bits_promised(layers: Layers) -> None:
    """Leave out layers that declare no `batch_invariance=bitwise`. Raises Unsupported."""
    if layers.declared("batch_invariance") != "bitwise":
        msg = "batch_invariance=bound: no bits are promised"
        raise Unsupported(msg)


def group_size(case: Case, name: str = "x") -> int:
    """How many values share a mean: a sample's features, or a channel's entries in the batch."""
    if isinstance(case.config, BatchNormConfig):
        return case[name].size // case.config.channels
    return int(np.prod(case[name].shape[len(case.independent) :], dtype=int))


def oracle_of(config: Any) -> ModuleType:
    """The oracle of a family that normalises each sample over its features."""
    return reference.rms_norm if isinstance(config, RMSNormConfig) else reference.layer_norm


def over_features(
    layers: Layers, case: Case, x: Array | None = None, config: Any = None, rule: Rule = STANDARD
) -> Expected:
    """What the definition of layer_norm, or of rms_norm, gives for x (the case's own where none is given)."""
    ar, config = bounds.declared_arithmetic(layers, case.dtype), config or case.config
    norm = oracle_of(config).standardise(case["x"] if x is None else x, config)
    return expected(norm, rule(norm, ar), ar, case=case, **_affine(case))


def group_norm(
    layers: Layers, case: Case, x: Array | None = None, config: Any = None, rule: Rule = STANDARD
) -> Expected:
    """What the definition of group_norm, and of instance_norm, gives for x in groups."""
    ar = bounds.declared_arithmetic(layers, case.dtype)
    norm = reference.group_norm.standardise(case["x"] if x is None else x, (config or case.config).eps)
    along = reference.group_norm.along_channels
    affine = {name: along(value, norm.x.ndim) for name, value in _affine(case).items()}
    return expected(norm, rule(norm, ar), ar, case=case, **affine)


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


def plain(case: Case) -> Case:
    """The case with γ = 1 and β = 0, where it has them."""
    ones = {name: np.ones_like(case[name]) for name in ("scale",) if name in case.arrays}
    zeros = {name: np.zeros_like(case[name]) for name in ("shift",) if name in case.arrays}
    return case.with_arrays(**ones, **zeros)


def judged_samples(case: Case, judged: Array) -> Case:
    """The case without samples for which accuracy cannot be claimed; they would spoil every sum over the batch."""
    keep = judged.reshape(len(judged), -1).all(axis=1)
    return case.with_arrays(x=case["x"][keep], cotangent=case["cotangent"][keep])


def _affine(case: Case) -> dict[str, Array]:
    return {name: case[name] for name in ("scale", "shift") if name in case.arrays}


def _per_channel(case: Case) -> dict[str, Array]:
    along = reference.batch_norm.along_channels
    return {name: along(value, case["x"].ndim) for name, value in _affine(case).items()}
