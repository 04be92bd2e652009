"""Which numbers of spatial axes a bare class takes, found out by calling it, where its name does not tell.

A class that raises for some of them and takes others does not offer the first: those configs are left out. One that
raises for all of them has another fault, and its cells show it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import loading
from regcheck.families import samples
from regcheck.implementation import Implementation, Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable


def offering_some(implementation: Implementation) -> Callable[[Any], Any]:
    """The implementation's factory; it raises Unsupported for numbers of axes that the layer turns out to refuse."""

    @functools.cache
    def refusals() -> dict[int, str]:
        found = {config.ndim: _refusal(implementation, config) for config in samples(implementation.family)}
        refused = {ndim: why for ndim, why in found.items() if why}
        return refused if len(refused) < len(found) else {}

    def factory(config: Any) -> Any:
        if config.ndim in refusals():
            msg = f"{implementation.name} takes no input with {config.ndim} spatial axes: {refusals()[config.ndim]}"
            raise Unsupported(msg)
        return implementation.factory(config)

    factory.__module__ = implementation.factory.__module__
    return factory


def _refusal(implementation: Implementation, config: Any) -> str:
    """What the layer raises for an ordinary input of the config's shape; empty if it takes it."""
    x = np.ones((2, getattr(config, "channels", 2), *(3,) * config.ndim), np.float32)
    try:
        layer, _ = loading.build(implementation, config, "float32")
        layer.forward(x, training=False)
    except Exception as error:  # noqa: BLE001  (told as the reason)
        return f"{type(error).__name__}: {error}"
    return ""
