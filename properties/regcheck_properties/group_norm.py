"""Laws of group normalisation: channels in groups, each standardised over itself and space (§ 10.4)."""

from __future__ import annotations

from regcheck import cases, prop
from regcheck_properties import groups as laws
from regcheck_properties._norms import INEXACT, WIDE, given

matches_definition = prop(
    "group_norm.matches-definition",
    cases=given(cases.groups, "training", squares="any"),
    level="core",
    statements=("10.4",),
    formula="y = γ·(x − μ)/√(σ² + ε) + β, μ and σ² of each group of a sample, over the whole range of half precision",
    source=laws.SOURCE,
)(laws.matches_definition)
normalised = prop(
    "group_norm.normalised",
    cases=given(cases.groups, "training"),
    level="core",
    statements=("10.4",),
    formula="γ = 1, β = 0: mean y = 0 and var y = σ²/(σ² + ε) of each group of a sample",
    source=laws.SOURCE,
)(laws.normalised)
affine_per_channel = prop(
    "group_norm.affine-per-channel",
    cases=given(cases.groups, "training", affine=True),
    level="core",
    statements=("10.4",),
    formula="y = γ_c·ŷ + β_c",
    source=laws.SOURCE,
)(laws.affine_per_channel)
footprint = prop(
    "group_norm.footprint",
    cases=given(cases.groups, "training", "index", "seed"),
    level="core",
    kind="exact",
    statements=("10.4",),
    formula="x′ = x in some groups  ⇒  y(x′) = y(x) there, bit by bit; a NaN makes all of its own group NaN",
    source=laws.SOURCE,
)(laws.footprint)
permuted_in_group = prop(
    "group_norm.permuted-in-group",
    cases=given(cases.groups, "training", "seed"),
    level="core",
    statements=("10.4",),
    formula="y(x[π]; γ[π], β[π]) = y(x)[π], π within a group",
    source=laws.SOURCE,
)(laws.permuted_in_group)
permuted_groups = prop(
    "group_norm.permuted-groups",
    cases=given(cases.groups, "training", "seed"),
    level="core",
    statements=("10.4",),
    formula="y(x[π]; γ[π], β[π]) = y(x)[π], π of whole groups",
    source=laws.SOURCE,
)(laws.permuted_groups)
batch_size_invariant = prop(
    "group_norm.batch-size-invariant",
    cases=given(cases.groups, "training", "index"),
    level="core",
    statements=("10.4",),
    formula="y(x)[i:j] = y(x[i:j]), within the bound",
    source=laws.SOURCE,
)(laws.batch_size_invariant)
batch_size_invariant_bitwise = prop(
    "group_norm.batch-size-invariant-bitwise",
    cases=given(cases.groups, "training", "index"),
    level="core",
    kind="exact",
    statements=("10.4",),
    formula="y(x)[i:j] = y(x[i:j]), bit by bit, where batch_invariance=bitwise is declared",
    source=laws.SOURCE,
)(laws.batch_size_invariant_bitwise)
training_equals_inference = prop(
    "group_norm.training-equals-inference",
    cases=given(cases.groups),
    level="lifecycle",
    kind="exact",
    statements=("10.4",),
    formula="y in training = y in inference, bit by bit, and a call in one mode changes nothing for the other",
    source=laws.SOURCE,
)(laws.training_equals_inference)
shift_invariance = prop(
    "group_norm.shift-invariance",
    cases=given(cases.groups, "training", "offset", data="moderate"),
    level="numerics",
    statements=("10.4",),
    formula="y(x + c) = y(x), where no x + c is rounded, |c| up to 1e4·σ (1e8·σ in float64)",
    dtypes=WIDE,
)(laws.shift_invariance)
scale_law = prop(
    "group_norm.scale-law",
    cases=given(cases.groups, "training", "power", "sign", data="moderate"),
    level="numerics",
    statements=("10.4",),
    formula="ẑ(a·x; ε·a²) = sign(a)·ẑ(x; ε), a = ±2ᵏ",
    dtypes=WIDE,
)(laws.scale_law)
constant_input_gives_shift = prop(
    "group_norm.constant-input-gives-shift",
    cases=given(cases.groups, "training", data="constant", lengths=INEXACT),
    level="numerics",
    statements=("10.4",),
    formula="x constant  ⇒  y = β, exactly for x = 0",
)(laws.constant_input)
single_value_batch_as_declared = prop(
    "group_norm.single-value-batch-as-declared",
    cases=given(cases.groups, lengths=(1,)),
    level="interface",
    statements=("10.4",),
    formula="one entry a group in training: y = β (`shift`), an error (`error`) or NaN (`nan`)",
    sentinels=["values", "errors"],
)(laws.single_value)
long_groups = prop(
    "group_norm.long-groups",
    cases=given(cases.groups, "training", lengths=cases.LONG, least=2),
    level="numerics",
    statements=("10.4",),
    formula="as group_norm.matches-definition, n around 2⁸, 2¹⁰, 2¹², 2¹⁴, 2¹⁶ and up to 70 001",
    dtypes=WIDE,
    examples=8,
)(laws.accurate)
gradient_input = prop(
    "group_norm.gradient-input",
    cases=given(cases.groups, "training", "cotangent"),
    level="gradients",
    statements=("10.4",),
    formula="dx = (g − mean g − ẑ·mean(g·ẑ))/√(σ² + ε), g = dy·γ",
    source=laws.GRADIENT_SOURCE,
)(laws.gradient_input)
gradient_parameters = prop(
    "group_norm.gradient-parameters",
    cases=given(cases.groups, "training", "cotangent", affine=True),
    level="gradients",
    statements=("10.4",),
    formula="dγ = Σ dy·ẑ and dβ = Σ dy, over the batch and space",
    source=laws.GRADIENT_SOURCE,
)(laws.gradient_parameters)
gradient_sum_zero = prop(
    "group_norm.gradient-sum-zero",
    cases=given(cases.groups, "training", "cotangent"),
    level="gradients",
    statements=("10.4",),
    formula="Σ dx = 0 and Σ dx·ẑ = Σ(g·ẑ)·ε/(σ² + ε)^(3/2) of each group of a sample, g = dy·γ",
    source=laws.GRADIENT_SOURCE,
)(laws.gradient_sum_zero)
gradient_additive = prop(
    "group_norm.gradient-additive",
    cases=given(cases.groups, "training", "cotangent", "index", affine=True),
    level="gradients",
    statements=("10.4",),
    formula="dγ and dβ of a batch = the sum of those of its parts",
    source=laws.GRADIENT_SOURCE,
)(laws.gradient_additive)
bounded_where_ill_conditioned = prop(
    "group_norm.bounded-where-ill-conditioned",
    cases=given(cases.groups, "training", data="lost", least=2),
    level="extreme",
    formula="|ẑ| stays near √n where (n + 1)u·mean|x|/√(σ² + ε) >= 1/4",
    dtypes=WIDE,
)(laws.bounded_where_ill_conditioned)
overflowing_squares = prop(
    "group_norm.overflowing-squares",
    cases=given(cases.groups, "training", data="overflow", least=2),
    level="extreme",
    formula="as group_norm.matches-definition, with x² beyond the largest number",
    dtypes=("float32",),
)(laws.overflowing_squares)
zero_eps = prop(
    "group_norm.zero-eps",
    cases=given(cases.groups, "training", data="moderate", eps=(0.0,), least=2),
    level="extreme",
    formula="ε = 0, σ² > 0: y = γ·(x − μ)/σ + β",
    dtypes=WIDE,
)(laws.zero_eps)
