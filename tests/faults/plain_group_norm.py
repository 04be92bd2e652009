"""Group and instance normalisations in NumPy, each with one fault."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED = {
    "GroupsInterleaved": "group_norm.matches-definition",
    "OneGroupForAll": "group_norm.footprint",
    "SpaceLeftOut": "group_norm.normalised",
    "LastAxisAlone": "group_norm.matches-definition",
    "ScaleByGroup": "group_norm.affine-per-channel",
    "StatisticsOfBatch": "group_norm.batch-size-invariant",
    "EpsOutsideRoot": "group_norm.scale-law",
    "OnePass": "group_norm.shift-invariance",
    "Unbiased": "group_norm.normalised",
    "InferenceUnnormalised": "group_norm.training-equals-inference",
    "FirstMemberWeighsTwice": "group_norm.permuted-in-group",
    "GroupsWeighedByPlace": "group_norm.permuted-groups",
    "GradientOfScaleOverBatchAlone": "group_norm.gradient-parameters",
    "GradientOfFirstSample": "group_norm.gradient-additive",
    "MeanDetached": "group_norm.gradient-sum-zero",
    "VarianceDetached": "group_norm.gradient-input",
    "TailLeftOut": "group_norm.long-groups",
    "BlockedBits": "group_norm.batch-size-invariant-bitwise",
    "RoundedMean": "group_norm.constant-input-gives-shift",
    "SilentOnOne": "group_norm.single-value-batch-as-declared",
    "OneGroupPerPlace": "group_norm.one-group-is-layer-norm",
    "SingleChannelsPooled": "group_norm.single-channels-are-instance-norm",
    "InstancesOverBatch": "instance_norm.batch-size-invariant",
    "InstancesOverChannels": "instance_norm.footprint",
    "InstancesOverRows": "instance_norm.matches-definition",
    "InstancesUnbiased": "instance_norm.normalised",
    "InstancesByPlace": "instance_norm.affine-per-channel",
    "InstancesOnePass": "instance_norm.shift-invariance",
    "InstancesOfFirstChannel": "instance_norm.permuted-channels",
    "InstancesScaleGradientOfOneSample": "instance_norm.gradient-parameters",
    "InstancesMeanDetached": "instance_norm.gradient-sum-zero",
    "InstancesEpsDoubled": "instance_norm.is-batch-norm-of-one-sample",
}


class Base:
    """The right layer in two passes, half precision in float32; a fault overrides one step."""

    instances = False

    def __init__(self, config: Any) -> None:
        self.config, self.parameters = config, {}
        self.groups = config.channels if self.instances else config.groups
        if config.affine:
            self.parameters = {"scale": np.ones(config.channels), "shift": np.zeros(config.channels)}

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """y of x's shape and dtype. Raises ValueError for another number of axes or channels."""
        if x.ndim != 2 + self.config.ndim or x.shape[1] != self.config.channels:
            msg = f"Expected (N, {self.config.channels}, …) of {2 + self.config.ndim} axes. Received shape {x.shape}."
            raise ValueError(msg)
        self.training, self.shape = training, x.shape
        with np.errstate(all="ignore"):
            rows = self.grouped(x.astype(np.promote_types(x.dtype, np.float32)))
            self.axes = tuple(range(2, rows.ndim))
            mean, variance = self.statistics(rows)
            self.s = self.inverse(variance)
            self.z = (rows - mean) * self.s
            return self.affine(self.flat(self.z)).astype(x.dtype)

    def grouped(self, x: Array) -> Array:
        return x.reshape(len(x), self.groups, -1, *x.shape[2:])

    def flat(self, rows: Array) -> Array:
        return rows.reshape(self.shape)

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = np.mean(rows, axis=self.axes, keepdims=True)
        return mean, np.mean(np.square(rows - mean), axis=self.axes, keepdims=True)

    def inverse(self, variance: Array) -> Array:
        return 1 / np.sqrt(variance + variance.dtype.type(self.config.eps))

    def along(self, name: str) -> Array:
        return self.parameters[name].reshape(1, -1, *[1] * self.config.ndim)

    def affine(self, z: Array) -> Array:
        return z * self.along("scale") + self.along("shift") if self.parameters else z

    def backward(self, cotangent: Array) -> dict[str, Array]:
        """{"x": dx, "scale": dγ, "shift": dβ} of the last forward."""
        dy = cotangent.astype(self.z.dtype)
        g = self.grouped(dy * self.along("scale") if self.parameters else dy)
        dx = self.flat(self.input_gradient(g)).astype(cotangent.dtype)
        sums = {"scale": self.summed(dy * self.flat(self.z)), "shift": self.summed(dy)}
        return {"x": dx, **{name: sums[name].astype(value.dtype) for name, value in self.parameters.items()}}

    def input_gradient(self, g: Array) -> Array:
        along = np.mean(g * self.z, axis=self.axes, keepdims=True)
        return self.s * (g - np.mean(g, axis=self.axes, keepdims=True) - self.z * along)

    def summed(self, terms: Array) -> Array:
        return np.sum(terms, axis=(0, *range(2, terms.ndim)))


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class GroupsInterleaved(Base):
    """Channel c belongs to group c mod G, as after a channel shuffle."""

    def grouped(self, x: Array) -> Array:
        return np.swapaxes(x.reshape(len(x), -1, self.groups, *x.shape[2:]), 1, 2)

    def flat(self, rows: Array) -> Array:
        return np.swapaxes(rows, 1, 2).reshape(self.shape)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class OneGroupForAll(Base):
    """All channels share their statistics, whatever the number of groups."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.groups = 1


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class SpaceLeftOut(Base):
    """Statistics of every place by itself, over the channels of a group alone."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = np.mean(rows, axis=2, keepdims=True)
        return mean, np.mean(np.square(rows - mean), axis=2, keepdims=True)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class LastAxisAlone(Base):
    """Statistics over the channels and the last spatial axis alone: right with one."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        axes = (2, rows.ndim - 1) if rows.ndim > 3 else (2,)
        mean = np.mean(rows, axis=axes, keepdims=True)
        return mean, np.mean(np.square(rows - mean), axis=axes, keepdims=True)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class ScaleByGroup(Base):
    """Every channel of a group is scaled by the γ of the group's first."""

    def along(self, name: str) -> Array:
        members = self.config.channels // self.config.groups
        return np.repeat(self.parameters[name][::members], members).reshape(1, -1, *[1] * self.config.ndim)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class StatisticsOfBatch(Base):
    """Statistics over the batch too, as batch normalisation has them."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        axes = (0, *self.axes)
        mean = np.mean(rows, axis=axes, keepdims=True)
        return mean, np.mean(np.square(rows - mean), axis=axes, keepdims=True)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class EpsOutsideRoot(Base):
    """ε is added to the deviation, not to the variance."""

    def inverse(self, variance: Array) -> Array:
        return 1 / (np.sqrt(variance) + variance.dtype.type(self.config.eps))


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class OnePass(Base):
    """The variance as mean of squares less the square of the mean."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = np.mean(rows, axis=self.axes, keepdims=True)
        square = np.mean(np.square(rows), axis=self.axes, keepdims=True)
        return mean, np.maximum(square - np.square(mean), 0)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class Unbiased(Base):
    """The variance divides by n − 1."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean, variance = super().statistics(rows)
        n = int(np.prod(rows.shape[2:], dtype=int))
        return mean, variance * (n / max(n - 1, 1))


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class OneGroupPerPlace(Base):
    """A path of its own for one group normalises over the channels at each place."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        if self.groups > 1 or rows.shape[2] == 1:
            return super().statistics(rows)
        mean = np.mean(rows, axis=2, keepdims=True)
        return mean, np.mean(np.square(rows - mean), axis=2, keepdims=True)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class SingleChannelsPooled(Base):
    """A path of its own for a group per channel takes one variance for all channels of a sample."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean, variance = super().statistics(rows)
        return mean, np.mean(variance, axis=1, keepdims=True) if rows.shape[2] == 1 else variance


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class InferenceUnnormalised(Base):
    """Inference leaves out the mean, for it is 0 in the long run."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean, variance = super().statistics(rows)
        return (mean if self.training else np.zeros_like(mean)), variance


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class FirstMemberWeighsTwice(Base):
    """The mean counts a group's first channel twice."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean = np.mean(np.concatenate([rows[:, :, :1], rows], axis=2), axis=self.axes, keepdims=True)
        return mean, np.mean(np.square(rows - mean), axis=self.axes, keepdims=True)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class GroupsWeighedByPlace(Base):
    """The last group is normalised by the variance of the first."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        mean, variance = super().statistics(rows)
        variance = variance.copy()
        variance[:, -1] = variance[:, 0]
        return mean, variance


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class GradientOfScaleOverBatchAlone(Base):
    """dγ and dβ sum over the batch and take the mean over space."""

    def summed(self, terms: Array) -> Array:
        return np.mean(np.sum(terms, axis=0).reshape(terms.shape[1], -1), axis=1)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class GradientOfFirstSample(Base):
    """dγ and dβ are the first sample's, times the size of the batch."""

    def summed(self, terms: Array) -> Array:
        return len(terms) * super().summed(terms[:1])


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class MeanDetached(Base):
    """The gradient does not go through the mean."""

    def input_gradient(self, g: Array) -> Array:
        return self.s * (g - self.z * np.mean(g * self.z, axis=self.axes, keepdims=True))


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class VarianceDetached(Base):
    """The gradient does not go through the variance."""

    def input_gradient(self, g: Array) -> Array:
        return self.s * (g - np.mean(g, axis=self.axes, keepdims=True))


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class TailLeftOut(Base):
    """Statistics of whole blocks of 256 values, where there is one: what is over is left out."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        n = int(np.prod(rows.shape[2:], dtype=int))
        whole = rows.reshape(*rows.shape[:2], n)[..., : n // 256 * 256 or n]
        mean = np.mean(whole, axis=-1).reshape(*rows.shape[:2], *[1] * (rows.ndim - 2))
        spread = np.square(whole - mean.reshape(*rows.shape[:2], 1))
        return mean, np.mean(spread, axis=-1).reshape(mean.shape)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32", "batch_invariance": "bitwise"})
class BlockedBits(Base):
    """Promises bits, and sums in another order where the batch is larger than one sample."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        if len(rows) > 1:
            rows = np.flip(rows, axis=self.axes)
        mean = np.cumsum(rows.reshape(*rows.shape[:2], -1), axis=-1)[..., -1]
        mean = mean.reshape(*rows.shape[:2], *[1] * (rows.ndim - 2)) / int(np.prod(rows.shape[2:], dtype=int))
        return mean, np.mean(np.square(rows - mean), axis=self.axes, keepdims=True)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32"})
