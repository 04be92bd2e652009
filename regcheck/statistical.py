"""Statistical tests with stated error rates, and nothing but arithmetic behind them.

Two questions are answered. *Does an event happen at the stated rate?* A sequential test draws until it
knows (`sequential_rate`). *Do two sequences of events know of each other?* An exact tail bound on
disjoint pairs, whatever the rate is (`dependence`, `strongest`).

Every test has two numbers. ALPHA bounds the probability that a correct layer is accused; it is a
bound for finite samples, not a limit theorem. BETA bounds the probability that a fault of the stated
size is missed. ALPHA is so small that a thousand tests of one run together accuse a correct layer with
probability 1e-9 at most; the sequential test pays for it only where a fault is about to be reported.
"""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Array = np.ndarray[Any, np.dtype[Any]]

ALPHA = 1e-12  # probability that one test accuses a correct layer; 1e-9 over a thousand tests
BETA = 1e-3  # probability that one test misses a fault of the stated size: power 0.999


class Rate(NamedTuple):
    """What a sequential test found: evidence against the rate in units of what convicts, and the counts."""

    error: float
    observed: float
    draws: int


class Dependence(NamedTuple):
    """Evidence that two sequences are dependent, in units of what convicts; their correlation; and where."""

    error: float
    correlation: float
    where: str


