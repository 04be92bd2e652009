"""A property of somebody else's."""

import numpy as np
from hypothesis import strategies as st

from regcheck import Case, families, prop, same_bits


def zeros(plan):
    """Samples of zeros, of several lengths."""

    def case(size):
        x = np.zeros((2, size), plan.dtype)
        return Case(families.LayerNormConfig((size,)), plan.dtype, {"x": x}, {"x": ("N", "F0")}, ("N",))

    return st.sampled_from([1, 2, 3, 17]).map(case)


@prop(
    "layer_norm.foreign-zero-gives-shift",
    cases=zeros,
    level="core",
    kind="exact",
    formula="y(0) = β",
    statements=["11.1"],
)
def zero_gives_shift(layers, case):
    """A sample of zeros gives the shift."""
    layer = layers.make(case.config, case.dtype)
    shift = np.arange(case["x"].shape[1], dtype=case.dtype)
    layer.assign_parameters({"scale": np.ones_like(shift), "shift": shift})
    return same_bits(layer.forward(case["x"], True), np.broadcast_to(shift, case["x"].shape), dims=("N", "F0"))  # noqa: FBT003
