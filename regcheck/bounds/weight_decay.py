"""Bounds on steps of optimisers with weight decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.reference import weight_decay as reference
from regcheck.reference.precision import widen

if TYPE_CHECKING:
    from regcheck.bounds.roundoff import Arithmetic
    from regcheck.families import WeightDecayConfig

Array = np.ndarray[Any, np.dtype[Any]]


def decay_step(config: WeightDecayConfig, w: Array, update: Array | float, ar: Arithmetic) -> Array:
    """Bound on w′ = w₁ − d, w₁ = (1 − ηλ)w, elementwise; d is what the step takes off beside the decay.

    Coupled, d = η·g: λ is rounded, λ·w, the sum with g, η, the product with it and the difference round:
    5u·ηλ|w| + 3u|d| + u|w′|. Decoupled by a product: η, λ, ηλ, 1 − ηλ and the product with w round: 3u·ηλ|w| +
    2u|w₁|. Decoupled by a difference: η, λ, both products and the difference: 4u·ηλ|w| + u|w₁|. Then d = η·g is
    taken off: 2u|d| + u|w′|. For another optimiser d is what it takes off without decay: a product and a sum may be
    one operation or two, which moves d by u|d|. Every result of these is stored: u is that of storage. With
    |w′| <= |w₁| + |d|:

        B = u·(5ηλ|w| + 3|w₁| + 4|d|) + tiny

    tiny: λw may underflow before it meets η, ηw before it meets λ, a product with 1 − ηλ or η or a sum itself.
    """
    taken = np.abs(reference.decayed(config, w))
    left = np.abs(widen(w) - reference.decayed(config, w))
    tiny = ar.eta_out * (4 + config.learning_rate + config.decay)
    return np.asarray(ar.u_out * (5 * taken + 3 * left + 4 * np.abs(update)) + tiny)
