"""Laws of layer normalisation: each sample is standardised over its own features (§ 10.2, § 10.3)."""

from __future__ import annotations

import numpy as np

from regcheck import Case, Evidence, Layers, bounds, cases, prop, reference
from regcheck_properties._norms import Array, Expected, agree, expected, judge, layer_of

SOURCE = "Ba, Kiros and Hinton 2016, equations 3 and 4"


def definition(layers: Layers, case: Case, x: Array | None = None) -> Expected:
    """What the definition gives for x (the case's own where none is given)."""
    ar = bounds.declared_arithmetic(layers, case.dtype)
    norm = reference.layer_norm.standardise(case["x"] if x is None else x, case.config)
    standard = bounds.standard(norm, ar)
    affine = {name: case.arrays.get(name) for name in ("scale", "shift")}
    return expected(norm, standard, ar, dims=case.dims["x"], **affine)


@prop(
    "layer_norm.matches-definition",
    cases=cases.layer_norm,
    level="core",
    statements=("10.2",),
    formula="y = γ·(x − μ)/√(σ² + ε) + β",
    source=SOURCE,
)
def matches_definition(layers: Layers, case: Case) -> list[Evidence]:
    """Every output is the definition's, in training and in inference."""
    y = layer_of(layers, case).forward(case["x"], case.values["training"])
    return judge(y, definition(layers, case))


@prop(
    "layer_norm.batch-size-invariant",
    cases=cases.layer_norm,
    level="core",
    statements=("10.2",),
    formula="y(x)[i:j] = y(x[i:j])",
    source=SOURCE,
)
def batch_size_invariant(layers: Layers, case: Case) -> list[Evidence]:
    """A sample's output does not depend on the batch that it is in, nor on the batch's size."""
    want, x, training = definition(layers, case), case["x"], case.values["training"]
    layer, cut = layer_of(layers, case), min(case.values["cut"], len(case["x"]))
    whole = layer.forward(x, training)
    halves = [layer.forward(part, training) for part in (x[:cut], x[cut:]) if len(part)]
    alone = [layer.forward(x[i : i + 1], training) for i in range(min(len(x), 3))]
    first = want._replace(**{k: getattr(want, k)[: len(alone)] for k in ("y", "bound", "judged")})
    return [
        agree(np.concatenate(halves), whole, want, "in two batches"),
        agree(np.concatenate(alone), whole[: len(alone)], first, "alone"),
    ]
