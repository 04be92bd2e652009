"""Each law of rms_norm holds for a right layer, and accuses the layer that breaks it."""

from __future__ import annotations

import numpy as np
import pytest
from regcheck_properties import rms_norm

from regcheck import Property

LAWS = {v.id.partition(".")[2]: v for v in vars(rms_norm).values() if isinstance(v, Property)}
USUAL = {name: law for name, law in LAWS.items() if law.level != "extreme"}


class Right:
    """y = γ·x/√(mean(x²) + ε), half precision in float32; a wrong layer overrides one step."""

    def __init__(self, config):
        self.config, self.parameters = config, {"scale": np.ones(config.shape)} if config.affine else {}

    def wide(self, x):
        return x.astype(np.promote_types(x.dtype, np.float32))

    def mean(self, x):
        return np.mean(x, axis=tuple(range(-len(self.config.shape), 0)), keepdims=True)

    def square(self, x):
        return self.mean(x * x)

    def inverse(self, square):
        return 1 / np.sqrt(square + square.dtype.type(self.config.eps))

    def scaled(self, z, training):
        return z * self.parameters["scale"] if self.parameters else z

    def forward(self, x, training):
        wide = self.wide(x)
        self.s = self.inverse(self.square(wide))
        self.z = wide * self.s
        return self.scaled(self.z, training).astype(x.dtype)

    def input_gradient(self, g):
        return self.s * (g - self.z * self.mean(g * self.z))

    def summed(self, values):
        return np.sum(values, axis=tuple(range(values.ndim - len(self.config.shape))))

    def backward(self, cotangent):
        dy = self.wide(cotangent)
        found = {"x": self.input_gradient(dy * self.parameters["scale"] if self.parameters else dy)}
        if self.parameters:
            found["scale"] = self.summed(dy * self.z)
        return {name: value.astype(cotangent.dtype) for name, value in found.items()}


class Wide(Right):
    def wide(self, x):
        return x.astype(np.longdouble)


class Variance(Right):
    def square(self, x):
        return self.mean((x - self.mean(x)) ** 2)


class Centred(Right):
    def wide(self, x):
        wide = super().wide(x)
        return wide - self.mean(wide)


class EpsOutside(Right):
    def inverse(self, square):
        return 1 / (np.sqrt(square) + self.config.eps)


class NoEps(Right):
    def inverse(self, square):
        with np.errstate(all="ignore"):
            return 1 / np.sqrt(square)


class EpsClamped(Right):
    def inverse(self, square):
        return 1 / np.sqrt(square + max(self.config.eps, 1e-3))


class HalfOverflows(Right):
    def wide(self, x):
        return x


class FrontAxes(Right):
    def mean(self, x):
        return np.mean(x, axis=tuple(range(1, 1 + len(self.config.shape))), keepdims=True)


class LargeBatchesUnbiased(Right):
    def square(self, x):
        n = np.prod(self.config.shape)
        return super().square(x) * (n / (n - 1) if len(x) > 2 < n + 1 else 1)


class OrderOfSumsByBatch(Right):
    def square(self, x):
        if x.shape[0] % 2:
            return super().square(x)
        flat = (x * x).reshape(-1, np.prod(self.config.shape))
        total = np.add.accumulate(flat, axis=1)[:, -1:] / flat.dtype.type(flat.shape[1])
        return total.reshape(*x.shape[: -len(self.config.shape)], *[1] * len(self.config.shape))


class Neighbours(Right):
    def square(self, x):
        return np.roll(super().square(x), 1, axis=0)


class TouchesAll(Right):
    def square(self, x):
        return super().square(x) + 0 * np.sum(x)


class HidesNaN(Right):
    def square(self, x):
        return super().square(np.nan_to_num(x))


class NoScaleInInference(Right):
    def scaled(self, z, training):
        return super().scaled(z, training) if training else z


class OnePlusScale(Right):
    def scaled(self, z, training):
        return z * (1 + self.parameters["scale"]) if self.parameters else z


class Summed(Right):
    def square(self, x):
        return super().square(x) * x.dtype.type(np.prod(self.config.shape))


class PassesOneThrough(Right):
    def forward(self, x, training):
        return super().forward(x, training) if np.prod(self.config.shape) > 1 else x.copy()


class TailDropped(Right):
    def square(self, x):
        n = x.shape[-1]
        return super().square(x[..., : n // 128 * 128] if n > 128 else x)


class Detached(Right):
    def input_gradient(self, g):
        return self.s * g


class CentredGradient(Right):
    def input_gradient(self, g):
        return super().input_gradient(g) - self.s * self.mean(g)


class FirstSampleLeftOut(Right):
    def summed(self, values):
        return super().summed(values[1:])


class Averaged(Right):
    def summed(self, values):
        return super().summed(values) / len(values)


WRONG = {
    "matches-definition": [Variance, EpsOutside, HalfOverflows, FrontAxes, NoEps],
    "batch-size-invariant": [LargeBatchesUnbiased],
    "batch-permutation": [Neighbours],
    "position-independent": [FrontAxes],
    "footprint": [TouchesAll, HidesNaN],
    "training-equals-inference": [NoScaleInInference],
    "normalised": [Variance, Summed],
    "scale-per-feature": [OnePlusScale],
    "shift-shows": [Centred],
    "scale-law": [EpsOutside],
    "constant-input": [NoEps],
    "single-value": [PassesOneThrough, Centred],
    "long-samples": [TailDropped],
    "overflowing-squares": [Right],
    "zero-eps": [EpsClamped],
    "gradient-input": [Detached, CentredGradient],
    "gradient-parameters": [FirstSampleLeftOut],
    "gradient-along-input": [Detached],
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
    assert verdict(LAWS["batch-size-invariant"], OrderOfSumsByBatch).verdict == "passed"
