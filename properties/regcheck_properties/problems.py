"""What the laws of minimisers share: a batch of problems, solved by the layer, and what its promise allows.

F(w) = ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂². A solver promises F(w) <= min F + E; every bound follows from E alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import Evidence, bounds
from regcheck.reference import minimiser as reference

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.families import MinimiserConfig
    from regcheck.host import HostedLayer

Array = np.ndarray[Any, np.dtype[Any]]


class Solved(NamedTuple):
    """Problems A (P, N, K), b (P, N) and strengths, the layer's w (P, K), and E (P,)."""

    a: Array
    b: Array
    config: MinimiserConfig
    w: Array
    excess: Array

    def objective(self) -> Array:
        """F(w) (P,)."""
        return reference.objective(self.a, self.b, self.w, self.config)

    def loss(self) -> Array:
        """½‖Aw − b‖² (P,)."""
        return reference.loss(self.a, self.b, self.w)

    def distance(self) -> Array:
        """How far each coefficient may be from the minimiser's (P, K); NaN where that is not unique."""
        with np.errstate(all="ignore"):
            return bounds.minimiser_distance(self.excess[:, None], 1 / reference.inverse_diagonal(self.a, self.config))


def solve(layers: Layers, case: Case, a: Array | None = None, b: Array | None = None, config: Any = None) -> Solved:
    """Let a fresh layer minimise every problem of the case, or the given ones."""
    a, b = case["A"] if a is None else a, case["b"] if b is None else b
    config = config or case.config
    layer = layers.make(config, case.dtype)
    w = np.stack([_coefficients(layer, *problem) for problem in zip(a, b, strict=True)])
    return Solved(a, b, config, w, bounds.minimiser_excess(_tolerance(layers, layer), a, b))


def _coefficients(layer: HostedLayer, a: Array, b: Array) -> Array:
    """The layer's w in the widest type; NaN where its shape is wrong."""
    w = layer.minimise(np.ascontiguousarray(a), np.ascontiguousarray(b))
    return w.astype(np.longdouble) if w.shape == a.shape[1:] else np.full(a.shape[1], np.nan, np.longdouble)


def _tolerance(layers: Layers, layer: HostedLayer) -> float:
    declared = layers.declared("tolerance")
    promised = layer.tolerance() if declared is None else float(declared)
    return bounds.TOLERANCE if promised is None else promised


def claim(right: Array, judged: Array, expected: Array, observed: Array, what: str) -> Evidence:
    """Evidence of an exact claim about each problem (P,) or coefficient (P, K), where it can be judged."""
    error = np.where(right | ~judged, 0.0, np.inf)
    return Evidence(error, expected, observed, ("P", "K")[: error.ndim], what, int(np.count_nonzero(~judged)))
