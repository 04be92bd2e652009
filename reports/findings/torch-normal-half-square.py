"""torch.distributions.Normal squares before it divides: in half the log density of 300 is -inf; exits 1 while so."""

import math
import sys

import torch

loc, scale, value = (torch.tensor(number, dtype=torch.float16) for number in (0.0, 100.0, 300.0))
observed = float(torch.distributions.Normal(loc, scale).log_prob(value))
promised = -((300 / 100) ** 2) / 2 - math.log(100) - math.log(2 * math.pi) / 2
print(f"promised: log density of 300 under Normal(0, 100), {promised:.4f}")
print(f"observed: {observed}")
sys.exit(abs(observed - promised) > 0.01 * abs(promised))
