"""Laws of the L2 penalty, P(w) = λ·Σwᵢ², without ½ unless that is declared (§ 3)."""

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
    "l2.value-matches-definition",
    cases=cases.rows,
    level="core",
    formula="P(w) = λ·Σwᵢ²",
    statements=["3.1"],
    document={"l2_factor": "1"},
)(laws.value_matches_definition)
l2_factor_as_declared = prop(
    "l2.l2-factor-as-declared", cases=cases.rows, level="core", formula="P(w) = f·λ·Σwᵢ², f as declared"
)(laws.l2_factor_as_declared)
zero_at_zero = prop(
    "l2.zero-at-zero",
    cases=cases.rows,
    level="core",
    formula="P(0) = 0, P(w) > 0 for w ≠ 0",
    kind="exact",
    statements=["3.1"],
)(laws.zero_at_zero)
sign_flip_invariant = prop(
    "l2.sign-flip-invariant", cases=cases.rows, level="core", formula="P(±w) = P(w)", statements=["3.1"]
)(laws.sign_flip_invariant)
permutation_invariant = prop(
    "l2.permutation-invariant", cases=cases.rows, level="core", formula="P(πw) = P(w)", statements=["3.1"]
)(laws.permutation_invariant)
reshape_invariant = prop("l2.reshape-invariant", cases=cases.rows, level="interface", formula="P(w reshaped) = P(w)")(
    laws.reshape_invariant
)
nonfinite_propagates = prop(
    "l2.nonfinite-propagates",
    cases=cases.rows,
    level="numerics",
    formula="wᵢ = NaN ⇒ P(w) = NaN; wᵢ = ±∞ ⇒ P(w) = ∞",
    kind="exact",
    source="IEEE 754-2019, sections 6.1 and 6.2",
)(laws.nonfinite_propagates)
additive = prop("l2.additive", cases=cases.pairs, level="core", formula="P((w, v)) = P(w) + P(v)", statements=["3.1"])(
    laws.additive
)
linear_in_strength = prop(
    "l2.linear-in-strength", cases=cases.rows, level="core", formula="P(w; cλ) = c·P(w; λ)", statements=["3.1"]
)(laws.linear_in_strength)
convex = prop("l2.convex", cases=cases.pairs, level="core", formula="P(θw + (1−θ)v) <= θP(w) + (1−θ)P(v)")(laws.convex)
gradient_matches_definition = prop(
    "l2.gradient-matches-definition", cases=cases.rows, level="gradients", formula="∇P(w) = 2λw", statements=["3.1"]
)(maps.gradient_matches_definition)
gradient_odd = prop("l2.gradient-odd", cases=cases.rows, level="gradients", formula="∇P(−w) = −∇P(w), w ≠ 0")(
    maps.gradient_odd
)
no_gradient_jump = prop(
    "l2.no-gradient-jump", cases=cases.near_zero, level="core", formula="P′(0−) = P′(0+) = 0", statements=["4.2c"]
)(maps.no_gradient_jump)
minimum_moves_off_zero = prop(
    "l2.minimum-moves-off-zero",
    cases=cases.points,
    level="core",
    formula="L′(0) ≠ 0 ⇒ 0 < |argmin L + λx²| < |argmin L|",
    statements=["3.2", "4.2b"],
)(maps.minimum_moves_off_zero)
prox_matches_definition = prop(
    "l2.prox-matches-definition", cases=cases.rows, level="core", formula="prox(w) = w/(1 + 2λt)", statements=["3.1"]
)(maps.prox_matches_definition)
prox_never_zero = prop(
    "l2.prox-never-zero", cases=cases.rows, level="core", formula="0 < |prox(w)| <= |w|, w ≠ 0", statements=["3.2"]
)(maps.prox_never_zero)
prox_firmly_nonexpansive = prop(
    "l2.prox-firmly-nonexpansive", cases=cases.pairs, level="core", formula="(p − q)² <= (p − q)(w − v)"
)(maps.prox_firmly_nonexpansive)
prox_optimal = prop("l2.prox-optimal", cases=cases.rows, level="core", formula="(w − p)/t ∈ ∂P(p)")(maps.prox_optimal)


@prop("l2.homogeneous", cases=cases.rows, level="core", formula="P(c·w) = c²·P(w)", statements=["3.1"])
def homogeneous(layers: Layers, case: Case) -> Evidence:
    """The value of c·w is c² times that of w."""
    return laws.homogeneous(layers, case, 2)


@prop("l2.parallelogram", cases=cases.pairs, level="core", formula="P(w + v) + P(w − v) = 2P(w) + 2P(v)")
def parallelogram(layers: Layers, case: Case) -> Evidence:
    """The values of w + v and w − v add up to twice those of w and v."""
    w, v = case["w"], case["v"]
    one, other = laws.measure(layers, case, w), laws.measure(layers, case, v)
    plus, minus = (laws.measure(layers, case, x, rounded=True) for x in (w + v, w - v))
    slack = plus.bound + minus.bound + 2 * (one.bound + other.bound)
    sides = 2 * (one.observed + other.observed)
    return laws.agree(plus.observed + minus.observed, sides, slack, dims=("B",), what="P(w + v) + P(w − v)")


@prop("l2.rotation-invariant", cases=cases.rows, level="core", formula="P(Qw) = P(w), QᵀQ = I", statements=["4.1"])
def rotation_invariant(layers: Layers, case: Case) -> Evidence:
    """A rotation changes nothing: the ball has no corners."""
    w = case["w"]
    x = w.astype(np.longdouble)
    last = x.shape[1] // 2 * 2
    x[:, 0:last:2], x[:, 1:last:2] = (
        (3 * x[:, 0:last:2] - 4 * x[:, 1:last:2]) / 5,
        (4 * x[:, 0:last:2] + 3 * x[:, 1:last:2]) / 5,
    )
    turned = laws.measure(layers, case, x.astype(w.dtype), rounded=True)
    return laws.same(turned, laws.measure(layers, case, w), "value of the rotated w")
