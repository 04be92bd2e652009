"""Priors: the oracle against quadrature and closed forms, the bound, the NumPy layers, and their cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from regcheck import bounds
from regcheck.cases import priors as cases
from regcheck.families import PriorConfig
from regcheck.numpy_layers.priors import Gaussian, Laplace
from regcheck.property import Plan
from regcheck.reference import penalties
from regcheck.reference import priors as reference

FAMILIES = ("laplace_prior", "gaussian_prior")
DTYPES = ("float16", "float32", "float64")
LAYERS = {"laplace_prior": Laplace, "gaussian_prior": Gaussian}
RNG = np.random.default_rng(0)


def test_the_log_densities_at_points_known_by_hand():
    w = np.array([0.0, 1.0, -2.0])
    assert np.allclose(reference.log_density("laplace_prior", 2.0, w).astype(float), -np.abs(w) / 2 - math.log(4))
    standard = -(w**2) / 2 - math.log(math.sqrt(2 * math.pi))
    assert np.allclose(reference.log_density("gaussian_prior", 1.0, w).astype(float), standard)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scale", [0.3, 1.0, 10.0])
def test_the_oracle_is_its_penalty_but_for_its_peak(family, scale):
    w = RNG.standard_normal(50) * 3
    fallen = penalties.value(reference.penalty(family, scale), penalties.sums(w[:, None]))
    assert np.allclose(
        (reference.log_peak(family, scale) - fallen).astype(float), reference.log_density(family, scale, w)
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scale", [0.3, 1.0, 10.0])
@pytest.mark.parametrize("fineness", [8, 11.7, 16])
def test_what_a_sum_over_a_grid_has_too_much_is_known(family, scale, fineness):
    h, count = scale / fineness, int(60 * fineness)
    grid = h * np.arange(-count, count + 1, dtype=np.longdouble)
    p = np.exp(reference.log_density(family, scale, grid))
    excess, variance = reference.grid_excess(family, scale, h), reference.variance(family, scale)
    assert abs((h * p).sum() - 1 - excess.mass) < 1e-17 * count
    assert abs((h * grid**2 * p).sum() - variance - excess.variance) < 1e-17 * count * scale**2


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reach", [4.0, 8.0])
def test_the_tail_is_below_its_limit(family, reach):
    scale, fine = 0.7, 1e-3
    grid = np.arange(reach * scale + fine, 60 * scale, fine)
    p = np.exp(reference.log_density(family, scale, grid)).astype(float)
    tail = reference.grid_tail(family, scale, reach * scale)
    assert 2 * (p * fine).sum() <= tail.mass
    assert 2 * (p * grid**2 * fine).sum() <= tail.variance


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_right_layers_keep_half_of_the_bound_and_it_is_no_larger_than_needed(family, dtype):
    ar, ratios = bounds.arithmetic(dtype), []
    for scale in cases.SCALES:
        w = (RNG.standard_normal(2000) * scale * 4).astype(dtype)
        observed, expected = LAYERS[family](scale).log_density(w), reference.log_density(family, scale, w)
        assert (observed.shape, observed.dtype) == (w.shape, w.dtype)
        bound = bounds.log_density(family, scale, w, ar)
        ratios.append(float(np.max(np.abs(observed.astype(expected.dtype) - expected) / bound)))
    assert 0.02 < max(ratios) < 0.5


@pytest.mark.parametrize("layer", [Laplace, Gaussian])
def test_a_layer_refuses_what_is_no_floating_array(layer):
    with pytest.raises(TypeError, match="Expected an array of float16, float32 or float64"):
        layer().log_density(np.arange(3))


def test_half_precision_squares_what_its_range_does_not_hold():
    assert np.isfinite(Gaussian(10.0).log_density(np.array([600.0], np.float16))).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_on_the_full_range_no_log_density_leaves_that_of_the_wider_types(dtype):
    largest = 2.0 ** (cases.FULL_RANGE[dtype] + 1)
    assert largest**2 / (2 * min(cases.SCALES) ** 2) < float(np.finfo(dtype).max)


def test_cases_reach_what_they_are_for():
    seen = cases._full_range(Plan("gaussian_prior", "float16"), PriorConfig(10.0), 1)["w"]
    assert np.count_nonzero(np.abs(seen) > 255) > 10
    assert np.count_nonzero(seen) == len(seen)
    near = cases._near_zero(Plan("laplace_prior", "float16"), PriorConfig(0.05), 1)["h"]
    assert 0 < near.min() < near.max() < 0.005
    losses = cases._losses(Plan("laplace_prior", "float64"), PriorConfig(0.3), 1)
    stays = np.abs(losses["m"]) * losses["k"] * 0.3 <= 1  # where Laplace's maximum is at 0
    assert 0 < np.count_nonzero(stays) < len(stays)
