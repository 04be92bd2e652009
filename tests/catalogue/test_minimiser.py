"""Each law of minimisers holds for right solvers, tight and loose, and accuses the one that breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from regcheck_properties import minimiser

from regcheck import Property
from regcheck.families import MinimiserConfig
from regcheck.numpy_layers.minimiser import FISTA, CoordinateDescent, duality_gap
from regcheck.reference import minimiser as reference

PROPERTIES = {v.id: v for v in vars(minimiser).values() if isinstance(v, Property)}


class Right(CoordinateDescent):
    """Coordinate descent; a wrong solver overrides a method."""

    def __init__(self, config):
        super().__init__(config.l1, config.l2)


class HalfL2(Right):
    def __init__(self, config):
        super().__init__(config)
        self.l2 /= 2


class HalfL1(Right):
    def __init__(self, config):
        super().__init__(config)
        self.l1 /= 2


class Saturated(Right):
    def __init__(self, config):
        super().__init__(config)
        self.l1, self.l2 = self.l1 / (1 + self.l1**2), self.l2 / (1 + self.l2**2)


class OneSweep(Right):
    def _solved(self, a, b, w):
        return True

    def minimise(self, a, b):
        w = np.zeros(a.shape[1])
        for j, column in enumerate(a.T):
            square = float(column @ column)
            w[j] = self._best(float(column @ (b - a @ w)), square) if square else 0.0
        return w


class NeverZero(Right):
    def minimise(self, a, b):
        return super().minimise(a, b) + 1e-9 * np.abs(b).max()


class SmallCut(Right):
    def minimise(self, a, b):
        w = super().minimise(a, b)
        return np.where(np.abs(w) < 0.1 * np.abs(b).max(), 0, w)


class Absolute(Right):
    def minimise(self, a, b):
        return np.round(super().minimise(a, b), 2)


class Uneven(Right):
    def minimise(self, a, b):
        w = super().minimise(a, b)
        return w * np.where(np.arange(len(w)) == 0, 0.9, 1)


class Amplified(Right):
    def minimise(self, a, b):
        return 3 * super().minimise(a, b) + 10 * np.linalg.norm(b) * np.sign(b[0])


class NotANumber(Right):
    def minimise(self, a, b):
        return np.full(a.shape[1], np.nan)


class WrongShape(Right):
    def minimise(self, a, b):
        return super().minimise(a, b)[:0]


WRONG = {
    "minimiser.kkt": HalfL2,
    "minimiser.near-minimum": HalfL1,
    "minimiser.zero-crossing": HalfL1,
    "minimiser.l2-never-zero": SmallCut,
    "minimiser.all-zero-threshold": NeverZero,
    "minimiser.closed-form": HalfL2,
    "minimiser.monotone-in-strength": Saturated,
    "minimiser.permutation-equivariant": OneSweep,
    "minimiser.scale-equivariant": Absolute,
    "minimiser.stability": Amplified,
    "minimiser.constrained-form": Uneven,
    "minimiser.duplicated-columns": OneSweep,
    "minimiser.l2-groups": Amplified,
    "minimiser.l1-picks-one": NeverZero,
}


def test_every_law_has_a_solver_that_breaks_it():
    assert set(WRONG) == set(PROPERTIES)


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("solver", [FISTA, CoordinateDescent])
def test_a_right_solver_passes(name, solver, verdict):
    cell = verdict(PROPERTIES[name], lambda config: solver(config.l1, config.l2), examples=60)
    assert (cell.verdict, cell.reason) == ("passed", ""), cell


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("tolerance", [1e-5, 1e-13])
def test_a_right_solver_passes_by_what_it_promises(name, tolerance, verdict):
    def solver(config):
        return FISTA(config.l1, config.l2, tolerance=tolerance)

    cell = verdict(PROPERTIES[name], solver, examples=30, tolerance=tolerance)
    assert (cell.verdict, cell.reason) == ("passed", ""), cell


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_solver_that_breaks_the_law_fails(name, verdict):
    cell = verdict(PROPERTIES[name], WRONG[name])
    assert cell.verdict == "failed", cell


@pytest.mark.parametrize("kind", [NotANumber, WrongShape])
@pytest.mark.parametrize("name", PROPERTIES)
def test_no_law_holds_for_nonsense(name, kind, verdict):
    assert verdict(PROPERTIES[name], kind, examples=20).verdict == "failed"


def test_a_solver_that_is_off_at_the_boundary_alone_is_found(verdict):
    class Strict(Right):
        def _best(self, pull, square):
            return 1e-3 if abs(pull) == self.l1 else super()._best(pull, square)

        def _solved(self, a, b, w):
            return True

    cell = verdict(PROPERTIES["minimiser.zero-crossing"], Strict)
    assert cell.verdict == "failed"
    assert cell.witness.expected.startswith("0.0")


def problems(seed, n, k, count=40):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, n, k)), rng.standard_normal((count, n)) * 3


@pytest.mark.parametrize(("l1", "l2"), [(0.5, 0.0), (0.5, 0.3), (0.0, 0.3)])
@pytest.mark.parametrize(("n", "k"), [(5, 1), (5, 3), (2, 4)])
def test_the_exhaustive_minimum_is_between_the_primal_and_the_dual(l1, l2, n, k):
    a, b = problems(0, n, k)
    config = MinimiserConfig(l1, l2)
    w = np.stack([FISTA(l1, l2, tolerance=1e-13).minimise(*problem) for problem in zip(a, b, strict=True)])
    above = reference.objective(a, b, w, config) - reference.minimum(a, b, config)
    gaps = [duality_gap(*problem, l1, l2) for problem in zip(a, b, w, strict=True)]
    rounding = 1e-14 * np.square(b).sum(axis=1)
    assert np.all(above >= -rounding)
    assert np.all(above <= np.array(gaps) + rounding)


def test_the_ridge_solution_is_numpy_s():
    a, b = problems(1, 6, 3)
    expected = [np.linalg.solve(x.T @ x + np.eye(3), x.T @ y) for x, y in zip(a, b, strict=True)]
    found = reference.ridge(a, b, MinimiserConfig(l2=0.5))
    assert np.abs(found - np.stack(expected)).max() < 1e-12


def test_dependent_columns_have_no_ridge_solution_without_l2():
    a, b = problems(2, 6, 2)
    twice = np.concatenate([a, a[:, :, :1]], axis=2)
    assert np.isnan(reference.ridge(twice, b, MinimiserConfig(l2=0.0))).any(axis=1).all()


@pytest.mark.parametrize("tolerance", [1e-4, 2e-4, 2.6e-4, 3e-4, 3.6e-4, 5e-4])
def test_whether_a_promise_tells_near_columns_apart_does_not_depend_on_the_batch(tolerance, verdict):
    cell = verdict(PROPERTIES["minimiser.l1-picks-one"], Right, examples=300, tolerance=tolerance)
    assert cell.verdict == ("passed" if cell.examples else "not-applicable"), cell
    assert not (cell.examples and cell.left_out), cell
