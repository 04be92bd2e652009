"""Comparisons that the laws of several normalisations make alike."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Case, Evidence, Fault, Layers, bounds, holds, reference, same_bits, within
from regcheck_properties._norms import Expected, agree, judge, layer_of, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck.host import HostedLayer

    Definition = Callable[..., Expected]

Array = np.ndarray[Any, np.dtype[Any]]


def moments(y: Array, want: Expected, case: Case, shift: Array | float = 0.0) -> list[Evidence]:
    """Evidence that each group of y has the mean `shift` and the variance of the definition's y.

    Without a mean to subtract: that it has the definition's mean of squares. An error of at most B an element moves the
    mean by mean B and the variance, or the mean of squares, by 2·mean(|y − β|B) + mean B².
    """
    mean, wide, each = want.norm.mean_over, reference.widen(y), case.independent
    off, judged = np.abs(want.y - shift), np.all(want.judged, axis=want.norm.axes)
    seen = mean(wide)
    centred = want.norm.centred
    spread = mean(np.square(wide - seen if centred else wide)), mean(np.square(want.y - shift))
    slack = 2 * mean(off * want.bound) + mean(np.square(want.bound))
    pairs = [("var y" if centred else "mean y²", *spread, slack)]
    if centred:
        pairs.append(("mean y", seen, np.zeros_like(seen) + shift, mean(want.bound)))
    return [
        within(*(np.squeeze(part, want.norm.axes) for part in parts), dims=each, what=what, judged=judged)
        for what, *parts in pairs
    ]


def isolated(layer: HostedLayer, case: Case, training: bool, axis: int | tuple[int, ...]) -> list[Evidence]:  # noqa: FBT001
    """Evidence that what is in some groups, the indices along `axis`, reaches no other, and a NaN all of its own."""
    x, dims, axes = case["x"], case.dims["x"], (axis,) if isinstance(axis, int) else axis
    front = tuple(range(len(axes)))
    grouped = np.moveaxis(x, axes, front)
    half = np.random.default_rng(case.values["seed"]).random(grouped.shape[: len(axes)]) < 1 / 2
    before = run(layer, x, training)
    inner = grouped.shape[len(axes) :]
    place = np.unravel_index(case.values["index"] % int(np.prod(inner, dtype=int)), inner) if inner else ()
    found = []
    for value, kept in itertools.product((np.nan, 3.0), (half, ~half)):
        changed = x.copy()  # as x lies in memory: the order of a sum may depend on that
        np.moveaxis(changed, axes, front)[(~kept, *place)] = value
        after = run(layer, changed, training)
        spread = np.broadcast_to(kept.reshape(kept.shape + (1,) * len(inner)), grouped.shape)
        same = np.moveaxis(spread, front, axes)
        found.append(same_bits(np.where(same, after, before), before, dims=dims, what=f"y beside {value:g} elsewhere"))
        if np.isnan(value):
            found.append(holds(np.isnan(after) | same, np.nan, after, dims=dims, what="y beside NaN"))
    return found


def constant(y: Array, want: Expected) -> list[Evidence]:
    """Evidence for groups of one small integer, whose mean is exact: β within the bound, and exactly where x is 0."""
    norm, precise = want.norm, 2 / float(np.finfo(y.dtype).eps)
    exact = (norm.var == 0) & (norm.x == np.rint(norm.x)) & (norm.magnitude * norm.n <= precise)
    only = want._replace(judged=want.judged & exact, held=want.held & exact)
    zero = np.broadcast_to(norm.magnitude == 0, y.shape)
    return [*judge(y, only), holds(~zero | (y == want.y), want.y, y, dims=want.dims, what="y of zeros")]


def single_values(layers: Layers, layer: HostedLayer, case: Case, want: Expected) -> list[Evidence]:
    """Evidence that training on one value per group does as declared: β, an error, or NaN."""
    declared = layers.declared("single_value_batch")
    try:
        y = run(layer, case["x"], True)  # noqa: FBT003  (the contract's positional flag)
    except Fault as fault:
        if not fault.from_a_call:
            raise
        return [holds(declared == "error", declared, fault.sentence(), what="y")]
    if declared == "shift":
        return judge(y, want)
    promised = np.isnan(y) if declared == "nan" else np.zeros(y.shape, bool)
    return [holds(promised, "NaN" if declared == "nan" else "an error", y, dims=want.dims, what="y")]


def finite_state(layer: HostedLayer) -> list[Evidence]:
    """Evidence that everything that the layer has recorded is finite."""
    state = layer.state()
    return [holds(np.isfinite(state[name]), "finite", state[name], dims=("C",), what=name) for name in sorted(state)]


def shifted(layers: Layers, case: Case, define: Definition, offset: Array, training: bool) -> Evidence:  # noqa: FBT001
    """Evidence that y(x + c) = y(x) where no x + c is rounded; `offset` broadcasts against x."""
    layer = layer_of(layers, case)
    far = case["x"] + offset
    near = far - offset
    exact = reference.widen(near) + reference.widen(offset) == reference.widen(far)
    moved, still = define(layers, case, far), define(layers, case, near)
    observed, other = run(layer, far, training), run(layer, near, training).astype(still.y.dtype)
    judged = moved.judged & still.judged & np.all(exact, axis=still.norm.axes, keepdims=True)
    return within(observed, other, moved.bound + still.bound, dims=still.dims, what="y(x + c)", judged=judged)


def rescaled(layers: Layers, case: Case, define: Definition, training: bool) -> list[Evidence]:  # noqa: FBT001
    """Evidence that ẑ(a·x; ε·a²) = sign(a)·ẑ(x; ε), a = ±2ᵏ and a = ±2⁻ᵏ; γ takes the sign."""
    x, sign = case["x"], case.values["sign"] if "scale" in case.arrays else 1
    turned = case.with_arrays(scale=sign * case["scale"]) if sign < 0 else case
    y, want = run(layer_of(layers, case), x, training), define(layers, case)
    found = []
    for k in (case.values["power"], -case.values["power"]):
        config = dataclasses.replace(case.config, eps=case.config.eps * 4.0**k)
        scaled = np.ldexp(sign * x, k)
        other, wanted = run(layer_of(layers, turned, config), scaled, training), define(layers, turned, scaled, config)
        bound, judged = want.bound + wanted.bound, want.judged & wanted.judged & (np.ldexp(scaled, -k) == sign * x)
        what = f"y(a·x; ε·a²), |a| = 2^{k}"
        found.append(within(other, y.astype(want.y.dtype), bound, dims=want.dims, what=what, judged=judged))
    return found


def divided(layer: HostedLayer, case: Case, training: bool) -> tuple[Array, Array, Array]:  # noqa: FBT001
    """y of the whole batch, of the batch in two parts put together, and of its first samples each alone."""
    x, cut = case["x"], case.values["index"] % len(case["x"])
    whole = run(layer, x, training)
    halves = [run(layer, half, training) for half in (x[:cut], x[cut:]) if len(half)]
    alone = [run(layer, x[i : i + 1], training) for i in range(min(3, len(x)))]
    return whole, np.concatenate(halves), np.concatenate(alone)


def same_divided(layer: HostedLayer, case: Case, training: bool) -> list[Evidence]:  # noqa: FBT001
    """Evidence that a sample's bits do not depend on its batch."""
    whole, halves, alone = divided(layer, case, training)
    dims = case.dims["x"]
    return [
        same_bits(halves, whole, dims=dims, what="y in two batches"),
        same_bits(alone, whole[: len(alone)], dims=dims, what="y alone"),
    ]


