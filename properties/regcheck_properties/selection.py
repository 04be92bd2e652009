"""Laws of minimisers about the ball they stop at and about columns that say the same (§§ 4.1, 6.2, 6.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regcheck import Evidence, Unsupported, bounds, prop
from regcheck.cases import minimiser as cases
from regcheck.reference import minimiser as reference
from regcheck_properties.penalties import agree, at_least, at_most
from regcheck_properties.problems import Array, Solved, claim, solve

if TYPE_CHECKING:
    from regcheck import Case, Layers

COEFFICIENTS = ("P", "K")
DOUBLE = ("float64",)


@prop(
    "minimiser.constrained-form",
    cases=cases.problems,
    level="core",
    dtypes=DOUBLE,
    formula="P(v) <= P(w) ⇒ ½‖Av − b‖² >= ½‖Aw − b‖²",
    statements=["4.1"],
)
def constrained_form(layers: Layers, case: Case) -> list[Evidence]:
    """No point of the ball on whose boundary the result lies has a smaller data loss.

    P(v) <= P(w) and F(w) <= F(v) + E leave ½‖Aw − b‖² <= ½‖Av − b‖² + E.
    """
    seen = solve(layers, case)
    rng = np.random.Generator(np.random.Philox(int(case.values["seed"]) ^ 0x27D4EB2F))
    k = seen.w.shape[1]
    corners = np.concatenate([np.eye(k), -np.eye(k)])[:, None, :] + np.zeros_like(seen.w)
    anywhere = rng.standard_normal((8, *seen.w.shape))
    nearby = seen.w * (1 + np.array([[[0.3]], [[0.01]]]) * anywhere[:2])
    found = []
    for way in np.concatenate([corners, anywhere, nearby]):
        loss = reference.loss(seen.a, seen.b, _on_boundary(way, seen))
        found.append(at_least(loss, seen.loss(), seen.excess, seen.excess > 0, dims=("P",), what="loss on the ball"))
    return found


def _on_boundary(way: Array, seen: Solved) -> Array:
    """t·way with t > 0 and P(t·way) = P(w): l2·‖way‖²·t² + l1·‖way‖₁·t = P(w)."""
    square, linear = (seen.config.l2 * np.square(way).sum(axis=1), seen.config.l1 * np.abs(way).sum(axis=1))
    size = reference.penalty(seen.w, seen.config)
    with np.errstate(all="ignore"):
        t = 2 * size / (linear + np.sqrt(linear**2 + 4 * square * size))
    return np.asarray(np.where(np.isfinite(t), t, 0)[:, None] * way)


@prop(
    "minimiser.duplicated-columns",
    cases=cases.problems,
    level="core",
    dtypes=DOUBLE,
    formula="aᵢ = aⱼ: l2 > 0 ⇒ wᵢ = wⱼ, l2 = 0 ⇒ wᵢ·wⱼ >= 0",
    statements=["6.2"],
)
def duplicated_columns(layers: Layers, case: Case) -> Evidence:
    """Two equal columns get equal coefficients from l2; from l1 alone any split without opposite signs.

    Opposite signs of sizes p and q cost l1·2·min(p, q) that merging them saves, and only E may be saved.
    """
    a = np.concatenate([case["A"], case["A"][:, :, :1]], axis=2)
    seen = solve(layers, case, a=a)
    first, last = seen.w[:, 0], seen.w[:, -1]
    if seen.config.l2:
        slack = 2 * seen.distance()[:, 0]
        return agree(last, first, slack, slack > 0, dims=("P",), what="w of the second copy")
    opposite = np.where(first * last < 0, np.minimum(np.abs(first), np.abs(last)), 0 * first * last)
    limit = bounds.strength_slack(seen.excess, 4 * seen.config.l1)
    return at_most(opposite, 0 * first, limit, seen.excess > 0, dims=("P",), what="size of opposite parts")


@prop(
    "minimiser.l2-groups",
    cases=cases.strongly_convex,
    level="core",
    dtypes=DOUBLE,
    formula="l1 = 0 or wᵢ·wⱼ > 0: |wᵢ − wⱼ| <= ‖aᵢ − aⱼ‖·‖b‖/(2·l2)",
    statements=["6.2"],
    source="Zou and Hastie, 2005, theorem 1",
)
def l2_groups(layers: Layers, case: Case) -> Evidence:
    """With l2 near columns get near coefficients."""
    a = case["A"]
    near = a[:, :, :1] + a[:, :, -1:] / 64
    seen = solve(layers, case, a=np.concatenate([a, near], axis=2))
    first, last = seen.w[:, 0], seen.w[:, -1]
    apart = np.sqrt(np.square(near - a[:, :, :1]).sum(axis=(1, 2)) * np.square(seen.b).sum(axis=1))
    slack = 2 * np.maximum(seen.distance()[:, 0], seen.distance()[:, -1])
    alike = (np.abs(first) > slack) & (np.abs(last) > slack) & (first * last > 0) if seen.config.l1 else slack >= 0
    judged = (slack > 0) & (alike | np.isnan(first + last))
    return at_most(np.abs(first - last), apart / (2 * seen.config.l2), slack, judged, dims=("P",), what="|wᵢ − wⱼ|")


@prop(
    "minimiser.l1-picks-one",
    cases=cases.near_equal_columns,
    level="core",
    kind="exact",
    dtypes=DOUBLE,
    formula="|a₂ᵀ(b − a₁w₁)| < l1 ⇒ w = (w₁, 0)",
    statements=["6.2", "6.3"],
)
def l1_picks_one(layers: Layers, case: Case) -> list[Evidence]:
    """Of two nearly equal columns l1 keeps one and sets the other to exactly 0; a small change of b swaps them."""
    b = case["b"].copy()
    b[:, -1] *= -1
    found = [_picked(solve(layers, case), "w"), _picked(solve(layers, case, b=b), "w after the change")]
    if all(piece.ill_conditioned == piece.error.size for piece in found):
        msg = "the promised duality gap is too wide to tell which of two near columns is kept"
        raise Unsupported(msg)
    return found


def _picked(seen: Solved, what: str) -> Evidence:
    """Evidence that a column is 0 wherever the other one alone is optimal, by a margin that covers E."""
    pull, square = reference.correlations(seen.a, seen.b), np.square(seen.a).sum(axis=1)
    alone = reference.soft_threshold(pull, seen.config.l1) / np.where(square > 0, square, 1)
    expected, judged = np.zeros(seen.w.shape), np.zeros(seen.w.shape, dtype=bool)
    for j in range(seen.w.shape[1]):
        lone = np.where(np.arange(seen.w.shape[1]) == j, alone, 0)
        left = np.abs(reference.correlations(seen.a, reference.residual(seen.a, seen.b, lone)))
        margin = 4 * np.sqrt(2 * seen.excess[:, None] * square)
        silent = (left < seen.config.l1 - margin) | (np.arange(seen.w.shape[1]) == j)
        only = silent.all(axis=1) & (np.abs(alone[:, j]) > margin[:, j])
        expected, judged = np.where(only[:, None], lone, expected), judged | only[:, None]
    return claim(((seen.w == 0) == (expected == 0)) & np.isfinite(seen.w), judged, expected, seen.w, what)
