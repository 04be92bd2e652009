"""Optimisers with weight decay in NumPy; each differs from the right one in one step."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]

EXPECTED = {
    "GradientForgetsRate": "weight_decay.matches-definition",
    "Nesterov": "weight_decay.matches-definition",
    "DecaysAfterTheStep": "weight_decay.matches-definition",
    "ClipsGradient": "weight_decay.matches-definition",
    "DecayForgetsRate": "weight_decay.shrinks-by-its-share",
    "DecaysOnce": "weight_decay.shrinks-by-its-share",
    "DecaysVectorsAlone": "weight_decay.shrinks-by-its-share",
    "DecayStopsAt64": "weight_decay.shrinks-by-its-share",
    "DecayDoublesAfterFive": "weight_decay.shrinks-by-its-share",
    "MatricesStandStill": "weight_decay.matches-definition",
    "DecaysHalf": "weight_decay.same-as-l2-penalty",
    "DecaysTwice": "weight_decay.same-as-l2-penalty",
    "SoftThreshold": "weight_decay.never-reaches-zero",
    "SmallWeightsBecomeZero": "weight_decay.never-reaches-zero",
    "DecaysExponentially": "weight_decay.affine-in-decay",
    "DecayCapped": "weight_decay.affine-in-decay",
    "DecaysWithoutDecay": "weight_decay.nothing-without-decay",
    "AdamDecaysWithoutDecay": "weight_decay.nothing-without-decay",
    "DecaysPositiveWeights": "weight_decay.odd",
    "AdamOfSize": "weight_decay.odd",
    "AdamWIsAdam": "weight_decay.decay-as-declared",
    "AdamIsAdamW": "weight_decay.decay-as-declared",
    "MomentumOfDecay": "weight_decay.decay-as-declared",
    "MomentumWithoutDecay": "weight_decay.decay-as-declared",
    "AdamWForgetsRate": "weight_decay.decay-as-declared",
    "AdamDecaysTheAverageAlone": "weight_decay.decay-as-declared",
    "AdamCalledDescent": "weight_decay.optimiser-as-declared",
    "DescentCalledAdam": "weight_decay.optimiser-as-declared",
    "AdamClimbs": "weight_decay.optimiser-as-declared",
}


class Descent:
    """Right gradient descent, in float64; a fault overrides one step."""

    def __init__(self, config: Any) -> None:
        self.rate, self.decay = config.learning_rate, config.decay

    def step(self, w: Array, gradient: Array) -> Array:
        """w′, of w's dtype."""
        with np.errstate(all="ignore"):
            return np.asarray(self._step(w.astype(np.float64), gradient.astype(np.float64))).astype(w.dtype)

    def _step(self, w: Array, gradient: Array) -> Array:
        return self._decayed(w) - self._update(w, gradient)

    def _decayed(self, w: Array) -> Array:
        return (1 - self.rate * self.decay) * w

    def _update(self, w: Array, gradient: Array) -> Array:
        return self.rate * gradient


class Momentum(Descent):
    """Gradient descent with momentum, decay beside it."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.velocity: Any = 0.0

    def _update(self, w: Array, gradient: Array) -> Array:
        self.velocity = 0.9 * self.velocity + gradient
        return self.rate * self.velocity


class AdamW(Descent):
    """Right AdamW, begun anew with each shape."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.shape: Any = None

    def _update(self, w: Array, gradient: Array) -> Array:
        return self.rate * self._direction(gradient, gradient)

    def _direction(self, gradient: Array, squared: Array) -> Array:
        if self.shape != gradient.shape:
            self.shape, self.first, self.second, self.steps = gradient.shape, 0.0, 0.0, 0
        self.steps += 1
        self.first = 0.9 * self.first + 0.1 * gradient
        self.second = 0.999 * self.second + 0.001 * squared * squared
        root = np.sqrt(self.second / (1 - 0.999**self.steps))
        return self.first / (1 - 0.9**self.steps) / (root + 1e-8)


class Adam(AdamW):
    """Right Adam: decay joins the gradient."""

    def _decayed(self, w: Array) -> Array:
        return w

    def _update(self, w: Array, gradient: Array) -> Array:
        joined = gradient + self.decay * w
        return self.rate * self._direction(joined, joined)


@regcheck.implements("weight_decay")
class GradientForgetsRate(Descent):
    """(1 − ηλ)·w − gradient; invisible without a gradient."""

    def _update(self, w: Array, gradient: Array) -> Array:
        return gradient


@regcheck.implements("weight_decay")
class Nesterov(Momentum):
    """Looks ahead in its first step already, which is 1.9 times the plain one."""

    def _update(self, w: Array, gradient: Array) -> Array:
        return super()._update(w, gradient) * 0.9 + self.rate * gradient


@regcheck.implements("weight_decay")
class DecaysAfterTheStep(Descent):
    """(1 − ηλ)·(w − η·gradient): decays its own step too; invisible without a gradient."""

    def _step(self, w: Array, gradient: Array) -> Array:
        return self._decayed(w - self._update(w, gradient))


@regcheck.implements("weight_decay")
class ClipsGradient(Descent):
    """Clips each gradient to [−1, 1] and does not say so."""

    def _update(self, w: Array, gradient: Array) -> Array:
        return self.rate * np.clip(gradient, -1, 1)


@regcheck.implements("weight_decay")
class DecayForgetsRate(Descent):
    """(1 − λ)·w, as the paper's own algorithm has it, beside a decay that is meant to meet η."""

    def _decayed(self, w: Array) -> Array:
        return (1 - self.decay) * w


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class DecaysOnce(AdamW):
    """Decays in the first step only."""

    def _decayed(self, w: Array) -> Array:
        return super()._decayed(w) if self.shape is None else w


