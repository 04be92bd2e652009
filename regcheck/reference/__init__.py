"""Oracles: what a layer should give, in a wider precision than the layer's. One file a family."""

from regcheck.reference import batch_norm, group_norm, layer_norm, rms_norm
from regcheck.reference.normalisation import Normalised, second_derivative
from regcheck.reference.precision import widen

__all__ = ["Normalised", "batch_norm", "group_norm", "layer_norm", "rms_norm", "second_derivative", "widen"]
