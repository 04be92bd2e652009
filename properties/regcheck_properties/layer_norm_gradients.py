"""Gradients of layer normalisation, in closed form and by the laws that they obey."""

from __future__ import annotations

import numpy as np

from regcheck import Case, Evidence, Layers, bounds, cases, prop, reference, within
from regcheck_properties._layer_norm_batches import Call, calls, in_calls, placed
from regcheck_properties._norm_evidence import gradient_sums
from regcheck_properties._norms import (
    Array,
    Expected,
    defined,
    given,
    judged_samples,
    layer_norm,
    layer_of,
    outside,
    part,
    run,
)

SOURCE = "Ioffe and Szegedy 2015, section 3, over a sample's features"


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


@prop(
    "layer_norm.gradient-input",
    cases=given(cases.layer_norm, "training", "cotangent", "axes"),
    level="gradients",
    statements=("10.2",),
    formula="dx = (g − mean g − ẑ·mean(g·ẑ))/√(σ² + ε), g = dy·γ",
    source=SOURCE,
    revision=2,
)
@defined
def gradient_input(layers: Layers, case: Case) -> Evidence:
    """The gradient with respect to the input is the closed form's, with no batch axis and with up to three."""
    dx, want, g = input_gradients(layers, case), layer_norm(layers, case), scaled(case)
    exact = reference.layer_norm.backward(case["cotangent"], case["x"], case.config, case.arrays.get("scale")).x
    bound = bounds.input_gradient(want.norm, want.standard, g, want.ar)
    return within(dx, exact, bound, dims=want.dims, what="dx", judged=want.standard.judged)


@prop(
    "layer_norm.gradient-parameters",
    cases=given(cases.layer_norm, "training", "cotangent", "axes", affine=True),
    level="gradients",
    statements=("10.2",),
    formula="dγ = Σ dy·ẑ and dβ = Σ dy, over all batch axes",
    source=SOURCE,
    revision=2,
)
@defined
def gradient_parameters(layers: Layers, case: Case) -> list[Evidence]:
    """The gradients with respect to γ and β are the closed form's, with no batch axis and with up to three."""
    case = judged_samples(case, layer_norm(layers, case).judged)
    if not case["x"].size:
        return [outside(case)]
    return [evidence for call in calls(case) for evidence in sums_of(layers, case, call)]


def sums_of(layers: Layers, case: Case, call: Call) -> list[Evidence]:
    """Evidence that dγ and dβ of one call are the sums over its samples."""
    x, dy = case["x"][call.samples], case["cotangent"][call.samples]
    found = backward(layers, case, placed(case["cotangent"], call), placed(case["x"], call))
    want, wide, dims = layer_norm(layers, case, x), reference.widen(dy), case.dims["scale"]
    exact = reference.layer_norm.backward(dy, x, case.config)
    sums = (
        ("scale", "dγ", exact.scale, scale_bound(want, wide)),
        ("shift", "dβ", exact.shift, shift_bound(want, wide)),
    )
    return [
        within(part(found, name, case[name]), total, bound, dims=dims, what=what) for name, what, total, bound in sums
    ]


def scale_bound(want: Expected, dy: Array) -> Array:
    """Bound on dγ."""
    batch = tuple(range(dy.ndim - len(want.norm.axes)))
    return bounds.scale_gradient(want.norm, want.standard, dy, batch, want.ar)


def shift_bound(want: Expected, dy: Array) -> Array:
    """Bound on dβ."""
    return bounds.shift_gradient(dy, tuple(range(dy.ndim - len(want.norm.axes))), want.ar)


@prop(
    "layer_norm.gradient-sum-zero",
    cases=given(cases.layer_norm, "training", "cotangent", "axes"),
    level="gradients",
    statements=("10.2",),
    revision=2,
    formula="Σ dx = 0 and Σ dx·ẑ = Σ(g·ẑ)·ε/(σ² + ε)^(3/2) of each sample, g = dy·γ",
    source=SOURCE,
)
@defined
def gradient_sum_zero(layers: Layers, case: Case) -> list[Evidence]:
    """No sample's gradient has a part along a shift of its features, and along their scale only what ε leaves."""
    return gradient_sums(input_gradients(layers, case), scaled(case), layer_norm(layers, case), case)


@prop(
    "layer_norm.gradient-additive",
    cases=given(cases.layer_norm, "training", "cotangent", "index", affine=True),
    level="gradients",
    statements=("10.2",),
    formula="dγ and dβ of a batch = the sum of those of its parts",
    source=SOURCE,
)
@defined
def gradient_additive(layers: Layers, case: Case) -> list[Evidence]:
    """Over concatenated batches the gradients of γ and β add up, whatever the parts' sizes."""
    case = judged_samples(case, layer_norm(layers, case).judged)
    x, dy = case["x"], case["cotangent"]
    if len(x) < 2:
        return [outside(case)]
    cut = 1 + case.values["index"] % (len(x) - 1)
    parts = [backward(layers, case, dy[i], x[i]) for i in (slice(None), slice(cut), slice(cut, None))]
    want, wide = layer_norm(layers, case), reference.widen(dy)
    found = []
    for name, what, bound in (("scale", "dγ", scale_bound(want, wide)), ("shift", "dβ", shift_bound(want, wide))):
        whole, first, second = (reference.widen(part(gradients, name, case[name])) for gradients in parts)
        slack = 2 * bound + 2 * want.ar.u_out * (np.abs(first) + np.abs(second))
        found.append(within(whole, first + second, slack, dims=case.dims["scale"], what=what))
    return found