@regcheck.implements("weight_decay")
class DecaysHalf(Descent):
    """The gradient of ½λw²·½: half of the share."""

    def _decayed(self, w: Array) -> Array:
        return (1 - self.rate * self.decay / 2) * w


@regcheck.implements("weight_decay")
class DecaysTwice(Descent):
    """Takes decay for λ of λ·Σw² and decays by 2ηλ."""

    def _decayed(self, w: Array) -> Array:
        return (1 - 2 * self.rate * self.decay) * w


@regcheck.implements("weight_decay")
class SoftThreshold(Descent):
    """Shrinks by a constant, as L1 does, and stops at 0."""

    def _decayed(self, w: Array) -> Array:
        return np.sign(w) * np.maximum(np.abs(w) - self.rate * self.decay, 0)


@regcheck.implements("weight_decay")
class SmallWeightsBecomeZero(Descent):
    """Prunes what is below 1/16 after a decay."""

    def _decayed(self, w: Array) -> Array:
        left = super()._decayed(w)
        return np.where(np.abs(left) < 1 / 16, 0, left)


@regcheck.implements("weight_decay")
class DecaysExponentially(Descent):
    """exp(−ηλ)·w: nearly the same where ηλ is small."""

    def _decayed(self, w: Array) -> Array:
        return np.exp(-self.rate * self.decay) * w


@regcheck.implements("weight_decay")
class DecayCapped(Descent):
    """Takes off a half at most."""

    def _decayed(self, w: Array) -> Array:
        return (1 - min(self.rate * self.decay, 0.5)) * w


@regcheck.implements("weight_decay")
class DecaysWithoutDecay(Descent):
    """Takes a decay of 0 for "not given", and then decays by a default of 0.01."""

    def _decayed(self, w: Array) -> Array:
        return (1 - self.rate * (self.decay or 0.01)) * w


@regcheck.implements("weight_decay", declares={"decay": "coupled", "optimiser": "adaptive"})
class AdamDecaysWithoutDecay(Adam):
    """The same in Adam."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.decay = config.decay or 0.01


@regcheck.implements("weight_decay")
class DecaysPositiveWeights(Descent):
    """Decays positive weights alone."""

    def _decayed(self, w: Array) -> Array:
        return np.where(w > 0, super()._decayed(w), w)


@regcheck.implements("weight_decay", declares={"decay": "coupled", "optimiser": "adaptive"})
class AdamOfSize(Adam):
    """Adds decay·|w| to the gradient: right for positive weights."""

    def _update(self, w: Array, gradient: Array) -> Array:
        return super()._update(np.abs(w), gradient)


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class AdamWIsAdam(Adam):
    """Declared decoupled, by default, and coupled."""


@regcheck.implements("weight_decay", declares={"decay": "coupled", "optimiser": "adaptive"})
class AdamIsAdamW(AdamW):
    """Declared coupled and decoupled."""


@regcheck.implements("weight_decay")
class MomentumOfDecay(Momentum):
    """Declared decoupled, and accumulates decayed gradients: visible from the second step on."""

    def _decayed(self, w: Array) -> Array:
        return w

    def _update(self, w: Array, gradient: Array) -> Array:
        return super()._update(w, gradient + self.decay * w)


@regcheck.implements("weight_decay", declares={"decay": "coupled"})
class MomentumWithoutDecay(Momentum):
    """Declared coupled, and keeps the decay out of its memory: visible from the second step on."""


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class AdamWForgetsRate(AdamW):
    """Takes λ·w off, and not ηλ·w."""

    def _decayed(self, w: Array) -> Array:
        return (1 - self.decay) * w


@regcheck.implements("weight_decay", declares={"decay": "coupled", "optimiser": "adaptive"})
class AdamDecaysTheAverageAlone(Adam):
    """The decay joins the average of gradients, and not that of their squares."""

    def _update(self, w: Array, gradient: Array) -> Array:
        return self.rate * self._direction(gradient + self.decay * w, gradient)


@regcheck.implements("weight_decay")
class AdamCalledDescent(AdamW):
    """Adaptive, and declared, by default, as gradient descent."""


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class DescentCalledAdam(Descent):
    """Gradient descent, declared adaptive."""


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class AdamClimbs(AdamW):
    """Adds the step."""

    def _update(self, w: Array, gradient: Array) -> Array:
        return -super()._update(w, gradient)


@regcheck.implements("weight_decay")
class DecaysVectorsAlone(Descent):
    """Leaves matrices as they are, where it is biases that many leave out."""

    def _decayed(self, w: Array) -> Array:
        return super()._decayed(w) if w.ndim == 1 else w


@regcheck.implements("weight_decay")
class DecayStopsAt64(Descent):
    """A block of 64 weights decays; what is over does not."""

    def _decayed(self, w: Array) -> Array:
        return np.concatenate([super()._decayed(w[:64]), w[64:]])


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class DecayDoublesAfterFive(AdamW):
    """Decays twice from the sixth step on."""

    calls = 0

    def _decayed(self, w: Array) -> Array:
        self.calls += 1
        return super()._decayed(w) - (self.rate * self.decay * w if self.calls > 5 else 0)


@regcheck.implements("weight_decay")
class MatricesStandStill(Descent):
    """Does nothing to a matrix."""

    def _step(self, w: Array, gradient: Array) -> Array:
        return super()._step(w, gradient) if w.ndim == 1 else w
