"""Gradients of layer normalisation, in closed form and by the laws that they obey."""

from __future__ import annotations

import numpy as np

from regcheck import Case, Evidence, Layers, bounds, cases, prop, reference, within
from regcheck_properties._norm_evidence import gradient_sums
from regcheck_properties._norms import Array, Expected, defined, given, layer_norm, layer_of, outside, part, run

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


def judged_rows(case: Case, want: Expected) -> Case:
    """The case without the samples for which accuracy cannot be claimed; they would spoil every sum over the batch."""
    keep = want.judged.reshape(len(want.y), -1).all(axis=1)
    return case.with_arrays(x=case["x"][keep], cotangent=case["cotangent"][keep])


@prop(
    "layer_norm.gradient-input",
    cases=given(cases.layer_norm, "training", "cotangent"),
    level="gradients",
    statements=("10.2",),
    formula="dx = (g − mean g − ẑ·mean(g·ẑ))/√(σ² + ε), g = dy·γ",
    source=SOURCE,
    revision=2,
)
@defined
def gradient_input(layers: Layers, case: Case) -> Evidence:
    """The gradient with respect to the input is the closed form's, through mean and variance."""
    dx = part(backward(layers, case, case["cotangent"], case["x"]), "x", case["x"])
    want, g = layer_norm(layers, case), scaled(case)
    exact = reference.layer_norm.backward(case["cotangent"], case["x"], case.config, case.arrays.get("scale")).x
    bound = bounds.input_gradient(want.norm, want.standard, g, want.ar)
    return within(dx, exact, bound, dims=want.dims, what="dx", judged=want.standard.judged)


@prop(
    "layer_norm.gradient-parameters",
    cases=given(cases.layer_norm, "training", "cotangent", affine=True),
    level="gradients",
    statements=("10.2",),
    formula="dγ = Σ dy·ẑ and dβ = Σ dy, over the batch",
    source=SOURCE,
)
@defined
def gradient_parameters(layers: Layers, case: Case) -> list[Evidence]:
    """The gradients with respect to γ and β are the closed form's."""
    case = judged_rows(case, layer_norm(layers, case))
    if not case["x"].size:
        return [outside(case)]
    found = backward(layers, case, case["cotangent"], case["x"])
    want, dy = layer_norm(layers, case), reference.widen(case["cotangent"])
    exact = reference.layer_norm.backward(case["cotangent"], case["x"], case.config)
    return [
        within(
            part(found, "scale", case["scale"]), exact.scale, scale_bound(want, dy), dims=case.dims["scale"], what="dγ"
        ),
        within(
            part(found, "shift", case["shift"]), exact.shift, shift_bound(want, dy), dims=case.dims["scale"], what="dβ"
        ),
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
    cases=given(cases.layer_norm, "training", "cotangent"),
    level="gradients",
    statements=("10.2",),
    formula="Σ dx = 0 and Σ dx·ẑ = Σ(g·ẑ)·ε/(σ² + ε)^(3/2) of each sample, g = dy·γ",
    source=SOURCE,
    revision=2,
)
@defined
def gradient_sum_zero(layers: Layers, case: Case) -> list[Evidence]:
    """No sample's gradient has a part along a shift of its features, and along their scale only what ε leaves."""
    dx = part(backward(layers, case, case["cotangent"], case["x"]), "x", case["x"])
    return gradient_sums(dx, scaled(case), layer_norm(layers, case), case)


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
    case = judged_rows(case, layer_norm(layers, case))
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
