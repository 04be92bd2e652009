"""Layer normalisation: what it does to location and scale, and its arithmetic at the edges."""

from __future__ import annotations

import dataclasses

import numpy as np

from regcheck import Case, Evidence, Layers, bounds, cases, prop
from regcheck_properties._norm_evidence import constant, moments, rescaled, shifted, single_values
from regcheck_properties._norms import INEXACT, WIDE, defined, given, judge, layer_norm, layer_of, run


@prop(
    "layer_norm.normalised",
    cases=given(cases.layer_norm, "training"),
    level="core",
    statements=("10.2",),
    formula="γ = 1, β = 0: mean y = 0 and var y = σ²/(σ² + ε) of each sample",
)
@defined
def normalised(layers: Layers, case: Case) -> list[Evidence]:
    """Before γ and β every sample has mean 0 and variance σ²/(σ² + ε)."""
    layer = layers.make(case.config, case.dtype)
    if case.config.affine:
        ones = np.ones(case.config.shape, case.dtype)
        layer.assign_parameters({"scale": ones, "shift": np.zeros_like(ones)})
    y = run(layer, case["x"], case.values["training"])
    plain = dataclasses.replace(case, arrays={"x": case["x"]})
    return moments(y, layer_norm(layers, plain), case)


@prop(
    "layer_norm.shift-invariance",
    cases=given(cases.layer_norm, "training", "offset", data="moderate"),
    level="numerics",
    statements=("10.2",),
    formula="y(x + c) = y(x), where no x + c is rounded, |c| up to 1e4·σ (1e8·σ in float64)",
    dtypes=WIDE,
)
@defined
def shift_invariance(layers: Layers, case: Case) -> Evidence:
    """Adding a number to all features of a sample changes nothing, however far it moves them."""
    offset = case["offset"].reshape(-1, *[1] * len(case.config.shape))
    return shifted(layers, case, layer_norm, offset, case.values["training"])


@prop(
    "layer_norm.scale-law",
    cases=given(cases.layer_norm, "training", "power", "sign", data="moderate"),
    level="numerics",
    statements=("10.2",),
    formula="ẑ(a·x; ε·a²) = sign(a)·ẑ(x; ε), a = ±2ᵏ",
    dtypes=WIDE,
)
@defined
def scale_law(layers: Layers, case: Case) -> list[Evidence]:
    """Scaling a sample, and ε with its square, changes nothing but the sign, over the whole range of exponents."""
    return rescaled(layers, case, layer_norm, case.values["training"])


@prop(
    "layer_norm.constant-input-gives-shift",
    cases=given(cases.layer_norm, "training", data="constant", lengths=INEXACT, eps=cases.TINY_EPS),
    level="numerics",
    statements=("10.2",),
    formula="x constant  ⇒  y = β, exactly for x = 0, whatever ε > 0 is",
    revision=2,
)
@defined
def constant_input(layers: Layers, case: Case) -> list[Evidence]:
    """A sample whose features are all equal gives β: nothing is divided by zero, no rounding is amplified."""
    y = run(layer_of(layers, case), case["x"], case.values["training"])
    return constant(y, layer_norm(layers, case, rule=bounds.standard_exact))


@prop(
    "layer_norm.single-value-batch-as-declared",
    cases=given(cases.layer_norm, lengths=(1,)),
    level="interface",
    statements=("10.2",),
    formula="one feature in training: y = β (`shift`), an error (`error`) or NaN (`nan`)",
    sentinels=["values", "errors"],
)
def single_value(layers: Layers, case: Case) -> list[Evidence]:
    """A sample of one feature gives, in training, what is declared in `single_value_batch`: β by default."""
    return single_values(layers, layer_of(layers, case), case, layer_norm(layers, case))


@prop(
    "layer_norm.long-samples",
    cases=given(cases.layer_norm, "training", lengths=cases.LONG, least=2),
    level="numerics",
    statements=("10.2",),
    formula="as layer_norm.matches-definition, n around 2⁸, 2¹⁰, 2¹², 2¹⁴, 2¹⁶ and up to 70 001",
    dtypes=WIDE,
    examples=8,
)
def long_samples(layers: Layers, case: Case) -> list[Evidence]:
    """Samples of many features, at and beside the sizes of blocks, are normalised as accurately as short ones."""
    y = run(layer_of(layers, case), case["x"], case.values["training"])
    return judge(y, layer_norm(layers, case))


@prop(
    "layer_norm.bounded-where-ill-conditioned",
    cases=given(cases.layer_norm, "training", data="lost", least=2),
    level="extreme",
    formula="|ẑ| <= √n + u(n·mean|x| + 4max|x|)/√(σ² + ε), where (n + 1)u·mean|x|/√(σ² + ε) >= 1/4, "
    "σ > √2·u·max|x| and σ² > 12(n + 2)u(n·u·mean|x|)²",
    revision=2,
    dtypes=WIDE,
)
def bounded_where_ill_conditioned(layers: Layers, case: Case) -> list[Evidence]:
    """Where the features differ in their last bits alone the output stays within what any variance allows."""
    y = run(layer_of(layers, case), case["x"], case.values["training"])
    want = layer_norm(layers, case)
    return judge(y, want._replace(judged=np.zeros_like(want.judged)))


@prop(
    "layer_norm.overflowing-squares",
    cases=given(cases.layer_norm, "training", data="overflow", least=2),
    level="extreme",
    formula="as layer_norm.matches-definition, with x² beyond the largest number",
    dtypes=("float32",),
)
def overflowing_squares(layers: Layers, case: Case) -> list[Evidence]:
    """Features whose squares overflow are normalised all the same."""
    y = run(layer_of(layers, case), case["x"], case.values["training"])
    return judge(y, layer_norm(layers, case))


@prop(
    "layer_norm.zero-eps",
    cases=given(cases.layer_norm, "training", data="moderate", eps=(0.0,), least=2),
    level="extreme",
    formula="ε = 0, σ² > 0: y = γ·(x − μ)/σ + β",
    dtypes=WIDE,
)
def zero_eps(layers: Layers, case: Case) -> list[Evidence]:
    """With ε = 0 every sample that is not constant is normalised."""
    y = run(layer_of(layers, case), case["x"], case.values["training"])
    return judge(y, layer_norm(layers, case))
