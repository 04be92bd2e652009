"""Whether what was timed is right: a wrong result's time means nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import bounds, statistical
from regcheck.bench.expected import Conventions, Known, expected
from regcheck.bench.inputs import inputs
from regcheck.bench.problems import PASSES

if TYPE_CHECKING:
    from regcheck.bench.subject import Result, Subject

Array = np.ndarray[Any, np.dtype[Any]]


class Wrong(Exception):  # noqa: N818  (an observation)
    """A result that is not what the pass should give; the message says how far off it is."""


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
    family = subject.problem.family
    error = {"dropout": _dropout, "minimiser": _minimiser}.get(family, _deterministic)(subject, timed, result)
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
        return _error(name, result, known[name])
    _expect_input_gradient(result)
    return max(_error(f"d{name}", result[name], known[name]) for name in known if name in result)


def _error(name: str, observed: Array, known: Known) -> float:
    """max |observed − expected|/bound; NaN counts as infinite."""
    array = np.asarray(observed)
    if array.shape != known.value.shape:
        msg = f"{name} has shape {array.shape}, not {known.value.shape}"
        raise Wrong(msg)
    with np.errstate(all="ignore"):
        errors = np.abs(array - known.value) / known.bound
    worst = float(np.max(errors, initial=0.0))
    return worst if worst == worst else math.inf  # noqa: PLR0124  (NaN)


def _expect_input_gradient(result: Result) -> None:
    if not isinstance(result, dict) or "x" not in result:
        msg = "backward gave no gradient of x"
        raise Wrong(msg)


# --- dropout: a random result is checked for support, scale and rate


def _dropout(subject: Subject, timed: str, result: Result) -> float:
    given, rate = inputs(subject.problem), subject.problem.config.rate
    if timed == "forward, inference":
        return 0.0 if np.array_equal(result, given["x"]) else math.inf
    if timed == "forward, training":
        return max(_masked("y", result, given["x"], result != 0, rate), _rate(result, rate))
    _expect_input_gradient(result)
    if subject.forward is None:
        return math.inf
    return _masked("dx", result["x"], given["cotangent"], subject.forward != 0, rate)


def _masked(name: str, observed: Array, values: Array, kept: Array, rate: float) -> float:
    """Error of `values`/(1 − rate) where kept and of 0 elsewhere; rate, 1 − rate, quotient and product are rounded."""
    if observed.shape != values.shape:
        msg = f"{name} has shape {observed.shape}, not {values.shape}"
        raise Wrong(msg)
    ar = bounds.arithmetic(values.dtype.name)
    want = np.where(kept, values.astype(np.float64) / (1 - rate), 0)
    return _error(name, observed, Known(want, 4 * ar.u * np.abs(want) + ar.eta_out))


def _rate(y: Array, rate: float) -> float:
    """Evidence against the drop rate, in units of what convicts at `statistical.ALPHA`."""
    tail = statistical.log_tail(int(np.count_nonzero(y == 0)), y.size, rate)
    return float(tail) / math.log(statistical.ALPHA)


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
