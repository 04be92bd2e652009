"""A batch of samples handed to layer_norm or rms_norm with no batch axis, with one, two or three."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from regcheck import Case

Array = np.ndarray[Any, np.dtype[Any]]
ALONE = 3  # so many samples are handed over without a batch axis; the others, for whom one call will do, with one
INNER = {1: (), 2: (3,), 3: (2, 3)}  # sizes of the batch axes after the first, all unequal where they can be


class Call(NamedTuple):
    """Which samples go into one call, and the sizes of the batch axes that they come with."""

    samples: slice
    batch: tuple[int, ...]


def calls(case: Case) -> Iterator[Call]:
    """The calls in which the case's samples (N, *shape), N >= 1, reach the layer with `axes` batch axes.

    `axes` is a value of the case, 1 where it has none. Samples left over by the inner axes come with one batch axis.
    """
    count, axes = len(case["x"]), case.values.get("axes", 1)
    if axes == 0:
        yield from (Call(slice(i, i + 1), ()) for i in range(min(ALONE, count)))
        done = min(ALONE, count)
    else:
        inner = _inner(count, axes)
        done = count - count % math.prod(inner)
        yield Call(slice(done), (done // math.prod(inner), *inner))
    if done < count:
        yield Call(slice(done, count), (count - done,))


def _inner(count: int, axes: int) -> tuple[int, ...]:
    """Sizes of the axes after the first; where there are too few samples for them the last holds them all."""
    wanted = INNER[axes]
    return wanted if count >= math.prod(wanted) else (*[1] * (axes - 2), count)


def in_calls(case: Case, compute: Callable[[Call], Array]) -> Array:
    """What `compute` gives for the samples of each call, put together as (N, *shape)."""
    found = [compute(call).reshape(-1, *case.config.shape) for call in calls(case)]
    return np.concatenate(found)


def placed(samples: Array, call: Call) -> Array:
    """The call's samples of (N, *shape) as (*batch, *shape)."""
    return samples[call.samples].reshape(*call.batch, *samples.shape[1:])
