"""Laws of the interface, which hold for every layer: shapes, dtypes, errors, and arrays that stay untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, Fault, Unsupported, holds, prop, same_bits
from regcheck.cases import common as cases
from regcheck_properties.common_calls import (
    Call,
    backward_repeatable,
    calls_do_not_leak,
    exercise,
    forward_changes_no_parameter,
    inference_deterministic,
    instances_independent,
    method_of,
    modes_do_not_stick,
    prepared,
    results,
    undefined,
)
from regcheck_properties.common_layouts import layouts

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.host import HostedLayer

Array = np.ndarray[Any, np.dtype[Any]]

__all__ = [
    "backward_repeatable",
    "calls_do_not_leak",
    "dtype",
    "empty_batch",
    "finite",
    "forward_changes_no_parameter",
    "inference_deterministic",
    "input_unchanged",
    "instances_independent",
    "layouts",
    "modes_do_not_stick",
    "no_view_of_input",
    "output_bounded",
    "shape",
    "wrong_shape_raises",
]

PRINTED = 1 << 20  # bytes that a call may print


def _both_modes(layers: Layers, case: Case) -> list[Call]:
    """Every call of a fresh layer, in inference and, where it has one, in training."""
    calls = []
    for training in (False, True) if method_of(layers) == "forward" else (False,):
        if not undefined(layers, case, training=training):
            calls += exercise(layers, prepared(layers, case), case, training=training)
    return calls


def _like(case: Case) -> dict[str, Array]:
    """Of each result, the argument whose shape and dtype it takes; a value's is one number of w."""
    like = {f"d{name}": array for name, array in case.arrays.items()}
    if "w" in case.arrays:
        like |= dict.fromkeys(("gradient", "prox", "step", "log_density"), case["w"]) | {
            "value": case["w"].ravel()[:1].sum()
        }
    if "a" in case.arrays:
        like["minimise"] = case["a"][:1].sum(axis=0)
    return like | ({"y": case["x"]} if "x" in case.arrays else {})


@prop(
    "common.shape",
    cases=cases.calls,
    level="interface",
    kind="exact",
    formula="y has the shape of x, a gradient that of its argument, a value none",
    sentinels=["shape"],
)
def shape(layers: Layers, case: Case) -> list[Evidence]:
    """Every result has the shape that it must have."""
    like, found = _like(case), results(_both_modes(layers, case))
    pairs = [(name, array.shape, like[name].shape) for name, array in found.items() if name in like]
    return [holds(got == want, str(want), str(got), what=f"shape of {name}") for name, got, want in pairs]


@prop(
    "common.dtype",
    cases=cases.calls,
    level="interface",
    kind="exact",
    formula="a result has the dtype of the input, a parameter's gradient that of the parameter",
    sentinels=["dtype"],
)
def dtype(layers: Layers, case: Case) -> list[Evidence]:
    """Every result has the dtype of what it belongs to."""
    found = results(_both_modes(layers, case))
    return [
        holds(array.dtype.name == case.dtype, case.dtype, array.dtype.name, what=f"dtype of {name}")
        for name, array in found.items()
    ]


# --- purity


@prop(
    "common.input-unchanged",
    cases=cases.calls,
    level="interface",
    kind="exact",
    formula="every argument is bytewise the same after the call",
    sentinels=["audit"],
)
def input_unchanged(layers: Layers, case: Case) -> list[Evidence]:
    """No call changes an array that it was given."""
    calls = _both_modes(layers, case)
    return [
        holds(
            not c.audit.changed, "unchanged", f"changed: {', '.join(c.audit.changed)}", what=f"arguments of {c.method}"
        )
        for c in calls
    ]


@prop(
    "common.no-view-of-input",
    cases=cases.calls,
    level="interface",
    kind="exact",
    formula="results share no memory with arguments, unless the law is the identity",
    sentinels=["audit"],
)
def no_view_of_input(layers: Layers, case: Case) -> list[Evidence]:
    """No result is a view of an array that was given, except where the layer is the identity."""
    found, identity = [], hasattr(case.config, "rate")
    for training in (False, True) if method_of(layers) == "forward" else (True,):
        if (identity and (not training or case.config.rate == 0)) or undefined(layers, case, training=training):
            continue
        for c in exercise(layers, prepared(layers, case), case, training=training):
            shared = ", ".join(c.audit.aliases)
            found.append(holds(not shared, "memory of its own", f"a view of {shared}", what=f"result of {c.method}"))
    return found


