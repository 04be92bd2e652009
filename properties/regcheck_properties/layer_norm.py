"""Laws of layer normalisation: each sample is standardised over its own features (§ 10.2, § 10.3)."""

from __future__ import annotations

import numpy as np

from regcheck import Case, Evidence, Layers, bounds, cases, prop
from regcheck_properties import features as laws
from regcheck_properties._norm_evidence import constant, shifted, single_values
from regcheck_properties._norms import INEXACT, WIDE, defined, given, judge, layer_of, over_features, run

SOURCE = "Ba, Kiros and Hinton 2016, equations 3 and 4"
GRADIENT_SOURCE = "Ioffe and Szegedy 2015, section 3, over a sample's features"

matches_definition = prop(
    "layer_norm.matches-definition",
    cases=given(cases.layer_norm, "training", "axes", squares="any"),
    level="core",
    statements=("10.2",),
    formula="y = γ·(x − μ)/√(σ² + ε) + β, over the whole range of half precision, whatever type is computed in",
    source=SOURCE,
    revision=2,
)(laws.matches_definition)
batch_size_invariant = prop(
    "layer_norm.batch-size-invariant",
    cases=given(cases.layer_norm, "training", "index"),
    level="core",
    statements=("10.2",),
    formula="y(x)[i:j] = y(x[i:j]), within the bound",
    source=SOURCE,
)(laws.batch_size_invariant)
batch_size_invariant_bitwise = prop(
    "layer_norm.batch-size-invariant-bitwise",
    cases=given(cases.layer_norm, "training", "index"),
    level="core",
    kind="exact",
    statements=("10.2",),
    formula="y(x)[i:j] = y(x[i:j]), bit by bit, where batch_invariance=bitwise is declared",
    source=SOURCE,
)(laws.batch_size_invariant_bitwise)
batch_permutation = prop(
    "layer_norm.batch-permutation",
    cases=given(cases.layer_norm, "training", "seed"),
    level="core",
    statements=("10.2",),
    formula="y(x[π]) = y(x)[π]",
    source=SOURCE,
)(laws.batch_permutation)
position_independent = prop(
    "layer_norm.position-independent",
    cases=given(cases.layer_norm, "training", "index"),
    level="core",
    statements=("10.3", "11.3"),
    formula="y(x)[t] of a sequence (N, T, *shape) = y(x[:, :s])[t] = y(x padded)[t], t < s <= T",
    source=SOURCE,
)(laws.position_independent)
footprint = prop(
    "layer_norm.footprint",
    cases=given(cases.layer_norm, "training", "index", "seed"),
    level="core",
    kind="exact",
    statements=("10.2",),
    formula="x′ = x in the samples i of a set  ⇒  y(x′)[i] = y(x)[i] bit by bit; NaN in x[j] gives NaN in all of y[j]",
    source=SOURCE,
)(laws.footprint)
training_equals_inference = prop(
    "layer_norm.training-equals-inference",
    cases=given(cases.layer_norm),
    level="lifecycle",
    kind="exact",
    statements=("10.2",),
    formula="y in training = y in inference, bit by bit, and a call in one mode changes nothing for the other",
    source=SOURCE,
)(laws.training_equals_inference)
normalised = prop(
    "layer_norm.normalised",
    cases=given(cases.layer_norm, "training"),
    level="core",
    statements=("10.2",),
    formula="γ = 1, β = 0: mean y = 0 and var y = σ²/(σ² + ε) of each sample",
)(laws.normalised)
scale_law = prop(
    "layer_norm.scale-law",
    cases=given(cases.layer_norm, "training", "power", "sign", data="moderate"),
    level="numerics",
    statements=("10.2",),
    formula="ẑ(a·x; ε·a²) = sign(a)·ẑ(x; ε), a = ±2ᵏ",
    dtypes=WIDE,
)(laws.scale_law)
long_samples = prop(
    "layer_norm.long-samples",
    cases=given(cases.layer_norm, "training", lengths=cases.LONG, least=2),
    level="numerics",
    statements=("10.2",),
    formula="as layer_norm.matches-definition, n around 2⁸, 2¹⁰, 2¹², 2¹⁴, 2¹⁶ and up to 70 001",
    dtypes=WIDE,
    examples=8,
)(laws.accurate)
overflowing_squares = prop(
    "layer_norm.overflowing-squares",
    cases=given(cases.layer_norm, "training", data="overflow", least=2),
    level="extreme",
    formula="as layer_norm.matches-definition, with x² beyond the largest number",
    dtypes=("float32",),
)(laws.overflowing_squares)
gradient_input = prop(
    "layer_norm.gradient-input",
    cases=given(cases.layer_norm, "training", "cotangent", "axes"),
    level="gradients",
    statements=("10.2",),
    formula="dx = (g − mean g − ẑ·mean(g·ẑ))/√(σ² + ε), g = dy·γ",
    source=GRADIENT_SOURCE,
    revision=2,
)(laws.gradient_input)
gradient_parameters = prop(
    "layer_norm.gradient-parameters",
    cases=given(cases.layer_norm, "training", "cotangent", "axes", affine=True, crowded=True),
    level="gradients",
    statements=("10.2",),
    formula="dγ = Σ dy·ẑ and dβ = Σ dy, over all batch axes",
    source=GRADIENT_SOURCE,
    revision=2,
)(laws.gradient_parameters)
gradient_sum_zero = prop(
    "layer_norm.gradient-sum-zero",
    cases=given(cases.layer_norm, "training", "cotangent", "axes"),
    level="gradients",
    statements=("10.2",),
    revision=2,
    formula="Σ dx = 0 and Σ dx·ẑ = Σ(g·ẑ)·ε/(σ² + ε)^(3/2) of each sample, g = dy·γ",
    source=GRADIENT_SOURCE,
)(laws.gradient_sum_zero)
gradient_additive = prop(
    "layer_norm.gradient-additive",
    cases=given(cases.layer_norm, "training", "cotangent", "index", affine=True),
    level="gradients",
    statements=("10.2",),
    formula="dγ and dβ of a batch = the sum of those of its parts",
    source=GRADIENT_SOURCE,
)(laws.gradient_additive)


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
    return shifted(layers, case, over_features, offset, case.values["training"])


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
    return constant(y, over_features(layers, case, rule=bounds.standard_exact))


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
    return single_values(layers, layer_of(layers, case), case, over_features(layers, case))


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
    want = over_features(layers, case)
    return judge(y, want._replace(judged=np.zeros_like(want.judged)))


@prop(
    "layer_norm.zero-eps",
    cases=given(cases.layer_norm, "training", data="moderate", eps=(0.0,), least=2),
    level="extreme",
    formula="ε = 0, σ² > 0: y = γ·(x − μ)/σ + β",
    dtypes=WIDE,
)
def zero_eps(layers: Layers, case: Case) -> list[Evidence]:
    """With ε = 0 every sample that is not constant is normalised."""
    return laws.accurate(layers, case)
