"""Laws of the elastic net, P(w) = l1·Σ|wᵢ| + l2·Σwᵢ² (§ 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regcheck import Evidence, prop, within
from regcheck.cases import penalties as cases
from regcheck.families import PenaltyConfig
from regcheck_properties import penalties as laws
from regcheck_properties import penalty_maps as maps

if TYPE_CHECKING:
    from regcheck import Case, Layers

value_matches_definition = prop(
    "elastic_net.value-matches-definition",
    cases=cases.rows,
    level="core",
    formula="P(w) = l1·Σ|wᵢ| + l2·Σwᵢ²",
    statements=["3.3"],
    document={"l2_factor": "1"},
)(laws.value_matches_definition)
l2_factor_as_declared = prop(
    "elastic_net.l2-factor-as-declared",
    cases=cases.rows,
    level="core",
    formula="P(w) = l1·Σ|wᵢ| + f·l2·Σwᵢ², f as declared",
)(laws.l2_factor_as_declared)
zero_at_zero = prop(
    "elastic_net.zero-at-zero",
    cases=cases.rows,
    level="core",
    formula="P(0) = 0, P(w) > 0 for w ≠ 0",
    kind="exact",
    statements=["3.3"],
)(laws.zero_at_zero)
sign_flip_invariant = prop(
    "elastic_net.sign-flip-invariant", cases=cases.rows, level="core", formula="P(±w) = P(w)", statements=["3.3"]
)(laws.sign_flip_invariant)
permutation_invariant = prop(
    "elastic_net.permutation-invariant", cases=cases.rows, level="core", formula="P(πw) = P(w)", statements=["3.3"]
)(laws.permutation_invariant)
reshape_invariant = prop(
    "elastic_net.reshape-invariant", cases=cases.rows, level="interface", formula="P(w reshaped) = P(w)"
)(laws.reshape_invariant)
nonfinite_propagates = prop(
    "elastic_net.nonfinite-propagates",
    cases=cases.rows,
    level="numerics",
    formula="wᵢ = NaN ⇒ P(w) = NaN; wᵢ = ±∞ ⇒ P(w) = ∞",
    kind="exact",
    source="IEEE 754-2019, sections 6.1 and 6.2",
)(laws.nonfinite_propagates)
additive = prop(
    "elastic_net.additive", cases=cases.pairs, level="core", formula="P((w, v)) = P(w) + P(v)", statements=["3.3"]
)(laws.additive)
linear_in_strength = prop(
    "elastic_net.linear-in-strength", cases=cases.rows, level="core", formula="P(w; cλ) = c·P(w; λ)", statements=["3.3"]
)(laws.linear_in_strength)
convex = prop("elastic_net.convex", cases=cases.pairs, level="core", formula="P(θw + (1−θ)v) <= θP(w) + (1−θ)P(v)")(
    laws.convex
)
gradient_matches_definition = prop(
    "elastic_net.gradient-matches-definition",
    cases=cases.rows,
    level="gradients",
    formula="∇P(w) = l1·sign(w) + 2·l2·w",
    statements=["3.3"],
)(maps.gradient_matches_definition)
gradient_odd = prop("elastic_net.gradient-odd", cases=cases.rows, level="gradients", formula="∇P(−w) = −∇P(w), w ≠ 0")(
    maps.gradient_odd
)
gradient_jump = prop(
    "elastic_net.gradient-jump", cases=cases.near_zero, level="core", formula="P′(0±) = ±l1", statements=["4.2c", "6.1"]
)(maps.gradient_jump)
minimum_at_zero = prop(
    "elastic_net.minimum-at-zero",
    cases=cases.points,
    level="core",
    formula="|L′(0)| < C ⇒ argmin L + P = 0",
    statements=["4.2a", "3.3"],
)(maps.minimum_at_zero)
prox_matches_definition = prop(
    "elastic_net.prox-matches-definition",
    cases=cases.rows,
    level="core",
    formula="prox(w) = S(w, t·l1)/(1 + 2t·l2)",
    statements=["3.3"],
)(maps.prox_matches_definition)
prox_exact_zeros = prop(
    "elastic_net.prox-exact-zeros",
    cases=cases.rows,
    level="core",
    formula="|w| < t·l1 ⇒ prox(w) = 0",
    kind="exact",
    statements=["3.3"],
)(maps.prox_exact_zeros)
prox_firmly_nonexpansive = prop(
    "elastic_net.prox-firmly-nonexpansive", cases=cases.pairs, level="core", formula="(p − q)² <= (p − q)(w − v)"
)(maps.prox_firmly_nonexpansive)
prox_optimal = prop("elastic_net.prox-optimal", cases=cases.rows, level="core", formula="(w − p)/t ∈ ∂P(p)")(
    maps.prox_optimal
)


@prop(
    "elastic_net.without-l1-is-l2", cases=cases.rows, level="core", formula="P(w; 0, l2) = l2·Σw²", statements=["3.3"]
)
def without_l1_is_l2(layers: Layers, case: Case) -> Evidence:
    """With l1 = 0 the value is that of the L2 penalty."""
    seen = laws.measure(layers, case, case["w"], PenaltyConfig(0.0, case.config.l2))
    return within(seen.observed, seen.expected, seen.bound, dims=("B",), what="value at l1 = 0")


@prop(
    "elastic_net.without-l2-is-l1", cases=cases.rows, level="core", formula="P(w; l1, 0) = l1·Σ|w|", statements=["3.3"]
)
def without_l2_is_l1(layers: Layers, case: Case) -> Evidence:
    """With l2 = 0 the value is that of the L1 penalty."""
    seen = laws.measure(layers, case, case["w"], PenaltyConfig(case.config.l1, 0.0))
    return within(seen.observed, seen.expected, seen.bound, dims=("B",), what="value at l2 = 0")


@prop(
    "elastic_net.sum-of-both",
    cases=cases.rows,
    level="core",
    formula="P(w; l1, l2) = P(w; l1, 0) + P(w; 0, l2)",
    statements=["3.3"],
)
def sum_of_both(layers: Layers, case: Case) -> Evidence:
    """The value is that of its L1 part and that of its L2 part together."""
    w, config = case["w"], case.config
    both = laws.measure(layers, case, w)
    one = laws.measure(layers, case, w, PenaltyConfig(config.l1, 0.0))
    other = laws.measure(layers, case, w, PenaltyConfig(0.0, config.l2))
    slack = both.bound + one.bound + other.bound
    return laws.agree(both.observed, one.observed + other.observed, slack, dims=("B",), what="value")
