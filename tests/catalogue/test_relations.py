"""Each relation between families holds for right layers, in every dtype, on cut-down cases too."""

from __future__ import annotations

import pytest
from regcheck_properties import relations

from regcheck import Property
from regcheck.numpy_layers.group_norm import GroupNorm, InstanceNorm
from regcheck.numpy_layers.layer_norm import LayerNorm
from regcheck.numpy_layers.rms_norm import RMSNorm

LAWS = [law for law in vars(relations).values() if isinstance(law, Property)]
RIGHT = {
    "group_norm": lambda c: GroupNorm(c.channels, c.groups, c.ndim, eps=c.eps, affine=c.affine),
    "instance_norm": lambda c: InstanceNorm(c.channels, c.ndim, eps=c.eps, affine=c.affine),
    "layer_norm": lambda c: LayerNorm(c.shape, eps=c.eps, affine=c.affine),
    "rms_norm": lambda c: RMSNorm(c.shape, eps=c.eps, affine=c.affine),
}


@pytest.mark.parametrize("law", LAWS, ids=[law.id for law in LAWS])
def test_right_layers_of_both_families_hold_it(law, verdict):
    cell = verdict(law, RIGHT[law.family], compute_dtype="float32")
    assert cell.verdict == "passed", cell.reason


@pytest.mark.parametrize("law", LAWS, ids=[law.id for law in LAWS])
def test_no_cut_down_case_accuses_a_right_layer(law, accused):
    assert not accused(law, RIGHT[law.family])
