"""Results of dropouts: random, so that they are checked for what an entry may become, for whole units, and the rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import bounds, reference, statistical
from regcheck.bench.comparing import expect_input_gradient, off, shaped
from regcheck.bench.expected import Known
from regcheck.bench.inputs import inputs
from regcheck.bench.problems import UNIT_AXES
from regcheck.reference import alpha_dropout

if TYPE_CHECKING:
    from regcheck.bench.subject import Result, Subject

Array = np.ndarray[Any, np.dtype[Any]]

NEAR = 1 / 8  # of α′: there a kept entry of alpha dropout looks like a dropped one


class _Rule(NamedTuple):
    """What entries become, kept and dropped, the bounds on either, and by what a kept one's gradient is multiplied."""

    kept: Array
    dropped: Array
    kept_bound: Array
    dropped_bound: float
    factor: float


def error(subject: Subject, timed: str, result: Result) -> float:
    """The largest error of a pass of a dropout in units of its bound. Raises Wrong for what has another shape."""
    given = inputs(subject.problem)
    if timed == "forward, inference":
        return 0.0 if np.array_equal(result, given["x"]) else math.inf
    check = _gaussian if subject.problem.family == "gaussian_dropout" else _masked
    if timed == "forward, training":
        return check(subject, shaped("y", result, given["x"].shape), given["x"])
    expect_input_gradient(result)
    if subject.forward is None:
        return math.inf
    known = (_gaussian_gradient if check is _gaussian else _masked_gradient)(subject, given["x"], given["cotangent"])
    return off("dx", result["x"], known)


# --- masks


def _masked(subject: Subject, y: Array, x: Array) -> float:
    """Errors of the values, of whole units, and the evidence against the rate."""
    rule = _rule(subject, x)
    seen = _shown(subject, y, x, rule)
    values = Known(np.where(seen, rule.kept, rule.dropped), np.where(seen, rule.kept_bound, rule.dropped_bound))
    found = off("y", y, values)
    units = _units(subject, seen)
    tail = statistical.log_tail(int(np.count_nonzero(~units)), units.size, subject.problem.config.rate)
    return max(found, float(tail) / math.log(statistical.ALPHA))


def _masked_gradient(subject: Subject, x: Array, cotangent: Array) -> Known:
    rule, ar = _rule(subject, x), bounds.arithmetic(x.dtype.name)
    seen = _shown(subject, np.asarray(subject.forward), x, rule)
    want = np.where(seen, reference.widen(cotangent) * rule.factor, 0)
    bound = 4 * ar.u * np.abs(want) + ar.eta_out
    unsure = _is_alpha(subject) & (np.abs(x - x.dtype.type(alpha_dropout.SATURATION)) <= NEAR)
    return Known(want, np.where(unsure & (_axes(subject) is None), np.inf, bound))


def _rule(subject: Subject, x: Array) -> _Rule:
    """x/(1 − p) and 0, where rate, 1 − p, quotient and product are rounded; of alpha dropout a·x + b and a·α′ + b."""
    ar, rate, wide = bounds.arithmetic(x.dtype.name), subject.problem.config.rate, reference.widen(x)
    if _is_alpha(subject):
        a, b, dropped = alpha_dropout.constants(rate)
        errors = bounds.alpha_kept(wide, rate, ar), bounds.alpha_dropped(rate, ar)
        return _Rule(a * wide + b, np.full(x.shape, dropped), *errors, float(a))
    kept = wide / (1 - rate)
    return _Rule(kept, np.zeros(x.shape), 4 * ar.u * np.abs(kept) + ar.eta_out, ar.eta_out, 1 / (1 - rate))


def _shown(subject: Subject, y: Array, x: Array, rule: _Rule) -> Array:
    """Which entries were kept, as their units show by most of their entries."""
    kept = np.abs(y - rule.kept) <= np.abs(y - rule.dropped)
    axes = _axes(subject)
    if axes is None:
        return np.asarray(kept)
    return np.broadcast_to(kept.mean(axis=tuple(range(axes, x.ndim)), keepdims=True) > 1 / 2, x.shape)


def _units(subject: Subject, seen: Array) -> Array:
    axes = _axes(subject)
    return seen if axes is None else np.asarray(seen[(slice(None),) * axes + (0,) * (seen.ndim - axes)])


def _axes(subject: Subject) -> int | None:
    """How many leading axes number the units; None where every entry is one."""
    return UNIT_AXES.get(subject.problem.family)


def _is_alpha(subject: Subject) -> bool:
    return "alpha" in subject.problem.family


# --- noise that multiplies


def _gaussian(subject: Subject, y: Array, x: Array) -> float:
    """Evidence of the factors' mean and variance against 1 and p/(1 − p), in units of what convicts at ALPHA.

    |Σz| <= √(2nt) and |Σz² − n| <= 2√(nt) + 2t but with probability 2e⁻ᵗ each, of n normal z (Laurent and Massart 2000,
    lemma 1). A factor read from the result has the error of `bounds.noise_read`, which is allowed on top.
    """
    rate, ar, wide = subject.problem.config.rate, bounds.arithmetic(x.dtype.name), reference.widen(x)
    spread, n, t = math.sqrt(rate / (1 - rate)), x.size, math.log(4 / statistical.ALPHA)
    with np.errstate(all="ignore"):
        factor = y / wide
        z, blur = (factor - 1) / spread, bounds.noise_read(factor, wide, ar) / spread
        sums = np.array([z.sum(), (z**2).sum() - n])
        bound = np.array(
            [
                math.sqrt(2 * n * t) + blur.sum(),
                2 * math.sqrt(n * t) + 2 * t + (blur * (2 * np.abs(z) + blur)).sum(),
            ]
        )
    return off("sums of the noise", sums, Known(np.zeros(2), bound))


def _gaussian_gradient(subject: Subject, x: Array, cotangent: Array) -> Known:
    """g·n, n read from the result of the forward pass; the product may be formed as g + (g·s)·z."""
    ar, wide = bounds.arithmetic(x.dtype.name), reference.widen(x)
    factor = np.asarray(subject.forward) / wide
    g = reference.widen(cotangent)
    return Known(g * factor, bounds.noised(g, factor, wide, ar))
