"""How large the error of a correct implementation can be: the only place where a bound is computed.

Letters: u is the unit roundoff of the type that is computed in, u_o of the type that results are stored in,
η and η_o the largest error of a result that underflows. No bound is a constant: each follows from the
operations that a straightforward implementation makes, with the condition of the case at hand.
First-order terms in u only, unless said. `tests/benchmarks/bounds.py` validates every bound on NumPy's, PyTorch's,
Keras' and TensorFlow's arithmetic; `reports/bounds.md` says how near correct results come to each.
"""

from regcheck.bounds.dropout import alpha_dropped, alpha_gradient, alpha_kept, noise_read, noised
from regcheck.bounds.gradients import input_gradient, recorded_gradient, scale_gradient, shift_gradient
from regcheck.bounds.minimisers import (
    TOLERANCE,
    coordinate_step,
    correlation_blur,
    minimiser_distance,
    minimiser_excess,
    strength_slack,
)
from regcheck.bounds.normalised import (
    FOLDED,
    LOST,
    RECORDED,
    Standard,
    affine,
    standard,
    standard_exact,
    standard_recorded,
)
from regcheck.bounds.penalties import penalty_argument, penalty_gradient, penalty_prox, penalty_value
from regcheck.bounds.priors import log_density
from regcheck.bounds.roundoff import Arithmetic, arithmetic, declared_arithmetic
from regcheck.bounds.running import running_mean, running_variance
from regcheck.bounds.second_derivatives import penalty_second, second_derivative
from regcheck.bounds.weight_decay import decay_step

__all__ = [
    "FOLDED",
    "LOST",
    "RECORDED",
    "TOLERANCE",
    "Arithmetic",
    "Standard",
    "affine",
    "alpha_dropped",
    "alpha_gradient",
    "alpha_kept",
    "arithmetic",
    "coordinate_step",
    "correlation_blur",
    "decay_step",
    "declared_arithmetic",
    "input_gradient",
    "log_density",
    "minimiser_distance",
    "minimiser_excess",
    "noise_read",
    "noised",
    "penalty_argument",
    "penalty_gradient",
    "penalty_prox",
    "penalty_second",
    "penalty_value",
    "recorded_gradient",
    "running_mean",
    "running_variance",
    "scale_gradient",
    "second_derivative",
    "shift_gradient",
    "standard",
    "standard_exact",
    "standard_recorded",
    "strength_slack",
]
