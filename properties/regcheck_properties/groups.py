"""Laws that group and instance normalisation share: each group of a sample is standardised by itself (§ 10.4).

Arrays come in groups, x[n, g] being what shares a mean. `group_norm` and `instance_norm` declare these laws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regcheck import bounds, reference, within
from regcheck_properties._norm_evidence import (
    close_divided,
    constant,
    gradient_sums,
    isolated,
    moments,
    rescaled,
    same_divided,
    same_in_both_modes,
    shifted,
    single_values,
)
from regcheck_properties._norms import (
    Array,
    Expected,
    agree,
    bits_promised,
    defined,
    group_norm,
    judge,
    judged_samples,
    layer_of,
    outside,
    part,
    plain,
    run,
)

if TYPE_CHECKING:
    from regcheck import Case, Evidence, Layers

SOURCE = "Wu and He 2018, equations 1 to 6; Ulyanov, Vedaldi and Lempitsky 2016"
GRADIENT_SOURCE = "Ioffe and Szegedy 2015, section 3, over a group's entries"
GROUPS = (0, 1)  # axes of which every index is a group of its own


# --- what is computed


@defined
def matches_definition(layers: Layers, case: Case) -> list[Evidence]:
    """Every output is the definition's, in training and in inference, for every number of spatial axes."""
    return judge(run(layer_of(layers, case), case["x"], case.values["training"]), group_norm(layers, case))


@defined
def normalised(layers: Layers, case: Case) -> list[Evidence]:
    """Before γ and β every group of every sample has mean 0 and variance σ²/(σ² + ε)."""
    bare = plain(case)
    return moments(run(layer_of(layers, bare), case["x"], case.values["training"]), group_norm(layers, bare), case)


@defined
def affine_per_channel(layers: Layers, case: Case) -> Evidence:
    """γ and β act per channel, the same at every place: y = γ·ŷ + β for the output ŷ without them."""
    x, training = case["x"], case.values["training"]
    bare, want = run(layer_of(layers, plain(case)), x, training), group_norm(layers, case)
    gamma, beta = (reference.group_norm.along_channels(case[name], x.ndim) for name in ("scale", "shift"))
    mapped = reference.widen(gamma) * reference.widen(bare) + reference.widen(beta)
    # ŷ is stored before it is mapped.
    slack = want.bound + np.abs(reference.widen(gamma)) * group_norm(layers, plain(case)).bound
    seen = run(layer_of(layers, case), x, training)
    return within(seen, mapped, slack, dims=want.dims, what="y", judged=want.judged)


@defined
def footprint(layers: Layers, case: Case) -> list[Evidence]:
    """What is in one group, NaN too, reaches no other group and no other sample, and a NaN reaches all of its own."""
    return isolated(layer_of(layers, case), case, case.values["training"], axis=GROUPS)


@defined
def permuted_in_group(layers: Layers, case: Case) -> Evidence:
    """Permuting the channels of a group, with γ and β, permutes the output."""
    x, training = case["x"], case.values["training"]
    order = np.random.default_rng(case.values["seed"]).permutation(x.shape[2])
    turned = case.with_arrays(**{n: case[n][:, order] for n in ("scale", "shift") if n in case.arrays})
    permuted = np.empty_like(x)
    permuted[:, :, order] = run(layer_of(layers, turned), x[:, :, order], training)
    return agree(permuted, run(layer_of(layers, case), x, training), group_norm(layers, case), "y back in its order")


@defined
def permuted_groups(layers: Layers, case: Case) -> Evidence:
    """Permuting whole groups, with γ and β, permutes the output."""
    x, training = case["x"], case.values["training"]
    order = np.random.default_rng(case.values["seed"]).permutation(x.shape[1])
    turned = case.with_arrays(**{n: case[n][order] for n in ("scale", "shift") if n in case.arrays})
    permuted = np.empty_like(x)
    permuted[:, order] = run(layer_of(layers, turned), x[:, order], training)
    return agree(permuted, run(layer_of(layers, case), x, training), group_norm(layers, case), "y back in its order")


@defined
def batch_size_invariant(layers: Layers, case: Case) -> list[Evidence]:
    """A sample's output does not depend on the batch that it is in, nor on the batch's size."""
    return close_divided(layer_of(layers, case), case, case.values["training"], group_norm(layers, case))


@defined
def batch_size_invariant_bitwise(layers: Layers, case: Case) -> list[Evidence]:
    """A sample's bits do not depend on the batch that it is in, nor on the batch's size."""
    bits_promised(layers)
    return same_divided(layer_of(layers, case), case, case.values["training"])


@defined
def training_equals_inference(layers: Layers, case: Case) -> list[Evidence]:
    """Training and inference give the same, in any order: the layer keeps no state."""
    return same_in_both_modes(layer_of(layers, case), case)


# --- location, scale, and the edges


@defined
def shift_invariance(layers: Layers, case: Case) -> Evidence:
    """Adding a number to all entries of a group changes nothing, however far it moves them."""
    offset = case["offset"].reshape(case["offset"].shape + (1,) * (case["x"].ndim - 2))
    return shifted(layers, case, group_norm, offset, case.values["training"])


@defined
def scale_law(layers: Layers, case: Case) -> list[Evidence]:
    """Scaling a sample, and ε with its square, changes nothing but the sign, over the whole range of exponents."""
    return rescaled(layers, case, group_norm, case.values["training"])


