"""The families of layers and their configs: what a layer can claim to be.

Imports nothing but the standard library, so that every other part, in every
interpreter, may rest on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple


def _refuse(name: str, expected: str, received: object, remedy: str) -> None:
    msg = f"Invalid value for `{name}`. Expected {expected}. Received: {name}={received!r}. {remedy}"
    raise ValueError(msg)


def _is_real(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_strength(name: str, value: object) -> None:
    if not (_is_real(value) and math.isfinite(value) and value >= 0):  # type: ignore[arg-type, operator]
        _refuse(name, "a finite float >= 0", value, "Use 0 to switch the term off.")


def _check_positive(name: str, value: object) -> None:
    if not (_is_real(value) and math.isfinite(value) and value > 0):  # type: ignore[arg-type, operator]
        _refuse(name, "a finite float > 0", value, "Choose a positive number.")


def _check_eps(value: object) -> None:
    if not (_is_real(value) and math.isfinite(value) and value >= 0):  # type: ignore[arg-type, operator]
        _refuse("eps", "a finite float >= 0", value, "Use 1e-5, or 0 for the level `extreme`.")


def _check_count(name: str, value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        _refuse(name, f"an int >= {least}", value, "Pass a whole number.")


def _check_ndim(value: object, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 3:
        _refuse("ndim", f"an int in [{least}, 3]", value, "It counts the spatial axes.")


def _check_shape(value: object) -> None:
    sizes = isinstance(value, tuple) and value and all(isinstance(n, int) and n > 0 for n in value)
    if not sizes:
        _refuse("shape", "a non-empty tuple of positive ints", value, "Pass e.g. shape=(8,).")


@dataclass(frozen=True)
class PenaltyConfig:
    """Strengths of value(w) = l1·Σ|w| + l2·Σw² (no ½); both finite and >= 0."""

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        _check_strength("l1", self.l1)
        _check_strength("l2", self.l2)


@dataclass(frozen=True)
class MinimiserConfig:
    """Strengths of argmin over w of ½‖Aw − b‖² + l1‖w‖₁ + l2‖w‖₂²; both finite and >= 0."""

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        _check_strength("l1", self.l1)
        _check_strength("l2", self.l2)


@dataclass(frozen=True)
class DropoutConfig:
    """Drop probability `rate` in [0, 1] and, for channel dropout, the number of spatial axes."""

    rate: float
    ndim: int = 0

    def __post_init__(self) -> None:
        if not (_is_real(self.rate) and 0 <= self.rate <= 1):
            _refuse("rate", "a float in [0, 1]", self.rate, "It is the probability of dropping.")
        _check_ndim(self.ndim, 0)


@dataclass(frozen=True)
class BatchNormConfig:
    """Batch normalisation of (N, channels, *spatial) with `ndim` spatial axes.

    `momentum` in [0, 1] is the weight of the NEW batch in the moving averages.
    """

    channels: int
    ndim: int = 0
    eps: float = 1e-5
    momentum: float = 0.1
    affine: bool = True

    def __post_init__(self) -> None:
        _check_count("channels", self.channels, 1)
        _check_ndim(self.ndim, 0)
        _check_eps(self.eps)
        if not (_is_real(self.momentum) and 0 <= self.momentum <= 1):
            _refuse("momentum", "a float in [0, 1]", self.momentum, "It weighs the new batch.")


@dataclass(frozen=True)
class LayerNormConfig:
    """Layer normalisation over the trailing axes of sizes `shape`."""

    shape: tuple[int, ...]
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        _check_shape(self.shape)
        _check_eps(self.eps)


@dataclass(frozen=True)
class RMSNormConfig(LayerNormConfig):
    """RMS normalisation over the trailing axes of sizes `shape`."""


@dataclass(frozen=True)
class InstanceNormConfig:
    """Instance normalisation of (N, channels, *spatial) with `ndim` >= 1 spatial axes."""

    channels: int
    ndim: int = 1
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        _check_count("channels", self.channels, 1)
        _check_ndim(self.ndim, 1)
        _check_eps(self.eps)


@dataclass(frozen=True)
class GroupNormConfig:
    """Group normalisation of (N, channels, *spatial); `groups` divides `channels`."""

    channels: int
    groups: int
    ndim: int = 0
    eps: float = 1e-5
    affine: bool = True

    def __post_init__(self) -> None:
        _check_count("channels", self.channels, 1)
        _check_count("groups", self.groups, 1)
        if self.channels % self.groups:
            _refuse("groups", f"a divisor of channels={self.channels}", self.groups, "Change one of them.")
        _check_ndim(self.ndim, 0)
        _check_eps(self.eps)


@dataclass(frozen=True)
class WeightDecayConfig:
    """One optimiser step: `learning_rate` (η) > 0 and `decay` >= 0."""

    learning_rate: float
    decay: float

    def __post_init__(self) -> None:
        _check_positive("learning_rate", self.learning_rate)
        _check_strength("decay", self.decay)


@dataclass(frozen=True)
class PriorConfig:
    """Scale of a prior: Laplace's b or Gauss' σ; finite and > 0."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        _check_positive("scale", self.scale)


