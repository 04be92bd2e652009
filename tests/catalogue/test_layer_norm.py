"""Each law of layer_norm holds for a right layer, and accuses the layer that breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from regcheck_properties import layer_norm

from regcheck import Case, Property
from regcheck.evaluate import evaluate
from regcheck.families import LayerNormConfig

LAWS = {v.id.partition(".")[2]: v for v in vars(layer_norm).values() if isinstance(v, Property)}
USUAL = {name: law for name, law in LAWS.items() if law.level != "extreme"}


class Right:
    """y = γ·(x − μ)/√(σ² + ε) + β in two passes, half precision in float32; a wrong layer overrides one step."""

    def __init__(self, config):
        self.config, self.parameters = config, {}
        if config.affine:
            self.parameters = {"scale": np.ones(config.shape), "shift": np.zeros(config.shape)}

    def wide(self, x):
        return x.astype(np.promote_types(x.dtype, np.float32))

    def axes(self, x):
        return tuple(range(-len(self.config.shape), 0))

    def mean(self, x):
        return np.mean(x, axis=self.axes(x), keepdims=True)

    def variance(self, x, mean):
        return np.mean((x - mean) ** 2, axis=self.axes(x), keepdims=True)

    def inverse(self, variance):
        return 1 / np.sqrt(variance + variance.dtype.type(self.config.eps))

    def affine(self, z, training):
        return z * self.parameters["scale"] + self.parameters["shift"] if self.parameters else z

    def forward(self, x, training):
        wide = self.wide(x)
        mean = self.mean(wide)
        self.s = self.inverse(self.variance(wide, mean))
        self.z = (wide - mean) * self.s
        return self.affine(self.z, training).astype(x.dtype)

    def input_gradient(self, g):
        return self.s * (g - self.mean(g) - self.z * self.mean(g * self.z))

    def summed(self, values):
        return np.sum(values, axis=tuple(range(values.ndim - len(self.config.shape))))

    def backward(self, cotangent):
        dy = self.wide(cotangent)
        g = dy * self.parameters["scale"] if self.parameters else dy
        found = {"x": self.input_gradient(g)}
        if self.parameters:
            found |= {"scale": self.summed(dy * self.z), "shift": self.summed(dy)}
        return {name: value.astype(cotangent.dtype) for name, value in found.items()}


class Wide(Right):
    def wide(self, x):
        return x.astype(np.longdouble)


class OnePass(Right):
    def variance(self, x, mean):
        return np.maximum(np.mean(x * x, axis=self.axes(x), keepdims=True) - mean * mean, 0)


class EpsOutside(Right):
    def inverse(self, variance):
        return 1 / (np.sqrt(variance) + self.config.eps)


class HalfOverflows(Right):
    def wide(self, x):
        return x


class FrontAxes(Right):
    def axes(self, x):
        return tuple(range(1, 1 + len(self.config.shape)))


class LastAxisAlone(Right):
    def axes(self, x):
        return -1


class LargeBatchesUnbiased(Right):
    def variance(self, x, mean):
        n = np.prod(self.config.shape)
        return super().variance(x, mean) * (n / (n - 1) if len(x) > 2 < n + 1 else 1)


class OrderOfSumsByBatch(Right):
    def mean(self, x):
        if x.shape[0] % 2:
            return super().mean(x)
        flat = x.reshape(-1, np.prod(self.config.shape))
        total = np.add.accumulate(flat, axis=1)[:, -1:] / flat.dtype.type(flat.shape[1])
        return total.reshape(*x.shape[: -len(self.config.shape)], *[1] * len(self.config.shape))


class NeighboursMean(Right):
    def mean(self, x):
        return np.roll(super().mean(x), 1, axis=0)


class TouchesAll(Right):
    def mean(self, x):
        return super().mean(x) + 0 * np.sum(x)


class HidesNaN(Right):
    def mean(self, x):
        return super().mean(np.nan_to_num(x))

    def variance(self, x, mean):
        return super().variance(np.nan_to_num(x), mean)


class NoShiftInInference(Right):
    def affine(self, z, training):
        return super().affine(z, training) if training or not self.parameters else z * self.parameters["scale"]


class Unbiased(Right):
    def variance(self, x, mean):
        n = np.prod(self.config.shape)
        return super().variance(x, mean) * (n / max(n - 1, 1))


class EpsRelative(Right):
    def inverse(self, variance):
        return 1 / np.sqrt(variance + self.config.eps * (1 + variance))


class NoEps(Right):
    def inverse(self, variance):
        with np.errstate(all="ignore"):
            return 1 / np.sqrt(variance)


class RoundedReciprocal(Right):
    """Adds x·(1/n) up: the mean of a constant is off by many units."""

    def mean(self, x):
        n = x.dtype.type(np.prod(self.config.shape))
        flat = x.reshape(*x.shape[: x.ndim - len(self.config.shape)], -1) * (1 / n)
        return np.add.accumulate(flat, axis=-1)[..., -1].reshape(*flat.shape[:-1], *[1] * len(self.config.shape))


class PassesOneThrough(Right):
    def forward(self, x, training):
        return super().forward(x, training) if np.prod(self.config.shape) > 1 else x.copy()


class RaisesForOne(Right):
    def forward(self, x, training):
        if training and np.prod(self.config.shape) == 1:
            msg = "one value"
            raise ValueError(msg)
        return super().forward(x, training)


class NaNForOne(Right):
    def forward(self, x, training):
        return super().forward(x, training) * (np.nan if np.prod(self.config.shape) == 1 else x.dtype.type(1))


class TailDropped(Right):
    def mean(self, x):
        n = x.shape[-1]
        return super().mean(x[..., : n // 128 * 128] if n > 128 else x)


class EpsClamped(Right):
    def inverse(self, variance):
        return 1 / np.sqrt(variance + max(self.config.eps, 1e-3))


class Detached(Right):
    def input_gradient(self, g):
        return self.s * g


class VarianceDetached(Right):
    def input_gradient(self, g):
        return self.s * (g - self.mean(g))


class FirstSampleLeftOut(Right):
    def summed(self, values):
        return super().summed(values[1:])


class Averaged(Right):
    def summed(self, values):
        return super().summed(values) / len(values)


class HalfSums(Right):
    def summed(self, values):
        return super().summed(values.astype(np.float16))


WRONG = {
    "matches-definition": [OnePass, EpsOutside, HalfOverflows, FrontAxes, LastAxisAlone, NoEps],
    "batch-size-invariant": [LargeBatchesUnbiased],
    "batch-permutation": [NeighboursMean],
    "position-independent": [FrontAxes],
    "footprint": [TouchesAll, HidesNaN],
    "training-equals-inference": [NoShiftInInference],
    "normalised": [Unbiased, OnePass],
    "shift-invariance": [OnePass],
    "scale-law": [EpsRelative],
    "constant-input-gives-shift": [NoEps, RoundedReciprocal],
    "single-value-batch-as-declared": [PassesOneThrough, RaisesForOne, NaNForOne],
    "long-samples": [TailDropped, OnePass],
    "bounded-where-ill-conditioned": [OnePass],
    "overflowing-squares": [Right],
    "zero-eps": [EpsClamped],
    "gradient-input": [Detached, VarianceDetached],
    "gradient-parameters": [FirstSampleLeftOut, HalfSums],
    "gradient-sum-zero": [Detached, VarianceDetached],
    "gradient-additive": [Averaged, FirstSampleLeftOut],
}


@pytest.mark.parametrize("name", USUAL)
def test_no_law_accuses_a_right_layer(name, verdict):
    cell = verdict(LAWS[name], Right)
    assert cell.verdict == ("not-applicable" if name.endswith("bitwise") else "passed"), cell


@pytest.mark.parametrize("name", [name for name in LAWS if name not in USUAL])
def test_a_layer_of_wider_arithmetic_stands_the_extremes(name, verdict):
    assert verdict(LAWS[name], Wide).verdict == "passed"


@pytest.mark.parametrize(("name", "layer"), [(name, layer) for name, layers in WRONG.items() for layer in layers])
def test_a_wrong_layer_is_accused(name, layer, verdict):
    cell = verdict(LAWS[name], layer)
    assert cell.verdict == "failed"
    assert cell.witness is not None


@pytest.mark.parametrize("name", USUAL)
def test_a_law_stays_valid_when_its_cases_are_cut_down(name, accused):
    assert accused(LAWS[name], Right) == []


def test_every_law_has_a_wrong_layer():
    assert {*WRONG, "batch-size-invariant-bitwise"} == set(LAWS)


def test_bits_are_compared_where_they_are_declared(verdict):
    law = LAWS["batch-size-invariant-bitwise"]
    assert verdict(law, Right, batch_invariance="bitwise").verdict == "passed"
    assert verdict(law, OrderOfSumsByBatch, batch_invariance="bitwise").verdict == "failed"
    assert verdict(law, OrderOfSumsByBatch).verdict == "not-applicable"
    assert verdict(LAWS["batch-size-invariant"], OrderOfSumsByBatch).verdict == "passed"


@pytest.mark.parametrize(("layer", "value"), [(Right, "shift"), (RaisesForOne, "error"), (NaNForOne, "nan")])
def test_single_values_are_judged_as_declared_and_by_one_law_alone(layer, value, verdict):
    cells = {name: verdict(law, layer, single_value_batch=value).verdict for name, law in USUAL.items()}
    assert {name for name, seen in cells.items() if seen != "passed"} == {"batch-size-invariant-bitwise"}


def test_declared_float32_arithmetic_is_held_to_its_narrower_bound(verdict):
    class Coarse(Right):
        def wide(self, x):
            return x.astype(np.float16).astype(np.float32) if x.dtype == np.float16 else super().wide(x)

        def inverse(self, variance):
            return super().inverse(variance).astype(np.float16).astype(np.float32)

    law = LAWS["gradient-input"]
    assert verdict(law, Right, compute_dtype="float32").verdict == "passed"
    assert verdict(law, Coarse, compute_dtype="float32").verdict == "failed"


def test_a_batch_beyond_the_range_of_its_type_counts_as_no_case(session):
    largest = np.array([65504, 65504], np.float16)
    arrays = {"x": np.array([[-1, 1]], np.float16), "scale": largest, "shift": np.zeros_like(largest)}
    dims = {"x": ("N", "F0"), "scale": ("F0",), "shift": ("F0",)}
    case = Case(LayerNormConfig((2,)), "float16", arrays, dims, ("N",), {"index": 0, "training": True})
    outcome = evaluate(LAWS["matches-definition"], case, session(Right, "layer_norm", {}))
    assert (outcome.violation, outcome.cases, outcome.ill_conditioned) == (None, 0, 2)
