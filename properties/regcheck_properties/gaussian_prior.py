"""Laws of the Gaussian prior, p(w) = exp(−w²/(2σ²))/(σ√(2π)) (§ 4.3): L2 is its negative logarithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regcheck import Evidence, prop
from regcheck.cases import priors as cases
from regcheck_properties import priors as laws

if TYPE_CHECKING:
    from regcheck import Case, Layers

matches_definition = prop(
    "gaussian_prior.matches-definition",
    cases=cases.full_range,
    level="core",
    formula="log p(w) = −w²/(2σ²) − log σ − ½·log(2π)",
    statements=["4.3a"],
)(laws.matches_definition)
is_l2_penalty = prop(
    "gaussian_prior.is-l2-penalty",
    cases=cases.weights,
    level="core",
    formula="log p(0) − log p(w) = w²/(2σ²)",
    statements=["4.3a"],
)(laws.is_penalty)
even = prop("gaussian_prior.even", cases=cases.weights, level="core", formula="p(−w) = p(w)")(laws.even)
scale_law = prop(
    "gaussian_prior.scale-law", cases=cases.weights, level="core", formula="log p(cw; cσ) = log p(w; σ) − log c"
)(laws.scale_law)
integrates_to_one = prop("gaussian_prior.integrates-to-one", cases=cases.scales, level="core", formula="∫p = 1")(
    laws.integrates_to_one
)
variance = prop("gaussian_prior.variance", cases=cases.scales, level="core", formula="∫w²p = σ²")(laws.variance)
map_is_l2_minimiser = prop(
    "gaussian_prior.map-is-l2-minimiser",
    cases=cases.losses,
    level="core",
    formula="argmax log p − k(w − m)²/2 = m/(1 + 1/(kσ²))",
    statements=["4.3a", "4.2b"],
)(laws.map_is_minimiser)


@prop(
    "gaussian_prior.smooth-at-peak",
    cases=cases.near_zero,
    level="core",
    formula="(log p(±h) − log p(0))/h = −h/(2σ²) → 0",
    statements=["4.3a"],
)
def smooth_at_peak(layers: Layers, case: Case) -> list[Evidence]:
    """The log density is flat at its peak: from 0 on it falls with a slope that vanishes with the distance."""
    wide = case["h"].astype(np.longdouble)
    return laws.slopes(layers, case, -wide / (2 * np.longdouble(case.config.scale) ** 2))
