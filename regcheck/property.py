"""What a property is: one claim about every layer of a family, judged on batches of cases.

A law does not assert. It returns `Evidence`: for every element an error in units of its bound,
with what was expected and observed. The judge takes the worst, makes it recur and cuts it down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import SearchStrategy

    from regcheck.case import Case
    from regcheck.host import HostedLayer

    Cases = Callable[["Plan"], SearchStrategy[Case] | Sequence[SearchStrategy[Case]]]

Array = np.ndarray[Any, np.dtype[Any]]
Level = Literal["core", "gradients", "numerics", "lifecycle", "interface", "extreme"]
LEVELS: tuple[Level, ...] = ("core", "gradients", "numerics", "lifecycle", "interface", "extreme")
Kind = Literal["exact", "bound", "statistical"]
# Ways to spoil what a layer answers, of which `regcheck.sentinel` tells.
SENTINELS = ("values", "nan", "shape", "dtype", "audit", "errors", "shuffled", "stuck")


@dataclass(frozen=True)
class Evidence:
    """Errors of one comparison in units of the bound; a law holds where every error is <= 1.

    `error`, `expected` and `observed` have one shape, whose axes `dims` names as the case does.
    `ill_conditioned` counts elements that were labelled instead of judged. `what` says what was compared.
    """

    error: Array
    expected: Array
    observed: Array
    dims: tuple[str, ...] = ()
    what: str = ""
    ill_conditioned: int = 0


@dataclass(frozen=True)
class Violation:
    """The worst element of some evidence."""

    error: float
    expected: str
    observed: str
    where: str
    index: dict[str, int] = field(default_factory=dict)


class Layers(Protocol):
    """What a law gets beside its case: fresh layers, and what the implementation declared."""

    family: str

    def make(self, config: Any, dtype: str) -> HostedLayer:
        """A fresh layer from the factory. Raises Unsupported where the factory does."""

    def declared(self, convention: str) -> Any:
        """The declared value of a convention, or its default."""

    @property
    def partner(self) -> Partner:
        """The other layer of a relation, for laws that name a `partner`."""


class Partner(Layers, Protocol):
    """The same of the family that a law names as its `partner`, and the name of that implementation."""

    name: str


@dataclass(frozen=True)
class Plan:
    """What a strategy of cases is asked for.

    `seed` differs from run to run, for laws that cover a fixed list. `axes`: numbers of spatial axes that the layer
    takes, in families that have them; empty where any will do. `takes` tells whether the layer takes a config: a
    case of one that it refuses needs no arrays.
    """

    family: str
    dtype: str
    profile: str = "default"
    seed: int = 0
    declares: Mapping[str, Any] = field(default_factory=dict)
    axes: tuple[int, ...] = ()
    takes: Callable[[Any], bool] = field(default=lambda _: True)


Law = "Callable[[Layers, Case], Evidence | Sequence[Evidence]]"


@dataclass(frozen=True)
class Property:
    """A declared law. `title` is its docstring's first line, the sentence in the report."""

    id: str
    family: str
    level: Level
    kind: Kind
    statements: tuple[str, ...]
    title: str
    formula: str
    source: str
    law: Callable[[Layers, Case], Evidence | Sequence[Evidence]]
    cases: Cases
    revision: int = 1
    document: Mapping[str, str] = field(default_factory=dict)
    dtypes: tuple[str, ...] | None = None
    families: tuple[str, ...] | None = None
    examples: int | None = None
    sentinels: tuple[str, ...] = ("values",)
    partner: str | None = None

    def applies_to(self, family: str) -> bool:
        """Whether the property is a law of `family`."""
        if self.family == "common":
            return self.families is None or family in self.families
        return family == self.family

    def strata(self, plan: Plan) -> tuple[SearchStrategy[Case], ...]:
        """The strategies of `cases`, one each stratum that every run covers."""
        found = self.cases(plan)
        return tuple(found) if isinstance(found, Sequence) else (found,)


MARK = "__regcheck_property__"


def prop(  # noqa: PLR0913  (one keyword per fact about a law)
    id: str,  # noqa: A002  (the report's word)
    *,
    cases: Cases,
    level: Level,
    formula: str,
    kind: Kind = "bound",
    statements: Sequence[str] = (),
    source: str = "",
    revision: int = 1,
    document: Mapping[str, str] | None = None,
    dtypes: Sequence[str] | None = None,
    families: Sequence[str] | None = None,
    examples: int | None = None,
    sentinels: Sequence[str] = ("values",),
    partner: str | None = None,
) -> Callable[[Callable[[Layers, Case], Evidence | Sequence[Evidence]]], Property]:
    """Declare the decorated law `(layers, case) -> Evidence` a property.

    `cases` gives a strategy, or several: strata, each of which every run draws from, however few its batches are.
    `document`: conventions on which the document states a choice of its own, with that choice; the
    law is judged with it, whatever the implementation declares. `families`: for `common.*`, the
    families concerned. `examples`: a fixed number of examples where the cost of one is large
    (statistical laws take their own samples). `sentinels`: ways to spoil a layer's answers, of which
    the law must notice one (`regcheck.sentinel`); "values", other numbers, is what most laws must notice.
    `partner`: another family, of which the law compares a layer with this one's; it comes from the same target, else
    from the stock of the same framework, else the law is not applicable.
    Raises ValueError for a law without a sentence and for an unknown sentinel.
    """

    def declare(law: Callable[[Layers, Case], Evidence | Sequence[Evidence]]) -> Property:
        title = (law.__doc__ or "").strip().split("\n")[0]
        if not title:
            msg = f"Property {id!r} has no sentence. Expected a docstring whose first line states the claim. Write one."
            raise ValueError(msg)
        unknown = [name for name in sentinels if name not in SENTINELS]
        if unknown or not sentinels:
            named = f"the sentinel {unknown[0]!r}" if unknown else "no sentinel"
            msg = f"Property {id!r} names {named}. Expected some of {', '.join(SENTINELS)}. Name what it must notice."
            raise ValueError(msg)
        return Property(
            id=id,
            family=id.split(".", maxsplit=1)[0],
            level=level,
            kind=kind,
            statements=tuple(statements),
            title=title,
            formula=formula,
            source=source,
            law=law,
            cases=cases,
            revision=revision,
            document=dict(document or {}),
            dtypes=tuple(dtypes) if dtypes is not None else None,
            families=tuple(families) if families is not None else None,
            examples=examples,
            sentinels=tuple(sentinels),
            partner=partner,
        )

    return declare


