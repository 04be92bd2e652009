"""Which of a native object's arrays is which: canonical names, their synonyms, and the channel axis.

A name is taken only where the number of elements fits and one array alone bears it. What is not found is not guessed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from regcheck.families import CHANNELS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PARAMETERS: dict[str, tuple[str, ...]] = {
    "scale": ("scale", "weight", "gamma", "gain", "g"),
    "shift": ("shift", "bias", "beta", "offset", "b"),
}
STATE: dict[str, tuple[str, ...]] = {
    "running_mean": ("running_mean", "moving_mean", "mean_ema", "running_average", "mean", "mu"),
    "running_var": ("running_var", "running_variance", "moving_variance", "moving_var", "var_ema", "variance", "var"),
}


def parameter_shape(config: Any) -> tuple[int, ...] | None:
    """Canonical shape of scale and shift: (channels,) or the normalised shape; None where the family has neither."""
    if hasattr(config, "channels"):
        return (config.channels,)
    return getattr(config, "shape", None)


def find(
    synonyms: Mapping[str, tuple[str, ...]],
    names: Mapping[str, str],
    sizes: Mapping[str, int],
    shape: tuple[int, ...] | None,
) -> dict[str, str]:
    """Own name by canonical name.

    `sizes` gives the number of elements by own, possibly dotted, name; `names` the declared names, which win; without
    them an array is taken by a synonym (compared with the last part of its name) if its size is that of `shape`.
    """
    found: dict[str, str] = {}
    for canonical, candidates in synonyms.items():
        if canonical in names:
            own = _only(names[canonical], sizes)
        elif shape is None:
            own = None
        else:
            fitting = [name for name, size in sizes.items() if size == math.prod(shape) and name not in names.values()]
            own = next(filter(None, (_only(candidate, fitting) for candidate in candidates)), None)
        if own is not None:
            found[canonical] = own
    return found


def channel_axis_last(family: str, layout: str | None, default: str) -> bool:
    """Whether the layer wants (N, *spatial, C); False for families without a channel axis."""
    return family in CHANNELS and (layout or default) == "channels_last"


def _only(name: str, own: Iterable[str]) -> str | None:
    """The own name that is `name`, else the only one that ends in it, else None."""
    own = list(own)
    if name in own:
        return name
    ending = [candidate for candidate in own if candidate.rsplit(".", 1)[-1] == name]
    return ending[0] if len(ending) == 1 else None
