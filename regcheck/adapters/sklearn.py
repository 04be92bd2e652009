"""scikit-learn: estimators as canonical minimisers.

A factory returns an estimator, or, where a hyper-parameter depends on the number n of rows of A, as `alpha` of a Lasso
does, a function of n that returns one:

    @regcheck.implements("minimiser", framework="sklearn", declares={"tolerance": 2e-8}, dtypes=("float64",))
    def my_lasso(config):
        if config.l2 or not config.l1:
            raise regcheck.Unsupported("a Lasso has l1 alone")
        return lambda n: Lasso(alpha=config.l1 / n, fit_intercept=False, tol=1e-8)

An estimator is anything with fit(X, y) that sets `coef_`; where it does not descend from one of scikit-learn's,
`framework="sklearn"` says what it is. One estimator is made for each n, and fitted again for each problem, as its users
would. What `tol` means differs from estimator to estimator, so that it is not read: `tolerance` declares what it
promises, or nothing and √u is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

# Not sklearn alone: a worker is forked from a process that has imported what its factories will.
import sklearn.linear_model

from regcheck.adapters._calls import refused, wrong
from regcheck.families import FAMILIES
from regcheck.layer import Array, Layer, WrongReturn

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck.implementation import Implementation

DEFAULTS: dict[str, str] = {}
ESTIMATOR = "an estimator with fit(X, y)"


def versions() -> dict[str, str]:
    """Version of scikit-learn."""
    return {"sklearn": str(sklearn.__version__)}


def adapt(native: object, implementation: Implementation, config: Any, dtype: str) -> Layer:  # noqa: ARG001
    """The canonical view of an estimator, or of a function n -> estimator.

    Raises TypeError for anything else, and for another family than minimiser.
    """
    if FAMILIES[implementation.family].method == "minimise" and not isinstance(native, type):
        if _fits(native):
            return _Minimiser(lambda _: native)
        if callable(native):
            return _Minimiser(native)
    raise TypeError(refused(native, implementation.family, (ESTIMATOR, "a function n -> estimator")))


def _fits(value: object) -> bool:
    return callable(getattr(value, "fit", None))


class _Minimiser(Layer):
    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make
        self.made: dict[int, Any] = {}

    def minimise(self, a: Array, b: Array) -> Array:
        """`coef_` of the estimator for n rows, fitted to A (n, k) and b (n,)."""
        estimator = self._estimator(len(a))
        estimator.fit(a, b)
        w: Array = estimator.coef_
        return w

    def _estimator(self, n: int) -> Any:
        if n not in self.made:
            made = self.make(n)
            if not _fits(made):
                raise WrongReturn(wrong("the function of n", ESTIMATOR, made))
            self.made[n] = made
        return self.made[n]
