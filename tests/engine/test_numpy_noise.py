"""Alpha and Gaussian dropout in NumPy: what they refuse, and what a call gives."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck.numpy_layers.alpha_dropout import AlphaDropout, ChannelAlphaDropout
from regcheck.numpy_layers.gaussian_dropout import GaussianDropout

LAYERS = [AlphaDropout, ChannelAlphaDropout, GaussianDropout]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("rate", [1.0, 1.5, -0.1, float("nan")])
def test_a_rate_outside_its_range_is_refused(layer, rate):
    with pytest.raises(ValueError, match=r"Expected a float in \[0, 1\)"):
        layer(rate)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("training", [True, False])
def test_what_does_nothing_returns_a_copy(layer, training):
    x = np.ones((4, 5), np.float32)
    rate = 0.0 if training else 0.5
    own = layer(rate)
    y = own.forward(x, training)
    assert np.array_equal(y, x)
    assert not np.shares_memory(y, x)
    assert np.array_equal(own.backward(2 * x)["x"], 2 * x)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_gradient_needs_a_forward(layer):
    with pytest.raises(RuntimeError, match="backward needs a forward"):
        layer(0.5).backward(np.ones(3))


def test_alpha_dropout_gives_the_two_values_of_the_paper():
    y = AlphaDropout(0.5).forward(np.ones(1000), training=True)
    assert np.unique(y) == pytest.approx([-0.7791939, 1.6655989], abs=1e-6)


def test_channels_drop_as_a_whole_and_another_rank_is_refused():
    layer = ChannelAlphaDropout(0.5, 1)
    y = layer.forward(np.zeros((30, 20, 3)), training=True)
    assert np.all(y == y[..., :1])
    with pytest.raises(ValueError, match="Expected 3 axes"):
        layer.forward(np.zeros((3, 2)), training=True)


def test_the_noise_of_gaussian_dropout_is_that_of_its_gradient():
    layer, x = GaussianDropout(0.5), np.ones((6, 7), np.float16)
    assert np.array_equal(layer.forward(x, training=True), layer.backward(x)["x"])