def same_in_both_modes(layer: HostedLayer, case: Case) -> list[Evidence]:
    """Evidence that training and inference give the same bits, in any order."""
    x, dims = case["x"], case.dims["x"]
    first, infer, again = (run(layer, x, training) for training in (True, False, True))
    return [
        same_bits(infer, first, dims=dims, what="y in inference"),
        same_bits(again, first, dims=dims, what="y in training again"),
    ]


def close_divided(layer: HostedLayer, case: Case, training: bool, want: Expected) -> list[Evidence]:  # noqa: FBT001
    """Evidence that a sample's output does not depend on its batch, within the bound."""
    whole, halves, alone = divided(layer, case, training)
    few = len(alone)
    return [agree(halves, whole, want, "y in two batches"), agree(alone, whole[:few], want.of(slice(few)), "y alone")]


def gradient_sums(dx: Array, g: Array, want: Expected, case: Case) -> list[Evidence]:
    """Evidence that Σ dx = 0 and Σ dx·ẑ = Σ(g·ẑ)·ε/(σ² + ε)^(3/2) of each group, g = dy·γ.

    Without a mean to subtract the second alone, σ² being the mean of squares.
    """
    norm, axes, wide = want.norm, want.norm.axes, reference.widen(dx)
    bound = bounds.input_gradient(norm, want.standard, g, want.ar)
    left = norm.s * np.sum(g * norm.z, axis=axes, keepdims=True) * norm.s**2 * case.config.eps
    sums = [("Σ dx·ẑ", wide * norm.z, left, bound * np.abs(norm.z))]
    if norm.centred:
        sums.append(("Σ dx", wide, np.zeros_like(left), bound))
    judged, each = np.all(want.standard.judged, axis=axes), case.independent
    return [
        within(
            np.sum(terms, axis=axes),
            np.squeeze(exact, axes),
            np.sum(slack, axis=axes),
            dims=each,
            what=what,
            judged=judged,
        )
        for what, terms, exact, slack in sums
    ]
