"""Second derivatives: the oracle against differences of itself, the bounds, and the plain protocol."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck import bounds, reference
from regcheck.adapters import plain
from regcheck.families import LayerNormConfig, PenaltyConfig
from regcheck.implementation import Implementation
from regcheck.layer import MODES, Missing
from regcheck.reference.normalisation import input_gradient, normalise
from regcheck.reference.penalties import Strengths


def made(*, centred):
    rng = np.random.default_rng()
    x, g, v = (rng.normal(size=(6, 7)) for _ in range(3))
    return x + 2, g, v, normalise(x + 2, (1,), 0.1, centred=centred)


@pytest.mark.parametrize("centred", [True, False])
def test_the_second_derivative_is_that_of_the_gradient(centred):
    x, g, v, norm = made(centred=centred)

    def gradient(at):
        return input_gradient(normalise(at, (1,), 0.1, centred=centred), reference.widen(g))

    step = 1e-4
    near, far = (gradient(x + k * v) - gradient(x - k * v) for k in (step, 2 * step))
    found = reference.second_derivative(norm, reference.widen(g), reference.widen(v))
    assert found.astype(float) == pytest.approx(((8 * near - far) / (12 * step)).astype(float), rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("centred", [True, False])
def test_the_second_derivative_is_symmetric(centred):
    _, g, v, norm = made(centred=centred)
    w = np.random.default_rng().normal(size=g.shape)
    one, other = (np.sum(a * reference.second_derivative(norm, g, b)) for a, b in ((w, v), (v, w)))
    assert float(one) == pytest.approx(float(other), rel=1e-12)


@pytest.mark.parametrize("centred", [True, False])
def test_the_closed_form_in_single_precision_lies_within_the_bound(centred):
    x, g, v, _ = made(centred=centred)
    x, g, v = (a.astype(np.float32) for a in (x, g, v))
    ar, norm = bounds.arithmetic("float32"), normalise(x, (1,), 0.1, centred=centred)
    mean = x.mean(axis=1, keepdims=True) if centred else np.float32(0)
    s = 1 / np.sqrt(np.square(x - mean).mean(axis=1, keepdims=True) + np.float32(0.1))
    z = (x - mean) * s
    around_g, around_v = (a - a.mean(axis=1, keepdims=True) if centred else a for a in (g, v))
    m, c, p = ((a * b).mean(axis=1, keepdims=True) for a, b in ((g, z), (v, z), (around_g, around_v)))
    seen = -s * s * (c * around_g + m * around_v + z * (p - 3 * m * c))
    wide = reference.widen(g), reference.widen(v)
    error = np.abs(seen - reference.second_derivative(norm, *wide))
    bound = bounds.second_derivative(norm, bounds.standard(norm, ar), *wide, ar)
    assert np.all(error <= bound)
    assert np.max(bound) < 1e-3  # and it is no bound that everything keeps


def test_the_bound_of_a_penalty_is_none_without_curvature():
    w, v = np.array([1.0, 2.0]), np.array([0.5, -3.0])
    ar = bounds.Arithmetic(u=0.01, u_out=0.02, eta=0.0, eta_out=0.001)
    assert np.all(bounds.penalty_second(Strengths(3.0, 0.0), w, v, 2.0, ar) == 0)
    again = w * (0.5 + 6) / 5
    expected = 2 * 2 * 0.7 * 0.01 * (8 * np.abs(v) + 20 * again) + 0.001
    assert bounds.penalty_second(Strengths(3.0, 0.7), w, v, 2.0, ar) == pytest.approx(expected)


class Line:
    """y = 2x, and what it was asked for."""

    parameters: dict = {}  # noqa: RUF012

    def forward(self, x, training):
        return 2 * x

    def second(self, x, cotangent, direction, training, mode):
        assert mode in MODES
        return 0 * x


class NoSecond:
    def value(self, w):
        return 0.0


def test_a_plain_layer_may_offer_a_second_derivative():
    layer = plain.adapt(Line(), Implementation(Line, "layer_norm", name="x"), LayerNormConfig((3,)), "float64")
    x = np.ones((2, 3))
    assert np.array_equal(layer.second(x, x, x, True, MODES[0]), 0 * x)  # noqa: FBT003


def test_a_plain_penalty_without_one_says_so():
    layer = plain.adapt(NoSecond(), Implementation(NoSecond, "l2", name="x"), PenaltyConfig(), "float64")
    with pytest.raises(Missing, match="second"):
        layer.second(np.ones(2), np.ones(()), np.ones(2), True, MODES[0])  # noqa: FBT003
