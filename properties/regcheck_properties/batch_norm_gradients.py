"""Gradients of batch normalisation, in closed form and by the laws that they obey."""

from __future__ import annotations

import dataclasses

import numpy as np

from regcheck import Case, Evidence, Layers, bounds, cases, prop, reference, within
from regcheck_properties._norm_evidence import gradient_sums
from regcheck_properties._norms import Array, batch_norm, defined, given, layer_of, part, recorded, run, with_state

SOURCE = "Ioffe and Szegedy 2015, section 3"
along = reference.batch_norm.along_channels


def scaled(case: Case) -> Array:
    """g = dy·γ, wide."""
    g = reference.widen(case["cotangent"])
    return g * along(reference.widen(case["scale"]), g.ndim) if "scale" in case.arrays else g


@prop(
    "batch_norm.gradient-input",
    cases=given(cases.batch_norm, "cotangent", squares="input"),
    level="gradients",
    statements=("7.1", "7.4"),
    formula="training: dx = (g − mean g − x̂·mean(g·x̂))/√(σ² + ε), g = dy·γ",
    source=SOURCE,
    revision=2,
)
@defined
def gradient_input(layers: Layers, case: Case) -> Evidence:
    """In training the gradient with respect to the input is the closed form's, through mean and variance."""
    layer = layer_of(layers, case)
    run(layer, case["x"], training=True)
    dx = part(layer.backward(case["cotangent"]), "x", case["x"])
    want, g = batch_norm(layers, case), scaled(case)
    exact = reference.batch_norm.backward(want.norm, case["cotangent"], case.arrays.get("scale"), training=True).x
    bound = bounds.input_gradient(want.norm, want.standard, g, want.ar)
    return within(dx, exact, bound, dims=want.dims, what="dx", judged=want.standard.judged)


@prop(
    "batch_norm.gradient-input-inference",
    cases=given(cases.batch_norm, "cotangent", "x2", "state", squares="input"),
    level="gradients",
    statements=("8.4",),
    formula="inference: dx = dy·γ/√(Var + ε), also after a training call",
    source=SOURCE,
    revision=2,
)
@defined
def gradient_input_inference(layers: Layers, case: Case) -> Evidence:
    """In inference the statistics are constants, and the gradient is the cotangent times γ/√(Var + ε)."""
    layer = with_state(layers, case)
    run(layer, case["x2"], training=True)
    layer.assign_state({name: case[name] for name in ("running_mean", "running_var")})
    run(layer, case["x"], training=False)
    dx, want = part(layer.backward(case["cotangent"]), "x", case["x"]), recorded(layers, case)
    exact = reference.batch_norm.backward(want.norm, case["cotangent"], case.arrays.get("scale"), training=False).x
    gamma = along(reference.widen(case["scale"]), case["x"].ndim) if "scale" in case.arrays else None
    bound = bounds.recorded_gradient(want.norm, want.standard, exact, want.ar, gamma)
    return within(dx, exact, bound, dims=want.dims, what="dx")


@prop(
    "batch_norm.gradient-parameters",
    cases=given(cases.batch_norm, "cotangent", "state", "training", squares="input", affine=True),
    level="gradients",
    statements=("7.2",),
    formula="dγ = Σ dy·x̂ and dβ = Σ dy per channel, in training and in inference",
    source=SOURCE,
)
@defined
def gradient_parameters(layers: Layers, case: Case) -> list[Evidence]:
    """The gradients with respect to γ and β are the closed form's, in both modes."""
    training, layer = case.values["training"], with_state(layers, case)
    run(layer, case["x"], training)
    found = layer.backward(case["cotangent"])
    want, dy = (batch_norm if training else recorded)(layers, case), reference.widen(case["cotangent"])
    exact = reference.batch_norm.backward(want.norm, case["cotangent"], training=training)
    axes = want.norm.axes
    judged, dscale = np.all(want.standard.judged, axis=axes), part(found, "scale", case["scale"])
    bound = bounds.scale_gradient(want.norm, want.standard, dy, axes, want.ar)
    slack = bounds.shift_gradient(dy, axes, want.ar)
    return [
        within(dscale, exact.scale, bound, dims=("C",), what="dγ", judged=judged),
        within(part(found, "shift", case["shift"]), exact.shift, slack, dims=("C",), what="dβ"),
    ]


@prop(
    "batch_norm.gradient-sums",
    cases=given(cases.batch_norm, "cotangent", squares="input"),
    level="gradients",
    statements=("7.1",),
    formula="training: Σ dx = 0 and Σ dx·x̂ = Σ(g·x̂)·ε/(σ² + ε)^(3/2) per channel, g = dy·γ",
    source=SOURCE,
    revision=2,
)
@defined
def sums(layers: Layers, case: Case) -> list[Evidence]:
    """In training no gradient has a part along a shift of its channel, and along its scale only what ε leaves."""
    layer = layer_of(layers, case)
    run(layer, case["x"], training=True)
    dx = part(layer.backward(case["cotangent"]), "x", case["x"])
    return gradient_sums(dx, scaled(case), batch_norm(layers, case), case)


@prop(
    "batch_norm.gradient-scale-law",
    cases=given(cases.batch_norm, "cotangent", "power", data="moderate"),
    level="gradients",
    statements=("7.4",),
    formula="training: dx(a·x; ε·a²) = dx(x; ε)/a, a = 2ᵏ",
    source=SOURCE,
    dtypes=("float32", "float64"),
    revision=2,
)
@defined
def gradient_scale_law(layers: Layers, case: Case) -> Evidence:
    """In training the gradient keeps its range: scaling the input up scales the gradient down."""
    x, k = case["x"], case.values["power"] // 2
    config = dataclasses.replace(case.config, eps=case.config.eps * 4.0**k)
    up, found = dataclasses.replace(case.with_arrays(x=np.ldexp(x, k)), config=config), []
    for each in (case, up):
        layer, want = layer_of(layers, each), batch_norm(layers, each)
        run(layer, each["x"], training=True)
        dx = reference.widen(part(layer.backward(case["cotangent"]), "x", case["x"]))
        found.append((dx, bounds.input_gradient(want.norm, want.standard, scaled(case), want.ar), want.standard.judged))
    (one, slack, judged), (other, more, too) = found
    judged = judged & too & (np.ldexp(up["x"], -k) == x)
    bound = slack + np.ldexp(more, k)
    return within(np.ldexp(other, k), one, bound, dims=case.dims["x"], what="a·dx(a·x; ε·a²)", judged=judged)
