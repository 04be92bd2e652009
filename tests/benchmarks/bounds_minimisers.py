"""Chunks of least-squares problems: how far solvers that keep their promise are from the minimum, in every measure.

A promise is an excess of tolerance·½‖b‖² at most. Coordinate descent stops by its duality gap; the others go as far
from the minimiser as the promise lets them, along one coordinate, along the flattest direction, along any.
"""

from dataclasses import dataclass

import numpy as np
from bounds_tally import Seen

from regcheck import bounds
from regcheck.cases import minimiser as cases
from regcheck.families import MinimiserConfig
from regcheck.reference import minimiser as exact

TOLERANCES = (1e-2, 1e-4, 1e-6)
SWEEPS = 1000
EXACT = 2.0**-48  # the gap at which coordinate descent has found the minimiser


@dataclass(frozen=True)
class Chunk:
    """A (P, n, k), b (P, n), with the tolerance that is promised."""

    config: MinimiserConfig
    a: np.ndarray
    b: np.ndarray
    tolerance: float


def draw(rng, n, k, count):
    """A chunk by the cases' own recipe, l2 > 0, so that there is one minimiser."""
    l1 = float(rng.choice((0.0, *cases.L1)))
    config = MinimiserConfig(l1, float(rng.choice(cases.L2)))
    return Chunk(config, *cases.drawn(rng, config, count, (n, k)), float(rng.choice(TOLERANCES)))


def gap(a, b, w, config):
    """The duality gap (P,), of the problem with √(2·l2)·I below A and 0 below b.

    Source: Kim et al., "An interior-point method for large-scale l1-regularized least squares", 2007, section III.
    """
    r = b - (a * w[:, None, :]).sum(axis=-1)
    pull = np.abs((a * r[:, :, None]).sum(axis=1) - 2 * config.l2 * w).max(axis=1)
    scale = np.minimum(1, config.l1 / np.where(pull > 0, pull, 1))
    size = np.square(r).sum(axis=1) + 2 * config.l2 * np.square(w).sum(axis=1)
    return size * (1 + scale**2) / 2 + config.l1 * np.abs(w).sum(axis=1) - scale * (r * b).sum(axis=1)


def descended(chunk, tolerance):
    """w (P, k) by cyclic coordinate descent until the gap is `tolerance` of F(0); by elimination where l1 = 0."""
    a, b, config = chunk.a, chunk.b, chunk.config
    if not config.l1:
        return exact.ridge(a, b, config).astype(float)
    curvature = np.square(a).sum(axis=1) + 2 * config.l2
    w, going = np.zeros((len(a), a.shape[2])), np.arange(len(a))
    for _ in range(SWEEPS):
        left = gap(a[going], b[going], w[going], config) > tolerance * np.square(b[going]).sum(axis=1) / 2
        going = going[left]
        if not len(going):
            return w
        for j in range(w.shape[1]):
            r = b[going] - (a[going] * w[going, None, :]).sum(axis=-1)
            pull = (a[going, :, j] * r).sum(axis=1) + (curvature[going, j] - 2 * config.l2) * w[going, j]
            w[going, j] = exact.soft_threshold(pull, config.l1) / curvature[going, j]
    w[going] = np.nan
    return w


def as_far(chunk, best, direction):
    """best + t·direction with an excess of tolerance·½‖b‖², by bisection; less a hundredth, for best is rounded."""
    promised = 0.99 * chunk.tolerance * np.square(chunk.b).sum(axis=1) / 2
    least = exact.objective(chunk.a, chunk.b, best, chunk.config)
    low, high = np.zeros(len(best)), bounds.minimiser_distance(promised, 2 * chunk.config.l2) * 1.01
    for _ in range(50):
        middle = (low + high) / 2
        beyond = exact.objective(chunk.a, chunk.b, best + middle[:, None] * direction, chunk.config) - least > promised
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return best + low[:, None] * direction


def observe(chunk, rng):
    """What every solver is off by."""
    best = descended(chunk, EXACT)
    found = np.isfinite(best).all(axis=1)
    count, k = best.shape
    flattest = np.linalg.eigh(chunk.a.transpose(0, 2, 1) @ chunk.a)[1][:, :, 0]
    unit = np.eye(k)[rng.integers(0, k, count)]
    any_way = rng.standard_normal((count, k))
    any_way /= np.linalg.norm(any_way, axis=1, keepdims=True)
    solvers = {
        "to the end": best,
        "coordinate descent": descended(chunk, chunk.tolerance),
        "as far as promised, one coordinate": as_far(chunk, best, unit),
        "as far as promised, flattest": as_far(chunk, best, flattest),
        "as far as promised, any way": as_far(chunk, best, any_way),
    }
    least = exact.minimum(chunk.a, chunk.b, chunk.config)
    for name, w in solvers.items():
        tolerance = 0.0 if name == "to the end" else chunk.tolerance
        for quantity, ratio in _ratios(chunk, w, best, least, tolerance):
            yield Seen("minimiser", quantity, "float64", name, ratio, found)
    for order in (slice(None), slice(None, None, -1)):
        yield Seen("minimiser", "Aᵀb", "float64", "sums", _correlations(chunk, order), np.ones(count, bool))


def _ratios(chunk, w, best, least, tolerance):
    """(quantity, off/bound) of one solver's w."""
    a, b, config = chunk.a, chunk.b, chunk.config
    allowed = bounds.minimiser_excess(tolerance, a, b)
    allowed = np.where(allowed > 0, allowed, np.finfo(float).tiny)  # b = 0
    yield "excess", (exact.objective(a, b, w, config) - least) / allowed
    if tolerance:  # the minimiser itself is known to some roundings, no better than "to the end"
        step = exact.best_coordinates(a, b, w, config) - w
        yield "coordinate step", _of(step, bounds.coordinate_step(allowed[:, None], exact.curvatures(a, config)))
        convexity = exact.least_curvature(a, config)
        yield "distance", np.linalg.norm(w - best, axis=1) / bounds.minimiser_distance(allowed, convexity)
        each = bounds.minimiser_distance(allowed[:, None], 1 / exact.inverse_diagonal(a, config))
        yield "distance along a coordinate", _of(w - best, each)


def _of(moved, limit):
    return (np.abs(moved) / limit).T


def _correlations(chunk, order):
    a, b = chunk.a[:, order], chunk.b[:, order]
    total = np.zeros((len(a), a.shape[2]))
    for i in range(a.shape[1]):
        total += a[:, i] * b[:, i, None]
    wide = exact.correlations(chunk.a, chunk.b)
    limit = bounds.correlation_blur(chunk.a, chunk.b, 0.0)
    return np.where(limit > 0, np.abs(total - wide) / np.where(limit > 0, limit, 1), 0).T
