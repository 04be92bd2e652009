"""Alpha dropout: what kept and dropped entries become, and what standard normal input becomes.

Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017, section 3 ("new dropout technique").
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

SATURATION = -1.7580993408473766  # α′ = −λα, the limit of SELU(x) as x falls


class Constants(NamedTuple):
    """Kept entries become `a`·x + `b`, dropped ones `dropped` = a·α′ + b."""

    a: np.longdouble
    b: np.longdouble
    dropped: np.longdouble


def constants(rate: float) -> Constants:
    """a = ((1 − p)(1 + p·α′²))^(−½), b = −a·α′·p and a·α′ + b at the rate p in [0, 1)."""
    p, saturation = np.longdouble(rate), np.longdouble(SATURATION)
    a = 1 / np.sqrt((1 - p) * (1 + p * saturation**2))
    b = -a * saturation * p
    return Constants(a, b, a * saturation + b)


def log_moment(rate: float) -> Callable[[float], float]:
    """δ ↦ log E[exp(δx′)] for standard normal x: a·x + b is normal with probability 1 − p, else there is one value."""
    a, b, dropped = map(float, constants(rate))

    def of(delta: float) -> float:
        kept = math.expm1(delta * b + (delta * a) ** 2 / 2)
        return math.log1p((1 - rate) * kept + rate * math.expm1(delta * dropped))

    return of


def log_moment_of_square(rate: float) -> Callable[[float], float]:
    """δ ↦ log E[exp(δT)] of T = (x′² − 1)/s, s = `spread_of_square`, for standard normal x.

    E[exp(t(ax + b)²)] = exp(tb²/(1 − 2ta²))/√(1 − 2ta²), 2ta² < 1.
    """
    (a, b, dropped), spread = map(float, constants(rate)), spread_of_square(rate)

    def of(delta: float) -> float:
        t = delta / spread
        left = 1 - 2 * t * a**2
        kept = math.expm1(t * b**2 / left - math.log(left) / 2)
        return math.log1p((1 - rate) * kept + rate * math.expm1(t * dropped**2)) - t

    return of


def spread_of_square(rate: float) -> float:
    """Standard deviation of x′² for standard normal x: E[x′⁴] = (1 − p)(3a⁴ + 6a²b² + b⁴) + p·d⁴, E[x′²] = 1."""
    a, b, dropped = map(float, constants(rate))
    fourth = (1 - rate) * (3 * a**4 + 6 * (a * b) ** 2 + b**4) + rate * dropped**4
    return math.sqrt(fourth - 1)
