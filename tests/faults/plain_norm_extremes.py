"""Normalisations in NumPy that are wrong at the ends of the range alone, each in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "LayerOnePass": "layer_norm.bounded-where-ill-conditioned",
    "GroupOnePass": "group_norm.bounded-where-ill-conditioned",
    "InstanceOnePass": "instance_norm.bounded-where-ill-conditioned",
    "BatchOnePass": "batch_norm.bounded-where-ill-conditioned",
    "LayerSquaresInOwnType": "layer_norm.overflowing-squares",
    "RMSSquaresInOwnType": "rms_norm.overflowing-squares",
    "GroupSquaresInOwnType": "group_norm.overflowing-squares",
    "InstanceSquaresInOwnType": "instance_norm.overflowing-squares",
    "RMSEpsZeroTakenForNotGiven": "rms_norm.zero-eps",
    "GroupEpsZeroTakenForNotGiven": "group_norm.zero-eps",
    "InstanceEpsZeroTakenForNotGiven": "instance_norm.zero-eps",
}


class Norm:
    """Normalises rows (count, n), computed in float64, in two passes; a fault overrides one step."""

    centred = True

    def __init__(self, config: Any) -> None:
        self.config, self.eps = config, config.eps
        shape = self.parameter_shape()
        self.parameters = {"scale": np.ones(shape), "shift": np.zeros(shape)} if config.affine else {}
        if not self.centred:
            self.parameters.pop("shift", None)

    def parameter_shape(self) -> tuple[int, ...]:
        """Shape of γ and β."""
        return (self.config.channels,)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype."""
        with np.errstate(all="ignore"):
            rows = self.rows(x).astype(np.float64)
            mean = rows.mean(axis=1, keepdims=True) if self.centred else 0.0
            z = self.back((rows - mean) / np.sqrt(self.variance(rows, mean, x.dtype) + self.eps), x.shape)
            scale, shift = (self.along(self.parameters[k], x.ndim) if k in self.parameters else d for k, d in _NEUTRAL)
            return np.asarray(z * scale + shift).astype(x.dtype)

    def variance(self, rows: Array, mean: Array | float, dtype: np.dtype[Any]) -> Array:
        """(count, 1)."""
        return np.asarray(np.mean(np.square(rows - mean), axis=1, keepdims=True))

    def rows(self, x: Array) -> Array:
        """(count, n), a group each."""
        return x.reshape(len(x) * self.config.groups, -1)

    def back(self, z: Array, shape: tuple[int, ...]) -> Array:
        """`rows` undone."""
        return z.reshape(shape)

    def along(self, parameter: Array, ndim: int) -> Array:
        """γ or β of channels, to be multiplied with x."""
        return parameter.reshape(-1, *(1,) * (ndim - 2))


_NEUTRAL = (("scale", 1.0), ("shift", 0.0))


class Features(Norm):
    """Over config.shape, the last axes."""

    def parameter_shape(self) -> tuple[int, ...]:
        """Shape of γ and β."""
        return tuple(self.config.shape)

    def rows(self, x: Array) -> Array:
        """A sample each."""
        return x.reshape(-1, int(np.prod(self.config.shape)))

    def along(self, parameter: Array, ndim: int) -> Array:
        return parameter


class Squares(Features):
    """RMS normalisation."""

    centred = False


class Instances(Norm):
    """Every channel a group."""

    def rows(self, x: Array) -> Array:
        """A channel of a sample each."""
        return x.reshape(len(x) * self.config.channels, -1)


class Batch(Norm):
    """Over the batch and space, in training."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.state = {"running_mean": np.zeros(config.channels), "running_var": np.ones(config.channels)}

    def rows(self, x: Array) -> Array:
        """A channel each."""
        return np.moveaxis(x, 1, 0).reshape(self.config.channels, -1)

    def back(self, z: Array, shape: tuple[int, ...]) -> Array:
        """`rows` undone."""
        return np.moveaxis(z.reshape(shape[1], shape[0], *shape[2:]), 0, 1)


class OnePass(Norm):
    """E[x²] − E[x]², in x's own type, cut off at 0."""

    def variance(self, rows: Array, mean: Array | float, dtype: np.dtype[Any]) -> Array:
        """(count, 1)."""
        own = rows.astype(dtype)
        return np.maximum(np.mean(own * own, axis=1, keepdims=True) - np.mean(own, axis=1, keepdims=True) ** 2, 0)


class SquaresInOwnType(Norm):
    """Squares are taken in x's type, where they overflow."""

    def variance(self, rows: Array, mean: Array | float, dtype: np.dtype[Any]) -> Array:
        """(count, 1)."""
        return np.mean(np.square((rows - mean).astype(dtype)), axis=1, keepdims=True)


class EpsZeroTakenForNotGiven(Norm):
    """An ε of 0 becomes the default."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.eps = config.eps or 1e-5


@regcheck.implements("layer_norm")
class LayerOnePass(OnePass, Features):
    """The one-pass variance."""


@regcheck.implements("group_norm")
class GroupOnePass(OnePass):
    """The one-pass variance."""


@regcheck.implements("instance_norm")
class InstanceOnePass(OnePass, Instances):
    """The one-pass variance."""


@regcheck.implements("batch_norm")
class BatchOnePass(OnePass, Batch):
    """The one-pass variance."""


@regcheck.implements("layer_norm")
class LayerSquaresInOwnType(SquaresInOwnType, Features):
    """Squares overflow."""


@regcheck.implements("rms_norm")
class RMSSquaresInOwnType(SquaresInOwnType, Squares):
    """Squares overflow."""


@regcheck.implements("group_norm")
class GroupSquaresInOwnType(SquaresInOwnType):
    """Squares overflow."""


@regcheck.implements("instance_norm")
class InstanceSquaresInOwnType(SquaresInOwnType, Instances):
    """Squares overflow."""


@regcheck.implements("rms_norm")
class RMSEpsZeroTakenForNotGiven(EpsZeroTakenForNotGiven, Squares):
    """ε = 0 is taken for not given."""


@regcheck.implements("group_norm")
class GroupEpsZeroTakenForNotGiven(EpsZeroTakenForNotGiven):
    """ε = 0 is taken for not given."""


@regcheck.implements("instance_norm")
class InstanceEpsZeroTakenForNotGiven(EpsZeroTakenForNotGiven, Instances):
    """ε = 0 is taken for not given."""
