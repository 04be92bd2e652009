"""Laws of RMS normalisation: each sample is divided by its own root mean square, and no mean is subtracted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from regcheck import Case, Evidence, Layers, cases, holds, prop, reference, within
from regcheck_properties import features as laws
from regcheck_properties._norms import INEXACT, WIDE, given, judge, layer_of, over_features, plain, run

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = "Zhang and Sennrich 2019, equation 4"
GRADIENT_SOURCE = "Zhang and Sennrich 2019, section 4.2, with ε"

matches_definition = prop(
    "rms_norm.matches-definition",
    cases=given(cases.layer_norm, "training", "axes", squares="any"),
    level="core",
    formula="y = γ·x/√(mean(x²) + ε), over the whole range of half precision, whatever type is computed in",
    source=SOURCE,
)(laws.matches_definition)
batch_size_invariant = prop(
    "rms_norm.batch-size-invariant",
    cases=given(cases.layer_norm, "training", "index"),
    level="core",
    statements=("10.2",),
    formula="y(x)[i:j] = y(x[i:j]), within the bound",
    source=SOURCE,
)(laws.batch_size_invariant)
batch_size_invariant_bitwise = prop(
    "rms_norm.batch-size-invariant-bitwise",
    cases=given(cases.layer_norm, "training", "index"),
    level="core",
    kind="exact",
    statements=("10.2",),
    formula="y(x)[i:j] = y(x[i:j]), bit by bit, where batch_invariance=bitwise is declared",
    source=SOURCE,
)(laws.batch_size_invariant_bitwise)
batch_permutation = prop(
    "rms_norm.batch-permutation",
    cases=given(cases.layer_norm, "training", "seed"),
    level="core",
    statements=("10.2",),
    formula="y(x[π]) = y(x)[π]",
    source=SOURCE,
)(laws.batch_permutation)
position_independent = prop(
    "rms_norm.position-independent",
    cases=given(cases.layer_norm, "training", "index"),
    level="core",
    statements=("10.3",),
    formula="y(x)[t] of a sequence (N, T, *shape) = y(x[:, :s])[t] = y(x padded)[t], t < s <= T",
    source=SOURCE,
)(laws.position_independent)
footprint = prop(
    "rms_norm.footprint",
    cases=given(cases.layer_norm, "training", "index", "seed"),
    level="core",
    kind="exact",
    statements=("10.2",),
    formula="x′ = x in the samples i of a set  ⇒  y(x′)[i] = y(x)[i] bit by bit; NaN in x[j] gives NaN in all of y[j]",
    source=SOURCE,
)(laws.footprint)
training_equals_inference = prop(
    "rms_norm.training-equals-inference",
    cases=given(cases.layer_norm),
    level="lifecycle",
    kind="exact",
    formula="y in training = y in inference, bit by bit, and a call in one mode changes nothing for the other",
    source=SOURCE,
)(laws.training_equals_inference)


@prop(
    "rms_norm.normalised",
    cases=given(cases.layer_norm, "training"),
    level="core",
    formula="γ = 1: mean y² = r²/(r² + ε) of each sample, r² = mean x²",
    source=SOURCE,
)
def normalised(layers: Layers, case: Case) -> Evidence | Sequence[Evidence]:
    """Before γ every sample has the root mean square r/√(r² + ε), r being its own."""
    return laws.normalised(layers, case)


@prop(
    "rms_norm.scale-per-feature",
    cases=given(cases.layer_norm, "training", affine=True),
    level="core",
    formula="y = γ_f·ŷ, f a feature",
    source=SOURCE,
)
def scale_per_feature(layers: Layers, case: Case) -> Evidence:
    """γ acts on each feature by itself, the same in every sample: y = γ·ŷ for the output ŷ without it."""
    x, training, gamma = case["x"], case.values["training"], reference.widen(case["scale"])
    bare, want = run(layer_of(layers, plain(case)), x, training), over_features(layers, case)
    # ŷ is stored before it is mapped.
    slack = want.bound + np.abs(gamma) * over_features(layers, plain(case)).bound
    seen = run(layer_of(layers, case), x, training)
    return within(seen, gamma * reference.widen(bare), slack, dims=want.dims, what="y", judged=want.judged)


@prop(
    "rms_norm.shift-shows",
    cases=given(cases.layer_norm, "training", "offset", data="moderate"),
    level="core",
    formula="max|y(x + c) − y(x)| >= ½·max|γ·(ẑ(x + c) − ẑ(x))| of each sample",
    source="Zhang and Sennrich 2019, section 4.1, table 1: not invariant to re-centring",
    dtypes=WIDE,
    sentinels=["stuck"],
)
def shift_shows(layers: Layers, case: Case) -> Evidence:
    """Adding a number to all features of a sample changes its output: no mean is subtracted."""
    x, training, layer = case["x"], case.values["training"], layer_of(layers, case)
    far = x + case["offset"].reshape(-1, *[1] * len(case.config.shape))
    still, moved = over_features(layers, case), over_features(layers, case, far)
    axes, seen = still.norm.axes, [reference.widen(run(layer, values, training)) for values in (far, x)]
    change = np.max(np.abs(seen[0] - seen[1]), axis=axes)
    least = np.max(np.abs(moved.y - still.y), axis=axes) / 2
    # A right layer moves by 2·least but for its rounding; where that may be half of it nothing is claimed.
    claimed = least > np.max(moved.bound + still.bound, axis=axes)
    found = holds(~claimed | (change >= least), least, change, dims=case.independent, what="|y(x + c) − y(x)|")
    return dataclasses.replace(found, ill_conditioned=int(np.count_nonzero(~claimed)))


scale_law = prop(
    "rms_norm.scale-law",
    cases=given(cases.layer_norm, "training", "power", "sign", data="moderate"),
    level="numerics",
    formula="ẑ(a·x; ε·a²) = sign(a)·ẑ(x; ε), a = ±2ᵏ",
    source="Zhang and Sennrich 2019, section 4.1",
    dtypes=WIDE,
)(laws.scale_law)


@prop(
    "rms_norm.constant-input",
    cases=given(cases.layer_norm, "training", data="constant", lengths=INEXACT, eps=cases.TINY_EPS),
    level="numerics",
    formula="x = c  ⇒  y = γ·c/√(c² + ε), exactly 0 for c = 0, whatever ε > 0 is",
    source=SOURCE,
)
def constant_input(layers: Layers, case: Case) -> list[Evidence]:
    """A sample whose features are all c gives γ·c/√(c² + ε), and 0 gives 0: nothing is divided by zero."""
    y, want = run(layer_of(layers, case), case["x"], case.values["training"]), over_features(layers, case)
    return [*judge(y, want), holds((case["x"] != 0) | (y == 0), 0.0, y, dims=want.dims, what="y of zeros")]


@prop(
    "rms_norm.single-value",
    cases=given(cases.layer_norm, "training", lengths=(1,)),
    level="numerics",
    formula="one feature: y = γ·x/√(x² + ε)",
    source=SOURCE,
)
def single_value(layers: Layers, case: Case) -> list[Evidence]:
    """A sample of one feature is normalised as any other: it becomes its sign, but for γ and ε."""
    return laws.accurate(layers, case)


long_samples = prop(
    "rms_norm.long-samples",
    cases=given(cases.layer_norm, "training", lengths=cases.LONG, least=2),
    level="numerics",
    formula="as rms_norm.matches-definition, n around 2⁸, 2¹⁰, 2¹², 2¹⁴, 2¹⁶ and up to 70 001",
    source=SOURCE,
    dtypes=WIDE,
    examples=8,
)(laws.accurate)
overflowing_squares = prop(
    "rms_norm.overflowing-squares",
    cases=given(cases.layer_norm, "training", data="overflow", least=2),
    level="extreme",
    formula="as rms_norm.matches-definition, with x² beyond the largest number",
    source=SOURCE,
    dtypes=("float32",),
)(laws.overflowing_squares)


@prop(
    "rms_norm.zero-eps",
    cases=given(cases.layer_norm, "training", data="moderate", eps=(0.0,), least=2),
    level="extreme",
    formula="ε = 0, x ≠ 0: y = γ·x/√mean(x²)",
    source=SOURCE,
    dtypes=WIDE,
)
def zero_eps(layers: Layers, case: Case) -> list[Evidence]:
    """With ε = 0 every sample that is not zero is normalised."""
    return laws.accurate(layers, case)


# --- gradients

gradient_input = prop(
    "rms_norm.gradient-input",
    cases=given(cases.layer_norm, "training", "cotangent", "axes"),
    level="gradients",
    formula="dx = (g − ẑ·mean(g·ẑ))/√(mean(x²) + ε), g = dy·γ",
    source=GRADIENT_SOURCE,
)(laws.gradient_input)


@prop(
    "rms_norm.gradient-parameters",
    cases=given(cases.layer_norm, "training", "cotangent", "axes", affine=True, crowded=True),
    level="gradients",
    formula="dγ = Σ dy·ẑ, over all batch axes",
    source=GRADIENT_SOURCE,
)
def gradient_parameters(layers: Layers, case: Case) -> Evidence | Sequence[Evidence]:
    """The gradient with respect to γ is the closed form's, with no batch axis and with up to three."""
    return laws.gradient_parameters(layers, case)


@prop(
    "rms_norm.gradient-along-input",
    cases=given(cases.layer_norm, "training", "cotangent", "axes"),
    level="gradients",
    formula="Σ dx·ẑ = Σ(g·ẑ)·ε/(mean(x²) + ε)^(3/2) of each sample, g = dy·γ",
    source=GRADIENT_SOURCE,
)
def gradient_along_input(layers: Layers, case: Case) -> Evidence | Sequence[Evidence]:
    """No sample's gradient has a part along the sample itself but what ε leaves."""
    return laws.gradient_sum_zero(layers, case)


@prop(
    "rms_norm.gradient-additive",
    cases=given(cases.layer_norm, "training", "cotangent", "index", affine=True),
    level="gradients",
    formula="dγ of a batch = the sum of those of its parts",
    source=GRADIENT_SOURCE,
)
def gradient_additive(layers: Layers, case: Case) -> Evidence | Sequence[Evidence]:
    """Over concatenated batches the gradients of γ add up, whatever the parts' sizes."""
    return laws.gradient_additive(layers, case)
