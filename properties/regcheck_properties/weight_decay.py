"""Laws of optimisers with weight decay (§ 3.2): one step makes w′ of w and of a gradient.

λ is the decay, η the learning rate. Every call is given w anew, so that what an optimiser remembers is of gradients
alone. `gradient_descent` means that the first step is the plain one: momentum begins with the second.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Evidence, Unsupported, bounds, holds, prop, within
from regcheck.cases import weight_decay as cases
from regcheck.reference import penalties
from regcheck.reference import weight_decay as reference
from regcheck.reference.penalties import Strengths
from regcheck.reference.precision import widen
from regcheck_properties.penalties import agree

if TYPE_CHECKING:
    from regcheck import Case, Layers
    from regcheck.bounds import Arithmetic

Array = np.ndarray[Any, np.dtype[Any]]

ELEMENTS = ("T", "W")
LARGE = {"float16": 16, "float32": 64, "float64": 64}  # times gradients of 1/64 to 3: half holds the squares


def _steps(layers: Layers, case: Case, w: Array, gradient: Array, decay: float | None = None) -> Array:
    """A fresh optimiser's steps from each row of `w`, of the oracle's type; NaN where a shape is wrong."""
    config = case.config if decay is None else dataclasses.replace(case.config, decay=decay)
    layer, found = layers.make(config, case.dtype), np.full_like(widen(w), np.nan)
    for row, arguments in enumerate(zip(w, gradient, strict=True)):
        seen = layer.step(*map(np.ascontiguousarray, arguments))
        if seen.shape == w.shape[1:]:
            found[row] = seen
    return found


def _arithmetic(layers: Layers, case: Case) -> Arithmetic:
    return bounds.arithmetic(case.dtype, subnormals=layers.declared("subnormals"))


def _bound(layers: Layers, case: Case, w: Array, update: Array | float, decay: float | None = None) -> Array:
    config = case.config if decay is None else dataclasses.replace(case.config, decay=decay)
    return bounds.decay_step(config, w, update, _arithmetic(layers, case))


def _both(layers: Layers, case: Case, arguments: tuple[Array, Array], expected: Array, bound: Array) -> list[Evidence]:
    """Evidence on the steps from rows w (T, W) by rows of gradients, and on those from matrices of one column."""
    w, gradient = arguments
    columns = _steps(layers, case, w[..., np.newaxis], gradient[..., np.newaxis])[..., 0]
    return [
        within(_steps(layers, case, w, gradient), expected, bound, dims=ELEMENTS, what="w′"),
        within(columns, expected, bound, dims=ELEMENTS, what="w′ of a matrix"),
    ]


def _descends(layers: Layers) -> None:
    """Leave out adaptive optimisers."""
    if layers.declared("optimiser") != "gradient_descent":
        msg = "a law of gradient descent; the optimiser is declared `adaptive`"
        raise Unsupported(msg)


def _shrinks(layers: Layers, case: Case) -> Array:
    """The rows from which decay alone takes its share: all, or the first where memory may hold decayed weights."""
    if layers.declared("decay") == "decoupled":
        return np.asarray(case["w"])
    if layers.declared("optimiser") == "gradient_descent":
        return np.asarray(case["w"][:1])
    msg = "an adaptive optimiser whose decay is declared `coupled` rescales the decay like a gradient"
    raise Unsupported(msg)


@prop(
    "weight_decay.matches-definition",
    cases=cases.any_decay,
    level="core",
    formula="w′ = (1 − ηλ)·w − η·gradient",
    statements=["3.2"],
)
def matches_definition(layers: Layers, case: Case) -> list[Evidence]:
    """The first step of gradient descent is the definition's, of a vector and of a matrix."""
    _descends(layers)
    w, gradient = case["w"][:1], case["gradient"][:1]
    bound = _bound(layers, case, w, reference.descended(case.config, gradient))
    return _both(layers, case, (w, gradient), reference.step(case.config, w, gradient), bound)


@prop(
    "weight_decay.shrinks-by-its-share",
    cases=cases.any_decay,
    level="core",
    formula="gradient = 0: w′ = (1 − ηλ)·w",
    statements=["3.2"],
)
def shrinks_by_its_share(layers: Layers, case: Case) -> list[Evidence]:
    """Without a gradient every step takes the same share off each weight, of a vector and of a matrix."""
    w = _shrinks(layers, case)
    expected = widen(w) - reference.decayed(case.config, w)
    return _both(layers, case, (w, 0 * w), expected, _bound(layers, case, w, 0.0))


@prop(
    "weight_decay.never-reaches-zero",
    cases=cases.steps,
    level="core",
    kind="exact",
    formula="gradient = 0, 0 < ηλ < 1: 0 < |w′| < |w|, of the same sign",
    statements=["3.2"],
)
def never_reaches_zero(layers: Layers, case: Case) -> Evidence:
    """Decay alone makes a weight smaller, and neither reaches nor crosses 0."""
    w = _shrinks(layers, case)
    observed, wide = _steps(layers, case, w, 0 * w), widen(w)
    seen = np.abs(reference.decayed(case.config, w)) > _bound(layers, case, w, 0.0)
    smaller = np.where(seen, np.abs(observed) < np.abs(wide), np.abs(observed) <= np.abs(wide))
    right = (w == 0) | (smaller & (observed * np.sign(wide) > 0))
    return holds(right, wide - reference.decayed(case.config, w), observed, dims=ELEMENTS, what="w′")


