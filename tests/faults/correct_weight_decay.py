"""Right optimisers in NumPy that differ in how they compute or in what they declare: no property may fail for them."""

from __future__ import annotations

from typing import Any

import numpy as np

import regcheck

Array = np.ndarray[Any, np.dtype[Any]]
EXPECTED: dict[str, str] = {}


class Optimiser:
    """Computes in w's own dtype; a variant says how."""

    def __init__(self, config: Any) -> None:
        self.rate, self.decay = config.learning_rate, config.decay

    def step(self, w: Array, gradient: Array) -> Array:
        """w′, of w's dtype."""
        kind = w.dtype.type
        with np.errstate(all="ignore"):
            return np.asarray(self._step(w, gradient, kind(self.rate), kind(self.decay))).astype(w.dtype)

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        raise NotImplementedError


@regcheck.implements("weight_decay")
class DescentByFactor(Optimiser):
    """(1 − ηλ)·w − η·gradient."""

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        return (1 - rate * decay) * w - rate * gradient


@regcheck.implements("weight_decay")
class DescentByDifference(Optimiser):
    """w − w·λ·η, and then the gradient."""

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        return (w - w * decay * rate) - gradient * rate


@regcheck.implements("weight_decay", declares={"decay": "coupled"})
class DescentCoupled(Optimiser):
    """w − η·(gradient + λ·w)."""

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        return w - rate * (gradient + decay * w)


@regcheck.implements("weight_decay")
class DescentCoupledSaysNothing(DescentCoupled):
    """Without memory both are the same, so that either declaration is right."""


@regcheck.implements("weight_decay", declares={"decay": "coupled"})
class MomentumCoupled(Optimiser):
    """Accumulates decayed gradients, and says so."""

    velocity: Any = 0.0

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        self.velocity = w.dtype.type(0.9) * self.velocity + (gradient + decay * w)
        return w - rate * self.velocity


@regcheck.implements("weight_decay")
class MomentumDecoupled(Optimiser):
    """Keeps decay out of its memory."""

    velocity: Any = 0.0

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        self.velocity = w.dtype.type(0.9) * self.velocity - rate * gradient
        return (w - rate * (decay * w)) + self.velocity


class Adaptive(Optimiser):
    """Adam's averages in float32 at least."""

    first: Any = 0.0
    second: Any = 0.0
    steps = 0

    def _direction(self, gradient: Array) -> Array:
        wide = gradient.astype(np.promote_types(gradient.dtype, np.float32))
        self.steps += 1
        self.first = 0.9 * self.first + 0.1 * wide
        self.second = 0.999 * self.second + 0.001 * wide * wide
        root = np.sqrt(self.second / (1 - 0.999**self.steps))
        return self.first / (1 - 0.9**self.steps) / (root + 1e-8)


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class AdamWStraightforward(Adaptive):
    """Shrinks, and then steps."""

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        return (1 - rate * decay) * w - rate * self._direction(gradient)


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class AdamWTogether(Adaptive):
    """w − η·(direction + λ·w)."""

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        return w - rate * (self._direction(gradient).astype(w.dtype) + decay * w)


@regcheck.implements("weight_decay", declares={"decay": "coupled", "optimiser": "adaptive"})
class AdamStraightforward(Adaptive):
    """Decay joins the gradient."""

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        return w - rate * self._direction(gradient + decay * w)


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class SignDescent(Optimiser):
    """The gradient's sign alone: adaptive, without memory."""

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        return (1 - rate * decay) * w - rate * np.sign(gradient)


@regcheck.implements("weight_decay", declares={"optimiser": "adaptive"})
class AdagradFromATenth(Optimiser):
    """Adagrad, whose accumulated squares start at 0.1, as some libraries' do; decay beside it."""

    squares: Any = 0.1

    def _step(self, w: Array, gradient: Array, rate: Any, decay: Any) -> Array:
        wide = gradient.astype(np.promote_types(gradient.dtype, np.float32))
        self.squares = self.squares + np.square(wide)
        return (w - rate * (decay * w)) - rate * wide / (np.sqrt(self.squares) + wide.dtype.type(1e-7))
