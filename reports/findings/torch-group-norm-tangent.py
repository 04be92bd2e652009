"""The tangent of torch.nn.functional.group_norm's gradient is not 0 in the direction 0; exits 1 while so."""

import sys

import torch
from torch.func import grad, jvp
from torch.nn.functional import group_norm

x = torch.tensor([[-9346.14, -9348.0]])


def gradient(v: torch.Tensor) -> torch.Tensor:
    """Of the second output of one group of two."""
    return grad(lambda u: group_norm(u, 1)[0, 1])(v)


promised = [[0.0, 0.0]]
observed = jvp(gradient, (x,), (torch.zeros_like(x),))[1].tolist()
print(f"promised: the Jacobian times a tangent of zeros is {promised}")
print(f"observed: {observed}")
sys.exit(observed != promised)
