"""Laws that layer and RMS normalisation share: each sample is normalised over its own features.

`layer_norm` and `rms_norm` declare these laws; rms_norm has no β.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regcheck import bounds, reference, within
from regcheck_properties._feature_batches import Call, calls, in_calls, placed
from regcheck_properties._norm_evidence import (
    close_divided,
    gradient_sums,
    isolated,
    moments,
    rescaled,
    same_divided,
    same_in_both_modes,
)
from regcheck_properties._norms import (
    Array,
    Expected,
    agree,
    bits_promised,
    defined,
    judge,
    judged_samples,
    layer_of,
    oracle_of,
    outside,
    over_features,
    part,
    plain,
    run,
)

if TYPE_CHECKING:
    from regcheck import Case, Evidence, Layers


@defined
def matches_definition(layers: Layers, case: Case) -> list[Evidence]:
    """Every output is the definition's, in training and in inference, with no batch axis and with up to three."""
    layer, x, training = layer_of(layers, case), case["x"], case.values["training"]
    y = in_calls(case, lambda call: run(layer, placed(x, call), training))
    return judge(y, over_features(layers, case))


@defined
def batch_size_invariant(layers: Layers, case: Case) -> list[Evidence]:
    """A sample's output does not depend on the batch that it is in, nor on the batch's size."""
    return close_divided(layer_of(layers, case), case, case.values["training"], over_features(layers, case))


@defined
def batch_size_invariant_bitwise(layers: Layers, case: Case) -> list[Evidence]:
    """A sample's bits do not depend on the batch that it is in, nor on the batch's size."""
    bits_promised(layers)
    return same_divided(layer_of(layers, case), case, case.values["training"])


@defined
def batch_permutation(layers: Layers, case: Case) -> Evidence:
    """Permuting the samples of a batch permutes the outputs."""
    x, training, layer = case["x"], case.values["training"], layer_of(layers, case)
    order = np.random.default_rng(case.values["seed"]).permutation(len(x))
    permuted = np.empty_like(x)
    whole = run(layer, x, training)
    permuted[order] = run(layer, x[order], training)
    return agree(permuted, whole, over_features(layers, case), "y back in its order")


@defined
def position_independent(layers: Layers, case: Case) -> list[Evidence]:
    """A position's output depends neither on the sequence's length nor on what it is padded with."""
    x, training, layer, want = case["x"], case.values["training"], layer_of(layers, case), over_features(layers, case)
    short = 1 + case.values["index"] % len(x)
    sequence = x[np.newaxis]
    padded = np.concatenate([sequence, np.zeros_like(sequence[:, :3])], axis=1)
    whole = run(layer, sequence, training)[0]
    return [
        *judge(whole, want, "y of a sequence"),
        agree(run(layer, sequence[:, :short], training)[0], whole[:short], want.of(slice(short)), "y cut short"),
        agree(run(layer, padded, training)[0, : len(x)], whole, want, "y padded with zeros"),
    ]


@defined
def footprint(layers: Layers, case: Case) -> list[Evidence]:
    """What is in one sample, NaN too, reaches no other sample, and a NaN reaches all of its own."""
    return isolated(layer_of(layers, case), case, case.values["training"], axis=0)


@defined
def training_equals_inference(layers: Layers, case: Case) -> list[Evidence]:
    """Training and inference give the same, in any order: the layer keeps no state."""
    return same_in_both_modes(layer_of(layers, case), case)


@defined
def normalised(layers: Layers, case: Case) -> list[Evidence]:
    """Before γ and β every sample has mean 0 and variance σ²/(σ² + ε)."""
    bare = plain(case)
    return moments(run(layer_of(layers, bare), case["x"], case.values["training"]), over_features(layers, bare), case)


@defined
def scale_law(layers: Layers, case: Case) -> list[Evidence]:
    """Scaling a sample, and ε with its square, changes nothing but the sign, over the whole range of exponents."""
    return rescaled(layers, case, over_features, case.values["training"])


def accurate(layers: Layers, case: Case) -> list[Evidence]:
    """Samples of many features, at and beside the sizes of blocks, are normalised as accurately as short ones."""
    return judge(run(layer_of(layers, case), case["x"], case.values["training"]), over_features(layers, case))