@prop(
    "common.output-bounded",
    cases=cases.calls,
    level="interface",
    kind="exact",
    formula="a call prints at most 1 MiB",
    sentinels=["audit"],
)
def output_bounded(layers: Layers, case: Case) -> list[Evidence]:
    """No call prints more than 1 MiB."""
    return [
        holds(c.audit.printed <= PRINTED, f"at most {PRINTED} bytes", f"{c.audit.printed} bytes", what=c.method)
        for c in _both_modes(layers, case)
    ]


# --- the edges


def _outcome(layer: HostedLayer, method: str, *arguments: Any) -> Array | None:
    """The result of a call, or None if it raised a Python error. A crash, a hang or a broken factory passes through."""
    try:
        found: Array = getattr(layer, method)(*arguments)
    except Fault as fault:
        if not fault.from_a_call:
            raise
        return None
    return found


@prop(
    "common.wrong-shape-raises",
    cases=cases.with_parameters,
    level="interface",
    kind="exact",
    formula="another number of channels, features or targets: a Python error",
    families=("batch_norm", "layer_norm", "rms_norm", "instance_norm", "group_norm", "minimiser"),
    sentinels=["errors"],
)
def wrong_shape_raises(layers: Layers, case: Case) -> list[Evidence]:
    """A wrong number of channels, features or targets is a Python error, never a silent result."""
    found, layer = [], prepared(layers, case)
    if method_of(layers) == "forward" and not layer.parameters() | layer.state():
        msg = "the layer has no parameter or state that would fix the number of features in this config"
        raise Unsupported(msg)
    for what, arguments in _wrong(layers, case):
        y = _outcome(layer, method_of(layers), *arguments)
        seen = "" if y is None else f"a result of shape {y.shape}"
        found.append(holds(y is None, "a Python error", seen, what=what))
    return found


def _wrong(layers: Layers, case: Case) -> list[tuple[str, tuple[Any, ...]]]:
    if method_of(layers) == "minimise":
        longer = np.concatenate([case["b"], case["b"][:1]])
        return [(f"{len(longer)} targets for {len(case['b'])} rows", (case["a"], longer))]
    axis = 1 if hasattr(case.config, "channels") else case["x"].ndim - 1
    right, training = case["x"].shape[axis], bool(case.values["training"])
    wrong = [n for n in (right + 1, 1) if n != right]
    arguments = [(np.take(case["x"], np.arange(n) % right, axis=axis), training) for n in wrong]
    return [(f"{n} instead of {right} along axis {axis}", a) for n, a in zip(wrong, arguments, strict=True)]


@prop(
    "common.empty-batch",
    revision=2,
    cases=cases.calls,
    level="interface",
    kind="exact",
    formula="a batch of no samples: an empty result or a Python error; state unchanged",
    sentinels=["shape", "errors"],
)
def empty_batch(layers: Layers, case: Case) -> list[Evidence]:
    """An empty batch gives an empty result or a Python error, and leaves the state as it was."""
    modes: tuple[tuple[bool, ...], ...] = ((False,), (True,)) if method_of(layers) == "forward" else ((),)
    return [piece for mode in modes for piece in _emptied(layers, case, mode)]


def _emptied(layers: Layers, case: Case, mode: tuple[bool, ...]) -> list[Evidence]:
    method = method_of(layers)
    names = {"forward": ("x",), "minimise": ("a", "b")}.get(method, tuple(case.arrays))
    empty, layer = case.with_arrays(**{name: case[name][:0] for name in names}), prepared(layers, case)
    what = f"{method} of no samples" + (" in training" if True in mode else "")
    before = layer.state()
    y = _outcome(layer, method, *(empty[name] for name in names), *mode)
    if y is None:
        return [holds(condition=True, expected="an error", observed="an error", what=what)]
    want = _like(empty)["y" if method == "forward" else method].shape
    found = [holds(y.shape == want, str(want), str(y.shape), what=f"shape of {what}")]
    found.append(holds(bool(np.isfinite(y).all()), "finite", str(y), what=what))
    after = layer.state()
    return found + [same_bits(after[k], v, what=f"{k} after an empty batch") for k, v in before.items()]


@prop(
    "common.finite",
    cases=cases.wide,
    level="numerics",
    kind="exact",
    formula="finite arguments whose squares do not overflow give finite results",
    sentinels=["nan"],
)
def finite(layers: Layers, case: Case) -> list[Evidence]:
    """Finite input gives finite results, whatever its magnitude, constant or zero."""
    found = results(_both_modes(layers, case))
    return [holds(np.isfinite(array), "finite", array, what=name) for name, array in found.items()]
