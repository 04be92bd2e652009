"""The error rates of the statistical properties, seen: their decision rules replayed on samplers that are known.

    python tests/benchmarks/statistical_contract.py [--replays N] [--seed S] [--output FILE]

Right samplers show how often a correct layer is accused, samplers off by the stated size how often a fault is missed.
The rules are the real ones, with the laws' own rates, chunks, shapes and numbers of tests. Every run draws a seed of
its own and prints it. It asserts nothing.
"""

import argparse
import contextlib
import functools
import itertools
import math
import platform
import secrets
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
from regcheck_properties import dropout_masks as laws

from regcheck import moments, statistical
from regcheck.cases.dropout import ARRANGEMENTS, ENTRY, STATISTICAL_RATES

REPLAYS = 10**6  # of each rule that is fast; what is slow gets a stated part of them
FEWEST = 25_000
CHUNK = math.prod(laws.CHUNK)
VOLUMES = ARRANGEMENTS[ENTRY]
LARGER = (1e-2, 1e-3)  # alphas at which alarms are seen
LEVELS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
CORRELATION = 0.03  # what `dropout.mask-independence` says that it finds
MASK_RATES = (0.7, 0.4)  # of kept entries, in turn, as the cases of `dropout.mask-independence` have them
PAIRS = 1024  # in each test of independent pairs
SURE = 1e-9  # probability that one row calls a promise broken that is kept


class Row(NamedTuple):
    """How often something happened that must happen with probability `bound` at most."""

    what: str
    replays: int
    events: int
    bound: float
    draws: float = math.nan  # a replay, in the mean


# --- what a count says of a probability


def at_most(count, sample, probability):
    """P(X <= count) of a binomial X, for a probability inside (0, 1)."""
    j = np.arange(count)
    terms = np.concatenate([[0.0], np.cumsum(np.log((sample - j) / (j + 1)))])
    hits = np.arange(count + 1)
    terms += hits * math.log(probability) + (sample - hits) * math.log1p(-probability)
    return min(1.0, math.exp(terms.max()) * float(np.exp(terms - terms.max()).sum()))


def interval(count, sample, error=0.05):
    """Clopper and Pearson's interval of a probability: each side is wrong with probability error/2 at most."""
    if 2 * count > sample:
        low, high = interval(sample - count, sample, error)
        return 1 - high, 1 - low
    low = 0.0 if count == 0 else _crossing(lambda p: at_most(count - 1, sample, p), 1 - error / 2)
    return low, _crossing(lambda p: at_most(count, sample, p), error / 2)


