"""torch.optim.Adam on half weights: eps=1e-8 is 0, and a zero gradient makes the weight NaN; exits 1 while so."""

import sys

import torch


def stepped(kind: type[torch.optim.Adam], dtype: torch.dtype) -> float:
    """The weight 1 after one step without a gradient and without decay."""
    w = torch.nn.Parameter(torch.ones(1, dtype=dtype))
    w.grad = torch.zeros(1, dtype=dtype)
    kind([w], lr=0.1, weight_decay=0.0).step()
    return w.item()


found = {kind.__name__: stepped(kind, torch.float16) for kind in (torch.optim.Adam, torch.optim.AdamW)}
print(f"promised: 1 - lr * 0 / (sqrt(0) + eps) = {stepped(torch.optim.Adam, torch.float32)}, as in float32")
print(f"observed: in float16, {found}")
sys.exit(any(w != 1 for w in found.values()))
