"""Right drop paths in NumPy that differ in how they draw or in what they declare: no property may fail for them."""

from __future__ import annotations

from typing import Any

import correct_dropout as entries
import numpy as np
from correct_channel_dropout import Channels

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class Samples(Channels):
    """Draws for every sample."""

    axes = 1


@regcheck.implements("drop_path")
class Straightforward(Samples):
    """numpy.where with float64 draws."""


@regcheck.implements("drop_path")
class KeptSamplesAlone(Samples):
    """Computes nothing for samples that it drops."""

    def _applied(self, x: Array) -> Array:
        if self.kept is None:
            return x.copy()
        y, kept = np.zeros_like(x), self.kept.reshape(len(x))
        with np.errstate(all="ignore"):
            y[kept] = self._scaled(x[kept])
        return y


@regcheck.implements("drop_path")
class Divides(Samples, entries.Divides):
    """Divides by 1 − p in x's own type."""


@regcheck.implements("drop_path")
class Floored(Samples):
    """⌊1 − p + u⌋ in float64, the usual way to write it."""

    def _drawn(self, x: Array) -> Array:
        return np.floor(1 - self.rate + self.generator.random((len(x), *(1,) * (x.ndim - 1)))).astype(bool)


@regcheck.implements("drop_path", declares={"dropped_nonfinite": "nan"})
class MultipliesDeclared(Samples, entries.MultipliesDeclared):
    """x·mask·factor: a dropped ∞ or NaN is NaN, and it says so."""


@regcheck.implements("drop_path")
class Binomial(Samples, entries.Binomial):
    """Draws from the binomial distribution of one trial."""


@regcheck.implements("drop_path", declares={"random_stream": "process"})
class SharedStreamDeclared(Samples, entries.SharedStreamDeclared):
    """All layers draw from one generator, and say so."""


@regcheck.implements("drop_path")
class WithoutSeed(Samples, entries.WithoutSeed):
    """Cannot be seeded."""


@regcheck.implements("drop_path")
class RateOneRefused(Samples, entries.RateOneRefused):
    """Offers rates below 1."""