def _crossing(falling, level):
    """Where a function that falls from 1 to 0 over [0, 1] takes `level`."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return high


def verdict(row):
    """Whether the events show the bound, say nothing against it, or break it."""
    if interval(row.events, row.replays, 2 * SURE)[0] > row.bound:
        return "broken"
    return "shown" if interval(row.events, row.replays)[1] <= row.bound else "not contradicted"


# --- rates


@contextlib.contextmanager
def remembered():
    """`most_draws` computed once for each test, not once a replay: the same number, sooner."""
    with mock.patch.object(statistical, "most_draws", functools.cache(statistical.most_draws)):
        yield


def accused(  # noqa: PLR0913  (a replay is its sampler and its test)
    rng, replays, truth, rates, effect, *, chunk=CHUNK, alpha=statistical.ALPHA
):
    """How many samplers of rate `truth` are accused of a rate outside `rates`, low and high, and the draws of all."""

    def draw():
        return int(rng.binomial(chunk, truth)), chunk

    found = [statistical.sequential_rate(draw, *rates, effect, alpha=alpha) for _ in range(replays)]
    return sum(f.error > 1 for f in found), sum(f.draws for f in found)


def right(rng, replays, rate, alpha=statistical.ALPHA):
    """Alarms of `dropout.rate` on a right sampler."""
    keep = 1 - rate
    alarms, draws = accused(rng, replays, keep, around(keep), effect_at(rate), alpha=alpha)
    return Row(f"p = {rate}", replays, alarms, alpha, draws / replays)


def often(rng, replays, alpha):
    """Alarms on a right sampler where the rule looks after every 64 draws, which leaves least of its bound unused."""
    alarms, draws = accused(rng, replays, 0.5, (0.5, 0.5), 0.05, chunk=64, alpha=alpha)
    return Row("p = 0.5, effect 0.05, chunks of 64", replays, alarms, alpha, draws / replays)


def off(rng, replays, rate, *, from_edge=False, effect=laws.EFFECT):
    """Misses of `dropout.rate` on samplers off by its EFFECT, half above and half below, tested for `effect`.

    They are off from the rate itself, or from the edge of what counts as the rate: there the test's promise begins.
    """
    keep, half = 1 - rate, -(-replays // 2)
    edges = around(keep) if from_edge else (keep, keep)
    misses = draws = 0
    for truth in (edges[0] - effect_at(rate), edges[1] + effect_at(rate)):
        alarms, taken = accused(rng, half, truth, around(keep), effect_at(rate, effect))
        misses, draws = misses + half - alarms, draws + taken
    return Row(f"p = {rate}", 2 * half, misses, statistical.BETA, draws / (2 * half))


def around(keep):
    """The rates that count as `keep`."""
    return keep - laws.RESOLUTION, keep + laws.RESOLUTION


def effect_at(rate, effect=laws.EFFECT):
    """An effect in standard deviations of one draw, as a difference of rates."""
    return effect * math.sqrt(rate * (1 - rate))


def each_rate(replays, row, **options):
    """A row for each rate of the laws, and their sum."""
    rows = [row(replays=-(-replays // len(STATISTICAL_RATES)), rate=rate, **options) for rate in STATISTICAL_RATES]
    total = sum(r.replays for r in rows)
    draws = sum(r.replays * r.draws for r in rows) / total
    return [*rows, Row("all", total, sum(r.events for r in rows), rows[0].bound, draws)]


# --- means


def squared(z):
    """What the laws of variance ask the mean of."""
    return (z**2 - 1) / math.sqrt(2)


MEANS = {"z": (moments.normal, np.asarray), "(z² − 1)/√2": (moments.square, squared)}


def means(rng, replays, *, off=0.0, effect=0.1, alpha=statistical.ALPHA):
    """Alarms, or with `off` misses, of `sequential_mean` on normal z, tilted so that the mean is off by ±`off`."""
    rows = []
    for name, (law, statistic) in MEANS.items():
        events = draws = 0
        for i in range(replays):
            shift = off * (-1) ** i
            tilt = (1.0, shift) if law is moments.normal else (math.sqrt(1 + math.sqrt(2) * shift), 0.0)
            found = moments.sequential_mean(_tilted(rng, statistic, *tilt), law, effect, alpha=alpha)
            events, draws = events + ((found.error > 1) != bool(off)), draws + found.draws
        bound = statistical.BETA if off else alpha
        rows.append(Row(f"mean of {name}, effect {effect}", replays, events, bound, draws / replays))
    return rows


def _tilted(rng, statistic, scale, mean, chunk=256):
    def draw():
        total = float(np.sum(statistic(rng.standard_normal(chunk) * scale + mean)))
        return total, total, chunk

    return draw


# --- dependence


def mask(rng, size, rate):
    """Independent entries."""
    return rng.random(size, np.float32) < rate


def copied(rng, first, rate, correlation):
    """A mask whose entries are each correlated with the entry of `first` at their place."""
    return np.where(rng.random(first.size, np.float32) < correlation, first, mask(rng, first.size, rate))


def echoing(rng, size, rate, lag, correlation):
    """A mask in which entries `lag` apart are correlated: each repeats the one before it so often."""
    rows = -(-size // lag)
    own = rng.random((rows, lag), np.float32) >= correlation
    source = np.maximum.accumulate(np.where(own, np.arange(rows)[:, None], 0), axis=0)
    return np.take_along_axis(mask(rng, rows * lag, rate).reshape(rows, lag), source, axis=0).ravel()[:size]


def pairs_of(flat, lags):
    """The tests of a flat mask along memory, axes and calls, as `dropout.mask-independence` makes them."""
    return [(where, a, b) for lag, where in lags.items() for a, b in statistical.at_lag(flat, lag)]


def logs_of_pairs(rng, replays):
    """Logs of the p-values of independent pairs, each test on fresh ones."""
    pairs = ((mask(rng, PAIRS, rate), mask(rng, PAIRS, rate)) for rate in itertools.cycle(MASK_RATES))
    return [statistical.dependence(a, b)[0] for a, b in itertools.islice(pairs, replays)]


def volumes():
    """The shape, the number of calls and the rate of kept entries in each case of the law."""
    return [(shape, calls, MASK_RATES[i % 2]) for i, (shape, calls) in enumerate(VOLUMES)]


def logs_of_lags(rng, replays):
    """Logs of the p-values, corrected for the number of tests, of all lags of independent masks in each volume."""
    found = []
    for shape, calls, rate in volumes():
        for _ in range(replays):
            tests = pairs_of(mask(rng, math.prod(shape) * calls, rate), laws._lags(shape))
            found.append(corrected(statistical.strongest(tests), len(tests)))
    return found


def logs_of_shifts(rng, replays):
    """Logs of the p-values, corrected for the number of shifts, of two independent masks of each volume."""
    found = []
    for shape, _, rate in volumes():
        size = math.prod(shape)
        for _ in range(replays):
            dependence = statistical.strongest_shift(mask(rng, size, rate), mask(rng, size, rate))
            found.append(corrected(dependence, size))
    return found


def corrected(found, tests):
    """Log of Bonferroni's p-value: `found` tells it in units of what convicts."""
    return math.log(tests) - found.error * math.log(tests / statistical.ALPHA)


