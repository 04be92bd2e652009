"""The data of a problem: the same for every implementation, and in every run."""

from __future__ import annotations

import functools
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck.bench.problems import parameter_shape

if TYPE_CHECKING:
    from regcheck.bench.problems import Problem

Array = np.ndarray[Any, np.dtype[Any]]


@functools.lru_cache(maxsize=2)
def inputs(problem: Problem) -> dict[str, Array]:
    """Arrays by name, read-only, in the problem's dtype; x has no exact zeros."""
    seed = zlib.crc32(f"{problem.family} {problem.shape}".encode())
    rng = np.random.Generator(np.random.Philox(seed))
    draw = {"minimiser": _system, "l1": _weights, "l2": _weights, "elastic_net": _weights}.get(problem.family, _batch)
    arrays = {name: np.ascontiguousarray(v, problem.dtype) for name, v in draw(rng, problem).items()}
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def _batch(rng: np.random.Generator, problem: Problem) -> dict[str, Array]:
    """x with a mean and a scale of its own in every sample, γ away from 1, β away from 0."""
    column = (problem.shape[0],) + (1,) * (len(problem.shape) - 1)
    x = rng.normal(size=problem.shape) * rng.uniform(0.5, 2, column) + rng.uniform(-2, 2, column)
    size = parameter_shape(problem)
    return {
        "x": np.where(np.abs(x) < 1e-6, 1, x),  # a zero would look like a dropped value
        "cotangent": rng.normal(size=problem.shape),
        "scale": rng.uniform(0.5, 2, size),
        "shift": rng.normal(size=size),
        "running_mean": rng.normal(size=size),
        "running_var": rng.uniform(0.5, 2, size),
    }


def _weights(rng: np.random.Generator, problem: Problem) -> dict[str, Array]:
    return {"w": rng.normal(size=problem.shape)}


def _system(rng: np.random.Generator, problem: Problem) -> dict[str, Array]:
    """A of independent normals and b = Aw + noise, a quarter of w not 0."""
    rows, columns = problem.shape
    a = rng.normal(size=(rows, columns))
    w = np.where(np.arange(columns) % 4 == 0, rng.uniform(0.5, 2, columns), 0)
    return {"A": a, "b": a @ w + 0.1 * rng.normal(size=rows)}
