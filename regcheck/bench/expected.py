"""What a pass should give, with the bound on a correct implementation's error: one function a family."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import bounds, reference
from regcheck.bench.inputs import inputs
from regcheck.reference import penalties

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck.bench.problems import Problem

Array = np.ndarray[Any, np.dtype[Any]]


class Conventions(NamedTuple):
    """What the expected values depend on beside the problem."""

    compute_dtype: str
    l2_factor: str
    assigned: frozenset[str]  # parameters that the layer took; the others are 1 and 0


class Known(NamedTuple):
    """An expected array and how far from it a correct result may lie, elementwise."""

    value: Array
    bound: Array


@functools.lru_cache(maxsize=4)
def expected(problem: Problem, timed: str, conventions: Conventions) -> dict[str, Known]:
    """Expected arrays of a pass by name: "y", "value", "gradient", or "x", "scale", "shift" of a backward pass."""
    # The data hold nothing near underflow, so what becomes of subnormals makes no difference.
    ar = bounds.arithmetic(problem.dtype, conventions.compute_dtype, "flushed")
    given = inputs(problem)
    own = {name: value for name, value in given.items() if name in conventions.assigned or name in _DATA}
    return _FAMILIES[problem.family](problem, timed, own, ar, conventions)


_DATA = ("x", "cotangent", "w")
Arrays = dict[str, Array]


def _over_features(
    problem: Problem, timed: str, own: Arrays, ar: bounds.Arithmetic, _: Conventions
) -> dict[str, Known]:
    oracle = reference.rms_norm if problem.family == "rms_norm" else reference.layer_norm
    norm = oracle.standardise(own["x"], problem.config)
    standard = bounds.standard(norm, ar)
    gamma, beta = _widened(own, "scale", 1.0), _widened(own, "shift", 0.0)
    if timed == "forward":
        return {"y": _affine(norm, standard, gamma, beta, ar)}
    batch = tuple(range(len(problem.shape) - len(problem.config.shape)))
    found = oracle.backward(own["cotangent"], own["x"], problem.config, own.get("scale"))
    return _gradients(norm, standard, found, reference.widen(own["cotangent"]), gamma=gamma, axes=batch, ar=ar)


def _batch_norm(problem: Problem, timed: str, own: Arrays, ar: bounds.Arithmetic, _: Conventions) -> dict[str, Known]:
    oracle = reference.batch_norm
    if timed.endswith("inference"):
        running = oracle.Running(own["running_mean"], own["running_var"])
        norm = oracle.standardise_recorded(own["x"], problem.config, running)
        standard = bounds.standard_recorded(norm, ar)
    else:
        norm = oracle.standardise(own["x"], problem.config)
        standard = bounds.standard(norm, ar)
    along = functools.partial(oracle.along_channels, ndim=norm.z.ndim)
    gamma, beta = along(_widened(own, "scale", 1.0)), along(_widened(own, "shift", 0.0))
    if timed.startswith("forward"):
        return {"y": _affine(norm, standard, gamma, beta, ar)}
    found = oracle.backward(norm, own["cotangent"], own.get("scale"), training=True)
    return _gradients(norm, standard, found, reference.widen(own["cotangent"]), gamma=gamma, axes=norm.axes, ar=ar)


def _group_norm(problem: Problem, timed: str, own: Arrays, ar: bounds.Arithmetic, _: Conventions) -> dict[str, Known]:
    oracle, config = reference.group_norm, problem.config
    groups = getattr(config, "groups", config.channels)
    channels = (groups, config.channels // groups)
    shape = (problem.shape[0], *channels, *problem.shape[2:])
    norm = oracle.standardise(own["x"].reshape(shape), config.eps)
    standard = bounds.standard(norm, ar)
    gamma, beta = (
        oracle.along_channels(
            np.broadcast_to(_widened(own, name, default), config.channels).reshape(channels), norm.z.ndim
        )
        for name, default in (("scale", 1.0), ("shift", 0.0))
    )
    if timed == "forward":
        return {"y": _reshaped(_affine(norm, standard, gamma, beta, ar), problem.shape)}
    cotangent, scale = own["cotangent"].reshape(shape), np.ones(channels, own["x"].dtype)
    found = oracle.backward(norm, cotangent, own["scale"].reshape(channels) if "scale" in own else scale)
    summed, dy = oracle.summed_axes(norm.z.ndim, 2), reference.widen(cotangent)
    known = _gradients(norm, standard, found, dy, gamma=gamma, axes=summed, ar=ar)
    flat = (config.channels,)
    return {name: _reshaped(each, problem.shape if name == "x" else flat) for name, each in known.items()}


def _reshaped(known: Known, shape: tuple[int, ...]) -> Known:
    return Known(known.value.reshape(shape), np.broadcast_to(known.bound, known.value.shape).reshape(shape))


def _penalty(
    problem: Problem, timed: str, own: Arrays, ar: bounds.Arithmetic, conventions: Conventions
) -> dict[str, Known]:
    strengths = penalties.strengths(problem.family, problem.config, conventions.l2_factor)
    if timed == "value":
        sums = penalties.sums(own["w"])
        return {"value": Known(penalties.value(strengths, sums), bounds.penalty_value(strengths, sums, ar))}
    gradient = penalties.gradient(strengths, own["w"])
    return {"gradient": Known(gradient, bounds.penalty_gradient(strengths, reference.widen(own["w"]), ar))}


_FAMILIES: dict[str, Callable[..., dict[str, Known]]] = {
    "layer_norm": _over_features,
    "rms_norm": _over_features,
    "batch_norm": _batch_norm,
    "instance_norm": _group_norm,
    "group_norm": _group_norm,
    "l1": _penalty,
    "l2": _penalty,
    "elastic_net": _penalty,
}


def _widened(own: Arrays, name: str, default: float) -> Array:
    return reference.widen(own[name]) if name in own else np.array([default], reference.widen(own["x"][:0]).dtype)


def _affine(
    norm: reference.Normalised, standard: bounds.Standard, gamma: Array, beta: Array, ar: bounds.Arithmetic
) -> Known:
    y = gamma * norm.z + beta
    bound = bounds.affine(standard, norm.z, y, ar, gamma)
    return Known(y, np.where(standard.judged, bound, np.inf))


def _gradients(  # noqa: PLR0913
    norm: reference.Normalised,
    standard: bounds.Standard,
    found: reference.normalisation.Gradients,
    dy: Array,
    *,
    gamma: Array,
    axes: tuple[int, ...],
    ar: bounds.Arithmetic,
) -> dict[str, Known]:
    bound = np.where(standard.judged, bounds.input_gradient(norm, standard, gamma * dy, ar), np.inf)
    return {
        "x": Known(found.x, bound),
        "scale": Known(found.scale, bounds.scale_gradient(norm, standard, dy, axes, ar)),
        "shift": Known(found.shift, bounds.shift_gradient(dy, axes, ar)),
    }
