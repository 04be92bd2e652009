"""Batch normalisation in training: outputs by the statistics of the batch itself (§ 7, § 9, § 11)."""

from __future__ import annotations

import numpy as np

from regcheck import Case, Evidence, Layers, bounds, cases, prop, reference, same_bits, within
from regcheck_properties._norm_evidence import (
    constant,
    finite_state,
    isolated,
    moments,
    rescaled,
    shifted,
    single_values,
)
from regcheck_properties._norms import WIDE, Array, agree, batch_norm, defined, given, judge, layer_of, run, with_state

SOURCE = "Ioffe and Szegedy 2015, algorithm 1"
along = reference.batch_norm.along_channels


@prop(
    "batch_norm.matches-definition",
    cases=given(cases.batch_norm, squares="any"),
    level="core",
    statements=("7.1", "7.2", "9.1", "10.1"),
    formula="training: y = γ·(x − μ)/√(σ² + ε) + β per channel, over the whole range of half precision",
    source=SOURCE,
)
@defined
def matches_definition(layers: Layers, case: Case) -> list[Evidence]:
    """In training every output is the definition's, by its channel's mean and variance in the batch."""
    return judge(run(layer_of(layers, case), case["x"], training=True), batch_norm(layers, case))


@prop(
    "batch_norm.normalised",
    cases=given(cases.batch_norm, squares="input"),
    level="core",
    statements=("7.1", "9.1", "9.2"),
    formula="training: mean y = β and var y = γ²·σ²/(σ² + ε) of each channel",
    source=SOURCE,
)
@defined
def normalised(layers: Layers, case: Case) -> list[Evidence]:
    """In training every channel has mean β and variance γ²·σ²/(σ² + ε): γ and β reach any scale and offset."""
    y, x = run(layer_of(layers, case), case["x"], training=True), case["x"]
    shift = along(reference.widen(case["shift"]), x.ndim) if "shift" in case.arrays else 0.0
    return moments(y, batch_norm(layers, case), case, shift)


@prop(
    "batch_norm.whole-batch-statistics",
    cases=given(cases.batch_norm, "x2", squares="input"),
    level="core",
    statements=("7.3", "11.3"),
    formula="training: y(x ⊕ x₂) and y(x ⊕ 0) by the statistics of all samples, padding included",
    source=SOURCE,
)
@defined
def whole_batch_statistics(layers: Layers, case: Case) -> list[Evidence]:
    """In training a sample's output depends on all that is in its batch, on padding too."""
    found = []
    for what, others in (("other samples", case["x2"]), ("padding", np.zeros_like(case["x2"]))):
        joined = np.concatenate([case["x"], others])
        y = run(layer_of(layers, case), joined, training=True)
        found += judge(y, batch_norm(layers, case, joined), f"y beside {what}")
    return found


@prop(
    "batch_norm.footprint",
    cases=given(cases.batch_norm, "index", "seed", squares="input"),
    level="core",
    kind="exact",
    statements=("7.1", "10.1"),
    formula="training: x′ = x in some channels  ⇒  y(x′) = y(x) there, bit by bit; NaN in a channel fills it",
    source=SOURCE,
)
@defined
def footprint(layers: Layers, case: Case) -> list[Evidence]:
    """In training what is in one channel, NaN too, reaches no other channel, and a NaN reaches all of its own."""
    return isolated(layer_of(layers, case), case, training=True, axis=1)


@prop(
    "batch_norm.permutation",
    cases=given(cases.batch_norm, "seed", squares="input"),
    level="core",
    statements=("7.1",),
    formula="training: y(x∘π) = y(x)∘π for permutations π of samples and positions",
    source=SOURCE,
)
@defined
def permutation(layers: Layers, case: Case) -> Evidence:
    """Permuting a channel's values over samples and spatial positions permutes the outputs."""
    x, layer = case["x"], layer_of(layers, case)
    flat = np.moveaxis(x, 1, 0).reshape(x.shape[1], -1)
    order = np.random.default_rng(case.values["seed"]).permutation(flat.shape[1])

    def shaped(values: Array) -> Array:
        return np.moveaxis(values.reshape(x.shape[1], len(x), *x.shape[2:]), 0, 1)

    y = run(layer, x, training=True)
    permuted = np.moveaxis(run(layer, shaped(flat[:, order]), training=True), 1, 0).reshape(flat.shape)
    return agree(shaped(permuted[:, np.argsort(order)]), y, batch_norm(layers, case), "y back in its order")


