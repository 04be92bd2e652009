"""Optimisers with weight decay in NumPy: gradient descent and AdamW."""

from __future__ import annotations

import numpy as np

from regcheck.numpy_layers.inputs import Array, check_shape, compute_dtype


class SGD:
    """w′ = (1 − η·λ)·w − η·m, m ← momentum·m + gradient: decoupled decay, computed in w's dtype (float16: float32).

    Without momentum m is the gradient. The memory is begun anew where w has another shape.
    """

    def __init__(self, learning_rate: float, decay: float, momentum: float = 0.0) -> None:
        self.learning_rate, self.decay, self.momentum = learning_rate, decay, momentum
        self.velocity: Array | None = None

    def step(self, w: Array, gradient: Array) -> Array:
        """w′ of w's shape and dtype. Raises TypeError for another dtype and ValueError for another shape."""
        dtype = compute_dtype("w", w)
        check_shape("gradient", gradient, w.shape)
        wide, moved = w.astype(dtype, copy=False), gradient.astype(dtype, copy=False)
        if self.momentum:
            if self.velocity is None or self.velocity.shape != w.shape:
                self.velocity = np.zeros(w.shape, dtype)
            moved = self.velocity = np.asarray(dtype.type(self.momentum) * self.velocity + moved)
        kept = dtype.type(1 - self.learning_rate * self.decay)
        return np.asarray(kept * wide - dtype.type(self.learning_rate) * moved).astype(w.dtype)


class AdamW:
    """w′ = (1 − η·λ)·w − η·m̂/(√v̂ + ε), computed in w's dtype (float16: float32).

    m̂ and v̂ are the bias-corrected moving averages of the gradient and of its square. The memory is begun anew where w
    has another shape. Source: Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2, its
    schedule multiplier being 1 and its decay multiplied by η, as the libraries do.
    """

    def __init__(
        self, learning_rate: float, decay: float, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        self.learning_rate, self.decay, self.betas, self.eps = learning_rate, decay, betas, eps
        self.first: Array | None = None
        self.second: Array | None = None
        self.steps = 0

    def step(self, w: Array, gradient: Array) -> Array:
        """w′ of w's shape and dtype. Raises TypeError for another dtype and ValueError for another shape."""
        dtype = compute_dtype("w", w)
        check_shape("gradient", gradient, w.shape)
        update = self._direction(gradient.astype(dtype, copy=False)) * dtype.type(self.learning_rate)
        kept = dtype.type(1 - self.learning_rate * self.decay)
        return np.asarray(kept * w.astype(dtype, copy=False) - update).astype(w.dtype)

    def _direction(self, gradient: Array) -> Array:
        """m̂/(√v̂ + ε), after the averages have taken in the gradient."""
        kind = gradient.dtype.type
        if self.first is None or self.second is None or self.first.shape != gradient.shape:
            self.first, self.second, self.steps = np.zeros_like(gradient), np.zeros_like(gradient), 0
        self.steps += 1
        beta1, beta2 = self.betas
        with np.errstate(under="ignore", over="ignore"):
            self.first = self.first + kind(1 - beta1) * (gradient - self.first)
            self.second = self.second + kind(1 - beta2) * (gradient * gradient - self.second)
            mean = self.first / kind(1 - beta1**self.steps)
            size = np.sqrt(self.second / kind(1 - beta2**self.steps))
        return np.asarray(mean / (size + kind(self.eps)))
