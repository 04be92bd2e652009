"""A statistical test of a mean with stated error rates, where the distribution is known.

`statistical` counts events; this asks whether a statistic T, a number for every draw, has the mean that its
distribution has. The two share their error rates, and Wald's test: `statistical.sequential_rate` is the case of a T
that is 0 or 1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from regcheck.statistical import ALPHA, BETA

if TYPE_CHECKING:
    from collections.abc import Callable

    LogMoment = Callable[[float], float]  # δ ↦ log E[exp(δT)]


class Mean(NamedTuple):
    """What a test found: evidence against the mean in units of what convicts, the mean that was seen, and the draws."""

    error: float
    observed: float
    draws: int


class _Side(NamedTuple):
    """One alternative: T's distribution tilted by δ, of density exp(δT − λ(δ)), whose mean is off by the effect."""

    delta: float
    log_moment: float

    def log_ratio(self, total: float, draws: int) -> float:
        """Log of the likelihood ratio of the alternative after `draws` of T whose sum is `total`."""
        return self.delta * total - draws * self.log_moment


def sequential_mean(
    draw: Callable[[], tuple[float, float, int]],
    log_moment: LogMoment,
    effect: float,
    *,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> Mean:
    """Whether independent draws of T have the mean 0 that `log_moment`, λ(δ) = log E[exp(δT)], says: error > 1 says no.

    T has mean 0 and variance 1. `draw` returns (low, high, draws): bounds of the sum of T over a fresh chunk, as far as
    rounding lets it be known, and is called until the matter is decided. Draws of that distribution are
    accused with probability `alpha` at most; where the distribution is tilted, T ~ exp(δT − λ(δ)), so far that its
    mean as known is off by `effect` or more, that is missed with probability `beta` at most.

    Wald's probability ratio test, once for each sign of δ. exp(δΣT − nλ(δ)) is a martingale that starts at 1, so by
    Ville's inequality it ever reaches 2/alpha with probability alpha/2 at most; the bounds of the sum only make it
    smaller. Under the alternative its inverse is a supermartingale, so accepting once the ratio has fallen to
    beta/2 misses with probability beta/2; the other half pays for stopping at `most_draws`. For a normal T tilting is a
    shift, for the square of a normal number a scale.
    """
    sides = [_side(log_moment, sign * effect) for sign in (1, -1)]
    limit = most_draws(log_moment, effect, alpha=alpha, beta=beta)
    convicts, acquits = math.log(2 / alpha), math.log(beta / 2)
    low = high = peak = 0.0
    draws = 0
    while sides and draws < limit and peak < convicts:
        chunk = draw()
        low, high, draws = low + chunk[0], high + chunk[1], draws + chunk[2]
        if not math.isfinite(low + high):
            return Mean(math.inf, low + high, draws)
        ratios = {side: side.log_ratio(low if side.delta > 0 else high, draws) for side in sides}
        peak = max(peak, *ratios.values())
        sides = [side for side, ratio in ratios.items() if ratio > acquits]
    return Mean(peak / convicts, (low + high) / 2 / draws, draws)


def most_draws(log_moment: LogMoment, effect: float, *, alpha: float = ALPHA, beta: float = BETA) -> int:
    """The number of draws at which `sequential_mean` ends at the latest (to the end of the chunk).

    With L the log ratio of one draw, Markov's inequality for exp(−s·ΣL), 0 < s < 1, gives
    P(ΣL < log 2/alpha) <= exp(s·log 2/alpha)·E[exp(−sL)]ⁿ under the alternative, where E[exp(−sL)] is
    exp(λ((1 − s)δ) − (1 − s)λ(δ)). The n that brings this to beta/2 is taken at the best s.
    """
    return max(_enough(_side(log_moment, sign * effect), log_moment, alpha / 2, beta / 2) for sign in (1, -1))


def _enough(side: _Side, log_moment: LogMoment, alpha: float, beta: float) -> int:
    def draws(s: float) -> float:
        gain = (1 - s) * side.log_moment - log_moment((1 - s) * side.delta)
        return (math.log(1 / beta) + s * math.log(1 / alpha)) / gain

    return math.ceil(min(draws(i / 100) for i in range(1, 100)))


def _side(log_moment: LogMoment, effect: float) -> _Side:
    """The δ at which the tilted mean λ′(δ) is `effect`: where the concave effect·δ − λ(δ) is largest.

    λ′(δ) is δ in first order, as the variance is 1: the maximum lies between 0 and 2·effect.
    """
    low, high = 0.0, 2 * effect
    for _ in range(100):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if effect * left - log_moment(left) < effect * right - log_moment(right):
            low = left
        else:
            high = right
    return _Side(low, log_moment(low))


def normal(delta: float) -> float:
    """λ(δ) of a standard normal T."""
    return delta**2 / 2


def square(delta: float) -> float:
    """λ(δ) of T = (z² − 1)/√2, z standard normal: E[exp(tz²)] = (1 − 2t)^(−½)."""
    t = delta / math.sqrt(2)
    return -math.log1p(-2 * t) / 2 - t