@prop(
    "batch_norm.repeated-batch",
    cases=given(cases.batch_norm, squares="input"),
    level="core",
    statements=("7.1",),
    formula="training: y(x ⊕ x) = y(x) ⊕ y(x), y(x ⊕ x ⊕ x ⊕ x) likewise",
    source=SOURCE,
)
@defined
def repeated_batch(layers: Layers, case: Case) -> list[Evidence]:
    """In training a batch that holds every sample twice, or four times, gives every output as often."""
    layer, wanted = layer_of(layers, case), batch_norm(layers, case)
    once, found = run(layer, case["x"], training=True), []
    for times in (2, 4):
        x = np.concatenate([case["x"]] * times)
        want, observed = batch_norm(layers, case, x), run(layer, x, training=True)
        expected, slack, judged = (np.concatenate([a] * times) for a in (once, wanted.bound, wanted.judged))
        bound, dims, what = want.bound + slack, want.dims, f"y of {times} times x"
        found.append(
            within(observed, expected.astype(want.y.dtype), bound, dims=dims, what=what, judged=want.judged & judged)
        )
    return found


@prop(
    "batch_norm.training-ignores-running-state",
    cases=given(cases.batch_norm, "state", squares="input"),
    level="lifecycle",
    kind="exact",
    statements=("7.1",),
    formula="training: y does not depend on E, Var or momentum, bit by bit",
    source=SOURCE,
)
@defined
def training_ignores_running_state(layers: Layers, case: Case) -> Evidence:
    """In training the output depends neither on what was recorded before nor on momentum."""
    fresh, used = layer_of(layers, case), with_state(layers, case, momentum=1 - case.config.momentum / 2)
    y, other = (run(layer, case["x"], training=True) for layer in (fresh, used))
    return same_bits(other, y, dims=case.dims["x"], what="y, other state and momentum")


@prop(
    "batch_norm.self-off-exact",
    cases=given(cases.batch_norm, squares="input", affine=True),
    level="core",
    statements=("9.3",),
    formula="training: γ = √(σ² + ε), β = μ  ⇒  y = x",
    source=SOURCE,
)
@defined
def self_off_exact(layers: Layers, case: Case) -> Evidence:
    """With γ = √(σ² + ε) and β = μ of the batch the layer gives its input back: it switches itself off."""
    return _restored(layers, case, case.config.eps)


@prop(
    "batch_norm.self-off-sigma",
    cases=given(cases.batch_norm, squares="input", affine=True),
    level="core",
    statements=("9.3",),
    formula="training: γ = σ, β = μ  ⇒  y = x + (σ/√(σ² + ε) − 1)·(x − μ)",
    source=SOURCE,
)
@defined
def self_off_sigma(layers: Layers, case: Case) -> Evidence:
    """With γ = σ and β = μ of the batch the layer gives its input back but for what ε takes away."""
    return _restored(layers, case, 0.0)


def _restored(layers: Layers, case: Case, eps: float) -> Evidence:
    # γ and β are rounded to the case's type before the layer gets them: u_o|γz| and u_o|μ| more.
    norm = reference.batch_norm.standardise(case["x"], case.config)
    gain = np.sqrt(norm.var + norm.var.dtype.type(eps))
    scale, shift = gain.reshape(-1).astype(case.dtype), norm.mean.reshape(-1).astype(case.dtype)
    turned = case.with_arrays(scale=scale, shift=shift)
    want = batch_norm(layers, turned)
    kept, centred = gain * norm.s, norm.x - norm.mean
    # x + (k − 1)(x − μ), or μ + k(x − μ) where k is small: the first would be rounded like x, which y may be far below.
    expected = np.where(kept > 1 / 2, norm.x + (kept - 1) * centred, norm.mean + kept * centred)
    rounded = want.ar.u_out * (np.abs(gain * norm.z) + np.abs(norm.mean)) + 2 * want.ar.eta_out * (1 + np.abs(norm.z))
    y = run(layer_of(layers, turned), case["x"], training=True)
    return within(y, expected, want.bound + rounded, dims=want.dims, what="y", judged=want.judged)


