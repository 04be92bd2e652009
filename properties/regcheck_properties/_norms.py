"""What the laws of the normalisations share: the layer of a case, and what it should give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import Case, Evidence, Layers, bounds, reference, within

if TYPE_CHECKING:
    from regcheck.host import HostedLayer

Array = np.ndarray[Any, np.dtype[Any]]


class Expected(NamedTuple):
    """y by the definition, its bound, and how far from β it may lie where accuracy cannot be claimed."""

    y: Array
    bound: Array
    shift: Array
    limit: Array
    judged: Array
    dims: tuple[str, ...]


def layer_of(layers: Layers, case: Case) -> HostedLayer:
    """A fresh layer with the case's parameters."""
    layer = layers.make(case.config, case.dtype)
    layer.assign_parameters({name: case[name] for name in ("scale", "shift") if name in case.arrays})
    return layer


def expected(  # noqa: PLR0913
    norm: reference.Normalised,
    standard: bounds.Standard,
    ar: bounds.Arithmetic,
    *,
    dims: tuple[str, ...],
    scale: Array | None = None,
    shift: Array | None = None,
) -> Expected:
    """γ·z + β with its bounds; γ and β broadcast against z."""
    gamma = np.ones((), norm.z.dtype) if scale is None else reference.widen(scale)
    beta = np.zeros((), norm.z.dtype) if shift is None else reference.widen(shift)
    y = gamma * norm.z + beta
    reach = np.abs(gamma) * standard.limit
    limit = reach + 2 * (ar.u + ar.u_out) * (reach + np.abs(beta))
    return Expected(y, bounds.affine(standard.z, norm.z, y, ar, gamma), beta, limit, standard.judged, dims)


def judge(observed: Array, want: Expected, what: str = "y") -> list[Evidence]:
    """Evidence that `observed` is accurate, and within its limit where accuracy cannot be claimed."""
    inside = np.where(want.judged, want.y, want.shift)
    reach = np.where(want.judged, np.inf, want.limit)
    return [
        within(observed, want.y, want.bound, dims=want.dims, what=what, judged=want.judged),
        within(observed, inside, reach, dims=want.dims, what=f"{what} where ill-conditioned"),
    ]


def agree(observed: Array, other: Array, want: Expected, what: str) -> Evidence:
    """Evidence that two results for the same data agree: each may err by the bound."""
    wide = other.astype(want.y.dtype)
    return within(observed, wide, 2 * want.bound, dims=want.dims, what=what, judged=want.judged)
