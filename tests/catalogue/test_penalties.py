"""Each law of l1, l2 and the elastic net holds for a right penalty, and accuses the one that breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from regcheck_properties import elastic_net, l1, l2

from regcheck import Property
from regcheck.numpy_layers.penalties import ElasticNet

PROPERTIES = {v.id: v for module in (l1, l2, elastic_net) for v in vars(module).values() if isinstance(v, Property)}


class Penalty(ElasticNet):
    """The right one, by the family's own strengths; a wrong one overrides a method."""

    family = ""

    def __init__(self, config):
        super().__init__(config.l1 if self.family != "l2" else 0.0, config.l2 if self.family != "l1" else 0.0)


class Constant(Penalty):
    def value(self, w):
        return super().value(w) + 1e-6


class Signed(Penalty):
    def value(self, w):
        return super().value(np.maximum(w, 0))


class Ordered(Penalty):
    def value(self, w):
        return super().value(w.ravel()[1:]) if w.size > 1 else super().value(w)


class LargestColumn(Penalty):
    def value(self, w):
        return super().value(w[..., 0]) if w.ndim > 1 else super().value(w)


class Cleaned(Penalty):
    def value(self, w):
        return super().value(w[np.isfinite(w)])


class Mean(Penalty):
    def value(self, w):
        return super().value(w) / w.size


class StrengthSquared(Penalty):
    def value(self, w):
        return super().value(w) * (self.l1 + self.l2)


class Concave(Penalty):
    def value(self, w):
        return 1 - np.exp(-super().value(w))


class Cubic(Penalty):
    def value(self, w):
        return super().value(w) * (1 + 0.01 * float(np.abs(w).max(initial=0)))


class Euclidean(Penalty):
    def value(self, w):
        return (self.l1 + self.l2) * float(np.linalg.norm(w.astype(np.float64)))


class Largest(Penalty):
    def value(self, w):
        return (self.l1 + self.l2) * float(np.abs(w.astype(np.float64)).max()) ** (2 if self.l2 else 1)


class RootOfSquares(Penalty):
    def value(self, w):
        with np.errstate(over="ignore"):
            return self.l1 * float(np.sqrt(np.square(w)).sum())


class NeedsBoth(Penalty):
    def value(self, w):
        return super().value(w) if self.l1 and self.l2 else 0.0


class Mixed(Penalty):
    def value(self, w):
        return super().value(w) * (1.001 if self.l1 and self.l2 else 1)


class HalfGradient(Penalty):
    def gradient(self, w):
        return super().gradient(w) / 2


class PositiveGradient(Penalty):
    def gradient(self, w):
        return np.abs(super().gradient(w))


class SmoothGradient(Penalty):
    def gradient(self, w):
        return super().gradient(w) * np.minimum(np.abs(w) * 1000, 1).astype(w.dtype)


class HeldAtZero(Penalty):
    def gradient(self, w):
        return np.where(w == 0, w, super().gradient(w) + np.sign(w) * w.dtype.type(self.l2 * 0.02))


class HardProx(Penalty):
    def prox(self, w, step):
        return np.where(np.abs(w) <= step * self.l1, 0, w).astype(w.dtype)


class GradientStep(Penalty):
    def prox(self, w, step):
        return w - (step * self.gradient(w)).astype(w.dtype)


class CuttingProx(Penalty):
    def prox(self, w, step):
        return np.where(np.abs(w) < 0.1, 0, super().prox(w, step)).astype(w.dtype)


class NotANumber(Penalty):
    def value(self, w):
        return float("nan")

    def gradient(self, w):
        return np.full_like(w, np.nan)

    def prox(self, w, step):
        return np.full_like(w, np.nan)


class WrongShape(Penalty):
    def value(self, w):
        return np.zeros(2, w.dtype)

    def gradient(self, w):
        return super().gradient(w)[..., :0]

    def prox(self, w, step):
        return super().prox(w, step)[..., :0]