class Family(NamedTuple):
    """A family: its config, the method that computes it, and the conventions it may declare.

    The first value of a convention is its default.
    """

    name: str
    config: type
    method: str
    conventions: dict[str, tuple[str, ...]]


_Conventions = dict[str, tuple[str, ...]]
_EVERY: _Conventions = {"subnormals": ("kept", "flushed")}
_NOISE: _Conventions = {"mask_order": ("logical", "memory"), "random_stream": ("own", "process"), **_EVERY}
_DROPOUT: _Conventions = {"dropped_nonfinite": ("zero", "nan"), **_NOISE}
_WHOLE_SAMPLES: _Conventions = {name: values for name, values in _DROPOUT.items() if name != "mask_order"}
_NORM: _Conventions = {"compute_dtype": ("input", "float32"), "batch_invariance": ("bound", "bitwise"), **_EVERY}
_CENTRED: _Conventions = {"single_value_batch": ("shift", "error", "nan"), **_NORM}
_BATCH_NORM: _Conventions = {"running_variance": ("unbiased", "biased"), "momentum": ("new", "old"), **_CENTRED}
_SQUARES: _Conventions = {"l2_factor": ("1", "0.5"), **_EVERY}
_DECAY: _Conventions = {"decay": ("decoupled", "coupled"), "optimiser": ("gradient_descent", "adaptive"), **_EVERY}

# Conventions that only widen a bound: they explain no wrong number.
WIDENING = ("compute_dtype", "subnormals", "tolerance")

_SOLVER: _Conventions = {"tolerance": (), **_EVERY}

_ROWS: tuple[tuple[str, type, str, _Conventions], ...] = (
    ("l1", PenaltyConfig, "value", _EVERY),
    ("l2", PenaltyConfig, "value", _SQUARES),
    ("elastic_net", PenaltyConfig, "value", _SQUARES),
    ("minimiser", MinimiserConfig, "minimise", _SOLVER),
    ("weight_decay", WeightDecayConfig, "step", _DECAY),
    ("laplace_prior", PriorConfig, "log_density", _EVERY),
    ("gaussian_prior", PriorConfig, "log_density", _EVERY),
    ("dropout", DropoutConfig, "forward", _DROPOUT),
    ("channel_dropout", DropoutConfig, "forward", _DROPOUT),
    ("alpha_dropout", DropoutConfig, "forward", _DROPOUT),
    ("channel_alpha_dropout", DropoutConfig, "forward", _DROPOUT),
    ("gaussian_dropout", DropoutConfig, "forward", _NOISE),
    ("drop_path", DropoutConfig, "forward", _WHOLE_SAMPLES),
    ("batch_norm", BatchNormConfig, "forward", _BATCH_NORM),
    ("layer_norm", LayerNormConfig, "forward", _CENTRED),
    ("rms_norm", RMSNormConfig, "forward", _NORM),
    ("instance_norm", InstanceNormConfig, "forward", _CENTRED),
    ("group_norm", GroupNormConfig, "forward", _CENTRED),
)
FAMILIES: dict[str, Family] = {row[0]: Family(*row) for row in _ROWS}

# Families whose input is (N, C, *spatial).
CHANNELS = frozenset({"batch_norm", "instance_norm", "group_norm", "channel_dropout", "channel_alpha_dropout"})


def default_convention(family: str, convention: str) -> str | None:
    """The value of `convention` that holds when nothing is declared; None where it has no list."""
    values = FAMILIES[family].conventions[convention]
    return values[0] if values else None


def config_from_dict(family: str, fields: dict[str, Any]) -> Any:
    """The family's config from JSON-like `fields` (lists become tuples). Raises ValueError or TypeError."""
    kwargs = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    return FAMILIES[family].config(**kwargs)


_AXES = [{"ndim": n} for n in range(4)]
_SAMPLES: dict[type, list[dict[str, Any]]] = {
    PenaltyConfig: [{"l1": 0.5, "l2": 0.25}],
    MinimiserConfig: [{"l1": 0.5, "l2": 0.25}, {"l1": 0.5}, {"l2": 0.25}],
    DropoutConfig: [{"rate": 0.25, **axes} for axes in _AXES],
    BatchNormConfig: [{"channels": 2, **axes} for axes in _AXES],
    LayerNormConfig: [{"shape": (3,)}],
    RMSNormConfig: [{"shape": (3,)}],
    InstanceNormConfig: [{"channels": 2, **axes} for axes in _AXES[1:]],
    GroupNormConfig: [{"channels": 2, "groups": 1, **axes} for axes in _AXES],
    WeightDecayConfig: [{"learning_rate": 0.1, "decay": 0.5}],
    PriorConfig: [{}],
}


def samples(family: str) -> list[Any]:
    """Ordinary configs of the family, one for each number of spatial axes where it has them."""
    kind = FAMILIES[family].config
    return [kind(**fields) for fields in _SAMPLES[kind]]
