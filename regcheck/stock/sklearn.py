"""scikit-learn's linear models, declared as a third party would; scikit-learn is imported in the factories alone.

Documentation: https://scikit-learn.org/stable/modules/linear_model.html. "Seen" means measured with scikit-learn 1.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regcheck.implementation import Declared, Unsupported, implements

if TYPE_CHECKING:
    from collections.abc import Callable

    from sklearn.linear_model import ElasticNet, Lasso, Ridge

    from regcheck.families import MinimiserConfig

STOCK_CLASSES = {
    "sklearn.linear_model:Lasso": "lasso",
    "sklearn.linear_model:ElasticNet": "elastic_net",
    "sklearn.linear_model:Ridge": "ridge",
}

TOL = 1e-10
SWEEPS = 100_000
# Lasso and ElasticNet minimise the document's objective over n: their gap of tol·‖y‖²/n is one of 2·tol·½‖b‖².
_DESCENT = {
    "tolerance": Declared(
        2 * TOL,
        'Lasso, notes on `tol`: "check whether the dual gap is smaller or equal to tol times ||y||_2^2 / n_samples"',
    )
}
# Cholesky is what solver="auto" takes for a dense A (_ridge.py): a closed form, which errs by rounding alone.
_DIRECT = {"tolerance": Declared(0.0, "Ridge: \"'cholesky': `tol` has no impact\"")}


@implements("minimiser", name="sklearn.Lasso", framework="sklearn", declares=_DESCENT, dtypes=("float64",))
def lasso(config: MinimiserConfig) -> Callable[[int], Lasso]:
    """Lasso, (1/(2n))‖y − Xw‖² + alpha·‖w‖₁: alpha = l1/n."""
    from sklearn.linear_model import Lasso  # noqa: PLC0415

    if config.l2:
        msg = "sklearn.linear_model.Lasso has no l2 penalty"
        raise Unsupported(msg)
    if not config.l1:  # "using alpha = 0 with the Lasso object is not advised"; its `tol` then bounds another quantity
        msg = "sklearn.linear_model.Lasso needs l1 > 0"
        raise Unsupported(msg)
    return lambda n: Lasso(config.l1 / n, fit_intercept=False, tol=TOL, max_iter=SWEEPS)


@implements("minimiser", name="sklearn.ElasticNet", framework="sklearn", declares=_DESCENT, dtypes=("float64",))
def elastic_net(config: MinimiserConfig) -> Callable[[int], ElasticNet]:
    """ElasticNet, (1/(2n))‖y − Xw‖² + alpha·r·‖w‖₁ + ½·alpha·(1 − r)·‖w‖².

    alpha = (l1 + 2·l2)/n, r = l1_ratio = l1/(l1 + 2·l2).
    """
    from sklearn.linear_model import ElasticNet  # noqa: PLC0415

    alpha = config.l1 + 2 * config.l2
    if not alpha:  # as Lasso
        msg = "sklearn.linear_model.ElasticNet needs l1 > 0 or l2 > 0"
        raise Unsupported(msg)
    return lambda n: ElasticNet(alpha / n, l1_ratio=config.l1 / alpha, fit_intercept=False, tol=TOL, max_iter=SWEEPS)


@implements("minimiser", name="sklearn.Ridge", framework="sklearn", declares=_DIRECT, dtypes=("float64",))
def ridge(config: MinimiserConfig) -> Ridge:
    """Ridge, ‖y − Xw‖² + alpha·‖w‖²: alpha = 2·l2."""
    from sklearn.linear_model import Ridge  # noqa: PLC0415

    if config.l1:
        msg = "sklearn.linear_model.Ridge has no l1 penalty"
        raise Unsupported(msg)
    return Ridge(2 * config.l2, fit_intercept=False)
