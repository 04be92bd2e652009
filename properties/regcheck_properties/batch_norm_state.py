"""Batch normalisation's record: moving averages of the batches' means and variances (§ 8, § 11.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from regcheck import Case, Evidence, Layers, bounds, cases, prop, reference, within
from regcheck_properties._norm_evidence import finite_state
from regcheck_properties._norms import Array, defined, given, judge, layer_of, part, recorded, run, several, with_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from regcheck.host import HostedLayer

Running = reference.batch_norm.Running
SOURCE = "Ioffe and Szegedy 2015, algorithm 2 and section 3.1"


class Record:
    """What a layer should have recorded after some batches, and by how much it may be off."""

    def __init__(self, layers: Layers, case: Case, start: Running | None = None) -> None:
        self.case = case
        self.ar = bounds.declared_arithmetic(layers, case.dtype)
        self.unbiased = layers.declared("running_variance") == "unbiased"
        momentum = case.config.momentum
        self.weight = momentum if layers.declared("momentum") == "new" else 1 - momentum
        self.now = start or reference.batch_norm.running(case["running_mean"], case["running_var"])
        self.slack = Running(np.zeros_like(self.now.mean), np.zeros_like(self.now.var))

    def add(self, batch: Array) -> None:
        """One training call on `batch`: an earlier error fades by 1 − w, the call adds its own."""
        norm = reference.batch_norm.standardise(batch, self.case.config)
        factor = norm.n / (norm.n - 1) if self.unbiased else 1.0
        mean = bounds.running_mean(norm, self.now.mean, self.weight, self.ar)
        var = bounds.running_variance(norm, self.now.var, self.weight, factor, self.ar)
        keep = 1 - self.weight
        self.slack = Running(keep * self.slack.mean + mean, keep * self.slack.var + var)
        self.now = reference.batch_norm.update(self.now, norm, self.weight, unbiased=self.unbiased)

    def judge(self, layer: HostedLayer) -> list[Evidence]:
        """Evidence on the running mean and the running variance."""
        state = layer.state()
        return [self._mean(state), self._var(state)]

    def judge_mean(self, layer: HostedLayer) -> Evidence:
        """Evidence on the running mean alone."""
        return self._mean(layer.state())

    def judge_var(self, layer: HostedLayer) -> Evidence:
        """Evidence on the running variance alone."""
        return self._var(layer.state())

    def _mean(self, state: Mapping[str, Array]) -> Evidence:
        seen = part(state, "running_mean", self.now.mean)
        return within(seen, self.now.mean, self.slack.mean, dims=("C",), what="running mean")

    def _var(self, state: Mapping[str, Array]) -> Evidence:
        seen = part(state, "running_var", self.now.var)
        return within(seen, self.now.var, self.slack.var, dims=("C",), what="running variance")


def trained(layers: Layers, case: Case, batches: Sequence[Array]) -> tuple[HostedLayer, Record]:
    """A layer with the case's state, trained on the batches, and what it should have recorded."""
    layer, record = with_state(layers, case), Record(layers, case)
    for batch in batches:
        run(layer, batch, training=True)
        record.add(batch)
    return layer, record


@prop(
    "batch_norm.running-mean",
    cases=given(cases.batch_norm, "x2", "state", squares="input"),
    level="core",
    statements=("8.1", "8.3"),
    formula="E ← (1 − w)·E + w·μ after each batch, w = momentum",
    source=SOURCE,
)
@several
def running_mean(layers: Layers, case: Case) -> Evidence:
    """The running mean follows the means of unequal batches, each with the weight that momentum says."""
    layer, record = trained(layers, case, (case["x"], case["x2"]))
    return record.judge_mean(layer)


@prop(
    "batch_norm.running-variance-unbiased",
    cases=given(cases.batch_norm, "x2", "state", squares="input"),
    level="core",
    statements=("8.2",),
    formula="Var ← (1 − w)·Var + w·m/(m − 1)·σ² after each batch of m values a channel",
    source=SOURCE,
    document={"running_variance": "unbiased"},
)
@several
def running_variance_unbiased(layers: Layers, case: Case) -> Evidence:
    """The running variance records the unbiased variance of each batch, m/(m − 1)·σ²."""
    layer, record = trained(layers, case, (case["x"], case["x2"]))
    return record.judge_var(layer)


@prop(
    "batch_norm.running-variance-as-declared",
    cases=given(cases.batch_norm, "x2", "state", squares="input"),
    level="lifecycle",
    statements=("8.2", "8.3"),
    formula="Var ← (1 − w)·Var + w·f·σ², f = m/(m − 1) (`unbiased`) or 1 (`biased`)",
    source=SOURCE,
)
@several
def running_variance_as_declared(layers: Layers, case: Case) -> Evidence:
    """The running variance records what is declared in `running_variance`: by default the unbiased variance."""
    layer, record = trained(layers, case, (case["x"], case["x2"]))
    return record.judge_var(layer)


