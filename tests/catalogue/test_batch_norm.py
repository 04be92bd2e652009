"""Each law of batch_norm holds for a right layer, and accuses the layer that breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from regcheck_properties import batch_norm

from regcheck import Case, Property
from regcheck.evaluate import evaluate
from regcheck.families import BatchNormConfig

LAWS = {v.id.partition(".")[2]: v for v in vars(batch_norm).values() if isinstance(v, Property)}


class Right:
    """The definition in two passes, half precision in float32; a wrong layer overrides one step."""

    def __init__(self, config):
        self.config, self.parameters = config, {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.channels), "shift": np.zeros(config.channels)}
        self.state = {"running_mean": np.zeros(config.channels), "running_var": np.ones(config.channels)}

    def wide(self, x):
        return x.astype(np.promote_types(x.dtype, np.float32))

    def axes(self, x):
        return (0, *range(2, x.ndim))

    def along(self, values):
        return values.reshape(1, -1, *[1] * self.config.ndim)

    def mean(self, x):
        return np.mean(x, axis=self.axes(x), keepdims=True)

    def variance(self, x, mean):
        return np.mean((x - mean) ** 2, axis=self.axes(x), keepdims=True)

    def inverse(self, variance):
        return 1 / np.sqrt(variance + variance.dtype.type(self.config.eps))

    def factor(self, m):
        return m / max(m - 1, 1)

    def weight(self):
        return self.config.momentum

    def average(self, name, new):
        old = self.state[name]
        self.state[name] = ((1 - self.weight()) * old + self.weight() * new.reshape(-1)).astype(old.dtype)

    def record(self, x, mean, variance):
        self.average("running_mean", mean)
        self.average("running_var", variance * self.factor(x.size // x.shape[1]))

    def recorded(self, x):
        return [self.along(self.wide(self.state[name])) for name in ("running_mean", "running_var")]

    def of_batch(self, x):
        mean = self.mean(x)
        return mean, self.variance(x, mean)

    def statistics(self, x, training):
        if not training:
            return self.recorded(x)
        mean, variance = self.of_batch(x)
        self.record(x, mean, variance)
        return mean, variance

    def affine(self, z):
        if not self.parameters:
            return z
        return z * self.along(self.parameters["scale"]) + self.along(self.parameters["shift"])

    def forward(self, x, training):
        wide, self.training = self.wide(x), training
        mean, variance = self.statistics(wide, training)
        self.s = self.inverse(variance)
        self.z = (wide - mean) * self.s
        return self.affine(self.z).astype(x.dtype)

    def trained(self, g):
        return self.s * (g - self.mean(g) - self.z * self.mean(g * self.z))

    def inferred(self, g):
        return self.s * g

    def backward(self, cotangent):
        dy = self.wide(cotangent)
        g = dy * self.along(self.parameters["scale"]) if self.parameters else dy
        found = {"x": self.trained(g) if self.training else self.inferred(g)}
        if self.parameters:
            found |= {"scale": self.summed(dy * self.z), "shift": self.summed(dy)}
        return {name: value.astype(cotangent.dtype) for name, value in found.items()}

    def summed(self, values):
        return np.sum(values, axis=self.axes(values))


class OnePass(Right):
    def variance(self, x, mean):
        return np.maximum(np.mean(x * x, axis=self.axes(x), keepdims=True) - mean * mean, 0)


class HalfOverflows(Right):
    def variance(self, x, mean):
        return super().variance(x, mean).astype(np.float16 if self.config.eps < 1e-2 else x.dtype).astype(x.dtype)


class SpatialForgotten(Right):
    def axes(self, x):
        return (0,) if x.ndim == 2 else (0, *range(2, x.ndim - 1))


class Unbiased(Right):
    def of_batch(self, x):
        mean, variance = super().of_batch(x)
        return mean, variance * self.factor(x.size // x.shape[1])

    def record(self, x, mean, variance):
        self.average("running_mean", mean)
        self.average("running_var", variance)


class FewSamples(Right):
    """Statistics of the first samples alone."""

    def of_batch(self, x):
        mean = self.mean(x[:3])
        return mean, self.variance(x[:3], mean)


class AllChannels(Right):
    def of_batch(self, x):
        mean, variance = super().of_batch(x)
        return mean + 0 * np.sum(x), variance


class HidesNaN(Right):
    def of_batch(self, x):
        return super().of_batch(np.nan_to_num(x))


class EvenSamples(Right):
    def of_batch(self, x):
        mean = self.mean(x[::2])
        return mean, self.variance(x[::2], mean)


class Padded(Right):
    def of_batch(self, x):
        return super().of_batch(np.concatenate([x, np.zeros_like(x[:1])]))


class Blends(Right):
    def of_batch(self, x):
        mean, variance = super().of_batch(x)
        return mean + np.float32(1e-3) * self.along(self.state["running_mean"]).astype(x.dtype), variance


class ShiftFirst(Right):
    def affine(self, z):
        return (
            (z + self.along(self.parameters["shift"])) * self.along(self.parameters["scale"]) if self.parameters else z
        )


class EpsRelative(Right):
    def inverse(self, variance):
        return 1 / np.sqrt(variance + self.config.eps * (1 + variance))


class NoEps(Right):
    def inverse(self, variance):
        with np.errstate(all="ignore"):
            return 1 / np.sqrt(variance)


class EpsClamps(Right):
    def inverse(self, variance):
        return 1 / np.sqrt(np.maximum(variance, variance.dtype.type(self.config.eps)))


class RaisesForOne(Right):
    def forward(self, x, training):
        if training and x.size == x.shape[1]:
            msg = "one value per channel"
            raise ValueError(msg)
        return super().forward(x, training)


class NaNForOne(Right):
    def of_batch(self, x):
        mean, variance = super().of_batch(x)
        return mean, variance * (np.nan if x.size == x.shape[1] else x.dtype.type(1))

    def record(self, x, mean, variance):
        super().record(x, mean, np.nan_to_num(variance))


class BesselOfOne(Right):
    def factor(self, m):
        return m / (m - 1) if m > 1 else np.nan


class TailDropped(Right):
    def mean(self, x):
        return super().mean(x[: len(x) // 128 * 128] if len(x) > 128 else x)


class Detached(Right):
    def trained(self, g):
        return self.s * g


class VarianceDetached(Right):
    def trained(self, g):
        return self.s * (g - self.mean(g))


class TrainedAlways(Right):
    def inferred(self, g):
        return super().trained(g)


class Clipped(Right):
    def trained(self, g):
        return np.clip(super().trained(g), -1e-3, 1e-3)


class FirstSampleLeftOut(Right):
    def summed(self, values):
        return super().summed(values[1:])


class FoldedOnce(Right):
    def recorded(self, x):
        if not hasattr(self, "folded"):
            self.folded = super().recorded(x)
        return self.folded


class ForgetsMean(Right):
    def recorded(self, x):
        mean, variance = super().recorded(x)
        return 0 * mean, variance


class Quadratic(Right):
    def affine(self, z):
        return super().affine(z if self.training else z + z * np.abs(z) * z.dtype.type(1e-3))


class ModeIgnored(Right):
    def statistics(self, x, training):
        return super().statistics(x, training=True)


class LargeInference(Right):
    def recorded(self, x):
        mean, variance = super().recorded(x)
        return mean, variance if len(x) == 1 else variance * (1 + np.finfo(x.dtype).eps * 4)


class RecordsInInference(Right):
    def statistics(self, x, training):
        found = super().statistics(x, training)
        if not training:
            self.average("running_mean", self.mean(x))
        return found


class BiasedRecord(Right):
    def factor(self, m):
        return 1.0


class MeanWithBessel(Right):
    def record(self, x, mean, variance):
        super().record(x, mean * self.factor(x.size // x.shape[1]), variance)


class OnePassRecord(Right):
    def record(self, x, mean, variance):
        super().record(x, mean, OnePass.variance(self, x, mean))


class OldWeight(Right):
    def weight(self):
        return 1 - self.config.momentum


class RecordsTwice(Right):
    def record(self, x, mean, variance):
        super().record(x, mean, variance)
        super().record(x, mean, variance)


class RecordsInBackward(Right):
    def backward(self, cotangent):
        self.average("running_mean", self.mean(self.wide(cotangent)))
        return super().backward(cotangent)


class FirstBatchAlone(Right):
    """Weighs the first batch with 1."""

    def record(self, x, mean, variance):
        first, self.seen = not hasattr(self, "seen"), True
        weigh = self.weight
        self.weight = (lambda: 1.0) if first else weigh
        super().record(x, mean, variance)
        self.weight = weigh


class Cumulative(Right):
    def record(self, x, mean, variance):
        self.batches = getattr(self, "batches", 0) + 1
        super().record(x, mean, variance)

    def weight(self):
        return self.config.momentum if self.batches == 1 else 1 / self.batches


class VarianceZero(Right):
    def __init__(self, config):
        super().__init__(config)
        self.state["running_var"] = np.zeros(config.channels)


class BesselByHalf(Right):
    def factor(self, m):
        return m / (m - 0.5)


WRONG = {
    "matches-definition": [OnePass, HalfOverflows, SpatialForgotten, NoEps],
    "normalised": [Unbiased],
    "whole-batch-statistics": [FewSamples],
    "footprint": [AllChannels, HidesNaN],
    "permutation": [EvenSamples],
    "repeated-batch": [Padded],
    "training-ignores-running-state": [Blends],
    "self-off-exact": [ShiftFirst],
    "self-off-sigma": [ShiftFirst],
    "shift-invariance": [OnePass],
    "scale-law": [EpsRelative],
    "constant-channel-gives-shift": [NoEps],
    "single-value-batch-as-declared": [RaisesForOne, NaNForOne, BesselOfOne],
    "large-batches": [TailDropped],
    "bounded-where-ill-conditioned": [OnePass],
    "gradient-input": [Detached, VarianceDetached, Clipped],
    "gradient-input-inference": [TrainedAlways],
    "gradient-parameters": [FirstSampleLeftOut],
    "gradient-sums": [Detached, VarianceDetached],
    "gradient-scale-law": [Clipped],
    "inference-affine": [FoldedOnce, ForgetsMean, EpsClamps],
    "inference-folded": [Quadratic],
    "inference-independent-of-batch": [ModeIgnored],
    "inference-batch-size-invariant-bitwise": [],
    "inference-eps-added-to-variance": [EpsClamps],
    "inference-does-not-update-state": [RecordsInInference],
    "running-mean": [MeanWithBessel, Cumulative],
    "running-variance-unbiased": [BiasedRecord],
    "running-variance-as-declared": [BiasedRecord, OnePassRecord],
    "momentum-as-declared": [OldWeight],
    "updated-once": [RecordsTwice, RecordsInBackward],
    "follows-changing-range": [FirstBatchAlone],
    "repeated-batch-variance": [BesselByHalf],
    "fresh-state": [VarianceZero, FirstBatchAlone],
    "state-finite": [BesselOfOne],
}


@pytest.mark.parametrize("name", LAWS)
def test_no_law_accuses_a_right_layer(name, verdict):
    cell = verdict(LAWS[name], Right)
    assert cell.verdict == ("not-applicable" if name.endswith("bitwise") else "passed"), cell


@pytest.mark.parametrize(("name", "layer"), [(name, layer) for name, layers in WRONG.items() for layer in layers])
def test_a_wrong_layer_is_accused(name, layer, verdict):
    cell = verdict(LAWS[name], layer)
    assert cell.verdict == "failed"
    assert cell.witness is not None


@pytest.mark.parametrize("name", LAWS)
def test_a_law_stays_valid_when_its_cases_are_cut_down(name, accused):
    assert accused(LAWS[name], Right) == []


def test_every_law_has_a_wrong_layer():
    assert set(WRONG) == set(LAWS)


def test_bits_are_compared_where_they_are_declared(verdict):
    law = LAWS["inference-batch-size-invariant-bitwise"]
    assert verdict(law, Right, batch_invariance="bitwise").verdict == "passed"
    assert verdict(law, LargeInference, batch_invariance="bitwise").verdict == "failed"
    assert verdict(LAWS["inference-independent-of-batch"], LargeInference).verdict == "passed"


@pytest.mark.parametrize(
    ("layer", "convention", "value"),
    [
        (BiasedRecord, "running_variance", "biased"),
        (OldWeight, "momentum", "old"),
        (RaisesForOne, "single_value_batch", "error"),
        (NaNForOne, "single_value_batch", "nan"),
    ],
)
def test_a_declared_convention_is_judged_by_and_changes_no_other_verdict(layer, convention, value, verdict):
    cells = {name: verdict(law, layer, **{convention: value}) for name, law in LAWS.items()}
    others = {"inference-batch-size-invariant-bitwise": "not-applicable"}
    if convention == "running_variance":
        others["running-variance-unbiased"] = "deviates"
        assert cells["running-variance-unbiased"].reason == "declared: running_variance=biased"
    assert {name: cell.verdict for name, cell in cells.items() if cell.verdict != "passed"} == others


def test_a_wrong_declaration_is_accused(verdict):
    assert verdict(LAWS["running-variance-as-declared"], Right, running_variance="biased").verdict == "failed"
    assert verdict(LAWS["momentum-as-declared"], Right, momentum="old").verdict == "failed"
    assert verdict(LAWS["single-value-batch-as-declared"], Right, single_value_batch="error").verdict == "failed"


def test_what_a_layer_does_not_show_is_not_judged(verdict):
    class Stateless(Right):
        def __init__(self, config):
            super().__init__(config)
            self.hidden, self.state = self.state, {}

        def record(self, x, mean, variance):
            pass

    assert verdict(LAWS["running-mean"], Stateless).verdict == "not-applicable"
    assert verdict(LAWS["matches-definition"], Stateless).verdict == "passed"


class WithoutParameters(Right):
    """Has no γ and β where the config asks for them."""

    def __init__(self, config):
        super().__init__(config)
        self.parameters = {}


@pytest.mark.parametrize("name", ["matches-definition", "gradient-input"])
def test_laws_of_a_layer_without_the_parameters_that_its_config_asks_for_prove_nothing(verdict, name):
    cell = verdict(LAWS[name], WithoutParameters)
    assert cell.verdict == "inconclusive"
    assert "'scale'" in cell.reason


@pytest.mark.parametrize("name", ["self-off-sigma", "self-off-exact"])
@pytest.mark.parametrize("eps", [1.0, 1e-5])
def test_no_digits_are_lost_in_what_a_layer_that_switches_itself_off_should_give(name, eps, session):
    # Tiny values around a mean that is far smaller still: β is all of y where ε is far above σ².
    drawn = np.random.default_rng().standard_normal((32, 64))
    x = (drawn - drawn.mean(axis=0)) * 1e-130 + 1e-136
    arrays = {"x": x, "scale": np.ones(64), "shift": np.zeros(64)}
    dims = {"x": ("N", "C"), "scale": ("C",), "shift": ("C",)}
    case = Case(BatchNormConfig(64, eps=eps), "float64", arrays, dims, ("C",), {"seed": 0})
    outcome = evaluate(LAWS[name], case, session(Right, "batch_norm", {}))
    assert outcome.cases
    assert outcome.violation is None
