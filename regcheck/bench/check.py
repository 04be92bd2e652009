"""Whether what was timed is right: a wrong result's time means nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import bounds
from regcheck.bench import noise
from regcheck.bench.comparing import Wrong, expect_input_gradient, off
from regcheck.bench.expected import Conventions, expected
from regcheck.bench.inputs import inputs
from regcheck.bench.problems import DROPOUTS, PASSES

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck.bench.subject import Result, Subject

Array = np.ndarray[Any, np.dtype[Any]]


def check(subject: Subject, result: Result) -> float:
    """The largest error of a timed result in units of its bound, at most 1. Raises Wrong for more."""
    return _check(subject, subject.timed, result)


def check_first(subject: Subject) -> float:
    """As `check`, of a first call; before a backward pass, also of the forward pass that it differentiates."""
    error = 0.0
    if subject.forward is not None:
        passes = [timed.name for timed in PASSES[subject.problem.family]]
        error = _check(subject, passes[0], subject.forward)
    return max(error, check(subject, subject.call()))


def _check(subject: Subject, timed: str, result: Result) -> float:
    error = _RULES.get(subject.problem.family, _deterministic)(subject, timed, result)
    if not error <= 1:
        msg = f"{timed} is wrong: its error is {error:.3g} times the bound"
        raise Wrong(msg)
    return error


def _deterministic(subject: Subject, timed: str, result: Result) -> float:
    half = np.dtype(subject.problem.dtype).itemsize < 4  # wider types are computed in themselves
    compute = subject.declared("compute_dtype") if half else None
    conventions = Conventions(compute or "input", subject.declared("l2_factor") or "1", subject.assigned)
    known = expected(subject.problem, timed, conventions)
    if timed != "backward":
        (name,) = known
        return off(name, result, known[name])
    expect_input_gradient(result)
    return max(off(f"d{name}", result[name], known[name]) for name in known if name in result)


# --- minimisers


def _minimiser(subject: Subject, _timed: str, result: Result) -> float:
    """The duality gap in units of what the solver promised."""
    given = inputs(subject.problem)
    a, b = given["A"].astype(np.float64), given["b"].astype(np.float64)
    w = np.asarray(result, np.float64)
    if w.shape != a.shape[1:]:
        msg = f"the solution has shape {w.shape}, not {a.shape[1:]}"
        raise Wrong(msg)
    promised = subject.layer.tolerance()
    if promised is None:
        promised = subject.declared("tolerance")
    excess = bounds.minimiser_excess(bounds.TOLERANCE if promised is None else float(promised), a, b)
    gap = _duality_gap(a, b, w, subject.problem.config)
    return gap / float(excess) if np.isfinite(gap) else math.inf


def _duality_gap(a: Array, b: Array, w: Array, config: Any) -> float:
    """P(w) − D(θ) >= P(w) − min P for the dual point θ = b − Aw; needs l2 > 0.

    D(θ) = bᵀθ − ½‖θ‖² − Σ max(|aⱼᵀθ| − l1, 0)²/(4·l2).
    """
    residual = b - a @ w
    over = np.maximum(np.abs(a.T @ residual) - config.l1, 0)
    primal = residual @ residual / 2 + config.l1 * np.abs(w).sum() + config.l2 * (w @ w)
    return float(primal - (b @ residual - residual @ residual / 2 - over @ over / (4 * config.l2)))


_RULES: dict[str, Callable[[Subject, str, Result], float]] = {
    "minimiser": _minimiser,
    **dict.fromkeys(DROPOUTS, noise.error),
}
