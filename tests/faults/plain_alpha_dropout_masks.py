"""Alpha dropouts in NumPy whose masks are drawn wrongly; each differs in one step."""

from __future__ import annotations

from typing import Any

import numpy as np
from plain_alpha_dropout import AlphaDropout

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "RateAtLeastAHundredth": "alpha_dropout.rate-zero-identity",
    "MaskCachedByShape": "alpha_dropout.fresh-mask",
    "SeedOfItsOwn": "alpha_dropout.seeds-differ",
    "SeedFixedInConstructor": "alpha_dropout.layers-differ",
    "StreamSharedUndeclared": "alpha_dropout.random-stream-as-declared",
    "MaskInMemoryOrderUndeclared": "alpha_dropout.mask-order-as-declared",
    "SmallestDropped": "alpha_dropout.mask-independent-of-values",
}


class SeesInput(AlphaDropout):
    """The right layer, whose draw can look at the input."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        self.x = x
        return super().forward(x, training)


@regcheck.implements("alpha_dropout")
class RateAtLeastAHundredth(AlphaDropout):
    """Drops a hundredth where it should drop nothing."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.rate = max(self.rate, 0.01)


@regcheck.implements("alpha_dropout")
class MaskCachedByShape(AlphaDropout):
    """Draws once for each shape, as a traced graph does."""

    def seed(self, value: int) -> None:
        """Restart the random stream."""
        super().seed(value)
        self.masks: dict[tuple[int, ...], Array] = {}

    def _draw(self, shape: tuple[int, ...]) -> Array:
        masks = self.__dict__.setdefault("masks", {})
        return masks.setdefault(shape, super()._draw(shape))


@regcheck.implements("alpha_dropout")
class SeedOfItsOwn(AlphaDropout):
    """Every seed restarts the same stream."""

    def seed(self, value: int) -> None:
        """Restart the one stream."""
        super().seed(0)


@regcheck.implements("alpha_dropout")
class SeedFixedInConstructor(AlphaDropout):
    """Every new layer starts the same stream."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.generator = np.random.default_rng(0)


@regcheck.implements("alpha_dropout")
class StreamSharedUndeclared(AlphaDropout):
    """All layers draw from one generator, and seeding one seeds them all; a convention, had it been declared."""

    shared = np.random.default_rng()

    def seed(self, value: int) -> None:
        """Restart the stream of every layer."""
        StreamSharedUndeclared.shared = np.random.default_rng(value)

    def _draw(self, shape: tuple[int, ...]) -> Array:
        self.generator = self.shared
        return super()._draw(shape)


@regcheck.implements("alpha_dropout")
class MaskInMemoryOrderUndeclared(SeesInput):
    """Draws in the order of the input's memory, and does not say so."""

    def _draw(self, shape: tuple[int, ...]) -> Array:
        order = sorted(range(len(shape)), key=lambda axis: -abs(self.x.strides[axis]))
        drawn = [shape[axis] for axis in order]
        kept = self.generator.random(drawn) >= self.rate
        return np.broadcast_to(np.transpose(kept, np.argsort(order)) if order else kept, shape)


@regcheck.implements("alpha_dropout")
class SmallestDropped(SeesInput):
    """Drops what is smaller than usual more often."""

    def _draw(self, shape: tuple[int, ...]) -> Array:
        kept = super()._draw(shape)
        size = np.abs(np.nan_to_num(self.x.astype(np.float64)))
        return np.where(size < np.median(size) if size.size else 0, kept & super()._draw(shape), kept)
