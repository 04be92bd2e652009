"""Penalties by their definition: P(w) = l1·Σ|w| + l2·Σw² (§§ 2.1, 3.1, 3.3), in the oracle's precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck.reference.precision import widen

if TYPE_CHECKING:
    from regcheck.families import PenaltyConfig

Array = np.ndarray[Any, np.dtype[Any]]


class Strengths(NamedTuple):
    """The factors of Σ|w| and of Σw²."""

    l1: float
    l2: float


class Sums(NamedTuple):
    """Of each row of w (…, n): n, Σ|w|, Σw² and max|w|."""

    n: int
    absolute: Array
    squares: Array
    peak: Array


def strengths(family: str, config: PenaltyConfig, l2_factor: str = "1") -> Strengths:
    """What a family takes of its config: `l1` the one, `l2` the other, `elastic_net` both; l2 times `l2_factor`."""
    l1 = 0.0 if family == "l2" else config.l1
    l2 = 0.0 if family == "l1" else config.l2 * float(l2_factor)
    return Strengths(l1, l2)


def sums(w: Array) -> Sums:
    """The sums over the last axis of `w`."""
    size = np.abs(widen(w))
    return Sums(w.shape[-1], size.sum(axis=-1), np.square(size).sum(axis=-1), size.max(axis=-1, initial=0))


def value(strengths: Strengths, sums: Sums) -> Array:
    """P of each row."""
    return np.asarray(strengths.l1 * sums.absolute + strengths.l2 * sums.squares)


def gradient(strengths: Strengths, w: Array) -> Array:
    """l1·sign(w) + 2·l2·w; 0 at 0, the middle of the subgradients."""
    wide = widen(w)
    return np.asarray(strengths.l1 * np.sign(wide) + 2 * strengths.l2 * wide)


def prox(strengths: Strengths, w: Array, step: float) -> Array:
    """argmin over v of ½(v − w)² + step·P(v), elementwise: S(w, step·l1)/(1 + 2·step·l2), in this order.

    S(w, t) = sign(w)·max(|w| − t, 0). Source: Parikh and Boyd, "Proximal algorithms", 2014, section 6.5.2.
    """
    wide = widen(w)
    t = wide.dtype.type(step)
    kept = np.maximum(np.abs(wide) - t * strengths.l1, 0)
    return np.asarray(np.sign(wide) * kept / (1 + 2 * t * strengths.l2))