@prop(
    "weight_decay.same-as-l2-penalty",
    cases=cases.exact,
    level="core",
    formula="step(w, g; 2λ) = step(w, g + ∇(λ·Σw²); 0)",
    statements=["3.2"],
)
def same_as_l2_penalty(layers: Layers, case: Case) -> Evidence:
    """On gradient descent a decay of 2λ is what the gradient of the penalty λ·Σw² does."""
    _descends(layers)
    w, gradient = case["w"][:1], case["gradient"][:1]
    slope = penalties.gradient(Strengths(0.0, case.config.decay), w)
    penalised = (widen(gradient) + slope).astype(case.dtype)
    decay = 2 * case.config.decay
    one, other = _steps(layers, case, w, gradient, decay), _steps(layers, case, w, penalised, 0.0)
    slack = _bound(layers, case, w, reference.descended(case.config, gradient), decay)
    slack = slack + _bound(layers, case, w, reference.descended(case.config, penalised), 0.0)
    return agree(one, other, slack, dims=ELEMENTS, what="w′ by decay")


@prop(
    "weight_decay.affine-in-decay",
    cases=cases.steps,
    level="core",
    formula="step(w, g; 2λ) − step(w, g; λ) = step(w, g; λ) − step(w, g; 0)",
    statements=["3.2"],
)
def affine_in_decay(layers: Layers, case: Case) -> Evidence:
    """Twice the decay takes twice as much off."""
    w = _shrinks(layers, case)
    gradient, decays = case["gradient"][: len(w)], (0.0, case.config.decay, 2 * case.config.decay)
    free, once, twice = (_steps(layers, case, w, gradient, decay) for decay in decays)
    update = free - widen(w)
    parts = [_bound(layers, case, w, update, decay) for decay in decays]
    return agree(
        twice - once, once - free, parts[0] + 2 * parts[1] + parts[2], dims=ELEMENTS, what="w′ at 2λ less w′ at λ"
    )


@prop(
    "weight_decay.decay-as-declared",
    cases=cases.exact,
    level="core",
    formula="decoupled: step(w, g; λ) = step(w, g; 0) − ηλ·w; coupled: step(w, g; λ) = step(w, g + λ·w; 0)",
    statements=["3.2"],
    source="Loshchilov and Hutter, Decoupled weight decay regularization, 2019, algorithms 1 and 2",
)
def decay_as_declared(layers: Layers, case: Case) -> Evidence:
    """Decay shrinks the weight beside the step or joins its gradient, as declared in `decay`.

    Both are the same on gradient descent without momentum. They are not on an adaptive optimiser, or with momentum from
    the second step on. An optimiser of the same hyper-parameters without decay is the measure, whatever it computes.
    """
    w, gradient = case["w"], case["gradient"]
    observed = _steps(layers, case, w, gradient)
    if layers.declared("decay") == "coupled":
        joined = (widen(gradient) + widen(w) * case.config.decay).astype(case.dtype)
        expected = _steps(layers, case, w, joined, 0.0)
        update = expected - widen(w)
    else:
        free = _steps(layers, case, w, gradient, 0.0)
        update = free - widen(w)
        expected = free - reference.decayed(case.config, w)
    slack = _bound(layers, case, w, update) + _bound(layers, case, w, update, 0.0)
    return agree(observed, expected, slack, dims=ELEMENTS, what="w′")


@prop(
    "weight_decay.optimiser-as-declared",
    cases=cases.exact,
    level="core",
    formula="gradient_descent: step(0, g) = −η·g; adaptive: |step(0, 4g)| <= 2·|step(0, g)|, against g",
)
def optimiser_as_declared(layers: Layers, case: Case) -> list[Evidence]:
    """The first step is proportional to the gradient, or grows far less than it does, as declared in `optimiser`.

    From w = 0 on, where no decay has a part in it. A step that is divided by the gradient's own size does not grow with
    it where that is large beside what is added to it, as ε is; half of the gradient's growth lies between.
    """
    gradient = LARGE[case.dtype] * case["gradient"][:1]
    one = _steps(layers, case, 0 * gradient, gradient)
    if layers.declared("optimiser") == "gradient_descent":
        expected = -reference.descended(case.config, gradient)
        return [within(one, expected, _bound(layers, case, 0 * gradient, expected), dims=ELEMENTS, what="w′ from 0")]
    four = _steps(layers, case, 0 * gradient, 4 * gradient)
    against = (one * widen(gradient) < 0) | (gradient == 0)
    return [
        holds(np.abs(four) <= 2 * np.abs(one), one, four, dims=ELEMENTS, what="w′ from 0 by 4 times the gradient"),
        holds(against, "against the gradient", one, dims=ELEMENTS, what="w′ from 0"),
    ]


@prop(
    "weight_decay.nothing-without-decay",
    cases=cases.steps,
    level="core",
    kind="exact",
    formula="λ = 0, gradient = 0: w′ = w",
)
def nothing_without_decay(layers: Layers, case: Case) -> Evidence:
    """Without decay and without a gradient a weight stays what it is."""
    w = case["w"]
    return within(_steps(layers, case, w, 0 * w, 0.0), widen(w), 0.0, dims=ELEMENTS, what="w′")


@prop(
    "weight_decay.odd",
    cases=cases.steps,
    level="core",
    kind="exact",
    formula="step(−w, −g) = −step(w, g)",
)
def odd(layers: Layers, case: Case) -> Evidence:
    """Weights and gradients of the other sign make the steps of the other sign."""
    w, gradient = case["w"], case["gradient"]
    one, mirrored = _steps(layers, case, w, gradient), _steps(layers, case, -w, -gradient)
    return agree(mirrored, -one, np.zeros_like(one), dims=ELEMENTS, what="w′ of −w")