class RoundedMean(Base):
    """The mean as a sum of values each divided by n: a constant is no longer its own mean."""

    def statistics(self, rows: Array) -> tuple[Array, Array]:
        n = int(np.prod(rows.shape[2:], dtype=int))
        terms = (rows / np.float32(n)).astype(np.float16).astype(rows.dtype)
        mean = np.sum(terms, axis=self.axes, keepdims=True)
        return mean, np.mean(np.square(rows - mean), axis=self.axes, keepdims=True)


@regcheck.implements("group_norm", declares={"compute_dtype": "float32", "single_value_batch": "error"})
class SilentOnOne(Base):
    """Promises an error for a group of one value, and gives β."""


class Instances(Base):
    """The right instance normalisation: a group for each channel."""

    instances = True


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesOverBatch(StatisticsOfBatch, Instances):
    """Batch normalisation under another name."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesOverChannels(OneGroupForAll, Instances):
    """Layer normalisation under another name."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesOverRows(LastAxisAlone, Instances):
    """Every row of an image is normalised by itself."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesUnbiased(Unbiased, Instances):
    """The variance divides by n − 1."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesByPlace(Instances):
    """γ is applied in the channels' reversed order."""

    def along(self, name: str) -> Array:
        return np.flip(super().along(name), axis=1)


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesOnePass(OnePass, Instances):
    """The variance as mean of squares less the square of the mean."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesOfFirstChannel(GroupsWeighedByPlace, Instances):
    """The last channel is normalised by the variance of the first."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesScaleGradientOfOneSample(GradientOfFirstSample, Instances):
    """dγ and dβ are the first sample's, times the size of the batch."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesMeanDetached(MeanDetached, Instances):
    """The gradient does not go through the mean."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InstancesEpsDoubled(Instances):
    """ε counts twice, once for the mean."""

    def inverse(self, variance: Array) -> Array:
        return 1 / np.sqrt(variance + variance.dtype.type(2 * self.config.eps))
