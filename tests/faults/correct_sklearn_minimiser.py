"""Right minimisers by scikit-learn and in its manner, other than the stock: no property may fail for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import ElasticNet, Lasso, LassoLars, LinearRegression, Ridge

import regcheck

EXPECTED: dict[str, str] = {}
DOUBLE = ("float64",)
DESCENT = {"fit_intercept": False, "tol": 1e-10, "max_iter": 100_000}


def needs(*, l1: bool | None = None, l2: bool | None = None, config: Any) -> None:
    """Refuse a config that has a penalty which it must not have, or lacks one that it must; None: either."""
    if l1 not in {None, bool(config.l1)} or l2 not in {None, bool(config.l2)}:
        msg = f"l1: {l1}, l2: {l2}"
        raise regcheck.Unsupported(msg)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def lasso_lars(config: Any) -> Any:
    """Least angle regression: no descent, and no tolerance."""
    needs(l1=True, l2=False, config=config)
    return lambda n: LassoLars(config.l1 / n, fit_intercept=False)


@regcheck.implements("minimiser", framework="sklearn", declares={"tolerance": 2e-10}, dtypes=DOUBLE)
def lasso_random(config: Any) -> Any:
    """A random coordinate after the other; a seed, so that the same problem has the same bits."""
    needs(l1=True, l2=False, config=config)
    return lambda n: Lasso(config.l1 / n, selection="random", random_state=0, **DESCENT)


@regcheck.implements("minimiser", framework="sklearn", declares={"tolerance": 2e-4}, dtypes=DOUBLE)
def lasso_loose(config: Any) -> Any:
    """Lasso's own tolerance, declared."""
    needs(l1=True, l2=False, config=config)
    return lambda n: Lasso(config.l1 / n, fit_intercept=False)


class SparseLasso(Lasso):
    """Fits a sparse copy of A, by a code of its own."""

    def fit(self, X: Any, y: Any) -> SparseLasso:  # noqa: N803
        """Fit to CSC."""
        return super().fit(sparse.csc_matrix(X), y)


@regcheck.implements("minimiser", framework="sklearn", declares={"tolerance": 2e-10}, dtypes=DOUBLE)
def lasso_sparse(config: Any) -> Any:
    """The sparse code."""
    needs(l1=True, l2=False, config=config)
    return lambda n: SparseLasso(config.l1 / n, **DESCENT)


@regcheck.implements("minimiser", framework="sklearn", declares={"tolerance": 2e-10}, dtypes=DOUBLE)
def elastic_net_gram(config: Any) -> Any:
    """precompute=True: the descent is on AᵀA, computed for each problem."""
    alpha = config.l1 + 2 * config.l2
    needs(l1=True, config=config)
    return lambda n: ElasticNet(alpha / n, l1_ratio=config.l1 / alpha, precompute=True, **DESCENT)


@regcheck.implements("minimiser", declares={"tolerance": 0.0}, dtypes=DOUBLE)
def ridge_svd(config: Any) -> Any:
    """By singular values."""
    needs(l1=False, l2=True, config=config)
    return Ridge(2 * config.l2, fit_intercept=False, solver="svd")


@regcheck.implements("minimiser", dtypes=DOUBLE)
def ridge_lsqr(config: Any) -> Any:
    """By Krylov steps, to a tolerance."""
    needs(l1=False, l2=True, config=config)
    return Ridge(2 * config.l2, fit_intercept=False, solver="lsqr", tol=1e-10)


@regcheck.implements("minimiser", dtypes=DOUBLE)
def ridge_cg(config: Any) -> Any:
    """By conjugate gradients, to a tolerance."""
    needs(l1=False, l2=True, config=config)
    return Ridge(2 * config.l2, fit_intercept=False, solver="sparse_cg", tol=1e-10)


@regcheck.implements("minimiser", declares={"tolerance": 0.0}, dtypes=DOUBLE)
def least_squares(config: Any) -> Any:
    """No penalty at all."""
    needs(l1=False, l2=False, config=config)
    return LinearRegression(fit_intercept=False)


class Estimator:
    """Descends from nothing of scikit-learn's."""

    def __init__(self, l2: float) -> None:
        self.l2 = l2

    def fit(self, a: Any, b: Any) -> None:
        """Solve the normal equations."""
        self.coef_ = np.linalg.solve(a.T @ a + 2 * self.l2 * np.eye(a.shape[1]), a.T @ b)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def own_estimator(config: Any) -> Any:
    """Looks like an estimator, and says whose kind it is."""
    needs(l1=False, l2=True, config=config)
    return Estimator(config.l2)
