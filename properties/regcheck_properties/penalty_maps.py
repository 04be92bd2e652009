"""Laws of a penalty's gradient, its proximal map and the minimum that it makes; l1, l2, elastic_net share them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import Evidence, bounds, holds, within
from regcheck.reference import penalties as reference
from regcheck.reference.precision import widen
from regcheck_properties.penalties import Array, agree, arithmetic, at_least, measure, strengths

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck import Case, Layers
    from regcheck.bounds import Arithmetic
    from regcheck.reference.penalties import Strengths

ELEMENTS = ("B", "W")

# --- gradient (§§ 4.2, 6.1)


def gradient_matches_definition(layers: Layers, case: Case) -> list[Evidence]:
    """The gradient is l1·sign(w) + 2·l2·w; at exactly 0 it is any value in [−l1, l1].

    At w = 0 as a whole too: what goes through a norm's root is not differentiable there, and gives NaN.
    """
    return [_defined(layers, case, case["w"], "gradient"), _defined(layers, case, 0 * case["w"], "gradient at w = 0")]


def _defined(layers: Layers, case: Case, w: Array, what: str) -> Evidence:
    factors = strengths(layers, case.config)
    observed = layers.make(case.config, case.dtype).gradient(w)
    at_zero = np.clip(np.nan_to_num(_shaped(observed, w)), -factors.l1, factors.l1)
    expected = np.where(w == 0, at_zero, reference.gradient(factors, w))
    bound = bounds.penalty_gradient(factors, w, arithmetic(layers, case))
    return within(observed, expected, bound, dims=ELEMENTS, what=what)


def gradient_odd(layers: Layers, case: Case) -> Evidence:
    """Away from 0 the gradient changes its sign with w."""
    w, factors = case["w"], strengths(layers, case.config)
    observed, mirrored = _gradient(layers, case, w), _gradient(layers, case, -w)
    bound = 2 * bounds.penalty_gradient(factors, w, arithmetic(layers, case))
    return agree(mirrored, -observed, bound, w != 0, dims=ELEMENTS, what="gradient at −w")


def gradient_jump(layers: Layers, case: Case) -> list[Evidence]:
    """The slopes at 0 from the left and from the right are −l1 and +l1."""
    h = case["h"]
    factors, slope = strengths(layers, case.config), reference.gradient(strengths(layers, case.config), h)
    bound = bounds.penalty_gradient(factors, h, arithmetic(layers, case))
    found = []
    for side, name in ((1, "+"), (-1, "−")):
        seen = measure(layers, case, side * h[:, None])
        about: dict[str, Any] = {"dims": ("H",), "judged": h > 0}
        found += [
            within(_gradient(layers, case, side * h), side * slope, bound, what=f"gradient at {name}h", **about),
            within(seen.observed / h, seen.expected / h, seen.bound / h, what=f"P({name}h)/h", **about),
        ]
    return found


def no_gradient_jump(layers: Layers, case: Case) -> list[Evidence]:
    """The slope at 0 is 0 from both sides: nothing holds the minimum there."""
    return gradient_jump(layers, case)


# --- proximal map


class Mapped(NamedTuple):
    """A proximal map that was seen: the layer's result for w, the definition's, the bound, and the strengths."""

    observed: Array
    expected: Array
    bound: Array
    strengths: Strengths
    step: float
    arithmetic: Arithmetic


def _map(layers: Layers, case: Case, w: Array) -> Mapped:
    step, factors, ar = float(case.values["step"]), strengths(layers, case.config), arithmetic(layers, case)
    observed = _shaped(layers.make(case.config, case.dtype).prox(w, step), w)
    expected = reference.prox(factors, w, step)
    return Mapped(observed, expected, bounds.penalty_prox(factors, step, widen(w), expected, ar), factors, step, ar)


def _gradient(layers: Layers, case: Case, w: Array) -> Array:
    return _shaped(layers.make(case.config, case.dtype).gradient(w), w)


def _shaped(result: Array, w: Array) -> Array:
    """`result` in the oracle's type; NaN of w's shape, which fails, where its own is another."""
    return widen(result) if result.shape == w.shape else np.full(w.shape, np.nan)


def prox_matches_definition(layers: Layers, case: Case) -> Evidence:
    """The proximal map is S(w, t·l1)/(1 + 2t·l2): the soft threshold first, then the division."""
    seen = _map(layers, case, case["w"])
    return within(seen.observed, seen.expected, seen.bound, dims=ELEMENTS, what="prox")


def prox_exact_zeros(layers: Layers, case: Case) -> Evidence:
    """Inside the threshold, |w| < t·l1, the proximal map gives exactly 0."""
    w, seen = case["w"], _map(layers, case, case["w"])
    threshold = seen.step * seen.strengths.l1
    inside = np.abs(widen(w)) < threshold * (1 - 8 * seen.arithmetic.u) - seen.arithmetic.eta
    return within(seen.observed, np.zeros_like(seen.expected), 0.0, dims=ELEMENTS, what="prox", judged=inside)


def prox_never_zero(layers: Layers, case: Case) -> Evidence:
    """The proximal map shrinks towards 0, keeps the sign, and is 0 only where w is."""
    w, seen = widen(case["w"]), _map(layers, case, case["w"])
    shrunk = (np.abs(seen.observed) <= np.abs(w)) & (seen.observed * np.sign(w) >= 0)
    lost = np.abs(seen.expected) <= 4 * seen.bound
    return holds(shrunk & ((seen.observed != 0) | lost), seen.expected, seen.observed, dims=ELEMENTS, what="prox")


def prox_firmly_nonexpansive(layers: Layers, case: Case) -> Evidence:
    """For p = prox(w) and q = prox(v): (p − q)² <= (p − q)·(w − v), in every element."""
    w, v = widen(case["w"]), widen(case["v"])
    one, other = _map(layers, case, case["w"]), _map(layers, case, case["v"])
    moved, gone = one.observed - other.observed, w - v
    error = one.bound + other.bound
    slack = error * (np.abs(gone) + 2 * np.abs(one.expected - other.expected) + error)
    return at_least(moved * gone - moved**2, np.zeros_like(w), slack, dims=ELEMENTS, what="(p − q)·(w − v) − (p − q)²")


def prox_optimal(layers: Layers, case: Case) -> Evidence:
    """What the proximal map takes off, (w − p)/t, is a subgradient of the penalty at p."""
    seen, w = _map(layers, case, case["w"]), widen(case["w"])
    p = seen.observed
    force = w - p * (1 + 2 * seen.step * seen.strengths.l2)
    limit = seen.step * seen.strengths.l1
    expected = np.where(p != 0, np.sign(p) * limit, np.clip(force, -limit, limit))
    blur = (seen.bound + 4 * seen.arithmetic.u * np.abs(p)) * (1 + 2 * seen.step * seen.strengths.l2)
    return agree(force, expected, blur, dims=ELEMENTS, what="w − p − 2t·l2·p")


def prox_moreau(layers: Layers, case: Case) -> Evidence:
    """What the proximal map takes off is w clipped to [−λt, λt] (Moreau)."""
    seen, w = _map(layers, case, case["w"]), widen(case["w"])
    limit = seen.step * seen.strengths.l1
    return within(w - seen.observed, np.clip(w, -limit, limit), seen.bound, dims=ELEMENTS, what="w − prox(w)")


# --- the minimum of a loss and the penalty, one variable (§ 4.2)

SHAPES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "square": (lambda x: x**2 / 2, lambda x: x),
    "log-cosh": (lambda x: np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2), np.tanh),
    "fourth power": (lambda x: x**4 / 4, lambda x: x**3),
}


def minimum_at_zero(layers: Layers, case: Case) -> list[Evidence]:
    """Whenever |L′(0)| < l1, the minimum of L + P lies at 0: falling on the left, rising on the right.

    L(x) = s·x + k·φ(x) is convex, so L(x) >= s·x, and L + P rises by at least (l1 − |s|)·|x|, with a slope
    of at least l1 − |s|.
    """
    factors, ar = strengths(layers, case.config), arithmetic(layers, case)
    slope = case["ratio"][:, None] * factors.l1
    rise = factors.l1 - np.abs(slope)
    loss, derivative = SHAPES[case.values["loss"]]
    found = []
    for side, where in ((1, "right"), (-1, "left")):
        x = side * case["x"]
        wide, seen = widen(x).astype(np.float64), measure(layers, case, x[:, None])
        about: dict[str, Any] = {"judged": (rise >= 0) & (x != 0), "dims": ("B", "X")}
        curved = case["curvature"][:, None] * loss(wide)
        above = slope * wide + curved + seen.observed
        slack = seen.bound + 2.0**-48 * (np.abs(slope * wide) + np.abs(curved) + 1)
        steep = side * (slope + case["curvature"][:, None] * derivative(wide) + _gradient(layers, case, x))
        slope_slack = bounds.penalty_gradient(factors, x, ar) + 2.0**-48 * (factors.l1 + np.abs(steep))
        found += [
            at_least(above, rise * np.abs(wide), slack, what=f"L + P on the {where}, above 0", **about),
            at_least(steep, rise + 0 * wide, slope_slack, what=f"slope on the {where}, away from 0", **about),
        ]
    return found


def minimum_moves_off_zero(layers: Layers, case: Case) -> list[Evidence]:
    """Where L′(0) is not 0, the minimum of L + λx² is not at 0: it lies between 0 and the minimum of L.

    L(x) = s·x + k·x²/2: the minimum is at −s/(k + 2λ), that of L alone at −s/k. The slope of L + λx² has the sign
    of s at 0 and on the way to the minimum, the opposite one behind it.
    """
    factors = strengths(layers, case.config)
    slope, curvature = case["ratio"][:, None] * factors.l2, 2.0**-10 + np.abs(case["curvature"][:, None])
    minimum = -slope / (curvature + 2 * factors.l2)
    shares = np.concatenate([0 * slope + (0, 2.0**-10, 0.5, 2), 1 + 2 * factors.l2 / curvature], axis=1)
    x = (minimum * shares).astype(case.dtype)
    steep = slope + curvature * x + _gradient(layers, case, x)
    expected = np.sign(slope) * np.where(shares < 1, 1, -1)
    judged = (slope != 0) & ((shares < 1) | (np.abs(x) > np.finfo(case.dtype).smallest_normal))
    signs = within(np.sign(steep), expected, 0.0, dims=("B", "X"), what="sign of the slope", judged=judged)
    lowest = minimum.astype(case.dtype)
    seen = measure(layers, case, lowest)
    depth = slope * lowest + curvature * lowest.astype(np.float64) ** 2 / 2 + seen.observed[:, None]
    clear = slope**2 / (curvature + 2 * factors.l2) > 8 * seen.bound[:, None]
    return [signs, at_least(-depth, 0 * depth, 0 * depth, clear, dims=("B", "X"), what="depth of the minimum below 0")]
