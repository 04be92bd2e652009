"""No law that compares numbers holds for a layer that gives NaN, whatever it is given."""

from __future__ import annotations

import numpy as np
import pytest

from regcheck import registry
from regcheck.families import RMSNormConfig
from regcheck.judge import CellJudge, Settings

LAWS = registry.catalogue().properties
FAMILIES = (
    "l1",
    "l2",
    "elastic_net",
    "minimiser",
    "weight_decay",
    "laplace_prior",
    "gaussian_prior",
    "dropout",
    "channel_dropout",
    "drop_path",
    "batch_norm",
    "layer_norm",
    "rms_norm",
    "instance_norm",
    "group_norm",
)
DROPOUTS = ("dropout", "channel_dropout", "drop_path")
# What NaN does not break, and why.
REPEATED = "a call repeated gives what it gave, NaN too"
NO_NUMBERS = "looks at no number that the layer gives"
MASKS = "compares where entries are kept, and NaN is not 0: a law that is shown no mask proves nothing, and says so"
HOLDS = {
    "common.backward-repeatable": REPEATED,
    "common.calls-do-not-leak": REPEATED,
    "common.inference-deterministic": REPEATED,
    "common.instances-independent": REPEATED,
    "common.modes-do-not-stick": REPEATED,
    "common.forward-changes-no-parameter": NO_NUMBERS,
    "common.shape": NO_NUMBERS,
    "common.dtype": NO_NUMBERS,
    "common.input-unchanged": NO_NUMBERS,
    "common.no-view-of-input": NO_NUMBERS,
    "common.output-bounded": NO_NUMBERS,
    **{
        f"{family}.{law}": MASKS
        for family in DROPOUTS
        for law in (
            "mask-independence",
            "mask-independent-of-values",
            "mask-order-as-declared",
            "random-stream-as-declared",
            "whole-channels",
            "whole-samples",
        )
    },
}
# A layer of no samples gives no number, and only batch_norm's state and a penalty's value are then NaN.
HOLDS_FOR = {
    **{(family, "common.empty-batch"): NO_NUMBERS for family in DROPOUTS},
    ("layer_norm", "common.empty-batch"): NO_NUMBERS,
    ("rms_norm", "common.empty-batch"): NO_NUMBERS,
    ("weight_decay", "common.empty-batch"): NO_NUMBERS,
    ("laplace_prior", "common.empty-batch"): NO_NUMBERS,
    ("gaussian_prior", "common.empty-batch"): NO_NUMBERS,
    ("instance_norm", "common.empty-batch"): NO_NUMBERS,
    ("group_norm", "common.empty-batch"): NO_NUMBERS,
    **{(family, "common.forward-changes-no-parameter"): "" for family in DROPOUTS},
}


class Nothing:
    """NaN for everything, of the right shape and dtype; in training its running statistics become NaN too."""

    def __init__(self, config):
        self.config, self.parameters, self.state = config, {}, {}
        size = getattr(config, "channels", getattr(config, "shape", None))
        if getattr(config, "affine", False):
            self.parameters = {"scale": np.ones(size)}
            if not isinstance(config, RMSNormConfig):
                self.parameters["shift"] = np.zeros(size)
        if hasattr(config, "momentum"):
            self.state = {"running_mean": np.zeros(size), "running_var": np.ones(size)}

    def forward(self, x, training):
        if training:
            self.state |= {name: np.full_like(value, np.nan) for name, value in self.state.items()}
        return np.full_like(x, np.nan)

    def backward(self, cotangent):
        parameters = {name: np.full(v.shape, np.nan, cotangent.dtype) for name, v in self.parameters.items()}
        return {"x": np.full_like(cotangent, np.nan), **parameters}

    def second(self, x, cotangent, direction, training, mode):
        return np.full_like(x, np.nan)

    def seed(self, value):
        pass

    def value(self, w):
        return w.dtype.type(np.nan)

    def gradient(self, w):
        return np.full_like(w, np.nan)

    def prox(self, w, step):
        return np.full_like(w, np.nan)

    def minimise(self, a, b):
        return np.full(a.shape[1], np.nan, a.dtype)

    def step(self, w, gradient):
        return np.full_like(w, np.nan)

    def log_density(self, w):
        return np.full_like(w, np.nan)


PAIRS = [(family, law) for family in FAMILIES for law in LAWS.values() if law.applies_to(family)]


@pytest.mark.parametrize(("family", "law"), PAIRS, ids=[f"{family}-{law.id}" for family, law in PAIRS])
def test_a_layer_that_gives_nan_fails_every_law_but_those_that_say_nothing_of_numbers(family, law, session, partner):
    about = {"name": "it", "framework": "numpy", "family": family, "dtypes": None}
    declares = {"batch_invariance": "bitwise"} if law.id.endswith("bitwise") else {}
    layers = session(Nothing, family, declares)
    layers.partner = partner(law)
    cell = CellJudge(law, layers, about, Settings("quick"), None).judge().cell
    reason = HOLDS_FOR.get((family, law.id), HOLDS.get(law.id))
    expected = {None: "failed", "": "not-applicable", MASKS: "inconclusive"}.get(reason, "passed")
    assert cell.verdict == expected, cell.reason
