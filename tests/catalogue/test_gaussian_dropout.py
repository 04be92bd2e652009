"""Each law of Gaussian dropout holds for a right layer, and accuses the layer that breaks it."""

from __future__ import annotations

import math

import numpy as np
import plain_gaussian_dropout as faulty
import pytest
from regcheck_properties import gaussian_dropout

from regcheck import Case, bounds
from regcheck.families import DropoutConfig
from regcheck.numpy_layers.gaussian_dropout import GaussianDropout

LAWS = {law.id.partition(".")[2]: law for law in gaussian_dropout.PROPERTIES}
NEEDS_SEED = "noise-independent-of-values reseed-replays seeds-differ random-stream-as-declared mask-order-as-declared"


def layer(config):
    return GaussianDropout(config.rate)


class Bare:
    """Forward alone: neither gradient nor seed."""

    def __init__(self, config):
        self.own = GaussianDropout(config.rate)

    def forward(self, x, training):
        return self.own.forward(x, training)


@pytest.mark.parametrize("name", LAWS)
def test_a_right_layer_passes(verdict, name):
    cell = verdict(LAWS[name], layer, examples=20)
    assert (cell.verdict, cell.reason) == ("passed", "")


def test_a_layer_without_seed_and_gradient_is_judged_on_the_rest(verdict):
    verdicts = {name: verdict(law, Bare, examples=9).verdict for name, law in LAWS.items()}
    missing = {*NEEDS_SEED.split(), "backward-noise"}
    assert verdicts == {name: "not-applicable" if name in missing else "passed" for name in LAWS}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("shape", [(), (2, 5)])
def test_no_law_raises_on_a_result_of_another_shape(verdict, name, shape):
    class Wrong(GaussianDropout):
        def __init__(self, config):
            super().__init__(config.rate)

        def _apply(self, x, noise):
            return np.ones(shape, x.dtype)

    cell = verdict(LAWS[name], Wrong, examples=9)
    assert cell.verdict in {"failed", "passed"} or "spoiled results" in cell.reason


@pytest.mark.parametrize("name", ["expectation-preserved", "variance", "normal"])
def test_a_second_test_looks_closer(session, name):
    class Slightly(faulty.GaussianDropout):
        """Off by half of what the first test finds, in mean, variance and shares alike."""

        def _deviate(self, shape):
            return super()._deviate(shape) * 1.005 + 0.005

    case = Case(DropoutConfig(0.3), "float32", values={"seed": 5, "confirming": True})
    found = LAWS[name].law(session(Slightly, "gaussian_dropout", {}), case)
    assert max(float(np.max(each.error)) for each in (found if isinstance(found, list) else [found])) > 1


@pytest.mark.parametrize("name", ["expectation-preserved", "variance", "normal"])
@pytest.mark.parametrize("rate", [0.3, 0.001])
def test_numbers_of_half_precision_hide_nothing_but_their_roundings(session, name, rate):
    class Coarse(faulty.GaussianDropout):
        """z, s and n are stored in half precision."""

        def _noise(self, x):
            half = np.float16
            return half(1) + half(self._deviation()) * self._deviate(x.shape).astype(half)

    case = Case(DropoutConfig(rate), "float16", values={"seed": 7})
    found = LAWS[name].law(session(Coarse, "gaussian_dropout", {}), case)
    assert max(float(np.max(each.error)) for each in (found if isinstance(found, list) else [found])) < 1


def test_the_bound_of_noise_holds_for_every_order_of_operations():
    rng, ar = np.random.default_rng(), bounds.arithmetic("float32")
    x, z = (rng.standard_normal(100_000).astype(np.float32) for _ in range(2))
    for rate in (0.01, 0.5, 0.99):
        s = np.float32(math.sqrt(rate / (1 - rate)))
        n = 1 + z.astype(np.float64) * math.sqrt(rate / (1 - rate))
        for y, one in ((x * (1 + s * z), 1 + s * z), (x + (x * s) * z, 1 + s * z)):
            assert np.all(np.abs(y / x.astype(np.float64) - n) <= bounds.noise_read(n, x, ar) * 1.5)
            assert np.all(np.abs(y - x.astype(np.float64) * one) <= bounds.noised(x, one, 1.0, ar))
