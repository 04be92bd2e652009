"""Right channel dropouts in NumPy that differ in how they draw or in what they declare: none may fail."""

from __future__ import annotations

from typing import Any

import correct_dropout as entries
import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class Channels(entries.Dropout):
    """Draws for every channel of every sample what the class after it draws for entries."""

    axes = 2

    def _drawn(self, x: Array) -> Array:
        firsts = (slice(None),) * self.axes + (slice(0, 1),) * (x.ndim - self.axes)
        return super()._drawn(x[firsts])


@regcheck.implements("channel_dropout")
class Straightforward(Channels):
    """numpy.where with float64 draws."""


@regcheck.implements("channel_dropout")
class WholeMask(Channels):
    """Spreads the mask over space before it selects."""

    def _drawn(self, x: Array) -> Array:
        return np.broadcast_to(super()._drawn(x), x.shape).copy()


@regcheck.implements("channel_dropout")
class Divides(Channels, entries.Divides):
    """Divides by 1 − p in x's own type."""


@regcheck.implements("channel_dropout", declares={"dropped_nonfinite": "nan"})
class MultipliesDeclared(Channels, entries.MultipliesDeclared):
    """x·mask·factor: a dropped ∞ or NaN is NaN, and it says so."""


@regcheck.implements("channel_dropout")
class SixteenBits(Channels, entries.SixteenBits):
    """Compares 16 random bits with p rounded to a 65 536th."""


@regcheck.implements("channel_dropout")
class CounterBased(Channels, entries.CounterBased):
    """A generator that is a function of seed and call."""


@regcheck.implements("channel_dropout")
class DrawsNumbersOfZeros(Channels, entries.DrawsNumbersOfZeros):
    """Draws how many channels are kept in a row before the next is dropped."""


@regcheck.implements("channel_dropout", declares={"mask_order": "memory"})
class MemoryOrderDeclared(Channels, entries.MemoryOrderDeclared):
    """Draws in the order in which channels lie in memory, and says so."""


@regcheck.implements("channel_dropout", declares={"random_stream": "process"})
class SharedStreamDeclared(Channels, entries.SharedStreamDeclared):
    """All layers draw from one generator, and say so."""


@regcheck.implements("channel_dropout")
class WithoutSeed(Channels, entries.WithoutSeed):
    """Cannot be seeded."""


@regcheck.implements("channel_dropout", layout="channels_last")
class ChannelsLast(entries.Dropout):
    """Takes (N, *spatial, C), and says so."""

    def _drawn(self, x: Array) -> Array:
        return super()._drawn(x[(slice(None), *(slice(0, 1),) * (x.ndim - 2), slice(None))])


@regcheck.implements("channel_dropout")
class ImagesAlone(Channels):
    """Takes two spatial axes, and refuses other configs."""

    def __init__(self, config: Any) -> None:
        if config.ndim != 2:
            msg = f"takes 2 spatial axes, not {config.ndim}"
            raise regcheck.Unsupported(msg)
        super().__init__(config)


@regcheck.implements("channel_dropout")
class RateOneRefused(Channels, entries.RateOneRefused):
    """Offers rates below 1."""
