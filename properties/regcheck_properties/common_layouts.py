"""The law of layouts: what a layer gives does not depend on where in memory its arguments lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import Evidence, prop, same_bits, within
from regcheck.cases import common as cases
from regcheck.families import FAMILIES
from regcheck_properties.common_calls import FORGETTING, exercise, prepare, prepared, results, undefined

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.host import HostedLayer

Array = np.ndarray[Any, np.dtype[Any]]


class _Compared(NamedTuple):
    """A result in some layout beside the contiguous one; `case` is contiguous, `judged` tells what is comparable."""

    case: Case
    name: str
    observed: Array
    expected: Array
    what: str
    judged: Array | None


@prop(
    "common.layouts",
    cases=cases.whole,
    level="interface",
    formula="f(x) does not depend on the strides of x",
    examples=4,
)
def layouts(layers: Layers, case: Case) -> list[Evidence]:
    """Strided, transposed, repeated and read-only arguments give what contiguous ones give."""
    if undefined(layers, case, training=True):
        return []
    strided = [name for name in cases.LAYOUTS if name not in {"contiguous", cases.REPEATED}]
    repeated = cases.laid_out(case, cases.REPEATED)
    layer = prepared(layers, case)
    return [*_compare(layers, layer, case, strided), *_compare(layers, layer, repeated, [cases.REPEATED])]


def _compare(layers: Layers, layer: HostedLayer, case: Case, names: list[str]) -> list[Evidence]:
    """Evidence that results in some layouts agree with those of contiguous arrays."""
    contiguous, found = cases.laid_out(case, "contiguous"), []
    calls = exercise(layers, _begun_anew(layers, layer, case), contiguous)
    expected = results(calls)
    if any(c.audit.changed for c in calls):
        # What cannot be overwritten would raise here; `common.input-unchanged` says what is wrong.
        names = [name for name in names if name not in {"read-only", cases.REPEATED}]
    for layout in names:
        observed = results(exercise(layers, _begun_anew(layers, layer, case), cases.laid_out(case, layout)))
        for name in sorted(expected.keys() & observed.keys()):
            judged = _same_mask(name, observed, expected, case) if _mask_moves(layers, case) else None
            compared = _Compared(contiguous, name, observed[name], expected[name], f"{name}, {layout}", judged)
            found.append(_agrees(layers, layer, compared))
    return found


def _mask_moves(layers: Layers, case: Case) -> bool:
    """Whether an entry's mask depends on the layout."""
    known = "mask_order" in FAMILIES[layers.family].conventions and case.values["training"]
    return bool(known and layers.declared("mask_order") == "memory")


def _same_mask(name: str, observed: dict[str, Array], expected: dict[str, Array], case: Case) -> Array:
    """Where a result is comparable though the mask moves: where the other one, y or dx, shows the same mask in both."""
    shown, by = ("dx", case["cotangent"]) if name == "y" else ("y", case["x"])
    both = [found[shown] for found in (observed, expected) if shown in found and found[shown].shape == by.shape]
    return np.asarray((by != 0) & (both[0] == both[1])) if len(both) == 2 else np.zeros(by.shape, bool)


def _begun_anew(layers: Layers, layer: HostedLayer, case: Case) -> HostedLayer:
    """The layer as before its first call; a fresh one where calls leave a memory that cannot be assigned."""
    if layers.family not in FORGETTING:
        return prepared(layers, case)
    prepare(layers, layer, case)
    return layer


def _agrees(layers: Layers, layer: HostedLayer, compared: _Compared) -> Evidence:
    case, name, observed, expected, what, judged = compared
    if observed.shape != expected.shape:
        return same_bits(observed, expected, what=what)
    if name == "minimise":
        return _objectives(layers, layer, compared)
    bound, wide = _slack(case, name, expected), expected.astype(np.longdouble)
    return within(observed, wide, bound, what=what, judged=judged)


def _slack(case: Case, name: str, expected: Array) -> Array:
    """How far two right results may lie apart whose sums were formed in different orders.

    Twice the bounds of `regcheck.bounds` with every factor at its largest: on these cases ε = 1, so that s <= 1,
    A <= X = max|x| + max|mean|, and |z| <= Z = min(X, √n); G = max|γ|·max|dy|, no sum has more than n terms. Half
    precision is coarse enough to hide a fault in the gradients; the other dtypes are not.
    """
    n, u = _terms(case), float(np.finfo(case.dtype).eps) / 2
    one = 2 * (n + 8) * u
    if "x" not in case.arrays or "scale" not in case.arrays:
        largest = max(_peak(case, name) for name in case.arrays)
        return one * (np.abs(expected.astype(np.float64)) + largest)
    x, cotangent = _peak(case, "x") + _peak(case, "running_mean"), _peak(case, "cotangent")
    z, gamma = min(x, n**0.5), _peak(case, "scale")
    terms = {
        "y": gamma * (x + z) + _peak(case, "shift"),
        "dx": gamma * cotangent * (3 + 2 * z + 2 * (1 + z) * (x + z)),
        "dscale": n * cotangent * (2 * z + 3 * x),
        "dshift": n * cotangent,
    }
    return np.asarray(one * terms.get(name, n * cotangent))


def _terms(case: Case) -> int:
    """The most terms that one sum has: a group's values, or those that share a parameter."""
    size = max(array.size for array in case.arrays.values())
    if hasattr(case.config, "shape"):
        features = int(np.prod(case.config.shape))
        return max(features, size // features)
    return size // getattr(case.config, "channels", 1)


def _peak(case: Case, name: str) -> float:
    return float(np.max(np.abs(case.arrays[name]), initial=0)) if name in case.arrays else 0.0


def _objectives(layers: Layers, layer: HostedLayer, compared: _Compared) -> Evidence:
    """Evidence that two solutions are equally good: each misses the minimum by the promised share of P(0) at most."""
    case, _, observed, expected, what, _ = compared
    a, b, u = case["a"].astype(np.float64), case["b"].astype(np.float64), float(np.finfo(case.dtype).eps) / 2
    promised = float(layers.declared("tolerance") or layer.tolerance() or np.sqrt(u))

    def objective(solution: Array) -> float:
        w = solution.astype(np.float64)
        penalty = case.config.l1 * np.abs(w).sum() + case.config.l2 * (w**2).sum()
        return float(((a @ w - b) ** 2).sum() / 2 + penalty)

    bound = (2 * promised + 8 * (a.size + 8) * u) * float((b**2).sum()) / 2
    values = np.array(objective(observed)), np.array(objective(expected))
    return within(*values, bound, what=f"objective of {what}")
