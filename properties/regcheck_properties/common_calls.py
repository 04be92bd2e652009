"""Laws of repeated calls, which hold for every layer: what one call leaves behind, no other call may see.

Every comparison is of a layer with itself, bit by bit, so that wrong numbers are no concern of these laws.
`common` takes them in, so that there is one list.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import Evidence, Unsupported, holds, prop, same_bits
from regcheck.cases import common as cases
from regcheck.families import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from regcheck import Case, Layers
    from regcheck.host import Audit, HostedLayer

Array = np.ndarray[Any, np.dtype[Any]]

ARGUMENTS = {
    "forward": ("x",),
    "value": ("w",),
    "minimise": ("a", "b"),
    "step": ("w", "gradient"),
    "log_density": ("w",),
}
DATA = ("x", "cotangent", "w", "gradient", "a", "b")
PROX_STEP = 0.5
REPEATS = 7  # so that what changes every second time, by chance, is seen again when it must recur
DIFFERENTIABLE = tuple(name for name, family in FAMILIES.items() if family.method in {"forward", "value"})
FORWARD = tuple(name for name, family in FAMILIES.items() if family.method == "forward")
# An optimiser remembers gradients on purpose: the same step again is another step.
FORGETTING = tuple(name for name, family in FAMILIES.items() if family.method != "step")


class Call(NamedTuple):
    """One call of a layer: its method, its results by name, what was seen beside them, and its arguments."""

    method: str
    results: dict[str, Array]
    audit: Audit
    arguments: dict[str, Array]


def method_of(layers: Layers) -> str:
    """The method that computes the family."""
    return FAMILIES[layers.family].method


def undefined(layers: Layers, case: Case, *, training: bool) -> bool:
    """Whether the case has one value per group, on which libraries differ (`single_value_batch`)."""
    if "single_value_batch" not in FAMILIES[layers.family].conventions:
        return False
    if hasattr(case.config, "shape"):
        return int(np.prod(case.config.shape)) == 1
    per_channel = int(np.prod([n for axis, n in enumerate(case["x"].shape) if axis != 1]))
    groups = getattr(case.config, "groups", None)
    if layers.family == "batch_norm":
        return training and per_channel == 1
    per_sample = per_channel // case["x"].shape[0]
    return bool(per_sample * (case.config.channels // groups if groups else 1) == 1)


def random(layers: Layers) -> bool:
    """Whether layers of the family draw random numbers."""
    return "random_stream" in FAMILIES[layers.family].conventions


def replayable(layers: Layers, offered: frozenset[str]) -> bool:
    """Whether a training call can be made again: a random layer needs a seed for that."""
    return "seed" in offered or not random(layers)


def prepare(layers: Layers, layer: HostedLayer, case: Case) -> None:
    """Give the layer the case's parameters and state, and restart a random one's stream, as far as it has them.

    Other families are not seeded: what they give may depend on no seed, and some frameworks pay dearly for a new one.
    """
    offered = layer.capabilities()
    layer.assign_parameters({k: case[k] for k in ("scale", "shift") if k in case.arrays and k in offered})
    layer.assign_state({k: case[k] for k in ("running_mean", "running_var") if k in case.arrays and k in offered})
    if random(layers) and "seed" in offered:
        layer.seed(int(case.values["seed"]) % 2**31)


def prepared(layers: Layers, case: Case) -> HostedLayer:
    """A fresh layer with the case's parameters and state."""
    layer = layers.make(case.config, case.dtype)
    prepare(layers, layer, case)
    return layer


def call(layers: Layers, layer: HostedLayer, case: Case, *, training: bool) -> Call:
    """Call the family's method on the case's arguments; one that has a mode, in the given one."""
    method = method_of(layers)
    arguments = {name: case[name] for name in ARGUMENTS[method]}
    if method == "forward":
        return Call(method, {"y": layer.forward(case["x"], training)}, layer.audit, arguments)
    return Call(method, {method: getattr(layer, method)(*arguments.values())}, layer.audit, arguments)


