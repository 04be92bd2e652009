"""Each law of weight decay holds for right optimisers, and accuses the one that breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from regcheck_properties import weight_decay

from regcheck import Property
from regcheck.numpy_layers.weight_decay import SGD, AdamW

PROPERTIES = {v.id: v for v in vars(weight_decay).values() if isinstance(v, Property)}
PLAIN = {"decay": "decoupled", "optimiser": "gradient_descent"}
ADAPTIVE = {"decay": "decoupled", "optimiser": "adaptive"}
COUPLED = {"decay": "coupled", "optimiser": "adaptive"}


class Descent:
    """The right one; a wrong one overrides a step."""

    def __init__(self, config):
        self.rate, self.decay = config.learning_rate, config.decay
        self.right = self._right()

    def _right(self):
        return SGD(self.rate, self.decay)

    def step(self, w, gradient):
        return self.right.step(w, gradient)


class Momentum(Descent):
    def _right(self):
        return SGD(self.rate, self.decay, momentum=0.9)


class Decoupled(Descent):
    def _right(self):
        return AdamW(self.rate, self.decay)


class Joined:
    """Decay joins the gradient, exactly where the sum is exact."""

    def __init__(self, config):
        super().__init__(config)
        self.right.decay = 0.0

    def step(self, w, gradient):
        return super().step(w, gradient + w * w.dtype.type(self.decay))


class Coupled(Joined, Decoupled):
    pass


class MomentumOfDecay(Joined, Momentum):
    pass


class Faster(Descent):
    def _right(self):
        return SGD(self.rate * 1.1, self.decay)


class Stronger(Descent):
    def _right(self):
        return SGD(self.rate, self.decay * 1.1)


class Subtracts(Descent):
    def step(self, w, gradient):
        taken = w.dtype.type(self.rate * self.decay)
        return np.where(np.abs(w) <= taken, 0, w - np.sign(w) * taken).astype(w.dtype)


class Exponential(Descent):
    def _right(self):
        return SGD(self.rate, (1 - np.exp(-self.rate * self.decay)) / self.rate)


class Default(Descent):
    def _right(self):
        return SGD(self.rate, self.decay or 0.01)


class OneSided(Descent):
    def step(self, w, gradient):
        return np.where(w > 0, super().step(w, gradient), w).astype(w.dtype)


class NotANumber(Descent):
    def step(self, w, gradient):
        return np.full_like(w, np.nan)


class WrongShape(Descent):
    def step(self, w, gradient):
        return super().step(w, gradient)[..., :0]


BREAKS = {
    "matches-definition": Faster,
    "shrinks-by-its-share": Stronger,
    "never-reaches-zero": Subtracts,
    "same-as-l2-penalty": Stronger,
    "affine-in-decay": Exponential,
    "decay-as-declared": MomentumOfDecay,
    "optimiser-as-declared": Decoupled,
    "nothing-without-decay": Default,
    "odd": OneSided,
}
OF_DESCENT = ("matches-definition", "same-as-l2-penalty")
OF_SHARES = ("shrinks-by-its-share", "never-reaches-zero", "affine-in-decay")


@pytest.mark.parametrize(
    ("kind", "declares", "left_out"),
    [
        (Descent, PLAIN, ()),
        (Descent, {**PLAIN, "decay": "coupled"}, ()),
        (Momentum, PLAIN, ()),
        (MomentumOfDecay, {**PLAIN, "decay": "coupled"}, ()),
        (Decoupled, ADAPTIVE, OF_DESCENT),
        (Coupled, COUPLED, OF_DESCENT + OF_SHARES),
    ],
)
@pytest.mark.parametrize("name", PROPERTIES)
def test_a_right_optimiser_passes_the_laws_that_are_about_it(name, kind, declares, left_out, verdict):
    cell = verdict(PROPERTIES[name], kind, **declares)
    assert cell.verdict == ("not-applicable" if name.split(".")[1] in left_out else "passed"), cell


@pytest.mark.parametrize("name", PROPERTIES)
def test_the_optimiser_that_breaks_the_law_fails(name, verdict):
    cell = verdict(PROPERTIES[name], BREAKS[name.split(".")[1]], **PLAIN)
    assert cell.verdict == "failed", cell


@pytest.mark.parametrize("kind", [NotANumber, WrongShape])
@pytest.mark.parametrize("name", PROPERTIES)
def test_no_law_holds_for_nonsense(name, kind, verdict):
    assert verdict(PROPERTIES[name], kind, examples=20, **PLAIN).verdict == "failed"


@pytest.mark.parametrize("name", PROPERTIES)
def test_cut_down_cases_of_a_right_optimiser_accuse_nobody(name, accused):
    assert accused(PROPERTIES[name], Descent) == []


@pytest.mark.parametrize(
    ("kind", "declares", "right"),
    [
        (Coupled, ADAPTIVE, "decay=coupled"),
        (Decoupled, COUPLED, "decay=decoupled"),
        (MomentumOfDecay, PLAIN, "decay=coupled"),
        (Momentum, {**PLAIN, "decay": "coupled"}, "decay=decoupled"),
    ],
)
def test_a_wrong_declaration_of_decay_is_told_what_fits(kind, declares, right, verdict):
    cell = verdict(PROPERTIES["weight_decay.decay-as-declared"], kind, **declares)
    assert (cell.verdict, cell.reason) == ("failed", f"matches {right}; declare it if that is intended")


@pytest.mark.parametrize(
    ("kind", "declares", "right"),
    [(Decoupled, PLAIN, "optimiser=adaptive"), (Descent, ADAPTIVE, "optimiser=gradient_descent")],
)
def test_a_wrong_declaration_of_the_optimiser_is_told_what_fits(kind, declares, right, verdict):
    cell = verdict(PROPERTIES["weight_decay.optimiser-as-declared"], kind, **declares)
    assert (cell.verdict, cell.reason) == ("failed", f"matches {right}; declare it if that is intended")