@prop(
    "batch_norm.shift-invariance",
    cases=given(cases.batch_norm, "offset", data="moderate"),
    level="numerics",
    statements=("7.1",),
    formula="training: y(x + c) = y(x), where no x + c is rounded, |c| up to 1e4·σ (1e8·σ in float64)",
    dtypes=WIDE,
)
@defined
def shift_invariance(layers: Layers, case: Case) -> Evidence:
    """In training adding a number to a channel changes nothing, however far it moves its values."""
    return shifted(layers, case, batch_norm, along(case["offset"], case["x"].ndim), training=True)


@prop(
    "batch_norm.scale-law",
    cases=given(cases.batch_norm, "power", "sign", data="moderate"),
    level="numerics",
    statements=("7.1",),
    formula="training: x̂(a·x; ε·a²) = sign(a)·x̂(x; ε), a = ±2ᵏ",
    dtypes=WIDE,
)
@defined
def scale_law(layers: Layers, case: Case) -> list[Evidence]:
    """In training scaling the input, and ε with its square, changes nothing but the sign, over all exponents."""
    return rescaled(layers, case, batch_norm, training=True)


@prop(
    "batch_norm.constant-channel-gives-shift",
    cases=given(cases.batch_norm, data="constant", eps=cases.TINY_EPS),
    level="numerics",
    statements=("11.1",),
    formula="training: a channel constant over the batch gives β, exactly for zeros, whatever ε > 0 is",
    revision=2,
)
@defined
def constant_channel(layers: Layers, case: Case) -> list[Evidence]:
    """In training a channel that is constant in the batch, as in sparse input, gives β and nothing infinite."""
    y = run(layer_of(layers, case), case["x"], training=True)
    return constant(y, batch_norm(layers, case, rule=bounds.standard_exact))


@prop(
    "batch_norm.single-value-batch-as-declared",
    cases=given(cases.batch_norm, squares="input", lengths=(1,), spatial=(1,)),
    level="interface",
    statements=("8.2", "11.1"),
    formula="one value per channel in training: y = β (`shift`), an error (`error`), NaN (`nan`); E, Var stay finite",
    sentinels=["values", "errors"],
)
def single_value(layers: Layers, case: Case) -> list[Evidence]:
    """One value per channel gives, in training, what is declared in `single_value_batch`, and no infinite state."""
    layer = layer_of(layers, case)
    found = single_values(layers, layer, case, batch_norm(layers, case))
    return [*found, *finite_state(layer)]


@prop(
    "batch_norm.large-batches",
    cases=given(cases.batch_norm, lengths=cases.LONG, least=2),
    level="numerics",
    statements=("7.1",),
    formula="as batch_norm.matches-definition, m around 2⁸, 2¹⁰, 2¹², 2¹⁴, 2¹⁶ and up to 70 001",
    dtypes=WIDE,
    examples=8,
)
def large_batches(layers: Layers, case: Case) -> list[Evidence]:
    """Channels of many values, at and beside the sizes of blocks, are normalised as accurately as small ones."""
    return judge(run(layer_of(layers, case), case["x"], training=True), batch_norm(layers, case))


@prop(
    "batch_norm.bounded-where-ill-conditioned",
    cases=given(cases.batch_norm, data="lost", least=2),
    level="extreme",
    formula="|x̂| <= √m + u(m·mean|x| + 4max|x|)/√(σ² + ε), where (m + 1)u·mean|x|/√(σ² + ε) >= 1/4, "
    "σ > √2·u·max|x| and σ² > 12(m + 2)u(m·u·mean|x|)²",
    revision=2,
    dtypes=WIDE,
)
def bounded_where_ill_conditioned(layers: Layers, case: Case) -> list[Evidence]:
    """Where a channel's values differ in their last bits alone the output stays within what any variance allows."""
    want = batch_norm(layers, case)
    y = run(layer_of(layers, case), case["x"], training=True)
    return judge(y, want._replace(judged=np.zeros_like(want.judged)))
