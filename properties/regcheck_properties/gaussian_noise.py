"""Laws of what Gaussian dropout multiplies by: n = 1 + s·z with s = √(p/(1 − p)) and z standard normal.

Numbers of a half-precision type are coarse: z
is known as far as the roundings of n and of its product with x tell (`bounds.noise_read`), and no law asks more.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, bounds, moments, statistical
from regcheck.cases import dropout as cases
from regcheck_properties.dropout_masks import CHUNK, SEVERAL
from regcheck_properties.dropout_moments import effect, squares, zero_mean
from regcheck_properties.dropouts import fresh, law

if TYPE_CHECKING:
    from collections.abc import Iterator

    from regcheck import Case, Layers
    from regcheck_properties.dropouts import Dropouts

Array = np.ndarray[Any, np.dtype[Any]]

POINTS = (-3, -2, -1, 0, 1, 2, 3)  # where the distribution function of z is compared


def noise(y: Array, x: Array) -> Array:
    """The factor that each entry of `x`, which has no zeros, was multiplied by; NaN if the shape of `y` is wrong."""
    if y.shape != x.shape:
        return np.full(x.shape, np.nan, np.longdouble)
    return y.astype(np.longdouble) / x


def arithmetic(layers: Layers, case: Case) -> bounds.Arithmetic:
    """What the noise and its product with x are stored in."""
    return bounds.arithmetic(case.dtype, subnormals=layers.declared("subnormals"))


def spread(case: Case) -> float:
    """s = √(p/(1 − p)), the standard deviation of n."""
    return math.sqrt(case.config.rate / (1 - case.config.rate))


@law(
    "expectation-preserved",
    cases=cases.rates,
    level="core",
    kind="statistical",
    statements=["5.3"],
    formula="E[x′] = x, that is E[n] = 1",
    source="Srivastava et al. 2014, section 10",
    examples=len(cases.STATISTICAL_RATES),
)
def expectation_preserved(_family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """The mean of x′ is x: finds a mean of the noise off by 0.01 of its standard deviations with power 0.999.

    That is beyond what the roundings of half precision hide. A right layer is accused with probability 1e-12 at most,
    before the second, independent test.
    """
    return zero_mean(_deviates(layers, case), moments.normal, case, "(n − 1)/s")


@law(
    "variance",
    cases=cases.rates,
    level="core",
    kind="statistical",
    statements=["5.3"],
    formula="Var[x′] = x²·p/(1 − p)",
    source="Srivastava et al. 2014, section 10",
    examples=len(cases.STATISTICAL_RATES),
)
def variance(_family: Dropouts, layers: Layers, case: Case) -> Evidence:
    """The noise has the variance p/(1 − p): finds one off by 1.42 %, the noise being normal, with power 0.999.

    That is 0.01 standard deviations of z², √2, beyond what the roundings of half precision hide. A right layer is
    accused with probability 1e-12 at most, before the second, independent test.
    """
    return zero_mean(squares(_deviates(layers, case), math.sqrt(2)), moments.square, case, "((n − 1)²/s² − 1)/√2")


@law(
    "normal",
    cases=cases.rates,
    level="core",
    kind="statistical",
    formula="P(n < 1 + t·s) = Φ(t) for t = −3, −2, …, 3",
    source="Srivastava et al. 2014, section 10",
    examples=len(cases.STATISTICAL_RATES),
)
def normal(_family: Dropouts, layers: Layers, case: Case) -> list[Evidence]:
    """The noise is normal: seven points of its distribution function are the normal law's.

    Found with power 0.999 is a share q of the noise below a point that is off by 0.01·√(q(1 − q)). A right layer is
    accused with probability 1e-12 at most, before the second, independent test.
    """
    ar = arithmetic(layers, case)
    found = []
    for t, chunks in zip(POINTS, itertools.tee(_deviates(layers, case), len(POINTS)), strict=True):
        n = np.array(1 + t * spread(case))
        slack = float(np.max(bounds.noise_read(n, np.array(SEVERAL), ar))) / spread(case)
        share, low, high = (0.5 * math.erfc(-v / math.sqrt(2)) for v in (t, t - slack, t + slack))

        def draw(chunks: Iterator[tuple[Array, Array]] = chunks, t: int = t) -> tuple[int, int]:
            least, most = next(chunks)
            z = (least + most) / 2
            return int(np.count_nonzero(z < t)), z.size

        unit = effect(case) * math.sqrt(share * (1 - share))
        rate = statistical.sequential_rate(draw, low, high, unit, alpha=statistical.ALPHA / len(POINTS))
        what = f"share of (n − 1)/s below {t}, {rate.draws} draws at p = {case.config.rate}"
        found.append(Evidence(np.array(rate.error), np.array(share), np.array(rate.observed), what=what))
    return found


def _deviates(layers: Layers, case: Case) -> Iterator[tuple[Array, Array]]:
    """z at least and at most, chunk by chunk, of a fresh layer's training calls."""
    # Of both signs and several sizes: the noise may depend on none of them.
    x = np.resize(np.array(SEVERAL, case.dtype), CHUNK)
    layer, ar = fresh(layers, case), arithmetic(layers, case)
    while True:
        n = noise(layer.forward(x, training=True), x)
        z, error = (n - 1) / spread(case), bounds.noise_read(n, x, ar) / spread(case)
        yield z - error, z + error
