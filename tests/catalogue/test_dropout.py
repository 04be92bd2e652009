"""Each law of dropout holds for a right layer, and accuses the layer that breaks it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from regcheck_properties import dropout
from regcheck_properties.dropout_masks import FEW_CALLS

from regcheck import Case, statistical
from regcheck.adapters import plain
from regcheck.cases.dropout import FEW, STATISTICAL_RATES
from regcheck.families import DropoutConfig
from regcheck.host import Session
from regcheck.hosting import Host
from regcheck.implementation import Implementation
from regcheck.judge import CellJudge, Settings
from regcheck.numpy_layers.dropout import Dropout

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck import Property
    from regcheck.verdict import Cell

Array = np.ndarray[Any, np.dtype[Any]]
PROPERTIES = {law.id: law for law in dropout.PROPERTIES}


class Right:
    """Inverted dropout with a stream of its own."""

    def __init__(self, config):
        self.rate = config.rate
        self.mask, self.scale = np.ones((), bool), 1.0
        self.seed(int(np.random.default_rng().integers(2**31)))

    def seed(self, value):
        self.stream = np.random.default_rng(value)

    def draw(self, x):
        return self.stream.random(x.shape) >= self.rate

    def factor(self):
        return 1 / (1 - self.rate) if self.rate < 1 else 0.0

    def forward(self, x, training):
        self.mask, self.scale = (self.draw(x), self.factor()) if training else (np.ones(x.shape, bool), 1.0)
        return self.apply(x, self.mask)

    def apply(self, x, mask):
        return np.where(mask, x * x.dtype.type(self.scale), np.zeros((), x.dtype))

    def backward(self, cotangent):
        return {"x": self.apply(cotangent, self.mask)}


class LocalHost(Host):
    """Layers of one factory, in this process."""

    def __init__(self, factory, declares):
        super().__init__()
        self.implementation = Implementation(factory, "dropout", name="it", declares=declares)

    def do_make(self, call):
        config = DropoutConfig(**call["config"])
        layer = plain.adapt(self.implementation.factory(config), self.implementation, config, call["dtype"])
        self.layers[call["layer"]] = layer
        return {"result": None}


class LocalSession(Session):
    """A session whose layers live in this process, for good."""

    def __init__(self, factory, declares):
        super().__init__(None, {}, "it", "dropout", declares)
        self.local = LocalHost(factory, declares)

    def renew(self):
        self.reset()


def judge(prop: Property, layer: Callable[[Any], Any], **declares: str) -> Cell:
    about = {"name": "it", "framework": "numpy", "family": "dropout", "dtypes": None}
    return CellJudge(prop, LocalSession(layer, declares), about, Settings(examples=60), None).judge().cell


class NoScale(Right):
    def factor(self):
        return 1.0


class ScaledInInference(Right):
    def forward(self, x, training):
        return super().forward(x, training) if training else x * x.dtype.type(1 - self.rate)


class Inverted(Right):
    def draw(self, x):
        return self.stream.random(x.shape) < self.rate


class AlwaysHalf(Right):
    def draw(self, x):
        return self.stream.random(x.shape) >= 0.5


class HalfPrecisionDraws(Right):
    """Uniforms that are multiples of 2⁻¹⁰."""

    def draw(self, x):
        return self.stream.integers(0, 1024, x.shape) / 1024 >= self.rate


class SlightlyTooFew(Right):
    def draw(self, x):
        return self.stream.random(x.shape) >= self.rate + 0.02 * (self.rate * (1 - self.rate)) ** 0.5


class FactorPerRow(Right):
    def apply(self, x, mask):
        factor = self.scale * (1 + np.arange(x.shape[0]) % 2 / 64).reshape((-1,) + (1,) * (x.ndim - 1))
        return np.where(mask, x * factor, 0).astype(x.dtype)


class WrongScale(Right):
    def factor(self):
        return 1 / (1 - self.rate + 1e-2)


class NotANumberAtOne(Right):
    def factor(self):
        return np.float64(1) / (1 - self.rate)

    def apply(self, x, mask):
        with np.errstate(all="ignore"):
            return (x * mask * self.scale).astype(x.dtype)


class BackwardDrawsAgain(Right):
    def backward(self, cotangent):
        return {"x": self.apply(cotangent, self.draw(cotangent))}


class BackwardFromOutput(Right):
    def forward(self, x, training):
        y = super().forward(x, training)
        self.mask = y != 0
        return y


class BackwardUnscaled(Right):
    def backward(self, cotangent):
        return {"x": np.where(self.mask, cotangent, 0).astype(cotangent.dtype)}


class Shifted(Right):
    def apply(self, x, mask):
        return np.where(mask, x * x.dtype.type(self.scale), x.dtype.type(-0.25))


class DropsTheSmallest(Right):
    def draw(self, x):
        return np.argsort(np.argsort(np.abs(x), axis=None)).reshape(x.shape) >= self.rate * x.size


class Cached(Right):
    def draw(self, x):
        return np.random.default_rng(7).random(x.shape) >= self.rate


class SeedFixed(Right):
    def __init__(self, config):
        super().__init__(config)
        self.seed(0)


class Cleans(Right):
    """Of what is not finite, nothing is kept."""

    def apply(self, x, mask):
        return super().apply(x, mask & np.isfinite(x))


class ZerosPass(Right):
    """No mask where all of x is 0."""

    def forward(self, x, training):
        return super().forward(x, training and bool(x.any()))


class SeedIgnored(Right):
    def seed(self, value):
        self.stream = np.random.default_rng()


class SeedConstant(Right):
    def seed(self, value):
        self.stream = np.random.default_rng(7)


class SeedTruncated(Right):
    def seed(self, value):
        self.stream = np.random.default_rng(value % 2**16)


class FourLanes(Right):
    """Four neighbours share a random word, and half of the words' decisions."""

    def draw(self, x):
        words = np.repeat(self.stream.random(-(-x.size // 4)), 4)[: x.size].reshape(x.shape)
        own = self.stream.random(x.shape)
        return np.where(self.stream.random(x.shape) < 0.5, words, own) >= self.rate


class PerRow(Right):
    def draw(self, x):
        return np.broadcast_to(self.stream.random((x.shape[0],) + (1,) * (x.ndim - 1)), x.shape) >= self.rate


class WholeRowsOfMatrices(Right):
    def draw(self, x):
        return (
            np.broadcast_to(self.stream.random((len(x), 1)), x.shape) >= self.rate if x.ndim == 2 else super().draw(x)
        )


class FewKept(Right):
    def draw(self, x):
        return super().draw(x) if x.size > 3 else np.ones(x.shape, bool)


class FixedCount(Right):
    def draw(self, x):
        return self.stream.permutation(np.arange(x.size) >= round(self.rate * x.size)).reshape(x.shape)


class SharedOverSamples(Right):
    def draw(self, x):
        return np.broadcast_to(self.stream.random(x.shape[1:]), x.shape) >= self.rate


class Periodic(Right):
    """A counter that starts anew in every tile of 1 000 elements."""

    def draw(self, x):
        return np.resize(self.stream.random(1000), x.shape) >= self.rate


class Overlapping(Right):
    """The next call's stream begins a thousand numbers into this one's."""

    def seed(self, value):
        self.value, self.calls = value, 0

    def draw(self, x):
        self.calls += 1
        numbers = np.random.default_rng(self.value).random(x.size + 1000 * self.calls)
        return numbers[1000 * self.calls :].reshape(x.shape) >= self.rate


class Multiplies(Right):
    def apply(self, x, mask):
        with np.errstate(all="ignore"):
            return x * (mask * self.scale).astype(x.dtype)


class Process(Right):
    """One stream for the whole process."""

    shared: ClassVar = {}

    def seed(self, value):
        self.shared["stream"] = np.random.default_rng(value)

    def draw(self, x):
        return self.shared["stream"].random(x.shape) >= self.rate


class InMemoryOrder(Right):
    def draw(self, x):
        order = "F" if x.flags.f_contiguous else "C"
        return self.stream.random(x.size).reshape(x.shape, order=order) >= self.rate


class Divides(Right):
    def apply(self, x, mask):
        if not mask.any():
            return np.zeros_like(x)
        return np.where(mask, x / x.dtype.type(1 / self.scale), x.dtype.type(0))


class SixteenBits(Right):
    def draw(self, x):
        return self.stream.integers(0, 2**16, x.shape, dtype=np.uint16) >= round(self.rate * 2**16)


class SinglePrecisionDraws(Right):
    def draw(self, x):
        return self.stream.random(x.shape, dtype=np.float32) >= np.float32(self.rate)


class Bare:
    """Forward alone: neither gradient nor seed."""

    def __init__(self, config):
        self.own = Right(config)

    def forward(self, x, training):
        return self.own.forward(x, training)


def layer(config):
    return Dropout(config.rate)


RIGHT = [
    (Right, {}),
    (layer, {}),
    (Divides, {}),
    (SixteenBits, {}),
    (SinglePrecisionDraws, {}),
    (Multiplies, {"dropped_nonfinite": "nan"}),
    (Process, {"random_stream": "process"}),
    (InMemoryOrder, {"mask_order": "memory"}),
]
FAULTY = [
    (NoScale, "support expectation-preserved backward-mask"),
    (ScaledInInference, "inference-identity"),
    (Inverted, "rate expectation-preserved"),
    (AlwaysHalf, "rate expectation-preserved rate-zero-identity"),
    (HalfPrecisionDraws, "rate"),
    (SlightlyTooFew, "rate expectation-preserved"),
    (FactorPerRow, "support one-factor"),
    (WrongScale, "support expectation-preserved rate-zero-identity"),
    (NotANumberAtOne, "rate-one-zero"),
    (BackwardDrawsAgain, "backward-mask"),
    (BackwardFromOutput, "backward-mask"),
    (BackwardUnscaled, "backward-mask"),
    (ZerosPass, "backward-mask"),
    (Shifted, "support linear-on-mask"),
    (DropsTheSmallest, "mask-independent-of-values"),
    (Cached, "fresh-mask"),
    (SeedIgnored, "reseed-replays"),
    (SeedConstant, "seeds-differ"),
    (SeedFixed, "layers-differ"),
    (SeedTruncated, "seeds-differ"),
    (FourLanes, "mask-independence"),
    (PerRow, "mask-independence"),
    (WholeRowsOfMatrices, "mask-independence"),
    (FewKept, "few-entries"),
    (FixedCount, "few-entries"),
    (SharedOverSamples, "mask-independence"),
    (Periodic, "mask-independence"),
    (Overlapping, "mask-independence"),
    (Multiplies, "dropped-nonfinite-as-declared"),
    (Cleans, "dropped-nonfinite-as-declared"),
    (Process, "random-stream-as-declared"),
    (InMemoryOrder, "mask-order-as-declared"),
]


@pytest.mark.parametrize(("right", "declares"), RIGHT, ids=lambda v: getattr(v, "__name__", ""))
@pytest.mark.parametrize("name", PROPERTIES)
def test_a_right_layer_passes(name, right, declares):
    cell = judge(PROPERTIES[name], right, **declares)
    assert (cell.verdict, cell.reason) == ("passed", "")


@pytest.mark.parametrize(("faulty", "name"), [(f, f"dropout.{name}") for f, names in FAULTY for name in names.split()])
def test_a_faulty_layer_fails(faulty, name):
    assert judge(PROPERTIES[name], faulty).verdict == "failed"


def test_every_law_has_a_layer_that_breaks_it():
    assert {f"dropout.{name}" for _, names in FAULTY for name in names.split()} == set(PROPERTIES)


@pytest.mark.parametrize(("convention", "value"), [("dropped_nonfinite", "nan"), ("random_stream", "process")])
def test_a_wrong_declaration_fails(convention, value):
    name = f"dropout.{convention.replace('_', '-')}-as-declared"
    assert judge(PROPERTIES[name], Right, **{convention: value}).verdict == "failed"


def test_a_layer_without_seed_and_gradient_is_judged_on_the_rest():
    verdicts = {name: judge(law, Bare).verdict for name, law in PROPERTIES.items()}
    needs = "backward-mask linear-on-mask mask-independent-of-values reseed-replays seeds-differ"
    needs += " random-stream-as-declared mask-order-as-declared"
    missing = {f"dropout.{name}" for name in needs.split()}
    assert verdicts == {name: "not-applicable" if name in missing else "passed" for name in PROPERTIES}


def tail_of(hits, sample, share):
    """P(X <= hits) of a binomial X."""
    return sum(math.comb(sample, k) * share**k * (1 - share) ** (sample - k) for k in range(hits + 1))


@pytest.mark.parametrize(("units", "rate"), FEW)
def test_a_share_of_few_units_that_is_off_by_a_half_is_found(units, rate):
    limit = math.log(statistical.ALPHA / 3)
    for share in (rate**units, (1 - rate) ** units):
        accepted = [k for k in range(FEW_CALLS + 1) if statistical.log_tail(k, FEW_CALLS, share) >= limit]
        low, high = accepted[0], accepted[-1]
        assert low > 0 or share < 0.25
        if share + 0.5 <= 1:
            assert tail_of(high, FEW_CALLS, share + 0.5) < 1e-3
        if share > 0.5:
            assert 1 - tail_of(low - 1, FEW_CALLS, share - 0.5) < 1e-3


def test_every_statistical_rate_is_judged():
    cell = judge(PROPERTIES["dropout.rate"], Right)
    assert cell.examples == 3 * len(STATISTICAL_RATES)


@pytest.mark.parametrize("name", PROPERTIES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
def test_no_law_raises_on_a_result_of_another_shape(name, shape):
    class Wrong(Right):
        def apply(self, x, mask):
            return np.ones(shape, x.dtype)

    cell = judge(PROPERTIES[name], Wrong)
    # A layer that keeps everything shows the laws of masks nothing, and they say so.
    assert cell.verdict in {"failed", "passed"} or "spoiled results" in cell.reason


class HalfAsFarOff(Right):
    """Off by half of what the first test finds: only a closer look is sure to see it."""

    def draw(self, x):
        return self.stream.random(x.shape) >= self.rate + 0.005 * (self.rate * (1 - self.rate)) ** 0.5


def test_a_second_test_looks_closer():
    law, session = PROPERTIES["dropout.rate"], LocalSession(HalfAsFarOff, {})
    case = Case(DropoutConfig(0.3), "float32", values={"seed": 5, "confirming": True})
    evidence = law.law(session, case)
    assert evidence.error > 1
