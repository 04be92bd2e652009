"""The tangent of torch's layer, batch and instance normalisation has a wrong gradient; exits 1 while so."""

import sys

import torch
from torch.func import jacfwd, jacrev
from torch.nn.functional import batch_norm, instance_norm, layer_norm

x = torch.tensor([1.0, 2.0], dtype=torch.float64)


def by_hand(v: torch.Tensor) -> torch.Tensor:
    """Normalisation with ε = 1 by elementary operations."""
    centred = v - v.mean()
    return centred / torch.sqrt(centred.square().mean() + 1)


functions = {
    "layer_norm": lambda v: layer_norm(v, (2,), eps=1.0),
    "batch_norm": lambda v: batch_norm(v[:, None], None, None, training=True, eps=1.0)[:, 0],
    "instance_norm": lambda v: instance_norm(v[None, None], eps=1.0)[0, 0],
}
promised = jacrev(jacfwd(lambda v: by_hand(v)[0]))(x).tolist()
observed = {
    f"{outer.__name__}(jacfwd), {name}": outer(jacfwd(lambda v, f=f: f(v)[0]))(x).tolist()
    for outer in (jacrev, jacfwd)
    for name, f in functions.items()
}
print(f"promised: second derivatives of the first output at (1, 2) {promised}")
print(f"observed: {observed}")
pairs = [(promised[i][j], seen[i][j]) for seen in observed.values() for i in (0, 1) for j in (0, 1)]
sys.exit(any(abs(one - other) > 1e-9 for one, other in pairs))
