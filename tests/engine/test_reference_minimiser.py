"""The reference of the minimisers against NumPy's own eigenvalues, and on a single problem."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck.families import MinimiserConfig
from regcheck.reference import minimiser


@pytest.mark.parametrize("shape", [(5, 3), (3, 3), (2, 3)])
def test_the_least_curvature_is_the_least_eigenvalue_and_twice_l2(shape) -> None:
    a = np.random.default_rng().standard_normal((4, *shape))
    found = minimiser.least_curvature(a, MinimiserConfig(0.0, 0.7))
    squares = np.linalg.svd(a, compute_uv=False)[:, -1] ** 2 if shape[0] >= shape[1] else np.zeros(4)
    assert found.astype(float) == pytest.approx(squares + 1.4, abs=1e-9)


def test_a_penalty_adds_up_the_last_axis_alone() -> None:
    assert float(minimiser.penalty(np.array([1.0, -2.0]), MinimiserConfig(0.5, 0.25))) == 0.5 * 3 + 0.25 * 5