class ValueAlone:
    def __init__(self, config):
        self.right = Penalty(config)

    def value(self, w):
        return self.right.value(w)


SHARED = {
    "value-matches-definition": Mean,
    "l2-factor-as-declared": Mean,
    "zero-at-zero": Constant,
    "sign-flip-invariant": Signed,
    "permutation-invariant": Ordered,
    "reshape-invariant": LargestColumn,
    "nonfinite-propagates": Cleaned,
    "additive": Mean,
    "linear-in-strength": StrengthSquared,
    "convex": Concave,
    "gradient-matches-definition": HalfGradient,
    "gradient-odd": PositiveGradient,
    "gradient-jump": SmoothGradient,
    "no-gradient-jump": HeldAtZero,
    "minimum-at-zero": SmoothGradient,
    "minimum-moves-off-zero": HeldAtZero,
    "prox-matches-definition": HardProx,
    "prox-exact-zeros": GradientStep,
    "prox-never-zero": CuttingProx,
    "prox-firmly-nonexpansive": GradientStep,
    "prox-optimal": HardProx,
    "prox-moreau": HardProx,
    "homogeneous": Concave,
    "triangle-inequality": Cubic,
    "corners-on-the-axes": Euclidean,
    "parallelogram": Largest,
    "rotation-invariant": Largest,
    "without-l1-is-l2": NeedsBoth,
    "without-l2-is-l1": NeedsBoth,
    "sum-of-both": Mixed,
}


def of(name, kind):
    """`kind` with the strengths that the property's family takes."""
    return type(kind.__name__, (kind,), {"family": PROPERTIES[name].family})


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_right_penalty_passes(name, verdict):
    cell = verdict(PROPERTIES[name], of(name, Penalty))
    assert (cell.verdict, cell.reason) == ("passed", ""), cell


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_penalty_that_breaks_the_law_fails(name, verdict):
    cell = verdict(PROPERTIES[name], of(name, SHARED[name.split(".")[1]]))
    assert cell.verdict == "failed", cell


def test_squares_that_l1_does_not_need_must_not_overflow(verdict):
    name = "l1.value-matches-definition"
    cell = verdict(PROPERTIES[name], of(name, RootOfSquares))
    assert (cell.verdict, cell.error_over_bound) == ("failed", "inf")


@pytest.mark.parametrize("kind", [NotANumber, WrongShape])
@pytest.mark.parametrize("name", PROPERTIES)
def test_no_law_holds_for_nonsense(name, kind, verdict):
    assert verdict(PROPERTIES[name], of(name, kind), examples=20).verdict == "failed"


@pytest.mark.parametrize("name", [n for n in PROPERTIES if "prox" in n])
def test_without_a_proximal_map_its_laws_do_not_apply(name, verdict):
    cell = verdict(PROPERTIES[name], ValueAlone)
    assert (cell.verdict, cell.reason) == ("not-applicable", "the layer offers no prox")


class Half(Penalty):
    """Σw² with ½."""

    def __init__(self, config):
        super().__init__(config)
        self.l2 /= 2


@pytest.mark.parametrize("name", [n for n in PROPERTIES if not n.startswith("l1.")])
def test_a_declared_half_deviates_from_the_document_and_from_nothing_else(name, verdict):
    cell = verdict(PROPERTIES[name], of(name, Half), l2_factor="0.5")
    if name.endswith("value-matches-definition"):
        assert (cell.verdict, cell.reason) == ("deviates", "declared: l2_factor=0.5")
    else:
        assert cell.verdict == "passed", cell


@pytest.mark.parametrize("family", ["l2", "elastic_net"])
def test_an_undeclared_half_is_recognised(family, verdict):
    name = f"{family}.l2-factor-as-declared"
    cell = verdict(PROPERTIES[name], of(name, Half))
    assert (cell.verdict, cell.reason) == ("failed", "matches l2_factor=0.5; declare it if that is intended")
