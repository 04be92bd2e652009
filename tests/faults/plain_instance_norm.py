"""Instance normalisations in NumPy with the faults of group normalisations, where a channel is a group."""

from __future__ import annotations

from typing import Any

import numpy as np
import plain_group_norm as groups

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "BlockedBits": "instance_norm.batch-size-invariant-bitwise",
    "InferenceUncentred": "instance_norm.training-equals-inference",
    "EpsOutsideRoot": "instance_norm.scale-law",
    "RoundedMean": "instance_norm.constant-input-gives-shift",
    "SilentOnOne": "instance_norm.single-value-batch-as-declared",
    "TailLeftOut": "instance_norm.long-groups",
    "VarianceDetached": "instance_norm.gradient-input",
    "GradientsAveraged": "instance_norm.gradient-additive",
}


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32", "batch_invariance": "bitwise"})
class BlockedBits(groups.BlockedBits, groups.Instances):
    """Promises bits, and sums in another order where the batch is larger than one sample."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class InferenceUncentred(groups.InferenceUnnormalised, groups.Instances):
    """Inference leaves out the mean, for it is 0 in the long run."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class EpsOutsideRoot(groups.EpsOutsideRoot, groups.Instances):
    """ε is added to the deviation, not to the variance."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class RoundedMean(groups.RoundedMean, groups.Instances):
    """The mean as a sum of rounded values each divided by n: a constant is no longer its own mean."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32", "single_value_batch": "error"})
class SilentOnOne(groups.Instances):
    """Promises an error for a channel of one value, and gives β."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class TailLeftOut(groups.TailLeftOut, groups.Instances):
    """Statistics of whole blocks of 256 values, where there is one: what is over is left out."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class VarianceDetached(groups.VarianceDetached, groups.Instances):
    """The gradient does not go through the variance."""


@regcheck.implements("instance_norm", declares={"compute_dtype": "float32"})
class GradientsAveraged(groups.Instances):
    """dγ and dβ are means over the batch, not sums."""

    def summed(self, terms: Array) -> Array:
        return super().summed(terms) / max(len(terms), 1)
