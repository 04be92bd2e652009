"""What all families of dropouts have, and how a law is declared for each of them.

A law of dropouts is a function of (family, layers, case). The family says what drops as a whole, how a mask is read
from an output, and what kept numbers are multiplied by; the law says the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from regcheck import holds, prop
from regcheck.cases import dropout as cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from regcheck import Case, Evidence, Layers, Property
    from regcheck.host import HostedLayer

    Law = Callable[["Dropouts", Layers, Case], Evidence | Sequence[Evidence]]

Array = np.ndarray[Any, np.dtype[Any]]

SQUARE = (64, 64)  # units of a mask; two independent masks of this size agree with probability below 1e-400


@dataclass(frozen=True)
class Dropouts:
    """A family of dropouts.

    `read(y, x, case)` tells of every entry whether the output `y` of a training call shows it kept, and `shows(x)`
    where an output can show that at all; 1 does. `factor(rate)` is what kept entries are multiplied by, and
    `error(expected, dtype)` bounds the error of such a product. `share(rate)` is how often an entry shows as dropped.
    """

    name: str
    read: Callable[[Array, Array, Case], Array]
    shows: Callable[[Array], Array]
    factor: Callable[[float], np.longdouble]
    error: Callable[[Array, str], Array]
    share: Callable[[float], float] = float

    @property
    def unit(self) -> cases.Unit:
        """What drops as a whole."""
        return cases.UNITS[self.name]

    def kept(self, y: Array, x: Array, case: Case) -> Array:
        """Where `y` shows `x` kept; everywhere if its shape is wrong, which `common.shape` shows."""
        return self.read(y, x, case) if y.shape == x.shape else np.ones(x.shape, dtype=bool)

    def visible(self, x: Array) -> Array:
        """`x` with 1 wherever no output could show the mask."""
        return np.where(self.shows(x), x, np.ones_like(x))

    def mask(self, layer: HostedLayer, x: Array, case: Case) -> Array:
        """Where a training call keeps entries of `x`, which shows its mask everywhere."""
        return self.kept(layer.forward(x, training=True), x, case)

    def replayed(self, layer: HostedLayer, x: Array, case: Case) -> Array:
        """The mask of a training call right after the case's seed."""
        layer.seed(seed_of(case))
        return self.mask(layer, x, case)

    def masks(self, layer: HostedLayer, count: int, case: Case) -> list[Array]:
        """The masks of so many training calls on 4096 units."""
        ones = self.ones(case)
        return [self.mask(layer, ones, case) for _ in range(count)]

    def shown(self, case: Case) -> list[tuple[Array, tuple[str, ...]]]:
        """The case's x, showing its mask everywhere, and, as its units may be few, 4096 others; with their axes' names.

        Two masks of few units agree by chance. Entries are many enough.
        """
        x = self.visible(case["x"]), case.dims["x"]
        return [x] if self.unit is cases.ENTRY else [x, (self.ones(case), ())]

    def ones(self, case: Case) -> Array:
        """4096 units of ones."""
        return np.ones(self.unit.many(*SQUARE, case.config), case.dtype)


def fresh(layers: Layers, case: Case) -> HostedLayer:
    """A new layer, its stream restarted where it can be, so that a stored case replays."""
    layer = layers.make(case.config, case.dtype)
    if "seed" in layer.capabilities():
        layer.seed(seed_of(case))
    return layer


def distinct(masks: Iterable[Array], what: str) -> Evidence:
    """Evidence that no mask of one shape is another one's; the observed is the first that each is equal to."""
    drawn = [mask.tobytes() for mask in masks]
    before = np.array([drawn.index(mask) for mask in drawn])
    return holds(before == np.arange(len(drawn)), "a mask of its own", before, what=what)


def seed_of(case: Case) -> int:
    """The case's seed, in the 31 bits that every library takes."""
    return int(case.values["seed"]) % 2**31


# --- multiplication: what most families do


def nonzero(y: Array, _x: Array, _case: Case) -> Array:
    """The mask of a layer whose dropped entries are 0."""
    return np.asarray(y != 0)


def inverted(rate: float) -> np.longdouble:
    """1/(1 − p), which keeps the expectation; 0 at rate 1."""
    return 1 / (1 - np.longdouble(rate)) if rate < 1 else np.longdouble(0)


def roundings(count: int, expected: Array, dtype: str) -> Array:
    """The bound of `count` roundings to nearest in `dtype`, each of relative size u = eps/2, and of our own."""
    info = np.finfo(dtype)
    relative = count * float(info.eps) / 2 + 4 * float(np.finfo(np.longdouble).eps)
    return np.abs(expected) * relative + float(info.smallest_subnormal)


def thrice(expected: Array, dtype: str) -> Array:
    """The bound on x/(1 − p): 1 − p, its inverse and a product are three roundings."""
    return roundings(3, expected, dtype)


def multiplying(name: str) -> Dropouts:
    """The family of this name whose layers give 0 or x/(1 − p)."""
    return Dropouts(name, nonzero, lambda x: x != 0, inverted, thrice)


# --- declarations


@dataclass(frozen=True)
class Declaration:
    """A law that is not yet any family's: the last part of its id, and what `prop` is told beside."""

    name: str
    law: Law
    about: Mapping[str, Any]

    def of(self, family: Dropouts) -> Property:
        """The property of a family; in its words, `{unit}` and `{units}` are what drops as a whole there."""

        def law(layers: Layers, case: Case) -> Evidence | Sequence[Evidence]:
            return self.law(family, layers, case)

        unit = family.unit

        def said(words: str) -> str:
            return words.replace("{unit}", unit.name).replace("{units}", unit.plural)

        law.__doc__ = said(self.law.__doc__ or "")
        law.__module__ = self.law.__module__
        about = {**self.about, "formula": said(self.about["formula"])}
        return prop(said(f"{family.name}.{self.name}"), **about)(law)


def law(name: str, **about: Any) -> Callable[[Law], Declaration]:
    """Make the decorated (family, layers, case) -> Evidence a law for any family; `about` is what `prop` takes."""
    return lambda function: Declaration(name, function, about)


def declared(family: Dropouts, *laws: Iterable[Declaration]) -> tuple[Property, ...]:
    """The properties of a family."""
    return tuple(each.of(family) for some in laws for each in some)
