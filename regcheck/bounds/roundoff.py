"""The arithmetic that a layer is allowed: u and η of what it computes in and of what it stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from regcheck.reference.precision import oracle_roundoff, unit_roundoff


class _Declares(Protocol):
    def declared(self, convention: str) -> Any: ...


@dataclass(frozen=True)
class Arithmetic:
    """The arithmetic a layer is allowed: u and η of what it computes in, u_o and η_o of what it stores."""

    u: float
    u_out: float
    eta: float
    eta_out: float


def arithmetic(dtype: str, compute_dtype: str = "input", subnormals: str = "kept") -> Arithmetic:
    """Arithmetic for a case of `dtype`, by the declared conventions `compute_dtype` and `subnormals`.

    The oracle computes in a finite precision too: its roundoff is added to both u.
    """
    compute = dtype if compute_dtype == "input" or np.dtype(dtype).itemsize >= 4 else compute_dtype
    oracle = oracle_roundoff(dtype)
    return Arithmetic(
        unit_roundoff(compute) + oracle,
        unit_roundoff(dtype) + oracle,
        _underflow(compute, subnormals),
        _underflow(dtype, subnormals),
    )


def declared_arithmetic(layers: _Declares, dtype: str) -> Arithmetic:
    """Arithmetic that the implementation under test declared, for a case of `dtype`."""
    return arithmetic(dtype, layers.declared("compute_dtype"), layers.declared("subnormals"))


def _underflow(dtype: str, subnormals: str) -> float:
    finfo = np.finfo(dtype)
    return float(finfo.smallest_subnormal) if subnormals == "kept" else float(finfo.smallest_normal)
