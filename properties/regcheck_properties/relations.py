"""Relations between families (§ 10.4): where two of them are one and the same, they give the same.

Each law asks the layer and its partner of another family for one result; each may err by its own bound.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import cases, prop, within
from regcheck.families import BatchNormConfig, GroupNormConfig, InstanceNormConfig, LayerNormConfig
from regcheck_properties._norms import Array, Expected, given, group_norm, over_features, run, several

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck import Case, Evidence, Layers

SOURCE = "Wu and He 2018, section 3.1"


@prop(
    "group_norm.one-group-is-layer-norm",
    cases=given(cases.groups, "training", least=2),
    level="core",
    statements=("10.4",),
    formula="GN(1 group)(x; γ, β) = LN over (C, *spatial)(x; γ, β constant over space)",
    source=SOURCE,
    partner="layer_norm",
)
@several
def one_group_is_layer_norm(layers: Layers, case: Case) -> Evidence:
    """Group normalisation with one group is layer normalisation over channels and space."""
    x, config = case["x"], case.config
    group = x.shape[2:]
    samples = x.reshape(-1, *group)  # each group as a sample that has no other
    own = GroupNormConfig(group[0], 1, config.ndim, config.eps, config.affine)
    other = LayerNormConfig(group, config.eps, config.affine)
    same = _with_parameters(case, lambda value: np.broadcast_to(value[:1], value.shape))
    spread = (group[0], *(1,) * config.ndim)
    return _alike(
        layers,
        same,
        group_norm,
        _result(layers, own, samples, case, lambda value: value[0]),
        _result(layers.partner, other, samples, case, lambda value: np.broadcast_to(value[0].reshape(spread), group)),
    )


@prop(
    "group_norm.single-channels-are-instance-norm",
    cases=given(cases.groups, "training", least=2),
    level="core",
    statements=("10.4",),
    formula="GN(C groups)(x; γ, β) = IN(x; γ, β)",
    source=SOURCE,
    partner="instance_norm",
)
@several
def single_channels_are_instance_norm(layers: Layers, case: Case) -> Evidence:
    """Group normalisation with a group per channel is instance normalisation."""
    x, config = case["x"], case.config
    samples, count, members, *space = x.shape
    first, *others = space or [1]
    channels = x.reshape(samples, count, members * first, *others)  # each group as a channel, its members in space
    own = GroupNormConfig(count, count, 1 + len(others), config.eps, config.affine)
    other = InstanceNormConfig(count, 1, config.eps, config.affine)
    same = _with_parameters(case, lambda value: np.broadcast_to(value[:, :1], value.shape))
    return _alike(
        layers,
        same,
        group_norm,
        _result(layers, own, channels, case, lambda value: value[:, 0]),
        _result(layers.partner, other, x.reshape(samples, count, -1), case, lambda value: value[:, 0]),
    )


@prop(
    "instance_norm.is-batch-norm-of-one-sample",
    cases=given(cases.groups, least=2),
    level="core",
    statements=("10.4",),
    formula="IN(x)[i] = BN in training of the batch of x[i] alone",
    source="Ulyanov, Vedaldi and Lempitsky 2016",
    partner="batch_norm",
)
@several
def is_batch_norm_of_one_sample(layers: Layers, case: Case) -> Evidence:
    """Instance normalisation of a sample is batch normalisation of that sample alone."""
    x, config = case["x"], case.config
    samples, count = x.shape[:2]
    # One call for all: to batch normalisation channels of other samples are channels like any others.
    other = BatchNormConfig(samples * count, 1, config.eps, affine=config.affine)
    alone = x.reshape(1, samples * count, -1)
    return _alike(
        layers,
        case,
        group_norm,
        _result(layers, config, x, case, lambda value: value),
        _result(layers.partner, other, alone, case, lambda value: np.tile(value, samples)),
    )


@prop(
    "layer_norm.is-batch-norm-of-transpose",
    cases=given(cases.layer_norm, least=2),
    level="core",
    statements=("10.4",),
    formula="LN(X) = BN in training of Xᵀ, transposed, without γ and β",
    source="Ba, Kiros and Hinton 2016, section 3",
    partner="batch_norm",
)
@several
def is_batch_norm_of_transpose(layers: Layers, case: Case) -> Evidence:
    """Layer normalisation of a matrix is batch normalisation of its transpose."""
    x, eps = case["x"], case.config.eps
    own = LayerNormConfig(case.config.shape, eps, affine=False)
    other = BatchNormConfig(len(x), 0, eps, affine=False)
    bare = dataclasses.replace(case, arrays={"x": x}, config=own)
    turned = np.ascontiguousarray(x.reshape(len(x), -1).T)
    return _alike(
        layers,
        bare,
        over_features,
        _result(layers, own, x, bare, lambda value: value),
        _result(layers.partner, other, turned, bare, lambda value: value).T,
    )


def _with_parameters(case: Case, change: Callable[[Array], Array]) -> Case:
    """The case with γ and β changed, where it has them."""
    return case.with_arrays(**{name: change(case[name]) for name in ("scale", "shift") if name in case.arrays})


def _result(layers: Layers, config: Any, x: Array, case: Case, parameter: Callable[[Array], Array]) -> Array:
    """What a training call of a fresh layer gives for x; `parameter` puts the case's γ and β into its shape."""
    layer = layers.make(config, case.dtype)
    names = [name for name in ("scale", "shift") if name in case.arrays]
    layer.assign_parameters({name: np.ascontiguousarray(parameter(case[name])) for name in names})
    return run(layer, x, case.values.get("training", True))


def _alike(
    layers: Layers, case: Case, define: Callable[[Layers, Case], Expected], own: Array, other: Array
) -> Evidence:
    """Evidence that both results are one, of the shape of the case's x."""
    want, theirs = define(layers, case), define(layers.partner, case)
    shape = case["x"].shape
    return within(
        own.reshape(shape),
        other.reshape(shape).astype(want.y.dtype),
        want.bound + theirs.bound,
        dims=want.dims,
        what=f"y beside that of {layers.partner.name}",
        judged=want.judged & theirs.judged,
    )
