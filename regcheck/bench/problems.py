"""What is measured: the passes of each family, the sizes, and how many bytes a pass must move."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck.families import (
    FAMILIES,
    BatchNormConfig,
    DropoutConfig,
    GroupNormConfig,
    InstanceNormConfig,
    LayerNormConfig,
    MinimiserConfig,
    PenaltyConfig,
    RMSNormConfig,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = ("small", "medium", "large")
TRAFFIC_MODEL = (
    "Bytes moved are the least that a pass can move: every array named below is read once or written once, in its own "
    "dtype; what is kept for the backward pass, masks, statistics of a batch and second reads are not counted."
)


class Pass(NamedTuple):
    """One timed call, and the arrays that it must read and write."""

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    def traffic(self) -> str:
        """The traffic model in words."""
        return f"reads {', '.join(self.reads)}; writes {', '.join(self.writes)}"


class Problem(NamedTuple):
    """A family's config at a size; `shape` is that of x, w or A."""

    family: str
    size: str
    config: Any
    shape: tuple[int, ...]
    dtype: str


_AFFINE, _RUNNING = ("scale", "shift"), ("running_mean", "running_var")
_BACKWARD = Pass("backward", ("x", "cotangent", "scale"), ("dx", "dscale", "dshift"))
_DROPOUT = (
    Pass("forward, training", ("x",), ("y",)),
    Pass("forward, inference", ("x",), ("y",)),
    Pass("backward", ("cotangent",), ("dx",)),
)
DROPOUTS = tuple(name for name, family in FAMILIES.items() if family.config is DropoutConfig)
# How many leading axes number the units that drop as a whole, where these are not the entries.
UNIT_AXES = {"channel_dropout": 2, "channel_alpha_dropout": 2, "drop_path": 1}
_PENALTY = (Pass("value", ("w",), ("value",)), Pass("gradient", ("w",), ("gradient",)))
# Training and inference are one pass.
_SAMPLES = (Pass("forward", ("x", *_AFFINE), ("y",)), _BACKWARD)
PASSES: dict[str, tuple[Pass, ...]] = {
    "layer_norm": _SAMPLES,
    "rms_norm": (Pass("forward", ("x", "scale"), ("y",)), Pass("backward", _BACKWARD.reads, ("dx", "dscale"))),
    "instance_norm": _SAMPLES,
    "group_norm": _SAMPLES,
    "batch_norm": (
        Pass("forward, training", ("x", *_AFFINE, *_RUNNING), ("y", *_RUNNING)),
        Pass("forward, inference", ("x", *_AFFINE, *_RUNNING), ("y",)),
        _BACKWARD,
    ),
    **dict.fromkeys(DROPOUTS, _DROPOUT),
    "l1": _PENALTY,
    "l2": _PENALTY,
    "elastic_net": _PENALTY,
    "minimiser": (Pass("minimise", ("A", "b"), ("solution",)),),
}

_BATCHES = {
    "small": ((8, 16, 4, 4), (128, 16), (8, 16, 16), (8, 16, 4, 2, 2)),
    "medium": ((16, 64, 16, 16), (4096, 64), (16, 64, 256), (16, 64, 8, 8, 4)),
    "large": ((16, 64, 32, 32), (16384, 64), (16, 64, 1024), (16, 64, 16, 8, 8)),
}
_MATRICES = {"small": (32, 64), "medium": (512, 512), "large": (1024, 1024)}
_VECTORS = {"small": (2**11,), "medium": (2**18,), "large": (2**20,)}
_SYSTEMS = {"small": (64, 16), "medium": (256, 64), "large": (1024, 256)}


_CHANNELS: dict[str, Callable[[int, int], Any]] = {
    "batch_norm": BatchNormConfig,
    "instance_norm": lambda channels, ndim: InstanceNormConfig(channels, max(ndim, 1)),
    "group_norm": lambda channels, ndim: GroupNormConfig(channels, 8, ndim),
}


_FEATURES = {"layer_norm": LayerNormConfig, "rms_norm": RMSNormConfig}


def candidates(family: str, size: str, dtype: str) -> list[Problem]:
    """The problems of a size, in order of preference: an implementation is given the first that it can build."""
    if family in _CHANNELS:
        pairs: list[tuple[Any, tuple[int, ...]]] = [(_CHANNELS[family](s[1], len(s) - 2), s) for s in _BATCHES[size]]
    elif family in _FEATURES:
        pairs = [(_FEATURES[family](_MATRICES[size][1:]), _MATRICES[size])]
    elif family in UNIT_AXES:
        pairs = [(DropoutConfig(0.25, len(s) - 2), s) for s in _BATCHES[size]]
    elif family in DROPOUTS:
        pairs = [(DropoutConfig(0.25), _MATRICES[size])]
    elif family == "minimiser":
        rows = _SYSTEMS[size][0]  # correlations grow with the rows, and the strengths with them
        pairs = [(MinimiserConfig(l1=0.1 * rows, l2=0.01 * rows), _SYSTEMS[size])]
    else:
        pairs = [(PenaltyConfig(l1=0.01, l2=0.02), _VECTORS[size])]
    fitting = [(config, shape) for config, shape in pairs if getattr(config, "ndim", 0) in {0, len(shape) - 2}]
    return [Problem(family, size, config, shape, dtype) for config, shape in fitting]


def bytes_moved(problem: Problem, timed: Pass) -> int:
    """The least number of bytes that a pass reads and writes."""
    return sum(_elements(problem, name) for name in timed.reads + timed.writes) * np.dtype(problem.dtype).itemsize


def _elements(problem: Problem, name: str) -> int:
    if name in {"x", "y", "cotangent", "dx", "w", "gradient", "A"}:
        return math.prod(problem.shape)
    if name == "value":
        return 1
    if problem.family == "minimiser":
        return problem.shape[{"b": 0, "solution": 1}[name]]
    return math.prod(parameter_shape(problem))


def parameter_shape(problem: Problem) -> tuple[int, ...]:
    """Shape of γ, β and the running statistics; () where a family has none."""
    if hasattr(problem.config, "channels"):
        return (problem.config.channels,)
    return problem.config.shape if isinstance(problem.config, LayerNormConfig) else ()
