"""Chunks of weights for the penalties: value, gradient and proximal map, by NumPy and by the frameworks' own."""

import math
from dataclasses import dataclass

import bounds_algorithms as algorithms
import numpy as np
from bounds_tally import Seen, over

from regcheck import bounds, reference
from regcheck.cases import penalties as cases
from regcheck.families import PenaltyConfig
from regcheck.property import Plan
from regcheck.reference import penalties as exact

FAMILIES = ("l1", "l2", "elastic_net")


@dataclass(frozen=True)
class Chunk:
    """w (rows, n) of one family and dtype, with the strengths and a step."""

    family: str
    dtype: str
    w: np.ndarray
    strengths: exact.Strengths
    step: float

    @property
    def groups(self):
        """Rows of data."""
        return len(self.w)


def draw(rng, family, dtype, n, groups):
    """A chunk by the cases' own recipe."""
    config = PenaltyConfig(float(rng.choice(cases.STRENGTHS)), float(rng.choice(cases.STRENGTHS)))
    step = float(rng.choice(cases.STEPS))
    plan = Plan(family, dtype)
    w = cases.weights(rng, (groups, n), cases.EXPONENTS[dtype])
    w = cases.limited(w, math.sqrt(cases.room(n, plan, config, max(step, 1)))).astype(dtype)
    return Chunk(family, dtype, w, exact.strengths(family, config), step)


class Judge:
    """The exact results of a chunk and their bounds."""

    def __init__(self, chunk, subnormals="kept"):
        self.chunk, self.ar = chunk, bounds.arithmetic(chunk.dtype, subnormals=subnormals)

    def told(self, implementation, results):
        """What was seen of an implementation's results, by the quantity's name."""
        for quantity, found in results:
            ratio = getattr(self, quantity)(found)
            quantity = {"prox": "proximal map"}.get(quantity, quantity)  # noqa: PLW2901
            yield Seen(self.chunk.family, quantity, self.chunk.dtype, implementation, ratio, np.ones(ratio.shape, bool))

    def value(self, observed):
        """error/bound (rows,)."""
        sums, strengths = exact.sums(self.chunk.w), self.chunk.strengths
        return over(observed, exact.value(strengths, sums), bounds.penalty_value(strengths, sums, self.ar))

    def gradient(self, observed):
        """error/bound (n, rows); at w = 0 any subgradient is right."""
        w, strengths = self.chunk.w, self.chunk.strengths
        at_zero = np.clip(reference.widen(observed), -strengths.l1, strengths.l1)
        wanted = np.where(w == 0, at_zero, exact.gradient(strengths, w))
        return over(observed, wanted, bounds.penalty_gradient(strengths, w, self.ar, axis=-1)).T

    def prox(self, observed):
        """error/bound (n, rows)."""
        w, strengths, step = self.chunk.w, self.chunk.strengths, self.chunk.step
        wanted = exact.prox(strengths, w, step)
        bound = bounds.penalty_prox(strengths, step, reference.widen(w), wanted, self.ar)
        return over(observed, wanted, bound).T


# --- what NumPy implementations give, from w (n, rows) and strengths in its dtype


def plain(total):
    """l1·Σ|w| + l2·Σw²."""

    def value(w, l1, l2):
        terms = [factor * total(part) for factor, part in ((l1, np.abs(w)), (l2, w * w)) if factor]
        return sum(terms[1:], terms[0])

    return value


def by_terms(w, l1, l2):
    """Σ(l1·|w| + l2·w·w)."""
    return algorithms.left_to_right(l1 * np.abs(w) + l2 * w * w)


def by_norm(w, l1, l2):
    """l1·‖w‖₁ + l2·‖w‖₂²."""
    return l1 * algorithms.lanes(np.abs(w)) + l2 * np.square(np.sqrt(algorithms.lanes(w * w)))


def closed(w, l1, l2):
    """l1·sign(w) + 2·l2·w."""
    return l1 * np.sign(w) + 2 * l2 * w


def halves(w, l1, l2):
    """l2·w + l2·w + l1·sign(w)."""
    return l2 * w + l2 * w + l1 * np.sign(w)


def through_norm(w, l1, l2):
    """By the derivative of a squared norm, 2·l2·‖w‖·(w/‖w‖); half's squares underflow, and are summed in float32."""
    inner = np.promote_types(w.dtype, "float32")
    norm = np.sqrt(algorithms.lanes(np.square(w.astype(inner)))).astype(w.dtype)
    unit = np.where(norm > 0, w / np.where(norm > 0, norm, 1), 0)
    return l1 * np.sign(w) + (2 * l2 * norm) * unit


def soft(w, t, d):
    """sign(w)·max(|w| − t, 0)/d."""
    return np.sign(w) * np.maximum(np.abs(w) - t, 0) / d


def clipped(w, t, d):
    """(w − clip(w, −t, t))/d."""
    return (w - np.clip(w, -t, t)) / d


def two_sided(w, t, d):
    """(max(w − t, 0) − max(−w − t, 0))·(1/d)."""
    return (np.maximum(w - t, 0) - np.maximum(-w - t, 0)) * (1 / d)


VALUES = {
    "left to right": plain(algorithms.left_to_right),
    "right to left": plain(algorithms.right_to_left),
    "pairwise": plain(algorithms.pairwise),
    "eight lanes": plain(algorithms.lanes),
    "compensated": plain(algorithms.compensated),
    "by terms": by_terms,
    "by norms": by_norm,
}
WRONG = {"halved square": lambda w, l1, l2: plain(algorithms.pairwise)(w, l1, l2 / 2 if l2 else l2)}
GRADIENTS = {"closed form": closed, "by halves": halves, "through the norm": through_norm}
MAPS = {"soft threshold": soft, "clipped": clipped, "two-sided": two_sided}


def observe(chunk, values=None):
    """What every NumPy implementation makes of the chunk."""
    judge, kind = Judge(chunk), np.dtype(chunk.dtype).type
    w, (l1, l2), step = np.ascontiguousarray(chunk.w.T), map(kind, chunk.strengths), kind(chunk.step)
    with np.errstate(all="ignore"):
        for name, value in (VALUES if values is None else values).items():
            yield from judge.told(name, [("value", value(w, l1, l2))])
        for name, gradient in GRADIENTS.items():
            yield from judge.told(name, [("gradient", gradient(w, l1, l2).T)])
        for name, prox in MAPS.items():
            yield from judge.told(name, [("prox", prox(w, step * l1, 1 + 2 * step * l2).T)])
