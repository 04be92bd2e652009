"""Laws of layer normalisation: each sample is standardised over its own features (§ 10.2, § 10.3)."""

from __future__ import annotations

from regcheck_properties.layer_norm_core import (
    batch_permutation,
    batch_size_invariant,
    batch_size_invariant_bitwise,
    footprint,
    matches_definition,
    position_independent,
    training_equals_inference,
)
from regcheck_properties.layer_norm_gradients import (
    gradient_additive,
    gradient_input,
    gradient_parameters,
    gradient_sum_zero,
)
from regcheck_properties.layer_norm_numerics import (
    bounded_where_ill_conditioned,
    constant_input,
    long_samples,
    normalised,
    overflowing_squares,
    scale_law,
    shift_invariance,
    single_value,
    zero_eps,
)

__all__ = [
    "batch_permutation",
    "batch_size_invariant",
    "batch_size_invariant_bitwise",
    "bounded_where_ill_conditioned",
    "constant_input",
    "footprint",
    "gradient_additive",
    "gradient_input",
    "gradient_parameters",
    "gradient_sum_zero",
    "long_samples",
    "matches_definition",
    "normalised",
    "overflowing_squares",
    "position_independent",
    "scale_law",
    "shift_invariance",
    "single_value",
    "training_equals_inference",
    "zero_eps",
]
