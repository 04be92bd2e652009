"""Batch normalisation in inference: one fixed affine map, of recorded statistics (§ 8.3, § 8.4)."""

from __future__ import annotations

import dataclasses

import numpy as np

from regcheck import Case, Evidence, Layers, cases, holds, prop, reference, same_bits, within
from regcheck_properties._norm_evidence import close_divided, same_divided
from regcheck_properties._norms import bits_promised, defined, given, judge, layer_of, recorded, run, with_state

SOURCE = "Ioffe and Szegedy 2015, algorithm 2"


@prop(
    "batch_norm.inference-affine",
    cases=given(cases.batch_norm, "state", squares="input"),
    level="core",
    statements=("8.3", "8.4", "9.2"),
    formula="inference: y = γ·(x − E)/√(Var + ε) + β, with E and Var as they are recorded now",
    source=SOURCE,
)
def inference_affine(layers: Layers, case: Case) -> list[Evidence]:
    """In inference every output is the affine map of the recorded statistics, also after they have changed."""
    layer = layer_of(layers, case)
    run(layer, case["x"], training=False)
    layer.assign_state({name: case[name] for name in ("running_mean", "running_var")})
    return judge(run(layer, case["x"], training=False), recorded(layers, case))


@prop(
    "batch_norm.inference-folded",
    cases=given(cases.batch_norm, "state", squares="input"),
    level="core",
    statements=("8.4",),
    formula="inference: y(x) − y(0) = k·x and y(0) = c, k = γ/√(Var + ε), c = β − γE/√(Var + ε)",
    source=SOURCE,
)
def inference_folded(layers: Layers, case: Case) -> Evidence:
    """In inference the layer is y = kx + c: it can be folded into two numbers a channel."""
    layer, zero = with_state(layers, case), np.zeros_like(case["x"])
    y, c = (reference.widen(run(layer, x, training=False)) for x in (case["x"], zero))
    want, start = recorded(layers, case), recorded(layers, case, zero)
    judged = want.judged & start.judged
    return within(y - c, want.y - start.y, want.bound + start.bound, dims=want.dims, what="y(x) − y(0)", judged=judged)


@prop(
    "batch_norm.inference-independent-of-batch",
    cases=given(cases.batch_norm, "state", "seed", "index", squares="input"),
    level="core",
    statements=("7.3", "8.3"),
    formula="inference: y at an element depends on x at that element alone, bit by bit; y(x)[i:j] = y(x[i:j])",
    source=SOURCE,
    revision=2,
)
def inference_independent_of_batch(layers: Layers, case: Case) -> list[Evidence]:
    """In inference an output depends on its own input alone, even in a batch."""
    # A layer that shows no record must not depend on its batch either: it may have none, and use the batch's own.
    shown = layers.make(case.config, case.dtype).capabilities() >= {"running_mean", "running_var"}
    layer, x, dims = (with_state if shown else layer_of)(layers, case), case["x"], case.dims["x"]
    kept = np.random.default_rng(case.values["seed"]).random(x.shape) < 1 / 2
    before, found = run(layer, x, training=False), []
    for value in (np.nan, 3.0):
        after = run(layer, np.where(kept, x, value).astype(x.dtype), training=False)
        what = f"y beside {value:g} elsewhere"
        found.append(same_bits(np.where(kept, after, before), before, dims=dims, what=what))
        found.append(holds(kept | (np.isnan(after) == np.isnan(value)), value, after, dims=dims, what="y of that"))
    if not shown:
        return found
    return [*found, *close_divided(layer, case, want=recorded(layers, case), training=False)]


@prop(
    "batch_norm.inference-batch-size-invariant-bitwise",
    cases=given(cases.batch_norm, "state", "index", squares="input"),
    level="core",
    kind="exact",
    statements=("8.3",),
    formula="inference: y(x)[i:j] = y(x[i:j]), bit by bit, where batch_invariance=bitwise is declared",
    source=SOURCE,
)
def inference_bitwise(layers: Layers, case: Case) -> list[Evidence]:
    """In inference a sample's bits do not depend on the batch that it is in, nor on the batch's size."""
    bits_promised(layers)
    return same_divided(with_state(layers, case), case, training=False)


@prop(
    "batch_norm.inference-eps-added-to-variance",
    cases=given(cases.batch_norm, "state", squares="input"),
    level="numerics",
    statements=("8.4",),
    formula="inference: y(Var + d; ε − d) = y(Var; ε), d = ε/2",
    source=SOURCE,
)
def inference_eps(layers: Layers, case: Case) -> Evidence:
    """In inference ε is added to the variance: what one has more the other may have less."""
    half = case.config.eps / 2
    config = dataclasses.replace(case.config, eps=half)
    more = (reference.widen(case["running_var"]) + half).astype(case.dtype)
    other = with_state(layers, case.with_arrays(running_var=more), eps=half)
    moved = recorded(layers, dataclasses.replace(case.with_arrays(running_var=more), config=config))
    want, y = recorded(layers, case), run(with_state(layers, case), case["x"], training=False)
    # Var + d is rounded to the state's type: where it moves the definition's own result, so much more.
    bound = want.bound + moved.bound + np.abs(moved.y - want.y)
    observed, expected = run(other, case["x"], training=False), y.astype(want.y.dtype)
    what = "y(Var + d; ε − d)"
    return within(observed, expected, bound, dims=want.dims, what=what, judged=want.judged & moved.judged)


@prop(
    "batch_norm.inference-does-not-update-state",
    cases=given(cases.batch_norm, "state", "x2", squares="input"),
    level="lifecycle",
    kind="exact",
    statements=("8.3",),
    formula="inference: E and Var stay as they are, bit by bit",
    source=SOURCE,
)
@defined
def inference_does_not_update_state(layers: Layers, case: Case) -> list[Evidence]:
    """Inference leaves the recorded statistics alone, before and after training."""
    layer, found = with_state(layers, case), []
    for training_on in (None, case["x2"]):
        if training_on is not None:
            run(layer, training_on, training=True)
        before = layer.state()
        for x in (case["x"], case["x2"]):
            run(layer, x, training=False)
        after = layer.state()
        found += [same_bits(after[name], before[name], dims=("C",), what=name) for name in sorted(before)]
    return found
