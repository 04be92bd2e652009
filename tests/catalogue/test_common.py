"""The laws of every layer hold for right layers of every family, and accuse the layer that breaks each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from regcheck_properties import common

from regcheck import Property, registry
from regcheck.adapters import plain
from regcheck.families import BatchNormConfig, DropoutConfig, LayerNormConfig, PenaltyConfig, config_from_dict
from regcheck.host import Session
from regcheck.hosting import Host
from regcheck.implementation import Implementation
from regcheck.judge import CellJudge, Settings
from regcheck.numpy_layers.batch_norm import BatchNorm
from regcheck.numpy_layers.dropout import ChannelDropout, Dropout, DropPath
from regcheck.numpy_layers.layer_norm import LayerNorm
from regcheck.numpy_layers.minimiser import FISTA
from regcheck.numpy_layers.penalties import ElasticNet
from regcheck.numpy_layers.priors import Gaussian, Laplace
from regcheck.numpy_layers.weight_decay import AdamW
from regcheck.processes import Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck.verdict import Cell

PROPERTIES = {v.id: v for v in vars(common).values() if isinstance(v, Property)}


class LocalHost(Host):
    """Layers of one factory, in this process."""

    def __init__(self, family, factory, declares):
        super().__init__()
        self.implementation = Implementation(factory, family, name="it", declares=declares)

    def do_make(self, call):
        config = config_from_dict(self.implementation.family, call["config"])
        native = self.implementation.factory(config)
        self.layers[call["layer"]] = plain.adapt(native, self.implementation, config, call["dtype"])
        return {"result": None}


class LocalSession(Session):
    """A session whose layers live in this process, for good."""

    def __init__(self, family, factory, declares):
        super().__init__(None, {}, "it", family, declares)
        self.local = LocalHost(family, factory, declares)

    def renew(self):
        self.reset()


def judge(name: str, family: str, layer: Callable[[Any], Any], **declares: Any) -> Cell:
    session = LocalSession(family, layer, declares)
    dtypes = ["float64"] if family == "minimiser" else None
    about = {"name": "it", "framework": "numpy", "family": family, "dtypes": dtypes}
    return CellJudge(PROPERTIES[name], session, about, Settings(), None).judge().cell


def batch_norm(config: BatchNormConfig) -> BatchNorm:
    return BatchNorm(config.channels, config.ndim, eps=config.eps, momentum=config.momentum, affine=config.affine)


def layer_norm(config: LayerNormConfig) -> LayerNorm:
    return LayerNorm(config.shape, eps=config.eps, affine=config.affine)


def dropout(config: DropoutConfig) -> Dropout:
    return Dropout(config.rate)


def penalty(config: PenaltyConfig) -> ElasticNet:
    return ElasticNet(l1=config.l1, l2=config.l2)


def fista(config: Any) -> FISTA:
    return FISTA(l1=config.l1, l2=config.l2)


RIGHT = {
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "dropout": dropout,
    "channel_dropout": lambda config: ChannelDropout(config.rate, config.ndim),
    "drop_path": lambda config: DropPath(config.rate),
    "l1": lambda config: ElasticNet(l1=config.l1),
    "l2": lambda config: ElasticNet(l2=config.l2),
    "elastic_net": penalty,
    "minimiser": fista,
    "weight_decay": lambda config: AdamW(config.learning_rate, config.decay),
    "laplace_prior": lambda config: Laplace(config.scale),
    "gaussian_prior": lambda config: Gaussian(config.scale),
}
CELLS = [(name, family) for name, law in PROPERTIES.items() for family in RIGHT if law.applies_to(family)]
NOTHING_TO_CHANGE = [
    ("common.forward-changes-no-parameter", family) for family in ("dropout", "channel_dropout", "drop_path")
]


@pytest.mark.parametrize(("name", "family"), CELLS)
def test_a_right_layer_passes(name, family):
    declares = {"tolerance": 1e-10} if family == "minimiser" else {}
    cell = judge(name, family, RIGHT[family], **declares)
    expected = "not-applicable" if (name, family) in NOTHING_TO_CHANGE else "passed"
    assert cell.verdict == expected, cell.reason


class Wrapped:
    """A right layer of a family, to be spoilt by a subclass."""

    def __init__(self, config, make):
        self.config, self.own = config, make(config)
        self.parameters = getattr(self.own, "parameters", {})
        self.state = getattr(self.own, "state", {})

    def forward(self, x, training):
        return self.own.forward(x, training)

    def backward(self, cotangent):
        return self.own.backward(cotangent)


class Norm(Wrapped):
    def __init__(self, config):
        super().__init__(config, batch_norm)


class Penalty:
    def __init__(self, config):
        self.own = penalty(config)

    def value(self, w):
        return self.own.value(w)

    def gradient(self, w):
        return self.own.gradient(w)


class AnAxisMore(Norm):
    def forward(self, x, training):
        return super().forward(x, training)[None]


class GradientFlat(Norm):
    def backward(self, cotangent):
        gradients = super().backward(cotangent)
        return {**gradients, "x": gradients["x"].ravel()}


class AlwaysDouble(Norm):
    def forward(self, x, training):
        return super().forward(x, training).astype(np.float64)


class CentresInPlace(Norm):
    def forward(self, x, training):
        y = super().forward(x.copy(), training)
        x -= x.mean(axis=0)
        return y


class CotangentScaledInPlace(Norm):
    def backward(self, cotangent):
        gradients = super().backward(cotangent.copy())
        cotangent *= 2
        return gradients


class GradientIsTheWeights(Penalty):
    def gradient(self, w):
        return w[...]


class NoisyInference(Norm):
    def forward(self, x, training):
        y = super().forward(x, training)
        return y if training else y * x.dtype.type(1 + 1e-2 * np.random.default_rng().random())


class StatisticsOfTheFirstCall(Norm):
    """Adds what the first forward saved."""

    first = None

    def forward(self, x, training):
        y = super().forward(x, training)
        self.first = x.sum() if self.first is None else self.first
        return y + self.first


class OneBuffer(Norm):
    """Every call of the same shape returns the same memory."""

    buffers: ClassVar = {}

    def forward(self, x, training):
        y = super().forward(x, training)
        buffer = self.buffers.setdefault((id(self), x.ndim), np.empty(10**5, y.dtype))
        buffer = buffer.astype(y.dtype) if buffer.dtype != y.dtype else buffer
        self.buffers[id(self), x.ndim] = buffer
        result = buffer[: y.size].reshape(y.shape)
        result[...] = y
        return result


class StickyTraining(Norm):
    trained = False

    def forward(self, x, training):
        self.trained = self.trained or training
        return super().forward(x, self.trained)


class SharedState(Norm):
    shared: ClassVar = {}

    def __init__(self, config):
        super().__init__(config)
        self.state = self.own.state = self.shared.setdefault(config.channels, self.own.state)


class Accumulates(Norm):
    total = None

    def forward(self, x, training):
        self.total = 0.0
        return super().forward(x, training)

    def backward(self, cotangent):
        gradients = super().backward(cotangent)
        self.total = self.total + gradients["x"]
        return {**gradients, "x": self.total}


class ClipsItsScale(Norm):
    def forward(self, x, training):
        y = super().forward(x, training)
        if "scale" in self.parameters:
            np.clip(self.parameters["scale"], -1, 1, out=self.parameters["scale"])
        return y


class LearnsInInference(Norm):
    def forward(self, x, training):
        y = super().forward(x, training)
        if not training:
            self.state["running_mean"] += 1
        return y


class ReadsAsContiguous(Norm):
    """Takes the memory from the first entry on, whatever the strides."""

    def forward(self, x, training):
        reach = 1 + sum((n - 1) * abs(s) for n, s in zip(x.shape, x.strides, strict=True)) // x.itemsize
        if reach < x.size or any(s < 0 for s in x.strides):
            return super().forward(np.ascontiguousarray(x), training)
        flat = np.lib.stride_tricks.as_strided(x, (x.size,), (x.itemsize,))
        return super().forward(flat.reshape(x.shape), training)


class CotangentInAnyOrder(Norm):
    def backward(self, cotangent):
        return super().backward(cotangent.ravel(order="K").reshape(cotangent.shape))


class RefusesReadOnly(Norm):
    def forward(self, x, training):
        if not x.flags.writeable:
            msg = "input must be writable"
            raise ValueError(msg)
        return super().forward(x, training)


class CutsToItsChannels(Norm):
    def forward(self, x, training):
        c = self.config.channels
        return super().forward(np.resize(np.moveaxis(x, 1, 0), (c, len(x), *x.shape[2:])).swapaxes(0, 1), training)


class NotANumberWhenEmpty(Norm):
    def forward(self, x, training):
        if len(x):
            return super().forward(x, training)
        self.state["running_mean"] = self.state["running_mean"] * np.nan
        return x.copy()


class OnePass(Norm):
    """Variance as the mean of squares less the square of the mean: NaN where rounding makes it negative."""

    def forward(self, x, training):
        y = super().forward(x, training)
        if not training or not x.size:
            return y
        axes = (0, *range(2, x.ndim))
        mean = np.mean(x, axis=axes, keepdims=True)
        variance = np.mean(x * x, axis=axes, keepdims=True) - mean * mean
        with np.errstate(invalid="ignore"):
            return (x - mean) / np.sqrt(variance + x.dtype.type(self.config.eps))


class PenaltyOfSquares(Penalty):
    """Squares before it scales: infinite where the square alone overflows."""

    def value(self, w):
        return (w * 2**20 * w * 2**20).sum() / w.dtype.type(2**40)


class ScalesTargetsInPlace:
    def __init__(self, config):
        self.own = fista(config)

    def minimise(self, a, b):
        w = self.own.minimise(a, b.copy())
        b *= 0.5
        return w


class TakesTheTargetsItNeeds(ScalesTargetsInPlace):
    def minimise(self, a, b):
        return self.own.minimise(a, b[: len(a)])


class KeepsTheFirstMatrix(ScalesTargetsInPlace):
    first = None

    def minimise(self, a, b):
        if self.first is None or self.first.shape[1] != a.shape[1]:
            self.first = a.copy()
        return self.own.minimise(np.resize(self.first, a.shape), b)


class DropsInPlace(Wrapped):
    def __init__(self, config):
        super().__init__(config, dropout)

    def seed(self, value):
        self.own.seed(value)

    def forward(self, x, training):
        x[...] = super().forward(x, training)
        return x


FAULTY = [
    (AnAxisMore, "shape"),
    (GradientFlat, "shape"),
    (AlwaysDouble, "dtype"),
    (CentresInPlace, "input-unchanged"),
    (CotangentScaledInPlace, "input-unchanged"),
    (GradientIsTheWeights, "no-view-of-input"),
    (NoisyInference, "calls-do-not-leak inference-deterministic instances-independent modes-do-not-stick layouts"),
    (StatisticsOfTheFirstCall, "calls-do-not-leak"),
    (OneBuffer, "calls-do-not-leak"),
    (StickyTraining, "modes-do-not-stick"),
    (SharedState, "instances-independent"),
    (Accumulates, "backward-repeatable"),
    (ClipsItsScale, "inference-deterministic forward-changes-no-parameter"),
    (LearnsInInference, "inference-deterministic forward-changes-no-parameter empty-batch"),
    (ReadsAsContiguous, "layouts"),
    (CotangentInAnyOrder, "layouts"),
    (RefusesReadOnly, "layouts"),
    (CutsToItsChannels, "wrong-shape-raises"),
    (NotANumberWhenEmpty, "empty-batch"),
    (OnePass, "finite"),
    (PenaltyOfSquares, "finite"),
    (ScalesTargetsInPlace, "input-unchanged"),
    (TakesTheTargetsItNeeds, "wrong-shape-raises"),
    (KeepsTheFirstMatrix, "calls-do-not-leak"),
    (DropsInPlace, "layouts input-unchanged no-view-of-input"),
]


def family_of(layer):
    families = {Norm: "batch_norm", Penalty: "elastic_net", ScalesTargetsInPlace: "minimiser", DropsInPlace: "dropout"}
    return next(family for cls, family in families.items() if issubclass(layer, cls))


def laws_of(names):
    return [f"common.{name}" for name in names.split()]


@pytest.mark.parametrize(("faulty", "name"), [(f, name) for f, names in FAULTY for name in laws_of(names)])
def test_a_faulty_layer_fails(faulty, name):
    assert judge(name, family_of(faulty), faulty).verdict == "failed"


def test_every_law_but_one_has_a_layer_in_this_process_that_breaks_it():
    assert {name for _, names in FAULTY for name in laws_of(names)} == set(PROPERTIES) - {"common.output-bounded"}


class TwiceTheResult(Norm):
    def forward(self, x, training):
        return 2 * super().forward(x, training)

    def backward(self, cotangent):
        return {name: 1 - gradient for name, gradient in super().backward(cotangent).items()}


ONLY = [(TwiceTheResult, ""), (CentresInPlace, "input-unchanged"), (AlwaysDouble, "dtype"), (OnePass, "finite")]


@pytest.mark.parametrize(("layer", "names"), ONLY)
def test_one_fault_fails_its_own_law_and_no_other(layer, names):
    verdicts = {name: judge(name, "batch_norm", layer).verdict for name in PROPERTIES}
    assert {name for name, verdict in verdicts.items() if verdict != "passed"} == set(laws_of(names))


LOUD = """
import regcheck
from regcheck.numpy_layers.penalties import ElasticNet
from regcheck.numpy_layers.priors import Gaussian, Laplace
from regcheck.numpy_layers.weight_decay import AdamW

class Loud(ElasticNet):
    def value(self, w):
        print("x" * (1 << 21))
        return super().value(w)

@regcheck.implements("l1")
def loud(config):
    return Loud(l1=config.l1)
"""


def test_a_layer_that_prints_too_much_fails_by_that_law_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "adapters", lambda: {"plain": "regcheck.adapters.plain"})
    path = tmp_path / "loud.py"
    path.write_text(LOUD, encoding="utf-8")
    server = Server(sys.executable, ("plain",))
    try:
        about = {"name": "loud", "framework": "numpy", "family": "l1", "dtypes": ["float32"]}
        session = Session(server, {"kind": "file", "path": str(path)}, "loud", "l1", {})
        laws = [PROPERTIES["common.output-bounded"], PROPERTIES["common.shape"]]
        cells = [CellJudge(law, session, about, Settings(), None).judge().cell for law in laws]
        session.close()
    finally:
        server.close()
    assert [cell.verdict for cell in cells] == ["failed", "passed"]
