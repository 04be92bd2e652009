"""How an implementation is declared: `implements`, `Unsupported`, `Deviation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import ModuleType

F = TypeVar("F", bound="Callable[..., Any]")
MARK = "__regcheck__"
DTYPES = ("float16", "float32", "float64")
LAYOUTS = ("channels_first", "channels_last")


class Unsupported(Exception):  # noqa: N818  (the contract's public name)
    """Raised by a factory, or a forward, for a config that the layer does not offer."""


class DeclarationError(ValueError):
    """A declaration that does not hold together; the message is one sentence for its author."""


class Declared(NamedTuple):
    """The value of a convention, and where the library says or does so; `regcheck explain` shows it."""

    value: Any
    evidence: str = ""


class Deviation:
    """What does not hold of an implementation, and why.

    `strata`: dtypes to which the deviation is confined; `versions`: mapping of package name to
    the version prefixes that show it; `witness`: name of a replay file in `witnesses/` beside the declaring
    module.
    """

    __slots__ = ("reason", "strata", "versions", "witness")

    def __init__(
        self,
        reason: str,
        strata: Sequence[str] | None = None,
        versions: Mapping[str, Sequence[str]] | None = None,
        witness: str | None = None,
    ) -> None:
        self.reason = reason
        self.strata = tuple(strata) if strata is not None else None
        self.versions = {k: tuple(v) for k, v in versions.items()} if versions is not None else None
        self.witness = witness

    def covers(self, dtype: str, versions: Mapping[str, str]) -> bool:
        """Whether the deviation shows in `dtype` under these versions of packages."""
        return (self.strata is None or dtype in self.strata) and versions_fit(self.versions, versions)


def versions_fit(wanted: Mapping[str, Sequence[str]] | None, versions: Mapping[str, str]) -> bool:
    """Whether each package's version begins with one of the prefixes that are wanted of it."""
    return all(
        any(versions.get(package, "").startswith(prefix) for prefix in prefixes)
        for package, prefixes in (wanted or {}).items()
    )


class Implementation:
    """One layer of one library under test: a factory `config -> native object` and what it declares."""

    __slots__ = (
        "declares",
        "deviations",
        "dtypes",
        "evidence",
        "factory",
        "family",
        "framework",
        "layout",
        "name",
        "names",
    )

    def __init__(  # noqa: PLR0913  (the contract's keyword arguments)
        self,
        factory: Callable[[Any], Any],
        family: str,
        *,
        name: str,
        framework: str | None = None,
        declares: Mapping[str, Any] | None = None,
        deviations: Mapping[str, str | Deviation] | None = None,
        names: Mapping[str, str] | None = None,
        layout: str | None = None,
        dtypes: Sequence[str] | None = None,
    ) -> None:
        self.factory = factory
        self.family = family
        self.name = name
        self.framework = framework
        said = {k: v if isinstance(v, Declared) else Declared(v) for k, v in (declares or {}).items()}
        self.declares = {convention: one.value for convention, one in said.items()}
        self.evidence = {convention: one.evidence for convention, one in said.items() if one.evidence}
        self.deviations = {k: v if isinstance(v, Deviation) else Deviation(v) for k, v in (deviations or {}).items()}
        self.names = dict(names or {})
        self.layout = layout
        self.dtypes = tuple(dtypes) if dtypes is not None else None
        self._check()

    def _check(self) -> None:
        from regcheck.families import FAMILIES  # noqa: PLC0415  (listing names needs no configs)

        if self.family not in FAMILIES:
            self._refuse("family", f"one of {', '.join(FAMILIES)}", self.family)
        self._check_declares(FAMILIES[self.family].conventions)
        if self.layout is not None and self.layout not in LAYOUTS:
            self._refuse("layout", f"one of {', '.join(LAYOUTS)}", self.layout)
        for dtype in self.dtypes or ():
            if dtype not in DTYPES:
                self._refuse("dtypes", f"some of {', '.join(DTYPES)}", dtype)
        self._check_deviations()

    def _check_declares(self, conventions: Mapping[str, tuple[str, ...]]) -> None:
        for key, value in self.declares.items():
            if key not in conventions:
                self._refuse("declares", f"conventions of {self.family}: {', '.join(conventions)}", key)
            if conventions[key] and value not in conventions[key]:
                self._refuse(f"declares[{key!r}]", f"one of {', '.join(conventions[key])}", value)
            if key == "tolerance" and not (isinstance(value, float | int) and 0 <= value < 1):
                self._refuse("declares['tolerance']", "a relative duality gap in [0, 1)", value)

    def _check_deviations(self) -> None:
        for law, deviation in self.deviations.items():
            for stratum in set(deviation.strata or ()) - set(DTYPES):
                self._refuse(f"deviations[{law!r}].strata", f"some of {', '.join(DTYPES)}", stratum)

    def _refuse(self, what: str, expected: str, received: object) -> None:
        msg = (
            f"Invalid value for `{what}` of implementation {self.name!r}. Expected {expected}. "
            f"Received: {received!r}. Correct the declaration."
        )
        raise DeclarationError(msg)


def implements(  # noqa: PLR0913  (the contract's keyword arguments)
    family: str,
    *,
    framework: str | None = None,
    declares: Mapping[str, Any] | None = None,
    deviations: Mapping[str, str | Deviation] | None = None,
    names: Mapping[str, str] | None = None,
    layout: str | None = None,
    dtypes: Sequence[str] | None = None,
    name: str | None = None,
) -> Callable[[F], F]:
    """Declare the decorated factory `config -> native object` an implementation of `family`.

    The factory is returned unchanged in behaviour; nothing is registered globally. A value of `declares` may be a
    `Declared`, which names its evidence, one of `deviations` a `Deviation`.
    Raises ValueError for an unknown family, convention, layout or dtype.
    """

    def mark(factory: F) -> F:
        implementation = Implementation(
            factory,
            family,
            name=name or factory.__name__,
            framework=framework,
            declares=declares,
            deviations=deviations,
            names=names,
            layout=layout,
            dtypes=dtypes,
        )
        setattr(factory, MARK, implementation)
        return factory

    return mark


def implementation_of(value: object) -> Implementation | None:
    """The Implementation attached to `value` itself (a subclass inherits none), or None."""
    try:
        found = vars(value).get(MARK)
    except TypeError:
        return None
    return found if isinstance(found, Implementation) else None


def implementations_in(module: ModuleType) -> Iterator[tuple[str, Implementation]]:
    """Yield (attribute, Implementation) for everything that `module` itself defines and marks; an alias is no other."""
    seen: set[int] = set()
    for attribute, value in list(vars(module).items()):
        found = implementation_of(value)
        if found is None or id(found) in seen or getattr(value, "__module__", None) != module.__name__:
            continue
        seen.add(id(found))
        yield attribute, found
