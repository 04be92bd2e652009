"""Second derivatives of the normalisations and penalties, a property for each mode in which a framework offers them.

A mode that is refused is not applicable by itself, and so a mode that is wrong accuses no other.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import Fault, bounds, cases, prop, reference, within
from regcheck.cases import penalties
from regcheck.layer import MODES
from regcheck_properties import batch_norm_gradients, features, groups
from regcheck_properties._norms import (
    WIDE,
    batch_norm,
    defined,
    given,
    group_norm,
    layer_of,
    over_features,
    recorded,
    with_state,
)
from regcheck_properties.penalties import arithmetic, strengths

if TYPE_CHECKING:
    from collections.abc import Callable

    from regcheck import Case, Evidence, Layers, Property
    from regcheck.host import HostedLayer
    from regcheck_properties._norms import Array, Expected

    Law = Callable[[Layers, Case, str], Any]

NEEDS = ("training", "cotangent", "direction", "state")  # the state: of batch_norm alone
FORMULA = "∂dx/∂x·v = −[c·ḡ + m·v̄ + ẑ(mean ḡ·v̄ − 3m·c)]/(σ² + ε), g = dy·γ, c = mean v·ẑ, m = mean g·ẑ"
UNCENTRED = "∂dx/∂x·v = −[c·g + m·v + ẑ(mean g·v − 3m·c)]/(mean x² + ε), g = dy·γ, c = mean v·ẑ, m = mean g·ẑ"
SOURCE = "Ioffe and Szegedy 2015, section 3, differentiated once more"


def seen(layer: HostedLayer, x: Array, cotangent: Array, direction: Array, about: tuple[bool, str]) -> Array:
    """H·direction in a mode (training, mode). Raises Fault where it has not x's shape."""
    found = layer.second(x, cotangent, direction, *about)
    if found.shape != x.shape:
        kind, words = "wrong-return", f"the second derivative has shape {found.shape} for x of shape {x.shape}"
        raise Fault(kind, "", words, "second")
    return found


def _defined(law: Law) -> Law:
    """The law, but for groups of one value where the layer gives no β for them."""

    @functools.wraps(law)
    def judged(layers: Layers, case: Case, mode: str) -> Any:
        return defined(lambda layers, case: law(layers, case, mode))(layers, case)

    return judged


def _judged(case: Case, want: Expected, g: Array, layer: HostedLayer, mode: str) -> Evidence:
    v = reference.widen(case["direction"])
    found = seen(layer, case["x"], case["cotangent"], case["direction"], (case.values["training"], mode))
    exact = reference.second_derivative(want.norm, g, v)
    bound = bounds.second_derivative(want.norm, want.standard, g, v, want.ar)
    return within(found, exact, bound, dims=want.dims, what="∂dx/∂x·v", judged=want.standard.judged)


@_defined
def of_features(layers: Layers, case: Case, mode: str) -> Evidence:
    """The gradient with respect to the input has the derivative of the closed form."""
    return _judged(case, over_features(layers, case), features.scaled(case), layer_of(layers, case), mode)


@_defined
def of_groups(layers: Layers, case: Case, mode: str) -> Evidence:
    """The gradient with respect to the input has the derivative of the closed form."""
    return _judged(case, group_norm(layers, case), groups.scaled(case), layer_of(layers, case), mode)


@_defined
def of_batch(layers: Layers, case: Case, mode: str) -> Evidence:
    """The gradient with respect to the input has the derivative of the closed form, which in inference is 0."""
    layer = with_state(layers, case)
    if case.values["training"]:
        return _judged(case, batch_norm(layers, case), batch_norm_gradients.scaled(case), layer, mode)
    found = seen(layer, case["x"], case["cotangent"], case["direction"], (False, mode))
    return within(found, np.zeros_like(recorded(layers, case).y), 0.0, dims=case.dims["x"], what="∂dx/∂x·v, inference")


def of_penalty(layers: Layers, case: Case, mode: str) -> Evidence:
    """Away from 0 the gradient has the derivative 2·l2·v along v, whatever l1 is."""
    w, v, factor = case["w"], case["v"], case.values["factor"]
    if not w.any():
        return within(w, w, 0.0, judged=np.zeros_like(w, bool), what="w = 0")
    factors = strengths(layers, case.config)
    layer = layers.make(case.config, case.dtype)
    found = seen(layer, w, np.asarray(factor, case.dtype), v, (True, mode))
    exact = reference.widen(np.asarray(factor, case.dtype)) * 2 * factors.l2 * reference.widen(v)
    bound = bounds.penalty_second(factors, w, v, factor, arithmetic(layers, case))
    return within(found, exact, bound, dims=case.dims["w"], what="∂²P·v", judged=w != 0)


def in_modes(family: str, law: Law, strategy: Any, **facts: Any) -> list[Property]:
    """A property for each mode."""
    name = f"{family}.second-derivative"
    return [
        prop(f"{name}-{mode}", cases=strategy, level="gradients", dtypes=WIDE, **facts)(_in_mode(law, mode))
        for mode in MODES
    ]


def _in_mode(law: Law, mode: str) -> Callable[[Layers, Case], Evidence]:
    """The law in one mode, with a sentence that says so."""

    def judged(layers: Layers, case: Case) -> Evidence:
        evidence: Evidence = law(layers, case, mode)
        return evidence

    sentence = law.__doc__ or ""
    judged.__doc__ = f"{mode.replace('-', ' ').capitalize()}: {sentence[:1].lower()}{sentence[1:]}"
    return judged


def _normalisation(family: str, law: Law, strategy: Any, *statements: str, formula: str = FORMULA) -> list[Property]:
    """A property of a normalisation for each mode."""
    facts = {"source": SOURCE, "statements": statements, "formula": formula}
    return in_modes(family, law, given(strategy, *NEEDS, data="far"), **facts)


def _penalty(family: str, formula: str, statement: str) -> list[Property]:
    """A property of a penalty for each mode."""
    return in_modes(family, of_penalty, penalties.directed, formula=formula, statements=(statement,))


PROPERTIES = [
    *_normalisation("layer_norm", of_features, cases.layer_norm, "10.2"),
    *_normalisation("rms_norm", of_features, cases.layer_norm, formula=UNCENTRED),
    *_normalisation("instance_norm", of_groups, cases.groups, "10.4"),
    *_normalisation("group_norm", of_groups, cases.groups, "10.4"),
    *_normalisation("batch_norm", of_batch, cases.batch_norm, "7.1", "8.4"),
    *_penalty("l1", "∂²P/∂w²·v = 0, w ≠ 0", "2.1"),
    *_penalty("l2", "∂²P/∂w²·v = 2λv", "3.1"),
    *_penalty("elastic_net", "∂²P/∂w²·v = 2·l2·v, w ≠ 0", "3.3"),
]
