"""Weight decay: the oracle, the bound, the NumPy optimisers, and their cases."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck import bounds
from regcheck.cases import weight_decay as cases
from regcheck.families import WeightDecayConfig
from regcheck.numpy_layers.weight_decay import SGD, AdamW
from regcheck.property import Plan
from regcheck.reference import weight_decay as reference

DTYPES = ("float16", "float32", "float64")
RNG = np.random.default_rng(0)


def test_a_step_by_hand():
    config = WeightDecayConfig(0.5, 0.25)
    w, gradient = np.array([8.0, -8.0, 0.0]), np.array([2.0, 0.0, -1.0])
    assert reference.step(config, w, gradient).tolist() == [6.0, -7.0, 0.5]
    assert SGD(0.5, 0.25).step(w, gradient).tolist() == [6.0, -7.0, 0.5]


def by_factor(w, g, rate, decay):
    return (1 - rate * decay) * w - rate * g


def by_difference(w, g, rate, decay):
    return (w - w * decay * rate) - g * rate


def coupled(w, g, rate, decay):
    return w - rate * (g + decay * w)


@pytest.mark.parametrize("dtype", DTYPES)
def test_right_steps_in_the_dtype_itself_keep_the_bound_and_it_is_no_larger_than_needed(dtype):
    kind, ar, ratios = np.dtype(dtype).type, bounds.arithmetic(dtype), []
    for rate in (0.3, 0.7, 0.01):
        for decay in (0.7, 0.1, 5.0):
            config = WeightDecayConfig(rate, decay)
            w, g = ((RNG.standard_normal(3000) * 2.0 ** RNG.integers(-4, 4, 3000)).astype(dtype) for _ in range(2))
            expected = reference.step(config, w, g)
            bound = bounds.decay_step(config, w, reference.descended(config, g), ar)
            for compute in (by_factor, by_difference, coupled):
                observed = compute(w, g, kind(rate), kind(decay))
                assert observed.dtype == dtype
                ratios.append(float(np.max(np.abs(observed.astype(expected.dtype) - expected) / bound)))
    assert 0.2 < max(ratios) < 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_momentum_keeps_decay_out_of_its_memory(dtype):
    w, gradient = np.array([4.0, -2.0], dtype), np.array([1.0, 0.5], dtype)
    sgd = SGD(0.5, 0.25, momentum=0.5)
    assert sgd.step(w, gradient).tolist() == [3.0, -2.0]
    assert sgd.step(w, gradient).tolist() == [2.75, -2.125]
    assert sgd.step(w[:1], gradient[:1]).tolist() == [3.0]  # another shape: begun anew


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_first_step_of_adamw_is_the_rate_against_the_gradient(dtype):
    w, gradient = np.array([4.0, -2.0, 1.0], dtype), np.array([8.0, -0.25, 0.0], dtype)
    found = AdamW(0.25, 0.5).step(w, gradient)
    assert found.dtype == w.dtype
    assert np.allclose(found, [3.5 - 0.25, -1.75 + 0.25, 0.875], atol=4 * float(np.finfo(dtype).eps))


def test_adamw_is_as_the_paper_has_it_over_many_steps():
    optimiser, w, m, v = AdamW(0.1, 0.3), np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for t in range(1, 30):
        gradient = RNG.standard_normal(2)
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        expected = w - 0.1 * (m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + 0.3 * w)
        assert np.allclose(optimiser.step(w, gradient), expected, rtol=1e-12)
        w = expected


@pytest.mark.parametrize("optimiser", [SGD(0.1, 0.1), AdamW(0.1, 0.1)])
def test_an_optimiser_refuses_another_dtype_and_another_shape(optimiser):
    with pytest.raises(TypeError, match="Expected an array of float16, float32 or float64"):
        optimiser.step(np.arange(3), np.arange(3))
    with pytest.raises(ValueError, match="Invalid `gradient`"):
        optimiser.step(np.ones(3), np.ones(2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("decay", cases.EXACT)
def test_exact_cases_are_exact(dtype, decay):
    case = cases._exact(Plan("weight_decay", dtype), WeightDecayConfig(0.3, decay), 5, 33, 7)
    for factor in (decay, 2 * decay):
        exact = case["gradient"].astype(np.float64) + factor * case["w"].astype(np.float64)
        assert np.array_equal(exact.astype(dtype), exact)
        assert np.all(exact != 0)
    assert np.all(case["w"] != 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_wide_cases_neither_overflow_nor_vanish(dtype):
    case = cases._wide(Plan("weight_decay", dtype), WeightDecayConfig(0.7, 5.0), 5, 33, 7)
    step = reference.step(case.config, case["w"], case["gradient"])
    assert np.all(np.abs(step) < float(np.finfo(dtype).max) / 4)
    assert np.abs(case["w"]).min() * 0.01 * 0.02 > (float(np.finfo(dtype).smallest_subnormal))


def test_rates_and_decays_are_on_the_side_of_1_that_their_cases_say():
    assert max(cases.RATES) * max(cases.DECAYS) < 1
    assert min(cases.STRONG) * 0.5 > 1
