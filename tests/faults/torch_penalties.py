"""Penalties as functions of a PyTorch tensor; each has one of the faults that PyTorch makes easy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

import regcheck

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECTED = {
    "l1_smooth": "l1.value-matches-definition",
    "l1_mean": "l1.additive",
    "l1_detached": "l1.gradient-matches-definition",
    "l1_rooted": "l1.zero-at-zero",
    "l1_huber_gradient": "l1.gradient-jump",
    "l1_of_positive": "l1.sign-flip-invariant",
    "l1_unit_strength": "l1.linear-in-strength",
    "l2_norm": "l2.homogeneous",
    "l2_half": "l2.l2-factor-as-declared",
    "l2_mean": "l2.additive",
    "l2_through_root": "l2.gradient-matches-definition",
    "l2_without_last": "l2.permutation-invariant",
    "l2_gradient_doubled": "l2.gradient-matches-definition",
    "elastic_net_swapped": "elastic_net.value-matches-definition",
    "elastic_net_l2_detached": "elastic_net.gradient-matches-definition",
    "elastic_net_as_ratio": "elastic_net.linear-in-strength",
}


@regcheck.implements("l1", framework="torch")
def l1_smooth(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """smooth_l1_loss: quadratic within ±1."""
    return lambda w: config.l1 * functional.smooth_l1_loss(w, torch.zeros_like(w), reduction="sum")


@regcheck.implements("l1", framework="torch")
def l1_mean(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """l1_loss takes the mean unless told not to."""
    return lambda w: config.l1 * functional.l1_loss(w, torch.zeros_like(w))


@regcheck.implements("l1", framework="torch")
def l1_detached(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Sums w.data: the value is right, and the gradient 0."""
    return lambda w: config.l1 * w.detach().abs().sum() + 0 * w.sum()


@regcheck.implements("l1", framework="torch")
def l1_rooted(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """√(w² + 1e-6): never 0."""
    return lambda w: config.l1 * torch.sqrt(w * w + 1e-6).sum()


@regcheck.implements("l1", framework="torch")
def l1_huber_gradient(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The value is Σ|w|, the gradient clamp(1000·w): no jump at 0."""

    def penalty(w: torch.Tensor) -> torch.Tensor:
        surrogate = w * (w.detach() * 1000).clamp(-1, 1)
        return config.l1 * (w.detach().abs() + (surrogate - surrogate.detach())).sum()

    return penalty


@regcheck.implements("l1", framework="torch")
def l1_of_positive(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """relu in place of abs."""
    return lambda w: config.l1 * functional.relu(w).sum()


@regcheck.implements("l1", framework="torch")
def l1_unit_strength(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Reads the strength as a switch."""
    return lambda w: bool(config.l1) * w.abs().sum()


@regcheck.implements("l2", framework="torch")
def l2_norm(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """w.norm(), not squared."""
    return lambda w: config.l2 * w.norm()


@regcheck.implements("l2", framework="torch")
def l2_half(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """½λ·Σw², and does not say so."""
    return lambda w: config.l2 * 0.5 * w.pow(2).sum()


@regcheck.implements("l2", framework="torch")
def l2_mean(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """mse_loss takes the mean unless told not to."""
    return lambda w: config.l2 * functional.mse_loss(w, torch.zeros_like(w))


@regcheck.implements("l2", framework="torch")
def l2_through_root(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """(√Σw²)²: the value is right, the gradient at w = 0 NaN."""
    return lambda w: config.l2 * torch.sqrt((w * w).sum()) ** 2


@regcheck.implements("l2", framework="torch")
def l2_without_last(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Leaves out the last of several weights, a slice that was meant for the bias."""
    return lambda w: config.l2 * (w.flatten()[:-1] if w.numel() > 1 else w).pow(2).sum()


@regcheck.implements("l2", framework="torch")
def l2_gradient_doubled(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Registered twice: the second time its value is subtracted again, its gradient is not."""

    def penalty(w: torch.Tensor) -> torch.Tensor:
        value = config.l2 * w.pow(2).sum()
        return value + (value - value.detach())

    return penalty


@regcheck.implements("elastic_net", framework="torch")
def elastic_net_swapped(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The strengths in each other's place."""
    return lambda w: config.l2 * w.abs().sum() + config.l1 * w.pow(2).sum()


@regcheck.implements("elastic_net", framework="torch")
def elastic_net_l2_detached(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """The quadratic part has no gradient."""
    return lambda w: config.l1 * w.abs().sum() + config.l2 * w.detach().pow(2).sum()


@regcheck.implements("elastic_net", framework="torch")
def elastic_net_as_ratio(config: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """Reads l2 as the mixing ratio of one strength l1, as scikit-learn's l1_ratio."""
    return lambda w: config.l1 * ((1 - config.l2) * w.abs().sum() + config.l2 * w.pow(2).sum())