@defined
def constant_input(layers: Layers, case: Case) -> list[Evidence]:
    """A group whose entries are all equal gives β: nothing is divided by zero, no rounding is amplified."""
    y = run(layer_of(layers, case), case["x"], case.values["training"])
    return constant(y, group_norm(layers, case, rule=bounds.standard_exact))


def single_value(layers: Layers, case: Case) -> list[Evidence]:
    """A group of one entry gives, in training, what is declared in `single_value_batch`: β by default."""
    return single_values(layers, layer_of(layers, case), case, group_norm(layers, case))


def accurate(layers: Layers, case: Case) -> list[Evidence]:
    """Large groups, at and beside the sizes of blocks, are normalised as accurately as small ones."""
    return judge(run(layer_of(layers, case), case["x"], case.values["training"]), group_norm(layers, case))


# --- gradients


def backward(layers: Layers, case: Case) -> dict[str, Array]:
    """What the layer's backward gives for the case's x and cotangent."""
    layer = layer_of(layers, case)
    run(layer, case["x"], case.values["training"])
    return layer.backward(case["cotangent"])


def scaled(case: Case) -> Array:
    """g = dy·γ, wide."""
    g = reference.widen(case["cotangent"])
    if "scale" not in case.arrays:
        return g
    return g * reference.group_norm.along_channels(reference.widen(case["scale"]), g.ndim)


@defined
def gradient_input(layers: Layers, case: Case) -> Evidence:
    """The gradient with respect to the input is the closed form's, through mean and variance."""
    dx, want, g = part(backward(layers, case), "x", case["x"]), group_norm(layers, case), scaled(case)
    exact = reference.group_norm.backward(want.norm, case["cotangent"], case.arrays.get("scale")).x
    bound = bounds.input_gradient(want.norm, want.standard, g, want.ar)
    return within(dx, exact, bound, dims=want.dims, what="dx", judged=want.standard.judged)


@defined
def gradient_sum_zero(layers: Layers, case: Case) -> list[Evidence]:
    """No group's gradient has a part along a shift of its entries, and along their scale only what ε leaves."""
    dx = part(backward(layers, case), "x", case["x"])
    return gradient_sums(dx, scaled(case), group_norm(layers, case), case)


@defined
def gradient_parameters(layers: Layers, case: Case) -> list[Evidence]:
    """The gradients with respect to γ and β are the closed form's, summed over the batch and over space."""
    case = judged_samples(case, group_norm(layers, case).standard.judged)
    if not case["x"].size:
        return [outside(case)]
    found, want = backward(layers, case), group_norm(layers, case)
    exact = reference.group_norm.backward(want.norm, case["cotangent"], case["scale"])
    dims, slack = case.dims["scale"], parameter_bounds(case, want)
    return [
        within(part(found, "scale", case["scale"]), exact.scale, slack[0], dims=dims, what="dγ"),
        within(part(found, "shift", case["shift"]), exact.shift, slack[1], dims=dims, what="dβ"),
    ]


def parameter_bounds(case: Case, want: Expected) -> tuple[Array, Array]:
    """Bounds on dγ and dβ."""
    dy = reference.widen(case["cotangent"])
    summed = reference.group_norm.summed_axes(dy.ndim, case["scale"].ndim)
    scale = bounds.scale_gradient(want.norm, want.standard, dy, summed, want.ar)
    return scale, bounds.shift_gradient(dy, summed, want.ar)


@defined
def gradient_additive(layers: Layers, case: Case) -> list[Evidence]:
    """Over concatenated batches the gradients of γ and β add up, whatever the parts' sizes."""
    case = judged_samples(case, group_norm(layers, case).standard.judged)
    x, dy = case["x"], case["cotangent"]
    if len(x) < 2:
        return [outside(case)]
    cut = 1 + case.values["index"] % (len(x) - 1)
    parts = (slice(None), slice(cut), slice(cut, None))
    found = [backward(layers, case.with_arrays(x=x[i], cotangent=dy[i])) for i in parts]
    want, dims, evidence = group_norm(layers, case), case.dims["scale"], []
    for name, what, bound in zip(("scale", "shift"), ("dγ", "dβ"), parameter_bounds(case, want), strict=True):
        whole, first, second = (reference.widen(part(gradients, name, case[name])) for gradients in found)
        slack = 2 * bound + 2 * want.ar.u_out * (np.abs(first) + np.abs(second))
        evidence.append(within(whole, first + second, slack, dims=dims, what=what))
    return evidence


# --- beyond what the arithmetic can hold


def bounded_where_ill_conditioned(layers: Layers, case: Case) -> list[Evidence]:
    """Where the entries differ in their last bits alone the output stays within what any variance allows."""
    y = run(layer_of(layers, case), case["x"], case.values["training"])
    want = group_norm(layers, case)
    return judge(y, want._replace(judged=np.zeros_like(want.judged)))


def overflowing_squares(layers: Layers, case: Case) -> list[Evidence]:
    """Entries whose squares overflow are normalised all the same."""
    return accurate(layers, case)


def zero_eps(layers: Layers, case: Case) -> list[Evidence]:
    """With ε = 0 every group that is not constant is normalised."""
    return accurate(layers, case)
