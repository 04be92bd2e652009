"""An author's own test suite; copied to a folder of its own and run by pytest there."""

from foreign_norms import layers

import regcheck


@regcheck.implements("layer_norm", deviations={"layer_norm.matches-definition": "our epsilon is 0.1"})
def declared(config):
    return layers.LayerNorm(config.shape, 0.1)


@regcheck.implements("layer_norm")
def wrong(config):
    return layers.LayerNorm(config.shape, 0.1)


@regcheck.parametrize(layers.layer_norm, "layer_norm.*")
def test_right(regcheck_cell):
    assert regcheck_cell.implementation == "foreign.LayerNorm"


@regcheck.parametrize(declared, "layer_norm.matches-definition")
def test_declared():
    pass


@regcheck.parametrize(wrong, ["layer_norm.matches-*"], seed=1)
def test_wrong():
    pass
