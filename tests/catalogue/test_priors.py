"""Each law of the Laplace and the Gaussian prior holds for a right prior, and accuses the one that breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from regcheck_properties import gaussian_prior, laplace_prior

from regcheck import Property
from regcheck.numpy_layers.priors import Gaussian, Laplace

MODULES = (laplace_prior, gaussian_prior)
PROPERTIES = {v.id: v for module in MODULES for v in vars(module).values() if isinstance(v, Property)}
RIGHT = {"laplace_prior": Laplace, "gaussian_prior": Gaussian}


class Prior:
    """The right one of its family; a wrong one overrides a step."""

    family = ""

    def __init__(self, config):
        self.scale = config.scale
        self.right = RIGHT[self.family](self._scale(config.scale))

    def _scale(self, scale):
        return scale

    def log_density(self, w):
        return self.right.log_density(w)


class Unnormalised(Prior):
    def log_density(self, w):
        return self.right.log_density(w) - self.right.log_density(np.zeros(1, w.dtype))


class Wider(Prior):
    def _scale(self, scale):
        return scale * 1.1


class Skewed(Prior):
    def log_density(self, w):
        return self.right.log_density(np.where(w < 0, w * w.dtype.type(0.5), w))


class InOtherUnits(Prior):
    def _scale(self, scale):
        return scale**0.5


class OfOtherFamily(Prior):
    """The other family's density, of the same variance."""

    def __init__(self, config):
        self.right = (
            Gaussian(config.scale * 2**0.5) if self.family == "laplace_prior" else Laplace(config.scale * 0.5**0.5)
        )


class NotANumber(Prior):
    def log_density(self, w):
        return np.full_like(w, np.nan)


class WrongShape(Prior):
    def log_density(self, w):
        return super().log_density(w)[..., :0]


BREAKS = {
    "matches-definition": Wider,
    "is-l1-penalty": Wider,
    "is-l2-penalty": Wider,
    "even": Skewed,
    "scale-law": InOtherUnits,
    "integrates-to-one": Unnormalised,
    "variance": Wider,
    "map-is-l1-minimiser": OfOtherFamily,
    "map-is-l2-minimiser": OfOtherFamily,
    "cusp-at-peak": OfOtherFamily,
    "smooth-at-peak": OfOtherFamily,
    "more-density-at-zero": OfOtherFamily,
}


def of(name, kind):
    """`kind` of the property's family."""
    return type(kind.__name__, (kind,), {"family": PROPERTIES[name].family})


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_right_prior_passes(name, verdict):
    cell = verdict(PROPERTIES[name], of(name, Prior))
    assert (cell.verdict, cell.reason) == ("passed", ""), cell


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_prior_that_breaks_the_law_fails(name, verdict):
    cell = verdict(PROPERTIES[name], of(name, BREAKS[name.split(".")[1]]))
    assert cell.verdict == "failed", cell


@pytest.mark.parametrize("kind", [NotANumber, WrongShape])
@pytest.mark.parametrize("name", PROPERTIES)
def test_no_law_holds_for_nonsense(name, kind, verdict):
    assert verdict(PROPERTIES[name], of(name, kind), examples=20).verdict == "failed"


@pytest.mark.parametrize("name", PROPERTIES)
def test_cut_down_cases_of_a_right_prior_accuse_nobody(name, accused):
    assert accused(PROPERTIES[name], of(name, Prior)) == []


def test_a_moment_without_a_factor_of_two_is_seen(verdict):
    class Halved(Prior):
        family = "laplace_prior"

        def log_density(self, w):
            return super().log_density(w) - w.dtype.type(np.log(2))

    assert verdict(PROPERTIES["laplace_prior.integrates-to-one"], Halved).verdict == "failed"
