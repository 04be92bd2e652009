"""Right group and instance normalisations in NumPy that differ in how they compute: no property may fail for them."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}
HALF = {"compute_dtype": "float32"}


class GroupNorm:
    """y = γ·(x − mean)/√(var + ε) + β over the entries of a group; a variant overrides how that is done."""

    instances = False

    def __init__(self, config: Any) -> None:
        self.config, self.groups = config, config.channels if self.instances else config.groups
        self.parameters: dict[str, Array] = {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.channels), "shift": np.zeros(config.channels)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError for another number of axes or channels."""
        if x.ndim != 2 + self.config.ndim or x.shape[1] != self.config.channels:
            msg = f"Expected (N, {self.config.channels}, …). Received shape {x.shape}."
            raise ValueError(msg)
        self.shape, per_group = x.shape, x[0].size // self.groups if len(x) else 1
        with np.errstate(all="ignore"):
            rows = self._widened(x).reshape(len(x), self.groups, per_group)
            mean, variance = self._statistics(rows)
            self.inverse = 1 / np.sqrt(variance + variance.dtype.type(self.config.eps))
            self.normalised = (rows - mean) * self.inverse
            return self._affine(self.normalised.reshape(x.shape)).astype(x.dtype)

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward."""
        dy = cotangent.astype(self.normalised.dtype)
        g = (dy * self._along("scale") if self.parameters else dy).reshape(self.normalised.shape)
        inner = np.mean(g * self.normalised, axis=-1, keepdims=True)
        dx = self.inverse * (g - np.mean(g, axis=-1, keepdims=True) - self.normalised * inner)
        axes = (0, *range(2, dy.ndim))
        sums = {"scale": np.sum(dy * self.normalised.reshape(self.shape), axis=axes), "shift": np.sum(dy, axis=axes)}
        own = {name: sums[name].astype(value.dtype) for name, value in self.parameters.items()}
        return {"x": dx.reshape(self.shape).astype(cotangent.dtype), **own}

    def _widened(self, x: Array) -> Array:
        return x.astype(np.promote_types(x.dtype, np.float32))

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = np.mean(rows, axis=-1, keepdims=True)
        return mean, np.mean(np.square(rows - mean), axis=-1, keepdims=True)

    def _along(self, name: str) -> Array:
        return self.parameters[name].reshape(1, -1, *[1] * self.config.ndim)

    def _affine(self, z: Array) -> Array:
        return z * self._along("scale") + self._along("shift") if self.parameters else z


class InFloat64(GroupNorm):
    """All of it in float64."""

    def _widened(self, x: Array) -> Array:
        return x.astype(np.float64)


class Sequential(GroupNorm):
    """Sums as running sums, from the first entry to the last."""

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = np.cumsum(rows, axis=-1)[..., -1:] / rows.shape[-1]
        return mean, np.cumsum(np.square(rows - mean), axis=-1)[..., -1:] / rows.shape[-1]


class Folded(GroupNorm):
    """y = x·k + (β − mean·k) with k = γ/√(var + ε), as some libraries compute it."""

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001
        super().forward(x, training)
        with np.errstate(all="ignore"):
            wide = self._widened(x)
            rows = wide.reshape(self.normalised.shape)
            mean = np.broadcast_to(self._statistics(rows)[0], rows.shape).reshape(x.shape)
            k = np.broadcast_to(self.inverse, rows.shape).reshape(x.shape)
            k = k * self._along("scale").astype(k.dtype) if self.parameters else k
            shift = self._along("shift").astype(k.dtype) if self.parameters else k.dtype.type(0)
            return (wide * k + (shift - mean * k)).astype(x.dtype)


class Merged(GroupNorm):
    """Mean and variance of two halves, merged by Chan's formula."""

    def _statistics(self, rows: Array) -> tuple[Array, Array]:
        n, half = rows.shape[-1], rows.shape[-1] // 2
        if half == 0:
            return super()._statistics(rows)
        (m1, v1), (m2, v2) = (super(Merged, self)._statistics(part) for part in (rows[..., :half], rows[..., half:]))
        delta, rest = m2 - m1, n - half
        variance = (v1 * half + v2 * rest) / n + np.square(delta) * (half / n * rest / n)
        return m1 + delta * (rest / n), variance


def _instances(variant: type[GroupNorm]) -> type[GroupNorm]:
    return type(f"Instance{variant.__name__}", (variant,), {"instances": True})


@regcheck.implements("group_norm", name="group.TwoPass", declares=HALF)
def two_pass(config: Any) -> GroupNorm:
    """Two passes."""
    return GroupNorm(config)


@regcheck.implements("group_norm", name="group.InFloat64", declares=HALF)
def in_float64(config: Any) -> GroupNorm:
    """All in float64."""
    return InFloat64(config)


@regcheck.implements("group_norm", name="group.Sequential", declares=HALF)
def sequential(config: Any) -> GroupNorm:
    """Running sums."""
    return Sequential(config)


@regcheck.implements("group_norm", name="group.Folded", declares=HALF)
def folded(config: Any) -> GroupNorm:
    """The folded form."""
    return Folded(config)


@regcheck.implements("group_norm", name="group.Merged", declares=HALF)
def merged(config: Any) -> GroupNorm:
    """Chan's merge of two halves."""
    return Merged(config)


@regcheck.implements("instance_norm", name="instance.TwoPass", declares=HALF)
def instance_two_pass(config: Any) -> GroupNorm:
    """Two passes."""
    return _instances(GroupNorm)(config)


@regcheck.implements("instance_norm", name="instance.Sequential", declares=HALF)
def instance_sequential(config: Any) -> GroupNorm:
    """Running sums."""
    return _instances(Sequential)(config)


@regcheck.implements("instance_norm", name="instance.Merged", declares=HALF)
def instance_merged(config: Any) -> GroupNorm:
    """Chan's merge of two halves."""
    return _instances(Merged)(config)
