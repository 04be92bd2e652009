"""The adapter for scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.linear_model import ElasticNet, Lasso, Ridge

from regcheck import loading
from regcheck.adapters import sklearn as adapter
from regcheck.families import MinimiserConfig
from regcheck.implementation import Implementation, Unsupported
from regcheck.layer import Layer, WrongReturn
from regcheck.stock import sklearn as stock

pytestmark = pytest.mark.sklearn
RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(8, 3)), RNG.normal(size=8)


def adapt(native: object, family: str = "minimiser") -> Layer:
    return adapter.adapt(native, Implementation(lambda _: native, family, name="x"), MinimiserConfig(), "float64")


class Estimator:
    """Looks like an estimator; remembers what it was fitted to."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def fit(self, a: Any, b: Any) -> None:
        self.seen.append(len(a))
        self.coef_ = np.linalg.lstsq(a, b, rcond=None)[0]


def test_an_estimator_is_fitted_and_its_coefficients_are_the_result() -> None:
    expected = np.linalg.solve(A.T @ A + 0.5 * np.eye(3), A.T @ B)
    assert np.allclose(adapt(Ridge(0.5, fit_intercept=False)).minimise(A, B), expected, rtol=1e-12)


def test_a_function_of_n_makes_one_estimator_for_each_number_of_rows() -> None:
    made: dict[int, list[Estimator]] = {}
    layer = adapt(lambda n: made.setdefault(n, []).append(Estimator()) or made[n][-1])
    for n in (8, 5, 8):
        layer.minimise(A[:n], B[:n])
    assert {n: [e.seen for e in estimators] for n, estimators in made.items()} == {8: [[8, 8]], 5: [[5]]}


def test_what_a_function_of_n_returns_is_checked() -> None:
    with pytest.raises(WrongReturn, match=r"Invalid result of `the function of n`. Expected an estimator with fit"):
        adapt(lambda _: 3).minimise(A, B)


@pytest.mark.parametrize(
    ("native", "family"), [(3, "minimiser"), (Ridge, "minimiser"), (Ridge(), "l2"), (None, "minimiser")]
)
def test_other_objects_are_refused_in_one_sentence(native: object, family: str) -> None:
    with pytest.raises(TypeError, match=f"cannot be adapted as {family}. Expected one of"):
        adapt(native, family)


@pytest.mark.parametrize(
    ("native", "framework"),
    [(Ridge(), None), (Estimator(), "sklearn"), (lambda n: Lasso(1 / n), "sklearn")],
)
def test_an_estimator_is_known_by_its_ancestry_another_by_what_is_declared(
    native: object, framework: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {name: f"regcheck.adapters.{name}" for name in ("plain", "sklearn")}
    monkeypatch.setattr(loading, "ADAPTERS", known)
    implementation = Implementation(lambda _: native, "minimiser", name="x", framework=framework)
    assert loading.build(implementation, MinimiserConfig(), "float64")[1] == "sklearn"


def test_the_stock_turns_strengths_into_the_librarys() -> None:
    config = MinimiserConfig(l1=0.5, l2=0.75)
    both, alone, ridge = (
        stock.elastic_net(config)(8),
        stock.lasso(MinimiserConfig(l1=0.5))(8),
        stock.ridge(MinimiserConfig(l2=0.75)),
    )
    assert isinstance(both, ElasticNet)
    assert (both.alpha, both.l1_ratio, alone.alpha, ridge.alpha) == (0.25, 0.25, 0.0625, 1.5)
    assert not any(estimator.fit_intercept for estimator in (both, alone, ridge))


@pytest.mark.parametrize(
    ("factory", "l1", "l2", "why"),
    [
        (stock.lasso, 0.5, 0.25, "Lasso has no l2 penalty"),
        (stock.lasso, 0.0, 0.0, "Lasso needs l1 > 0"),
        (stock.ridge, 0.5, 0.25, "Ridge has no l1 penalty"),
        (stock.elastic_net, 0.0, 0.0, "ElasticNet needs l1 > 0 or l2 > 0"),
    ],
)
def test_what_an_estimator_cannot_do_is_unsupported(factory: Any, l1: float, l2: float, why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        factory(MinimiserConfig(l1, l2))


@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_the_duality_gap_keeps_the_declared_promise(l2: float) -> None:
    """`dual_gap_` is of the objective over n, a bound of the document's: n times it is at most tolerance·½‖b‖²."""
    estimator = (stock.elastic_net if l2 else stock.lasso)(MinimiserConfig(0.7, l2))(8).fit(A, B)
    assert estimator.dual_gap_ * 8 <= stock.lasso.__regcheck__.declares["tolerance"] * (B @ B) / 2


def test_a_forked_worker_finds_the_models_imported() -> None:
    source = "import sys; import regcheck.adapters.sklearn; print('sklearn.linear_model' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout == "True\n"
