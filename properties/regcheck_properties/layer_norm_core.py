"""Laws of layer normalisation: each sample is standardised over its own features (§ 10.2, § 10.3)."""

from __future__ import annotations

import numpy as np

from regcheck import Case, Evidence, Layers, cases, prop
from regcheck_properties._layer_norm_batches import in_calls, placed
from regcheck_properties._norm_evidence import close_divided, isolated, same_divided, same_in_both_modes
from regcheck_properties._norms import agree, bits_promised, defined, given, judge, layer_norm, layer_of, run

SOURCE = "Ba, Kiros and Hinton 2016, equations 3 and 4"


@prop(
    "layer_norm.matches-definition",
    cases=given(cases.layer_norm, "training", "axes", squares="any"),
    level="core",
    statements=("10.2",),
    formula="y = γ·(x − μ)/√(σ² + ε) + β, over the whole range of half precision, whatever type is computed in",
    source=SOURCE,
    revision=2,
)
@defined
def matches_definition(layers: Layers, case: Case) -> list[Evidence]:
    """Every output is the definition's, in training and in inference, with no batch axis and with up to three."""
    layer, x, training = layer_of(layers, case), case["x"], case.values["training"]
    y = in_calls(case, lambda call: run(layer, placed(x, call), training))
    return judge(y, layer_norm(layers, case))


@prop(
    "layer_norm.batch-size-invariant",
    cases=given(cases.layer_norm, "training", "index"),
    level="core",
    statements=("10.2",),
    formula="y(x)[i:j] = y(x[i:j]), within the bound",
    source=SOURCE,
)
@defined
def batch_size_invariant(layers: Layers, case: Case) -> list[Evidence]:
    """A sample's output does not depend on the batch that it is in, nor on the batch's size."""
    return close_divided(layer_of(layers, case), case, case.values["training"], layer_norm(layers, case))


@prop(
    "layer_norm.batch-size-invariant-bitwise",
    cases=given(cases.layer_norm, "training", "index"),
    level="core",
    kind="exact",
    statements=("10.2",),
    formula="y(x)[i:j] = y(x[i:j]), bit by bit, where batch_invariance=bitwise is declared",
    source=SOURCE,
)
@defined
def batch_size_invariant_bitwise(layers: Layers, case: Case) -> list[Evidence]:
    """A sample's bits do not depend on the batch that it is in, nor on the batch's size."""
    bits_promised(layers)
    return same_divided(layer_of(layers, case), case, case.values["training"])


@prop(
    "layer_norm.batch-permutation",
    cases=given(cases.layer_norm, "training", "seed"),
    level="core",
    statements=("10.2",),
    formula="y(x[π]) = y(x)[π]",
    source=SOURCE,
)
@defined
def batch_permutation(layers: Layers, case: Case) -> Evidence:
    """Permuting the samples of a batch permutes the outputs."""
    x, training, layer = case["x"], case.values["training"], layer_of(layers, case)
    order = np.random.default_rng(case.values["seed"]).permutation(len(x))
    permuted = np.empty_like(x)
    whole = run(layer, x, training)
    permuted[order] = run(layer, x[order], training)
    return agree(permuted, whole, layer_norm(layers, case), "y back in its order")


@prop(
    "layer_norm.position-independent",
    cases=given(cases.layer_norm, "training", "index"),
    level="core",
    statements=("10.3", "11.3"),
    formula="y(x)[t] of a sequence (N, T, *shape) = y(x[:, :s])[t] = y(x padded)[t], t < s <= T",
    source=SOURCE,
)
@defined
def position_independent(layers: Layers, case: Case) -> list[Evidence]:
    """A position's output depends neither on the sequence's length nor on what it is padded with."""
    x, training, layer, want = case["x"], case.values["training"], layer_of(layers, case), layer_norm(layers, case)
    short = 1 + case.values["index"] % len(x)
    sequence = x[np.newaxis]
    padded = np.concatenate([sequence, np.zeros_like(sequence[:, :3])], axis=1)
    whole = run(layer, sequence, training)[0]
    return [
        *judge(whole, want, "y of a sequence"),
        agree(run(layer, sequence[:, :short], training)[0], whole[:short], want.of(slice(short)), "y cut short"),
        agree(run(layer, padded, training)[0, : len(x)], whole, want, "y padded with zeros"),
    ]


@prop(
    "layer_norm.footprint",
    cases=given(cases.layer_norm, "training", "index", "seed"),
    level="core",
    kind="exact",
    statements=("10.2",),
    formula="x′ = x in the samples i of a set  ⇒  y(x′)[i] = y(x)[i] bit by bit; NaN in x[j] gives NaN in all of y[j]",
    source=SOURCE,
)
@defined
def footprint(layers: Layers, case: Case) -> list[Evidence]:
    """What is in one sample, NaN too, reaches no other sample, and a NaN reaches all of its own."""
    return isolated(layer_of(layers, case), case, case.values["training"], axis=0)


@prop(
    "layer_norm.training-equals-inference",
    cases=given(cases.layer_norm),
    level="lifecycle",
    kind="exact",
    statements=("10.2",),
    formula="y in training = y in inference, bit by bit, and a call in one mode changes nothing for the other",
    source=SOURCE,
)
@defined
def training_equals_inference(layers: Layers, case: Case) -> list[Evidence]:
    """Training and inference give the same, in any order: the layer keeps no state."""
    return same_in_both_modes(layer_of(layers, case), case)
