"""Bounds on log densities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.reference import priors as reference
from regcheck.reference.precision import widen

if TYPE_CHECKING:
    from regcheck.bounds.roundoff import Arithmetic

Array = np.ndarray[Any, np.dtype[Any]]


def log_density(family: str, scale: float, w: Array, ar: Arithmetic) -> Array:
    """Bound on log p elementwise, s being the scale, q the part that depends on w, c the part that does not.

    Laplace: q = |w|/b, c = log 2 + |log b|. b is rounded and divides: 2u·q. Gauss: q = w²/(2σ²), c = ½·log(2π) +
    |log σ|. σ is rounded (2u in its square), w/σ and its square, or w², σ² and their quotient, round, the factor ½
    does not: 5u·q at most, 6u where 2σ² or −1/(2σ²) is a number of its own.

    c: the argument of a logarithm (2b, ½/b, σ·√(2π)) carries at most 3 roundings, which move the logarithm by 3u; a
    logarithm is right to two units in its last place, 4u of its size, a constant and each sum of parts to u. However
    the parts are put together, at most two sums follow, none larger than q + c:

        B = u·(6q + 4c + 3) + 2u·(q + c) + tiny

    tiny: |w|/s, w² or (w/s)² may underflow before they meet 1/(2s²) or ½: η·(1 + 1/(2s²)).
    """
    factors, size = reference.penalty(family, scale), np.abs(widen(w))
    with np.errstate(over="ignore"):
        q = factors.l1 * size + factors.l2 * size * size
    c = float(reference.log_two_pi()) / 2 + abs(math.log(scale))  # ½·log(2π) exceeds log 2
    tiny = ar.eta * (1 + 1 / (2 * scale * scale)) + ar.eta_out
    return np.asarray(ar.u * (6 * q + 4 * c + 3) + 2 * ar.u_out * (q + c) + tiny)