@prop(
    "batch_norm.momentum-as-declared",
    cases=given(cases.batch_norm, "state", data="constant", momenta=(*cases.MOMENTA, 0.0)),
    level="lifecycle",
    statements=("8.3",),
    formula="x = c: E ← (1 − w)·E + w·c and Var ← (1 − w)·Var, w = momentum (`new`) or 1 − momentum (`old`), 0 too",
    source=SOURCE,
    revision=2,
)
@several
def momentum_as_declared(layers: Layers, case: Case) -> list[Evidence]:
    """One batch moves both averages by the share that is declared in `momentum`: by default the new batch's."""
    layer, record = trained(layers, case, (case["x"],))
    return record.judge(layer)


@prop(
    "batch_norm.updated-once",
    cases=given(cases.batch_norm, "x2", "state", squares="input"),
    level="lifecycle",
    statements=("8.1", "8.3"),
    formula="k training calls on unequal batches = k updates; inference and backward make none",
    source=SOURCE,
)
@several
def updated_once(layers: Layers, case: Case) -> list[Evidence]:
    """Every training call updates the record exactly once, whatever is called in between."""
    layer, record, found = with_state(layers, case), Record(layers, case), []
    backward = "backward" in layer.capabilities()
    for batch in (case["x"], case["x2"], case["x"]):
        y = run(layer, batch, training=True)
        record.add(batch)
        if backward:
            layer.backward(y)
        found += record.judge(layer)
        run(layer, batch, training=False)
    return [*found, *record.judge(layer)]


@prop(
    "batch_norm.follows-changing-range",
    cases=given(cases.batch_norm, "state", "repeats", squares="input"),
    level="lifecycle",
    statements=("11.2",),
    formula="after t batches of new data: E = (1 − w)ᵗ·E₀ + (1 − (1 − w)ᵗ)·μ, and Var likewise",
    source=SOURCE,
)
@several
def follows_changing_range(layers: Layers, case: Case) -> list[Evidence]:
    """When the data's range changes, the share of the old record fades geometrically."""
    times = case.values["repeats"]
    layer, record = trained(layers, case, (case["x"],) * times)
    start = reference.batch_norm.running(case["running_mean"], case["running_var"])
    norm = reference.batch_norm.standardise(case["x"], case.config)
    one = reference.batch_norm.update(start, norm, 1.0, unbiased=record.unbiased)
    old = start.mean.dtype.type(1 - record.weight) ** times
    record.now = Running(*(old * before + (1 - old) * new for before, new in zip(start, one, strict=True)))
    return record.judge(layer)


@prop(
    "batch_norm.repeated-batch-variance",
    cases=given(cases.batch_norm, "state", squares="input"),
    level="lifecycle",
    statements=("8.2",),
    formula="from Var = 0: Var(x ⊕ x) = Var(x)·2(m − 1)/(2m − 1) where unbiased, Var(x ⊕ x) = Var(x) where biased",
    source=SOURCE,
)
@several
def repeated_batch_variance(layers: Layers, case: Case) -> Evidence:
    """A batch that holds every sample twice records the same variance but for the factor m/(m − 1)."""
    case = case.with_arrays(running_var=np.zeros_like(case["running_var"]))
    m = case["x"].size // case.config.channels
    layer, record = trained(layers, case, (case["x"],))
    doubled, twice = trained(layers, case, (np.concatenate([case["x"]] * 2),))
    factor = 2 * (m - 1) / (2 * m - 1) if record.unbiased else 1.0
    once, seen = (reference.widen(part(one.state(), "running_var", record.now.var)) for one in (layer, doubled))
    slack = record.slack.var * factor + twice.slack.var
    return within(seen, once * factor, slack, dims=("C",), what="running variance of x ⊕ x")


@prop(
    "batch_norm.fresh-state",
    cases=given(cases.batch_norm, squares="input"),
    level="lifecycle",
    statements=("8.3",),
    formula="fresh: E = 0, Var = 1, and inference gives γ·x/√(1 + ε) + β; the first batch is averaged with them",
    source=SOURCE,
)
@several
def fresh_state(layers: Layers, case: Case) -> list[Evidence]:
    """A fresh layer has recorded mean 0 and variance 1, and its first batch counts like any other."""
    zero = np.zeros(case.config.channels, case.dtype)
    fresh = case.with_arrays(running_mean=zero, running_var=np.ones_like(zero))
    layer, record = layer_of(layers, case), Record(layers, fresh)
    found = record.judge(layer)
    found += judge(run(layer, case["x"], training=False), recorded(layers, fresh))
    run(layer, case["x"], training=True)
    record.add(case["x"])
    return [*found, *record.judge(layer)]


@prop(
    "batch_norm.state-finite",
    cases=given(cases.batch_norm, "x2", "state", squares="input"),
    level="lifecycle",
    kind="exact",
    statements=("8.2", "11.1"),
    formula="x finite, its squares too  ⇒  E and Var finite after training",
    source=SOURCE,
    sentinels=["nan"],
)
@defined
def state_finite(layers: Layers, case: Case) -> list[Evidence]:
    """What is recorded stays finite, after one value per channel and after constant channels too."""
    layer = with_state(layers, case)
    for batch in (case["x"], case["x2"], case["x"][:1]):
        if batch.size > case.config.channels or layers.declared("single_value_batch") == "shift":
            run(layer, batch, training=True)
    return finite_state(layer)