def exercise(layers: Layers, layer: HostedLayer, case: Case, *, training: bool | None = None) -> list[Call]:
    """Call the family's method on the case's arguments, and then every gradient that the layer offers.

    The mode is the case's own where none is given, but inference where training cannot be replayed.
    """
    method, offered = method_of(layers), layer.capabilities()
    mode = bool(case.values["training"] and replayable(layers, offered)) if training is None else training
    found = [call(layers, layer, case, training=mode)]
    arguments = found[0].arguments
    if "backward" in offered and "cotangent" in case.arrays:
        gradients = {f"d{name}": g for name, g in sorted(layer.backward(case["cotangent"]).items())}
        found.append(Call("backward", gradients, layer.audit, {"cotangent": case["cotangent"]}))
    if method == "value" and "gradient" in offered:
        found.append(Call("gradient", {"gradient": layer.gradient(case["w"])}, layer.audit, arguments))
    if method == "value" and "prox" in offered:
        found.append(Call("prox", {"prox": layer.prox(case["w"], PROX_STEP)}, layer.audit, arguments))
    return found


def results(calls: Iterable[Call]) -> dict[str, Array]:
    """All results by name."""
    return {name: array for call in calls for name, array in call.results.items()}


def equal(observed: dict[str, Array], expected: dict[str, Array], when: str) -> list[Evidence]:
    """Evidence that results are the same, bit by bit; what they are is for other laws."""
    return [
        same_bits(observed[name], array, what=f"{name} {when}", nan=True)
        for name, array in expected.items()
        if name in observed
    ]


def other(case: Case) -> Case:
    """The same shapes with other data, parameters, state and seed."""
    changed = {name: case[name] * case[name].dtype.type(-0.5) for name in DATA if name in case.arrays}
    changed |= {name: case[name] + 1 for name in ("shift", "running_mean") if name in case.arrays}
    changed |= {name: case[name] * 2 for name in ("scale", "running_var") if name in case.arrays}
    return _seeded_anew(case.with_arrays(**changed))


def longer(case: Case) -> Case:
    """Twice the samples (a penalty's weights), half as large."""
    names = [name for name in DATA if name in case.arrays]
    half = {name: np.concatenate([case[name], case[name]]) * case[name].dtype.type(0.5) for name in names}
    return _seeded_anew(case.with_arrays(**half))


def _seeded_anew(case: Case) -> Case:
    return dataclasses.replace(case, values={**case.values, "seed": int(case.values["seed"]) + 1})


@prop(
    "common.inference-deterministic",
    cases=cases.calls,
    level="lifecycle",
    kind="exact",
    statements=["8.3"],
    formula="f(x) = f(x), bit by bit, in inference",
    families=FORGETTING,
)
def inference_deterministic(layers: Layers, case: Case) -> list[Evidence]:
    """Inference calls on the same data give the same bits."""
    if undefined(layers, case, training=False):
        return []
    layer = prepared(layers, case)
    first = results(exercise(layers, layer, case, training=False))
    found = equal(results(exercise(layers, layer, case, training=False)), first, "of call 2")
    for i in range(3, REPEATS + 2):
        found += equal(results([call(layers, layer, case, training=False)]), first, f"of call {i}")
    return found


@prop(
    "common.calls-do-not-leak",
    cases=cases.calls,
    level="lifecycle",
    kind="exact",
    formula="f(x), f(x′), f(x) each as on a fresh layer; earlier results stay",
    families=FORGETTING,
    examples=4,
)
def calls_do_not_leak(layers: Layers, case: Case) -> list[Evidence]:
    """A call with other data changes neither earlier results nor later ones."""
    if undefined(layers, case, training=True):
        return []
    layer, different = prepared(layers, case), [case, other(case), longer(case)]
    alone = [results(exercise(layers, prepared(layers, c), c)) for c in different]
    calls: list[Call] = []
    found: list[Evidence] = []
    for i in (0, 1, 2, 0):
        prepare(layers, layer, different[i])
        seen = exercise(layers, layer, different[i])
        found += equal(results(seen), alone[i], f"after {len(calls)} calls")
        calls += seen
    changed = [c.method for c in calls if c.audit.earlier_changed]
    return [holds(not changed, "unchanged", f"changed by {', '.join(changed)}", what="an earlier result"), *found]