def below(logs):
    """How many p-values lie below each level that so many replays can show, and below ALPHA."""
    levels = [level for level in LEVELS if level * len(logs) >= 1] + [statistical.ALPHA]
    return [Row(f"p-value below {q:g}", len(logs), sum(log < math.log(q) for log in logs), q) for q in levels]


def missed_lags(rng, replays, correlation=CORRELATION):
    """Misses of a correlation at one lag of the volume with most calls.

    Only that lag's own tests are made; the others count in the correction, as if they found nothing.
    """
    shape, calls, rate = volumes()[0]
    size, lags = math.prod(shape) * calls, laws._lags(shape)
    tests = len(pairs_of(np.zeros(size, bool), lags))
    rows = []
    for lag in (1, 64, math.prod(shape), 3 * math.prod(shape)):
        missed = 0
        for _ in range(replays):
            own = pairs_of(echoing(rng, size, rate, lag, correlation), {lag: lags[lag]})
            missed += statistical.strongest(own, alpha=statistical.ALPHA * len(own) / tests).error <= 1
        rows.append(Row(f"{lags[lag]}, correlation {correlation}", replays, missed, statistical.BETA))
    return [*rows, Row("all", sum(r.replays for r in rows), sum(r.events for r in rows), statistical.BETA)]


def missed_shifts(rng, replays, correlation, parts=1):
    """Misses of a correlation between two masks, or two halves of one: by one volume's test, and by all volumes'."""
    missed = np.zeros((replays, len(VOLUMES)), bool)
    for i in range(replays):
        for j, (shape, _, rate) in enumerate(volumes()):
            first = mask(rng, math.prod(shape) // parts, rate)
            missed[i, j] = statistical.strongest_shift(first, copied(rng, first, rate, correlation)).error <= 1
    what = f"{'two masks' if parts == 1 else 'halves of a mask'}, correlation {correlation}"
    return [
        Row(f"{what}, one case", missed.size, int(missed.sum()), statistical.BETA),
        Row(f"{what}, every case of the law", replays, int(missed.all(axis=1).sum()), statistical.BETA),
    ]


# --- the report


def sections(rng, n):
    """Every simulation: a heading, what it shows, and its rows."""
    yield "Alarms on right rates", "`dropout.rate` as it judges.", each_rate(n, right, rng=rng)
    text = "The same rule at alphas that can be seen; it looks so seldom that it uses little of its bound."
    rows = [row for alpha in LARGER for row in each_rate(n // 10, right, rng=rng, alpha=alpha)]
    yield "Alarms with a larger alpha", text, rows
    text = "The same rule with small chunks, which uses most of its bound: the effect is ten times as large."
    yield "Alarms where the rule looks often", text, [often(rng, n // 20, alpha) for alpha in LARGER]
    text = f"Rates off by {laws.EFFECT}·√(p(1 − p)), half above and half below: what `dropout.rate` says that it finds."
    yield "Misses of the stated effect", text, each_rate(n, off, rng=rng)
    text = "Off by as much from the edge of the interval that counts as the rate: what `sequential_rate` promises."
    yield "Misses of the effect beyond the interval", text, each_rate(n // 10, off, rng=rng, from_edge=True)
    text = "The second, independent test that a failure must pass looks closer; the rates are off by the stated effect."
    rows = each_rate(n // 20, off, rng=rng, effect=laws.CLOSER)
    yield "Misses of the confirming test", text, rows
    text = "`sequential_mean`, by which Gaussian and alpha dropout's moments are judged, with ten times their effect."
    rows = [row for alpha in LARGER for row in means(rng, n // 1000, alpha=alpha)]
    yield "Alarms on right means", text, rows
    text = "The same with means off by that effect, half above and half below."
    yield "Misses of a mean off by the effect", text, means(rng, n // 1000, off=0.1)
    text = f"`dependence` on {PAIRS} independent pairs."
    yield "P-values of independent pairs", text, below(logs_of_pairs(rng, n))
    text = "`strongest` over all lags, axes and calls of independent masks in each volume; corrected for their number."
    yield "P-values of independent masks", text, below(logs_of_lags(rng, n // 25_000))
    text = "`strongest_shift` on two independent masks of each volume; corrected for the number of shifts."
    yield "P-values of independent masks under every shift", text, below(logs_of_shifts(rng, n // 10_000))
    text = f"Misses of the correlation that `dropout.mask-independence` says that it finds, in {VOLUMES[0][1]} calls."
    yield "Misses of a correlation at a lag", text, missed_lags(rng, n // 1000)
    text = (
        "What `dropout.mask-independence` looks at under every shift: the next call, the mask after the next seed, and "
        f"the second half of a mask. It states a correlation of {CORRELATION}; larger ones show where these tests see."
    )
    rows = [
        row
        for parts in (1, 2)
        for correlation in (CORRELATION, 0.05, 0.07)
        for row in missed_shifts(rng, n // 20_000, correlation, parts)
    ]
    yield "Misses of a correlation between masks", text, rows


def table(rows):
    """A Markdown table of rows."""
    lines = ["| what | replays | events | share | 95 % interval | at most | bound | mean draws |"]
    lines += ["| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |"]
    for row in rows:
        low, high = interval(row.events, row.replays)
        draws = "" if math.isnan(row.draws) else f"{row.draws:,.0f}"
        lines.append(
            f"| {row.what} | {row.replays:,} | {row.events:,} | {row.events / row.replays:.3g} "
            f"| \\[{low:.2g}, {high:.2g}\\] | {row.bound:g} | {verdict(row)} | {draws} |"
        )
    return "\n".join(lines)


def report(replays, seed):
    """The text of all simulations, piece by piece."""
    yield f"""# Error rates of the statistical properties

Made by

```
python tests/benchmarks/statistical_contract.py --replays {replays} --seed {seed} --output reports/statistical.md
```

with Python {platform.python_version()} and NumPy {np.__version__}; without `--seed` a run draws its own.

Replayed are the decision rules of `dropout.rate`, which `dropout.expectation-preserved` shares, and of
`dropout.mask-independence`, on samplers that are known, at alpha = {statistical.ALPHA:g} and \
beta = {statistical.BETA:g} where no other is named.

*Events* are alarms, misses or small p-values; *at most* bounds their probability; the interval is Clopper and
Pearson's. A bound is *shown* where the interval lies below it, and *broken* where a kept one would give so many
events with probability {SURE:g} at most; else it is *not contradicted*, which is all that so many replays can say.
"""
    for heading, text, rows in sections(np.random.default_rng(seed), replays):
        yield f"\n## {heading}\n\n{text}\n\n{table(rows)}\n"


def main():
    """Replay, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replays", type=int, default=REPLAYS, help=f"of the fast rules; {FEWEST} at least")
    parser.add_argument("--seed", type=int, default=secrets.randbits(64))
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    if given.replays < FEWEST:
        parser.error(f"--replays is {given.replays}; the slowest rule needs {FEWEST} at least to be replayed once")
    pieces = []
    with remembered():
        for piece in report(given.replays, given.seed):
            print(piece, end="", flush=True)  # noqa: T201
            pieces.append(piece)
    if given.output:
        given.output.write_text("".join(pieces), encoding="utf-8")


if __name__ == "__main__":
    main()
