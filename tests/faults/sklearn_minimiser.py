"""Minimisers by scikit-learn, each with one of the mistakes that its parameters invite."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import ElasticNet, Lasso, Ridge

import regcheck

if TYPE_CHECKING:
    from collections.abc import Callable

DOUBLE = ("float64",)  # scikit-learn has no half precision
EXPECTED = {
    "alpha_not_divided": "minimiser.kkt",
    "alpha_divided_twice": "minimiser.all-zero-threshold",
    "intercept_fitted": "minimiser.kkt",
    "positive_alone": "minimiser.zero-crossing",
    "promises_too_much": "minimiser.near-minimum",
    "starts_from_last": "common.calls-do-not-leak",
    "columns_standardised": "minimiser.kkt",
    "warnings_swallowed": "minimiser.permutation-equivariant",
    "ratio_inverted": "minimiser.kkt",
    "l2_without_two": "minimiser.closed-form",
    "gram_kept": "common.calls-do-not-leak",
    "ridge_without_two": "minimiser.closed-form",
    "ridge_per_sample": "minimiser.closed-form",
    "input_centred_in_place": "common.input-unchanged",
    "coefficients_of_another": "common.shape",
}


def lasso(config: Any, kind: type[Lasso] = Lasso, **changed: Any) -> Callable[[int], Lasso]:
    """The right one, but for what is changed."""
    if config.l2 or not config.l1:
        msg = "l1 alone"
        raise regcheck.Unsupported(msg)
    given = {"fit_intercept": False, "tol": 1e-10, "max_iter": 100_000, **changed}
    return lambda n: kind(config.l1 / n, **given)


def elastic_net(config: Any, l2: float, l1_ratio: float, kind: type[ElasticNet] = ElasticNet) -> Any:
    """ElasticNet of the strengths l1 and `l2` (with ½) and of a ratio of its own."""
    alpha = config.l1 + l2
    return lambda n: kind(alpha / n, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-10, max_iter=100_000)


def ridge(config: Any, alpha: float, **changed: Any) -> Ridge:
    """Ridge of l2 alone."""
    if config.l1 or not config.l2:
        msg = "l2 alone"
        raise regcheck.Unsupported(msg)
    return Ridge(alpha, **{"fit_intercept": False, **changed})


@regcheck.implements("minimiser", dtypes=DOUBLE)
def alpha_not_divided(config: Any) -> Any:
    """alpha = l1, as if Lasso's loss were a sum; invisible with one sample."""
    return lasso(config)(1)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def alpha_divided_twice(config: Any) -> Any:
    """alpha = l1/(2n), taking the ½ of Lasso's loss for one that is not ours."""
    return lambda n: lasso(config)(2 * n)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def intercept_fitted(config: Any) -> Any:
    """fit_intercept is true unless told not to be (octave/statistics#462's kind); invisible with centred data."""
    return lasso(config, fit_intercept=True)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def positive_alone(config: Any) -> Any:
    """positive=True; invisible with positive data."""
    return lasso(config, positive=True)


@regcheck.implements("minimiser", framework="sklearn", declares={"tolerance": 1e-9}, dtypes=DOUBLE)
def promises_too_much(config: Any) -> Any:
    """tol = 0.01 under a promise that it does not keep; invisible where descent is over in a few sweeps."""
    return lasso(config, tol=1e-2)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def starts_from_last(config: Any) -> Any:
    """warm_start with few sweeps: the result depends on the problem before."""
    return lasso(config, Quiet, max_iter=4, warm_start=True)


class Quiet(Lasso):
    """Tells nobody that it has not converged (sklearn#15438's kind)."""

    def fit(self, X: Any, y: Any) -> Quiet:  # noqa: N803
        """Fit without a warning."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().fit(X, y)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def warnings_swallowed(config: Any) -> Any:
    """Stops after two sweeps, silently; invisible with orthogonal columns."""
    return lasso(config, Quiet, max_iter=2)


class Standardised(Lasso):
    """normalize=True, as Lasso had it until 1.2: columns of length 1 are penalised."""

    def fit(self, X: Any, y: Any) -> Standardised:  # noqa: N803
        """Fit to scaled columns, and scale back."""
        lengths = np.linalg.norm(X, axis=0)
        lengths = np.where(lengths > 0, lengths, 1)
        super().fit(X / lengths, y)
        self.coef_ = self.coef_ / lengths
        return self


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def columns_standardised(config: Any) -> Any:
    """Penalises scaled columns; invisible with unit columns."""
    return lasso(config, Standardised)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def ratio_inverted(config: Any) -> Any:
    """l1_ratio is taken for that of l2; invisible where both are equal."""
    return elastic_net(config, 2 * config.l2, 2 * config.l2 / (config.l1 + 2 * config.l2))


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def l2_without_two(config: Any) -> Any:
    """alpha = (l1 + l2)/n, forgetting the ½ of ElasticNet's l2."""
    return elastic_net(config, config.l2, config.l1 / (config.l1 + config.l2))


class KeepsGram(ElasticNet):
    """precompute=AᵀA of the first problem of a size (sklearn#10992's kind); invisible in one call."""

    def fit(self, X: Any, y: Any) -> KeepsGram:  # noqa: N803
        """Fit without the check that would find the Gram matrix of another A."""
        given = np.array(X, order="F"), np.array(y, order="C")
        if np.shape(self.precompute) != (X.shape[1],) * 2:
            self.precompute = np.array(X.T @ X, order="C")
        return super().fit(*given, check_input=False)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def gram_kept(config: Any) -> Any:
    """Keeps the Gram matrix."""
    return elastic_net(config, 2 * config.l2, config.l1 / (config.l1 + 2 * config.l2), KeepsGram)


@regcheck.implements("minimiser", dtypes=DOUBLE)
def ridge_without_two(config: Any) -> Any:
    """alpha = l2, though Ridge's loss has no ½."""
    return ridge(config, config.l2)


@regcheck.implements("minimiser", framework="sklearn", dtypes=DOUBLE)
def ridge_per_sample(config: Any) -> Any:
    """alpha = 2·l2/n, as if Ridge's loss were a mean, as Lasso's is; invisible with one sample."""
    return lambda n: ridge(config, 2 * config.l2 / n)


@regcheck.implements("minimiser", dtypes=DOUBLE)
def input_centred_in_place(config: Any) -> Any:
    """copy_X=False beside an intercept: A is centred where it lies (sklearn#17789's kind)."""
    return ridge(config, 2 * config.l2, fit_intercept=True, copy_X=False)


class TwoTargets(Ridge):
    """Fits (b, b), so that `coef_` has two rows."""

    def fit(self, X: Any, y: Any) -> TwoTargets:  # noqa: N803
        """Fit to two equal targets."""
        return super().fit(X, np.stack([y, y], axis=1))


@regcheck.implements("minimiser", dtypes=DOUBLE)
def coefficients_of_another(config: Any) -> Any:
    """coef_ of shape (targets, k)."""
    return TwoTargets(2 * config.l2, fit_intercept=False)
