"""Laws of minimisers: argmin over w of ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂² (§§ 1, 3, 4, 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, bounds, prop, within
from regcheck.cases import minimiser as cases
from regcheck.families import MinimiserConfig
from regcheck.reference import minimiser as reference
from regcheck_properties.penalties import agree, at_least, at_most
from regcheck_properties.problems import Array, Solved, claim, solve
from regcheck_properties.selection import constrained_form, duplicated_columns, l1_picks_one, l2_groups

__all__ = ["constrained_form", "duplicated_columns", "l1_picks_one", "l2_groups"]

if TYPE_CHECKING:
    from regcheck import Case, Layers

COEFFICIENTS = ("P", "K")
DOUBLE = ("float64",)


@prop(
    "minimiser.kkt",
    cases=cases.problems,
    level="core",
    dtypes=DOUBLE,
    formula="wⱼ = S(aⱼᵀr + ‖aⱼ‖²wⱼ, l1)/(‖aⱼ‖² + 2·l2)",
    statements=["1.2", "3.3"],
)
def kkt(layers: Layers, case: Case) -> Evidence:
    """The result is optimal in every coordinate, as far as the promised duality gap says."""
    seen = solve(layers, case)
    best = reference.best_coordinates(seen.a, seen.b, seen.w, seen.config)
    curvature = reference.curvatures(seen.a, seen.config)
    with np.errstate(all="ignore"):
        step = bounds.coordinate_step(seen.excess[:, None], curvature)
    return agree(seen.w, best, step, (curvature > 0) & (seen.excess > 0)[:, None], dims=COEFFICIENTS, what="w")


@prop(
    "minimiser.near-minimum",
    cases=cases.problems,
    level="core",
    dtypes=DOUBLE,
    formula="F(w) <= min F + tolerance·½‖b‖²",
    statements=["1.1"],
)
def near_minimum(layers: Layers, case: Case) -> Evidence:
    """The objective is no further above its minimum than the promised duality gap."""
    seen = solve(layers, case)
    least = reference.minimum(seen.a, seen.b, seen.config)
    return at_most(seen.objective(), least, seen.excess, seen.excess > 0, dims=("P",), what="F(w)")


@prop(
    "minimiser.zero-crossing",
    cases=cases.one_dimensional,
    level="core",
    kind="exact",
    dtypes=DOUBLE,
    formula="w = 0 ⇔ |L′(0)| <= l1",
    statements=["1.2", "4.2a"],
)
def zero_crossing(layers: Layers, case: Case) -> Evidence:
    """In one dimension the minimum is exactly at 0 if and only if |L′(0)| <= l1.

    L(w) = ½‖aw − b‖² + l2·w², L′(0) = −aᵀb. Products of small integers are exact, so the boundary itself is judged.
    """
    seen = solve(layers, case)
    slope = reference.correlations(seen.a, seen.b)
    curvature = reference.curvatures(seen.a, seen.config)
    exact = (_small_integers(seen.a[:, :, 0]) & _small_integers(seen.b)).all(axis=1, keepdims=True)
    margin = np.where(exact, 0, bounds.correlation_blur(seen.a, seen.b, seen.config.l1))
    inside, outside = np.abs(slope) <= seen.config.l1 - margin, np.abs(slope) > seen.config.l1
    with np.errstate(all="ignore"):
        minimiser = reference.soft_threshold(slope, seen.config.l1) / np.where(curvature > 0, curvature, 1)
        outside &= curvature * minimiser**2 / 2 > 4 * seen.excess[:, None]  # what w = 0 would be above the minimum
    right = np.where(inside, seen.w == 0, np.sign(seen.w) == np.sign(slope))
    return claim(right, inside | outside, minimiser, seen.w, "w")


@prop(
    "minimiser.l2-never-zero",
    cases=cases.one_dimensional_l2,
    level="core",
    dtypes=DOUBLE,
    kind="exact",
    formula="aᵀb ≠ 0 ⇒ 0 < |w| < |aᵀb|/‖a‖²",
    statements=["3.2", "4.2b"],
)
def l2_never_zero(layers: Layers, case: Case) -> Evidence:
    """In one dimension l2 alone never gives 0 where aᵀb is not: the sign stays, the size shrinks."""
    seen = solve(layers, case)
    slope, curvature = reference.correlations(seen.a, seen.b), reference.curvatures(seen.a, seen.config)
    with np.errstate(all="ignore"):
        minimiser = slope / curvature
        alone = slope / (curvature - 2 * seen.config.l2)
    clear = 4 * bounds.coordinate_step(seen.excess[:, None], curvature)
    judged = (np.abs(minimiser) > clear) & (np.abs(alone) - np.abs(minimiser) > clear)
    right = (np.sign(seen.w) == np.sign(slope)) & (np.abs(seen.w) < np.abs(alone))
    return claim(right, judged, minimiser, seen.w, "w")


@prop(
    "minimiser.all-zero-threshold",
    cases=cases.thresholds,
    level="core",
    kind="exact",
    dtypes=DOUBLE,
    formula="w = 0 ⇔ ‖Aᵀb‖∞ <= l1",
    statements=["1.2"],
)
def all_zero_threshold(layers: Layers, case: Case) -> Evidence:
    """All coefficients are exactly 0 from the strength ‖Aᵀb‖∞ on, and not before."""
    seen = solve(layers, case)
    excess = np.abs(reference.correlations(seen.a, seen.b)) - seen.config.l1
    below = (excess <= -bounds.correlation_blur(seen.a, seen.b, seen.config.l1)).all(axis=1)
    curvature = reference.curvatures(seen.a, seen.config)
    with np.errstate(all="ignore"):
        above = (np.maximum(excess, 0) ** 2 / (2 * curvature) > 4 * seen.excess[:, None]).any(axis=1)
    largest = np.abs(seen.w).max(axis=1)
    right = np.where(below, largest == 0, largest > 0)
    return claim(right, below | above, np.where(below, "0", "not 0").astype(object), largest, "‖w‖∞")


@prop(
    "minimiser.closed-form",
    cases=cases.closed_forms,
    level="core",
    dtypes=DOUBLE,
    formula="AᵀA = I: w = S(Aᵀb, l1)/(1 + 2·l2); l1 = 0: w = (AᵀA + 2·l2·I)⁻¹Aᵀb",
    statements=["3.3"],
)
def closed_form(layers: Layers, case: Case) -> Evidence:
    """Orthonormal columns give S(Aᵀb, l1)/(1 + 2·l2), and l1 = 0 the ridge solution."""
    seen = solve(layers, case)
    expected = reference.ridge(seen.a, seen.b, seen.config)
    if seen.config.l1:
        pull, curvature = reference.correlations(seen.a, seen.b), reference.curvatures(seen.a, seen.config)
        gram = seen.a.transpose(0, 2, 1) @ seen.a
        orthogonal = (gram * (1 - np.eye(gram.shape[1])) == 0).all(axis=(1, 2))
        with np.errstate(all="ignore"):
            expected = np.where(orthogonal[:, None], reference.soft_threshold(pull, seen.config.l1) / curvature, np.nan)
    distance = seen.distance()
    judged = np.isfinite(expected) & np.isfinite(distance) & (distance > 0)
    return within(seen.w, np.where(judged, expected, 0), distance, dims=COEFFICIENTS, what="w", judged=judged)


@prop(
    "minimiser.monotone-in-strength",
    cases=cases.one_penalty,
    level="core",
    dtypes=DOUBLE,
    formula="λ′ > λ ⇒ Ω(w′) <= Ω(w), f(w′) >= f(w)",
    statements=["1.1"],
)
def monotone_in_strength(layers: Layers, case: Case) -> list[Evidence]:
    """A stronger penalty never has a larger norm of its own, and never a smaller data loss."""
    config = case.config
    weak = solve(layers, case)
    strong = solve(layers, case, config=MinimiserConfig(1.5 * config.l1, 1.5 * config.l2))
    strength = config.l1 or config.l2
    slack = bounds.strength_slack(weak.excess, strength / 2)
    about: dict[str, Any] = {"judged": weak.excess > 0, "dims": ("P",)}
    weak_norm, strong_norm = (reference.penalty(s.w, config) / strength for s in (weak, strong))
    lost = strength * slack + weak.excess
    return [
        at_most(strong_norm, weak_norm, slack, what="norm at 1.5 times the strength", **about),
        at_least(strong.loss(), weak.loss(), lost, what="loss at 1.5 times the strength", **about),
    ]


@prop("minimiser.permutation-equivariant", cases=cases.problems, level="core", dtypes=DOUBLE, formula="w(AΠ) = Πᵀw(A)")
def permutation_equivariant(layers: Layers, case: Case) -> list[Evidence]:
    """Columns in another order, or of other sign, give the coefficients in that order and of that sign."""
    rng = np.random.Generator(np.random.Philox(int(case.values["seed"]) ^ 0x5BD1E995))
    order, signs = rng.permutation(case["A"].shape[2]), rng.choice([-1.0, 1.0], case["A"].shape[2])
    if (np.diff(order) > 0).all():  # two columns keep their order every other time
        order = order[::-1]
    rows = rng.permutation(case["A"].shape[1])
    seen = solve(layers, case)
    moved = solve(layers, case, a=case["A"][:, rows][:, :, order] * signs, b=case["b"][:, rows])
    return _same_solution(moved, seen, seen.w[:, order] * signs, "w of permuted columns")


@prop(
    "minimiser.scale-equivariant",
    cases=cases.rescaled,
    level="core",
    dtypes=DOUBLE,
    formula="w(A, c·b; |c|·l1, l2) = c·w(A, b; l1, l2)",
)
def scale_equivariant(layers: Layers, case: Case) -> list[Evidence]:
    """Targets c times as large, with l1 |c| times as large, give coefficients c times as large."""
    c, config = float(case.values["factor"]), case.config
    seen = solve(layers, case)
    scaled = solve(layers, case, b=c * case["b"], config=MinimiserConfig(abs(c) * config.l1, config.l2))
    return _same_solution(scaled, seen._replace(excess=c * c * seen.excess), c * seen.w, f"w of {c}·b")


@prop(
    "minimiser.stability",
    cases=cases.strongly_convex,
    level="core",
    dtypes=DOUBLE,
    formula="‖Δw‖ <= ‖AᵀΔb‖/(σ²_min + 2·l2)",
    statements=["1.3"],
)
def stability(layers: Layers, case: Case) -> Evidence:
    """The result moves at most in proportion to the change of the targets, less so the stronger l2 is."""
    rng = np.random.Generator(np.random.Philox(int(case.values["seed"]) ^ 0x27D4EB2F))
    noise = rng.standard_normal(case["b"].shape) * np.abs(case["b"]).max(axis=1, keepdims=True) / 4
    seen, moved = solve(layers, case), solve(layers, case, b=case["b"] + noise)
    convexity = reference.least_curvature(case["A"], case.config)
    pull = reference.correlations(case["A"], moved.b - seen.b)
    limit = np.sqrt(np.square(pull).sum(axis=1)) / convexity
    gone = np.sqrt(np.square(moved.w - seen.w).sum(axis=1))
    slack = bounds.minimiser_distance(seen.excess, convexity) + bounds.minimiser_distance(moved.excess, convexity)
    return at_most(gone, limit, slack, seen.excess > 0, dims=("P",), what="‖Δw‖")


def _same_solution(seen: Solved, other: Solved, expected: Array, what: str) -> list[Evidence]:
    """Evidence that `seen.w` is `expected` where the minimiser is unique, and as good as it everywhere."""
    apart = seen.distance() + seen._replace(excess=other.excess).distance()
    above = seen.excess + other.excess
    value = reference.objective(seen.a, seen.b, expected, seen.config)
    return [
        agree(seen.w, expected, apart, np.isfinite(apart) & (apart > 0), dims=COEFFICIENTS, what=what),
        agree(seen.objective(), value, above, above > 0, dims=("P",), what=f"F({what})"),
    ]


def _small_integers(x: Array) -> Array:
    return np.asarray((x == np.rint(x)) & (np.abs(x) <= 2.0**20))
