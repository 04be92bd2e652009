"""torch.nn.GroupNorm gives β for one value per group, unless the batch has one sample; exits 1 while that is so."""

import sys

import torch


def refusal(layer: torch.nn.GroupNorm, x: torch.Tensor) -> str:
    """Why the layer refuses x; empty if it does not."""
    try:
        layer(x)
    except ValueError as error:
        return str(error)
    return ""


norm = torch.nn.GroupNorm(num_groups=2, num_channels=2).eval()
alone, among = torch.ones(1, 2), torch.ones(2, 2)
print("promised: y = (x - E[x]) / sqrt(Var[x] + eps) * weight + bias for each sample, whatever the others are")
print("observed: GroupNorm(2, 2).eval() of shape (2, 2):", norm(among).tolist())
print("observed: GroupNorm(2, 2).eval() of shape (1, 2):", refusal(norm, alone) or norm(alone).tolist())
sys.exit(bool(refusal(norm, alone)) != bool(refusal(norm, among)))