def within(  # noqa: PLR0913
    observed: Array,
    expected: Array,
    bound: Array | float,
    *,
    dims: tuple[str, ...] = (),
    what: str = "",
    judged: Array | None = None,
) -> Evidence:
    """Evidence that |observed − expected| <= bound, elementwise; NaN, a wrong shape or dtype object fails.

    Shapes broadcastable to `expected`'s; computed in the wider dtype of `expected`. Where the dtype of `observed` does
    not hold every value that the bound allows, the infinity of the right sign is one of them. Where `judged` is
    False the element is labelled ill-conditioned and not judged.
    """
    if np.shape(observed) != np.shape(expected):
        return _shape_evidence(observed, expected, what)
    exp = np.asarray(expected)
    obs = np.asarray(observed).astype(exp.dtype)
    with np.errstate(all="ignore"):
        error = np.abs(obs - exp) / bound
        # Infinities too, whose difference is NaN; NaN equals nothing.
        error = np.where((obs == exp) | _overflowed(observed, exp, bound), 0.0, error)
    error = np.where(np.isnan(error), np.inf, error).astype(np.float64)
    left = 0
    if judged is not None:
        mask = np.broadcast_to(judged, error.shape)
        left = int(error.size - np.count_nonzero(mask))
        error = np.where(mask, error, 0.0)
    return Evidence(error, exp, np.asarray(observed), dims if error.ndim == len(dims) else (), what, left)


def _overflowed(observed: Array, expected: Array, bound: Array | float) -> Array:
    """Where the result is the infinity that the expected value, give or take the bound, is stored as."""
    dtype = np.asarray(observed).dtype
    if dtype.kind != "f":
        return np.zeros(np.shape(expected), bool)
    reach = np.abs(expected) + bound
    beyond = np.isfinite(reach) & (reach > float(np.finfo(dtype).max))
    return np.asarray(beyond & (observed == np.copysign(np.inf, expected)))


def same_bits(
    observed: Array, expected: Array, *, dims: tuple[str, ...] = (), what: str = "", nan: bool = False
) -> Evidence:
    """Evidence that two arrays are equal bit by bit; −0 differs from 0, and NaN fails.

    With `nan`, NaN equals the same NaN: for laws of repetition, which do not ask what is repeated.
    """
    if np.shape(observed) != np.shape(expected) or observed.dtype != expected.dtype:
        return _shape_evidence(observed, expected, what)
    unsigned = np.dtype(f"u{expected.dtype.itemsize}")
    equal = np.ascontiguousarray(observed).view(unsigned) == np.ascontiguousarray(expected).view(unsigned)
    same = equal.reshape(expected.shape) & (nan | (observed == observed))  # noqa: PLR0124  (NaN differs from itself)
    return holds(same, expected, observed, dims=dims, what=what)


def holds(
    condition: Array | bool,  # noqa: FBT001  (one truth or an array of them)
    expected: object,
    observed: object,
    *,
    dims: tuple[str, ...] = (),
    what: str = "",
) -> Evidence:
    """Evidence of an exact law: error 0 where `condition` is True, infinite elsewhere."""
    error = np.where(np.asarray(condition, dtype=bool), 0.0, np.inf)
    exp, obs = _like(expected, error.shape), _like(observed, error.shape)
    return Evidence(error, exp, obs, dims if error.ndim == len(dims) else (), what)


def _like(value: object, shape: tuple[int, ...]) -> Array:
    array = np.asarray(value) if not isinstance(value, str) else np.array(value, dtype=object)
    return np.broadcast_to(array, shape) if array.shape != shape else array


def _shape_evidence(observed: Array, expected: Array, what: str) -> Evidence:
    described = [np.array(f"shape {np.shape(a)}, {np.asarray(a).dtype}", dtype=object) for a in (expected, observed)]
    return Evidence(np.array(np.inf), described[0], described[1], (), what)


def worst(evidence: Evidence | Sequence[Evidence]) -> Violation:
    """The element with the largest error of all (error 0 and empty text where nothing was compared)."""
    pieces = [evidence] if isinstance(evidence, Evidence) else list(evidence)
    peak = Violation(0.0, "", "", "")
    for piece in pieces:
        if piece.error.size == 0:
            continue
        flat = int(np.argmax(np.where(np.isnan(piece.error), np.inf, piece.error)))
        position = tuple(int(i) for i in np.unravel_index(flat, piece.error.shape))
        error = float(piece.error[position])
        error = float("inf") if np.isnan(error) else error
        if error > peak.error or not peak.where:
            index = dict(zip(piece.dims, position, strict=True)) if piece.dims else {}
            where = piece.what + (f"[{', '.join(map(str, position))}]" if position else "")
            peak = Violation(
                error, text(piece.expected[position]), text(piece.observed[position]), where or "result", index
            )
    return peak


def text(value: Any) -> str:
    """A number in decimal and hexadecimal, anything else as str."""
    if isinstance(value, (np.floating, float)):
        return f"{value!s} ({float(value).hex()})"
    return str(value)