class _Side(NamedTuple):
    """One alternative of the sequential test: `rate` against the nearest rate of the null hypothesis."""

    null: float
    rate: float

    def log_ratio(self, hits: int, draws: int) -> float:
        """Log of the likelihood ratio of the alternative to the null after `hits` in `draws`."""
        hit, miss = self._gains()
        return hits * hit + (draws - hits) * miss

    def enough(self, alpha: float, beta: float) -> int:
        """A number of draws after which the null is rejected with probability 1 − beta under the alternative.

        The test has rejected by n if hits >= k(n), the count at which the log ratio reaches log 1/alpha. By
        Chernoff's bound the opposite has probability exp(−n·KL(k(n)/n ‖ rate)) at most.
        """
        hit, miss = self._gains()

        def decided(draws: int) -> bool:
            share = (math.log(1 / alpha) / draws - miss) / (hit - miss)
            beyond = share < self.rate if hit > 0 else share > self.rate
            return beyond and draws * float(divergence(share, self.rate)) >= math.log(1 / beta)

        draws = 1
        while not decided(draws):
            draws *= 2
        return bisect.bisect_left(range(draws), 1, lo=draws // 2, key=decided)

    def _gains(self) -> tuple[float, float]:
        return math.log(self.rate / self.null), math.log((1 - self.rate) / (1 - self.null))


def sequential_rate(  # noqa: PLR0913  (a test is its two hypotheses and its two error rates)
    draw: Callable[[], tuple[int, int]],
    low: float,
    high: float,
    effect: float,
    *,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> Rate:
    """Whether independent draws hit with a rate in [low, high]: error > 1 says no.

    `draw` returns (hits, draws) of a fresh chunk and is called until the matter is decided. A rate in
    [low, high] is accused with probability `alpha` at most; a rate beyond it by `effect` or more is missed with
    probability `beta` at most.

    Wald's probability ratio test, once for each side. Against high: the likelihood ratio of high + effect to high
    is a supermartingale for every rate <= high, and it starts at 1, so by Ville's inequality it ever reaches
    2/alpha with probability alpha/2 at most, however often one looks; likewise below low. Under the
    alternative the inverse ratio is a supermartingale too, so accepting once the ratio has fallen to beta/2 misses with
    probability beta/2; the other half pays for stopping at `most_draws`. A side on which no rate lies that far out is
    not tested.
    """
    if low > 1 or high < 0:  # no rate at all lies there
        return Rate(math.inf, math.nan, 0)
    sides = _sides(low, high, effect)
    limit = most_draws(low, high, effect, alpha=alpha, beta=beta)
    convicts, acquits = math.log(2 / alpha), math.log(beta / 2)
    hits = draws = 0
    peak = 0.0
    while sides and draws < limit and peak < convicts:
        chunk = draw()
        hits, draws = hits + chunk[0], draws + chunk[1]
        ratios = {side: side.log_ratio(hits, draws) for side in sides}
        peak = max(peak, *ratios.values())
        sides = [side for side, ratio in ratios.items() if ratio > acquits]
    return Rate(peak / convicts, hits / draws if draws else math.nan, draws)


def most_draws(low: float, high: float, effect: float, *, alpha: float = ALPHA, beta: float = BETA) -> int:
    """The number of draws at which `sequential_rate` ends at the latest (to the end of the chunk)."""
    return max((side.enough(alpha / 2, beta / 2) for side in _sides(low, high, effect)), default=0)


def _sides(low: float, high: float, effect: float) -> list[_Side]:
    above = [_Side(high, high + effect)] if high > 0 and high + effect < 1 else []
    below = [_Side(low, low - effect)] if low < 1 and low - effect > 0 else []
    return above + below


def divergence(share: float | Array, rate: float | Array) -> Array:
    """KL(share ‖ rate) of two Bernoulli laws, in nats: s·log(s/r) + (1 − s)·log((1 − s)/(1 − r))."""
    s, r = np.asarray(share, dtype=np.float64), np.asarray(rate, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(s > 0, s * np.log(s / r), 0.0)
        miss = np.where(s < 1, (1 - s) * np.log((1 - s) / (1 - r)), 0.0)
    result: Array = np.maximum(hit + miss, 0.0)
    return result


def log_tail(count: float | Array, sample: int, rate: float) -> Array:
    """Upper bound of the log of the two-sided p-value of `count` hits in `sample` draws at `rate`.

    Chernoff: P(X/n >= s) <= exp(−n·KL(s ‖ r)) for s >= r and likewise below, hence log 2 − n·KL for both sides.
    Hoeffding (1963), theorem 4, gives the same bound for draws without replacement.
    """
    if sample == 0:
        return np.zeros(np.shape(count))
    result: Array = np.minimum(0.0, math.log(2) - sample * divergence(np.asarray(count) / sample, rate))
    return result


def dependence(a: Array, b: Array) -> tuple[float, float]:
    """Log of a p-value of "the pairs (aᵢ, bᵢ) are independent", and the pairs' correlation.

    `a` and `b` are boolean, of equal size, and share no element. If all of them are independent and each array's are
    exchangeable, then given both totals every pairing is equally likely, so that the number of common hits is
    hypergeometric, whatever the rate is: `log_tail` bounds its tail. The smaller of the two sides of
    each total is counted, which loses least.
    """
    m, hits_a, hits_b = a.size, int(np.count_nonzero(a)), int(np.count_nonzero(b))
    log_p, correlation = _common(np.count_nonzero(a & b), m, hits_a, hits_b)
    return float(log_p), float(correlation)


def shifted(a: Array, b: Array) -> tuple[Array, Array]:
    """`dependence` of `a` and `b` moved round by 0, 1, …, n − 1 places: two arrays of length n.

    One Fourier transform counts the common hits of all shifts: Σᵢ aᵢ·b₍ᵢ₊ₖ₎, whole numbers far below 2⁵³, so
    that rounding restores them.
    """
    spectrum = np.conj(np.fft.rfft(a.ravel())) * np.fft.rfft(b.ravel())
    common = np.rint(np.fft.irfft(spectrum, a.size))
    return _common(common, a.size, int(np.count_nonzero(a)), int(np.count_nonzero(b)))


def _common(common: Any, m: int, hits_a: int, hits_b: int) -> tuple[Array, Array]:
    covariance = m * np.asarray(common, dtype=np.float64) - float(hits_a) * hits_b
    scale = math.sqrt(float(hits_a) * (m - hits_a)) * math.sqrt(float(hits_b) * (m - hits_b))
    if scale == 0:
        return np.zeros(covariance.shape), np.zeros(covariance.shape)
    if 2 * hits_a > m:
        common, hits_a = hits_b - common, m - hits_a
    if 2 * hits_b > m:
        common, hits_b = hits_a - common, m - hits_b
    sample, other = sorted((hits_a, hits_b))
    return log_tail(common, sample, other / m), covariance / scale


def at_lag(mask: Array, lag: int) -> Iterable[tuple[Array, Array]]:
    """Every pair of elements of the flat `mask` that are `lag` apart, as two sets of disjoint pairs.

    Blocks of 2·lag elements pair their first half with their second; a second set, begun `lag` later, holds the
    rest. Each set is (a, b) for `dependence`; an empty set is left out.
    """
    for start in (0, lag):
        blocks = (mask.size - start) // (2 * lag)
        if blocks:
            pairs = mask.reshape(-1)[start : start + 2 * lag * blocks].reshape(blocks, 2, lag)
            yield pairs[:, 0], pairs[:, 1]


def strongest(tests: Iterable[tuple[str, Array, Array]], *, alpha: float = ALPHA) -> Dependence:
    """The strongest dependence among named pairs of sequences; Bonferroni's correction for their number."""
    found = [(*dependence(a, b), where) for where, a, b in tests]
    if not found:
        return Dependence(0.0, 0.0, "")
    log_p, correlation, where = min(found)
    return Dependence(-log_p / math.log(len(found) / alpha), correlation, where)


def strongest_shift(a: Array, b: Array, *, alpha: float = ALPHA) -> Dependence:
    """The strongest dependence between `a` and any circular shift of `b`; Bonferroni's correction for all shifts."""
    log_p, correlation = shifted(a, b)
    k = int(np.argmin(log_p))
    return Dependence(-float(log_p[k]) / math.log(log_p.size / alpha), float(correlation[k]), f"shifted by {k}")
