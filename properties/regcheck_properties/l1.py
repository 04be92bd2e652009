"""Laws of the L1 penalty, P(w) = λ·Σ|wᵢ| (§ 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regcheck import Evidence, prop
from regcheck.cases import penalties as cases
from regcheck_properties import penalties as laws
from regcheck_properties import penalty_maps as maps

if TYPE_CHECKING:
    from regcheck import Case, Layers

value_matches_definition = prop(
    "l1.value-matches-definition", cases=cases.full_range, level="core", formula="P(w) = λ·Σ|wᵢ|", statements=["2.1"]
)(laws.value_matches_definition)
zero_at_zero = prop(
    "l1.zero-at-zero",
    cases=cases.rows,
    level="core",
    formula="P(0) = 0, P(w) > 0 for w ≠ 0",
    kind="exact",
    statements=["2.1"],
)(laws.zero_at_zero)
sign_flip_invariant = prop(
    "l1.sign-flip-invariant", cases=cases.rows, level="core", formula="P(±w) = P(w)", statements=["2.1"]
)(laws.sign_flip_invariant)
permutation_invariant = prop(
    "l1.permutation-invariant", cases=cases.rows, level="core", formula="P(πw) = P(w)", statements=["2.1"]
)(laws.permutation_invariant)
reshape_invariant = prop("l1.reshape-invariant", cases=cases.rows, level="interface", formula="P(w reshaped) = P(w)")(
    laws.reshape_invariant
)
nonfinite_propagates = prop(
    "l1.nonfinite-propagates",
    cases=cases.rows,
    level="numerics",
    formula="wᵢ = NaN ⇒ P(w) = NaN; wᵢ = ±∞ ⇒ P(w) = ∞",
    kind="exact",
    source="IEEE 754-2019, sections 6.1 and 6.2",
)(laws.nonfinite_propagates)
additive = prop("l1.additive", cases=cases.pairs, level="core", formula="P((w, v)) = P(w) + P(v)", statements=["2.1"])(
    laws.additive
)
linear_in_strength = prop(
    "l1.linear-in-strength", cases=cases.rows, level="core", formula="P(w; cλ) = c·P(w; λ)", statements=["2.1"]
)(laws.linear_in_strength)
convex = prop("l1.convex", cases=cases.pairs, level="core", formula="P(θw + (1−θ)v) <= θP(w) + (1−θ)P(v)")(laws.convex)
gradient_matches_definition = prop(
    "l1.gradient-matches-definition",
    cases=cases.rows,
    level="gradients",
    formula="∇P(w) = λ·sign(w)",
    statements=["2.1"],
)(maps.gradient_matches_definition)
gradient_odd = prop("l1.gradient-odd", cases=cases.rows, level="gradients", formula="∇P(−w) = −∇P(w), w ≠ 0")(
    maps.gradient_odd
)
gradient_jump = prop(
    "l1.gradient-jump", cases=cases.near_zero, level="core", formula="P′(0±) = ±λ", statements=["4.2c", "6.1"]
)(maps.gradient_jump)
minimum_at_zero = prop(
    "l1.minimum-at-zero",
    cases=cases.points,
    level="core",
    formula="|L′(0)| < C ⇒ argmin L + P = 0",
    statements=["4.2a", "1.2"],
)(maps.minimum_at_zero)
prox_matches_definition = prop(
    "l1.prox-matches-definition", cases=cases.rows, level="core", formula="prox(w) = S(w, λt)", statements=["2.1"]
)(maps.prox_matches_definition)
prox_exact_zeros = prop(
    "l1.prox-exact-zeros",
    cases=cases.rows,
    level="core",
    formula="|w| < t·l1 ⇒ prox(w) = 0",
    kind="exact",
    statements=["1.2"],
)(maps.prox_exact_zeros)
prox_firmly_nonexpansive = prop(
    "l1.prox-firmly-nonexpansive", cases=cases.pairs, level="core", formula="(p − q)² <= (p − q)(w − v)"
)(maps.prox_firmly_nonexpansive)
prox_optimal = prop("l1.prox-optimal", cases=cases.rows, level="core", formula="(w − p)/t ∈ ∂P(p)")(maps.prox_optimal)
prox_moreau = prop("l1.prox-moreau", cases=cases.rows, level="core", formula="w − prox(w) = clip(w, −λt, λt)")(
    maps.prox_moreau
)


@prop("l1.homogeneous", cases=cases.rows, level="core", formula="P(c·w) = |c|·P(w)", statements=["2.1"])
def homogeneous(layers: Layers, case: Case) -> Evidence:
    """The value of c·w is |c| times that of w."""
    return laws.homogeneous(layers, case, 1)


@prop("l1.triangle-inequality", cases=cases.pairs, level="core", formula="P(w + v) <= P(w) + P(v)")
def triangle_inequality(layers: Layers, case: Case) -> Evidence:
    """The value of a sum never exceeds the sum of the values."""
    w, v = case["w"], case["v"]
    one, other = laws.measure(layers, case, w), laws.measure(layers, case, v)
    total = laws.measure(layers, case, w + v, rounded=True)
    slack = total.bound + one.bound + other.bound
    return laws.at_most(total.observed, one.observed + other.observed, slack, dims=("B",), what="value of w + v")


@prop(
    "l1.corners-on-the-axes",
    cases=cases.near_zero,
    level="core",
    formula="P((3h, 4h))/P((5h, 0)) = 7/5",
    statements=["4.1"],
)
def corners_on_the_axes(layers: Layers, case: Case) -> Evidence:
    """At equal length a vector on an axis costs less than one between the axes: the ball has corners."""
    h = case["h"].astype(np.longdouble)[:, None] / 8
    on_axis = laws.measure(layers, case, (h * [5, 0]).astype(case.dtype), rounded=True)
    between = laws.measure(layers, case, (h * [3, 4]).astype(case.dtype), rounded=True)
    slack = 5 * between.bound + 7 * on_axis.bound
    return laws.agree(5 * between.observed, 7 * on_axis.observed, slack, dims=("H",), what="5·P((3h, 4h))")
