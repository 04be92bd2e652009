"""Laws of the Laplace prior, p(w) = exp(−|w|/b)/(2b) (§ 4.3): L1 is its negative logarithm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regcheck import Evidence, prop
from regcheck.cases import priors as cases
from regcheck.reference import priors as reference
from regcheck_properties import priors as laws
from regcheck_properties.penalties import agree

if TYPE_CHECKING:
    from regcheck import Case, Layers

matches_definition = prop(
    "laplace_prior.matches-definition",
    cases=cases.full_range,
    level="core",
    formula="log p(w) = −|w|/b − log(2b)",
    statements=["4.3b"],
)(laws.matches_definition)
is_l1_penalty = prop(
    "laplace_prior.is-l1-penalty",
    cases=cases.weights,
    level="core",
    formula="log p(0) − log p(w) = |w|/b",
    statements=["4.3b"],
)(laws.is_penalty)
even = prop("laplace_prior.even", cases=cases.weights, level="core", formula="p(−w) = p(w)")(laws.even)
scale_law = prop(
    "laplace_prior.scale-law", cases=cases.weights, level="core", formula="log p(cw; cb) = log p(w; b) − log c"
)(laws.scale_law)
integrates_to_one = prop("laplace_prior.integrates-to-one", cases=cases.scales, level="core", formula="∫p = 1")(
    laws.integrates_to_one
)
variance = prop("laplace_prior.variance", cases=cases.scales, level="core", formula="∫w²p = 2b²")(laws.variance)
map_is_l1_minimiser = prop(
    "laplace_prior.map-is-l1-minimiser",
    cases=cases.losses,
    level="core",
    formula="argmax log p − k(w − m)²/2 = S(m, 1/(kb))",
    statements=["4.3b", "4.2a"],
)(laws.map_is_minimiser)


@prop(
    "laplace_prior.cusp-at-peak",
    cases=cases.near_zero,
    level="core",
    formula="(log p(±h) − log p(0))/h = −1/b",
    statements=["4.3b"],
)
def cusp_at_peak(layers: Layers, case: Case) -> list[Evidence]:
    """The log density falls from its peak at 0 with the slope 1/b on both sides, however near."""
    wide = case["h"].astype(np.longdouble)
    return laws.slopes(layers, case, -1 / np.longdouble(case.config.scale) + 0 * wide)


@prop(
    "laplace_prior.more-density-at-zero",
    cases=cases.scales,
    level="core",
    formula="p(0) = √π·p_Gauss(0), both of variance 2b²",
    statements=["4.3b"],
)
def more_density_at_zero(layers: Layers, case: Case) -> Evidence:
    """The density at 0 is √π times that of the Gaussian whose variance is the layer's own.

    log p(0) + ½·log(2πV) = ½·log π, V as measured: where V is off by s, its logarithm is off by −log(1 − s/V) at most.
    """
    peak, second = laws.measure(layers, case, np.zeros(1, case.dtype)), laws.moment(layers, case, 2)
    with np.errstate(all="ignore"):
        gaussian = -(np.log(np.longdouble(second.observed)) + reference.log_two_pi()) / 2
        blur = -np.log1p(-np.minimum(second.slack / reference.variance(layers.family, case.config.scale), 1)) / 2
    expected = np.full(1, (reference.log_two_pi() - np.log(np.longdouble(2))) / 2)
    return agree(peak.observed - gaussian, expected, peak.bound + blur, what="log p(0)/p_Gauss(0)")