@prop(
    "common.modes-do-not-stick",
    cases=cases.calls,
    level="lifecycle",
    kind="exact",
    statements=["5.4", "8.3"],
    formula="train, infer, train, infer, …: each call gives what its own mode and data give",
    families=FORWARD,
    examples=4,
)
def modes_do_not_stick(layers: Layers, case: Case) -> list[Evidence]:
    """Training and inference calls in turn give what each gives on a fresh layer."""
    if undefined(layers, case, training=True):
        return []
    layer, found = prepared(layers, case), []
    steps = [(c, mode) for c in (case, other(case)) for mode in (True, False)]
    alone = [results(exercise(layers, prepared(layers, c), c, training=mode)) for c, mode in steps]
    again = replayable(layers, layer.capabilities())
    for number, i in enumerate((0, 1, 2, 3, 0, 1), 1):
        c, mode = steps[i]
        prepare(layers, layer, c)
        seen = results(exercise(layers, layer, c, training=mode))
        if again or not mode:
            found += equal(seen, alone[i], f"of call {number}, {'training' if mode else 'inference'}")
    return found


@prop(
    "common.instances-independent",
    cases=cases.calls,
    level="lifecycle",
    kind="exact",
    formula="using one layer changes nothing in another from the same factory",
)
def instances_independent(layers: Layers, case: Case) -> list[Evidence]:
    """Two layers from one factory share neither parameters nor state."""
    if undefined(layers, case, training=True):
        return []
    used, spare = layers.make(case.config, case.dtype), layers.make(case.config, case.dtype)
    before = spare.parameters() | spare.state()
    alone = results(exercise(layers, prepared(layers, case), case))
    prepare(layers, used, case)
    exercise(layers, used, other(case), training=True)
    after = spare.parameters() | spare.state()
    prepare(layers, spare, case)
    found = equal(after, before, "of the other layer")
    return [*found, *equal(results(exercise(layers, spare, case)), alone, "of the other layer")]


@prop(
    "common.backward-repeatable",
    cases=cases.calls,
    level="gradients",
    kind="exact",
    formula="∇f(x) twice from one forward: the same bits, nothing accumulated",
    families=DIFFERENTIABLE,
)
def backward_repeatable(layers: Layers, case: Case) -> list[Evidence]:
    """Gradients taken twice from one forward agree bit by bit."""
    if undefined(layers, case, training=True):
        return []
    layer = prepared(layers, case)
    if method_of(layers) == "value":
        return [same_bits(layer.gradient(case["w"]), layer.gradient(case["w"]), what="gradient", nan=True)]
    layer.forward(case["x"], training=bool(case.values["training"]))
    first = layer.backward(case["cotangent"])
    return equal(layer.backward(case["cotangent"]), first, "of the second backward")


@prop(
    "common.forward-changes-no-parameter",
    cases=cases.with_parameters,
    level="lifecycle",
    kind="exact",
    statements=["7.2", "8.3"],
    formula="parameters before = after; in inference state before = after",
    families=FORWARD,
)
def forward_changes_no_parameter(layers: Layers, case: Case) -> list[Evidence]:
    """Neither forward nor backward changes a parameter, and inference changes no state."""
    training = bool(case.values["training"])
    if undefined(layers, case, training=training):
        return []
    layer = prepared(layers, case)
    before = layer.parameters() | ({} if training else layer.state())
    if not before:
        msg = "the layer has neither parameters nor state in this config"
        raise Unsupported(msg)
    exercise(layers, layer, case)
    return equal(layer.parameters() | layer.state(), before, "after a call")