def overflowing_squares(layers: Layers, case: Case) -> list[Evidence]:
    """Features whose squares overflow are normalised all the same."""
    return accurate(layers, case)


# --- gradients


def backward(layers: Layers, case: Case, cotangent: Array, x: Array) -> dict[str, Array]:
    """What the layer's backward gives for x and a cotangent."""
    layer = layer_of(layers, case)
    run(layer, x, case.values["training"])
    return layer.backward(cotangent)


def scaled(case: Case) -> Array:
    """g = dy·γ, wide."""
    g = reference.widen(case["cotangent"])
    return g * reference.widen(case["scale"]) if "scale" in case.arrays else g


def input_gradients(layers: Layers, case: Case) -> Array:
    """dx of all samples, which reach the layer with as many batch axes as the case says."""

    def gradient(call: Call) -> Array:
        x, dy = placed(case["x"], call), placed(case["cotangent"], call)
        return part(backward(layers, case, dy, x), "x", x)

    return in_calls(case, gradient)


@defined
def gradient_input(layers: Layers, case: Case) -> Evidence:
    """The gradient with respect to the input is the closed form's, with no batch axis and with up to three."""
    dx, want, g = input_gradients(layers, case), over_features(layers, case), scaled(case)
    exact = oracle_of(case.config).backward(case["cotangent"], case["x"], case.config, case.arrays.get("scale")).x
    bound = bounds.input_gradient(want.norm, want.standard, g, want.ar)
    return within(dx, exact, bound, dims=want.dims, what="dx", judged=want.standard.judged)


@defined
def gradient_parameters(layers: Layers, case: Case) -> list[Evidence]:
    """The gradients with respect to γ and β are the closed form's, with no batch axis and with up to three."""
    case = judged_samples(case, over_features(layers, case).judged)
    if not case["x"].size:
        return [outside(case)]
    return [evidence for call in calls(case) for evidence in sums_of(layers, case, call)]


def sums_of(layers: Layers, case: Case, call: Call) -> list[Evidence]:
    """Evidence that dγ and dβ of one call are the sums over its samples."""
    x, dy = case["x"][call.samples], case["cotangent"][call.samples]
    found = backward(layers, case, placed(case["cotangent"], call), placed(case["x"], call))
    want, wide, dims = over_features(layers, case, x), reference.widen(dy), case.dims["scale"]
    exact = oracle_of(case.config).backward(dy, x, case.config)
    return [
        within(part(found, name, case[name]), getattr(exact, name), bound, dims=dims, what=what)
        for name, what, bound in parameter_bounds(case, want, wide)
    ]


def parameter_bounds(case: Case, want: Expected, dy: Array) -> list[tuple[str, str, Array]]:
    """Name, sign and bound of the gradient of each parameter that the case has: dγ, and dβ where there is one."""
    batch = tuple(range(dy.ndim - len(want.norm.axes)))
    bounded = [("scale", "dγ", bounds.scale_gradient(want.norm, want.standard, dy, batch, want.ar))]
    return [*bounded, ("shift", "dβ", bounds.shift_gradient(dy, batch, want.ar))][: 1 + ("shift" in case.arrays)]


@defined
def gradient_sum_zero(layers: Layers, case: Case) -> list[Evidence]:
    """No sample's gradient has a part along a shift of its features, and along their scale only what ε leaves."""
    return gradient_sums(input_gradients(layers, case), scaled(case), over_features(layers, case), case)


@defined
def gradient_additive(layers: Layers, case: Case) -> list[Evidence]:
    """Over concatenated batches the gradients of γ and β add up, whatever the parts' sizes."""
    case = judged_samples(case, over_features(layers, case).judged)
    x, dy = case["x"], case["cotangent"]
    if len(x) < 2:
        return [outside(case)]
    cut = 1 + case.values["index"] % (len(x) - 1)
    parts = [backward(layers, case, dy[i], x[i]) for i in (slice(None), slice(cut), slice(cut, None))]
    want, wide = over_features(layers, case), reference.widen(dy)
    found = []
    for name, what, bound in parameter_bounds(case, want, wide):
        whole, first, second = (reference.widen(part(gradients, name, case[name])) for gradients in parts)
        slack = 2 * bound + 2 * want.ar.u_out * (np.abs(first) + np.abs(second))
        found.append(within(whole, first + second, slack, dims=case.dims["scale"], what=what))
    return found
