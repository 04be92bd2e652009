"""Finding implementations and their adapters, on the worker's side.

A source is plain data, so that it can travel: {"kind": "module", "name": …},
{"kind": "file", "path": …} or {"kind": "bare", "path": "torch.nn:LayerNorm", "family": …};
the first two with an optional "attribute".
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import pathlib
import sys
from typing import TYPE_CHECKING, Any

from regcheck.families import FAMILIES
from regcheck.implementation import (
    DeclarationError,
    Implementation,
    Unsupported,
    implementation_of,
    implementations_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import ModuleType

    from regcheck.layer import Layer

ADAPTERS: dict[str, str] = {}


class LoadError(Exception):
    """A target that cannot be loaded; the message is one sentence for the user, `lines` what it asks to write."""

    def __init__(self, message: str, lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.lines = list(lines)


def load(source: dict[str, Any]) -> dict[str, Implementation]:
    """The implementations of a source by attribute. Raises LoadError."""
    if source["kind"] == "bare":
        return {source["path"]: _bare(source["path"], source.get("family"))}
    module = _module(source)
    attribute = source.get("attribute")
    if attribute is None:
        found = dict(implementations_in(module))
        if not found:
            raise LoadError(_nothing_marked(source))
        return found
    value = getattr(module, attribute, None)
    implementation = implementation_of(value)
    if implementation is not None:
        return {attribute: implementation}
    if isinstance(value, type):
        return {attribute: _bare(f"{module.__name__}:{attribute}", source.get("family"), value)}
    msg = (
        f"{_describe(source)} has no implementation {attribute!r}. Expected a factory marked with "
        f"@regcheck.implements(...). Marked there: {', '.join(dict(implementations_in(module))) or 'nothing'}."
    )
    raise LoadError(msg)


def _module(source: dict[str, Any]) -> ModuleType:
    try:
        if source["kind"] == "file":
            return _from_file(pathlib.Path(source["path"]))
        return importlib.import_module(source["name"])
    except LoadError:
        raise
    except DeclarationError as error:
        msg = f"{_describe(source)}: {error}"
        raise LoadError(msg) from error
    except BaseException as error:
        why = f"{type(error).__name__}: {error}".removesuffix(".")
        msg = f"{_describe(source)} cannot be imported: {why}. Import it in a plain interpreter first."
        raise LoadError(msg) from error


def _from_file(path: pathlib.Path) -> ModuleType:
    if not path.is_file():
        msg = f"There is no file {str(path)!r}. Expected a Python file with marked factories. Check the path."
        raise LoadError(msg)
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    name = f"{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        msg = f"{str(path)!r} is not a Python file. Expected a name that ends in .py. Rename it."
        raise LoadError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _bare(path: str, family: str | None, cls: type | None = None) -> Implementation:
    from regcheck import bare  # noqa: PLC0415  (only bare classes need the tables)

    if cls is None:
        module, _, attribute = path.partition(":")
        cls = getattr(_module({"kind": "module", "name": module}), attribute, None)
    if not isinstance(cls, type):
        msg = f"{path!r} is not a class. Expected module:Class or a factory marked with implements. Check the name."
        raise LoadError(msg)
    try:
        found: Implementation = bare.infer(cls, family)
    except bare.NotInferredError as error:
        raise LoadError(str(error), error.lines) from error
    return found


def _describe(source: dict[str, Any]) -> str:
    return repr(source.get("path") or source.get("name"))


def _nothing_marked(source: dict[str, Any]) -> str:
    return (
        f"{_describe(source)} marks no implementation. Expected a factory `def make(config): ...` under "
        '@regcheck.implements("<family>"). Add the decorator, or name a class as module:Class.'
    )


def register_adapters(modules: dict[str, str]) -> None:
    """Tell which module adapts which framework."""
    ADAPTERS.update(modules)


def _adapter(name: str) -> Any:
    if name not in ADAPTERS:
        msg = (
            f"No adapter is called {name!r}. Known: {', '.join(ADAPTERS)}. Correct `framework`, or install its plug-in."
        )
        raise LoadError(msg)
    return importlib.import_module(ADAPTERS[name])


def framework_of(native: object, implementation: Implementation) -> str:
    """The adapter's name for a native object: the class's roots, plain, what was declared."""
    root = _framework_root(native)
    if root is not None:
        return root
    if _adapter("plain").adapts(native):
        return "plain"
    if implementation.framework in ADAPTERS or (implementation.framework is not None and callable(native)):
        return implementation.framework
    msg = (
        f"The factory {implementation.name!r} returned {type(native).__name__}, which no adapter knows. Expected the "
        f"plain protocol or an object of {', '.join(ADAPTERS)}. Return one of these, or give framework=."
    )
    raise TypeError(msg)


def _framework_root(native: object) -> str | None:
    roots = (cls.__module__.partition(".")[0] for cls in type(native).__mro__)
    return next((root for root in roots if root in ADAPTERS), None)


def build(implementation: Implementation, config: Any, dtype: str) -> tuple[Layer, str]:
    """A fresh canonical layer and its adapter's name. Raises what the factory raises, or TypeError."""
    hinted = implementation.framework
    adapter = _adapter(hinted) if hinted in ADAPTERS else None
    with _building(adapter, dtype):
        native = implementation.factory(config)
    name = framework_of(native, implementation)
    module = _adapter(name)
    if module is not adapter and hasattr(module, "building"):
        with _building(module, dtype):
            native = implementation.factory(config)
    return module.adapt(native, implementation, config, dtype), name


@contextlib.contextmanager
def _building(adapter: Any, dtype: str) -> Iterator[None]:
    building: Callable[[str], Any] | None = getattr(adapter, "building", None)
    with building(dtype) if building is not None else contextlib.nullcontext():
        yield


def prepare(names: list[str]) -> None:
    """Import the adapters and let each set up its framework (one thread), once per worker."""
    for name in names:
        module = _adapter(name)
        if hasattr(module, "prepare"):
            module.prepare()


def describe(attribute: str, implementation: Implementation, samples: list[Any]) -> dict[str, Any]:
    """What the judge needs to know of an implementation, as plain data."""
    framework = implementation.framework
    adapter = framework if framework in ADAPTERS else None  # any other is a label
    for config in samples:
        with contextlib.suppress(Exception):
            # A factory that raises here raises in its cells too, where it is judged.
            adapter = build(implementation, config, (implementation.dtypes or ("float32",))[0])[1]
            break
    if framework is None:
        framework = {"plain": "numpy"}.get(adapter or "plain", adapter)
    return {
        "attribute": attribute,
        "name": implementation.name,
        "family": implementation.family,
        "framework": framework,
        # A plain object that uses a framework lives where that framework has been imported.
        "adapter": framework if framework in ADAPTERS else adapter or "plain",
        "declares": implementation.declares,
        "defaults": _defaults(adapter or "plain", implementation),
        "dtypes": implementation.dtypes,
        "deviations": {
            k: {"reason": d.reason, "strata": d.strata, "versions": d.versions, "witness": d.witness}
            for k, d in implementation.deviations.items()
        },
        "folder": _folder(implementation),
    }


def _defaults(adapter: str, implementation: Implementation) -> dict[str, str]:
    """What the adapter says of its framework, where the family knows the convention and the author said nothing."""
    known = set(FAMILIES[implementation.family].conventions) - set(implementation.declares)
    said: dict[str, str] = getattr(_adapter(adapter), "DEFAULTS", {})
    return {convention: value for convention, value in said.items() if convention in known}


def _folder(implementation: Implementation) -> str | None:
    module = sys.modules.get(getattr(implementation.factory, "__module__", ""), None)
    path = getattr(module, "__file__", None)
    return str(pathlib.Path(path).resolve().parent) if path else None


def packages(factories: Iterable[Any]) -> dict[str, str]:
    """Versions of the top-level packages that define `factories`, as far as they are known; not regcheck's own."""
    from importlib import metadata  # noqa: PLC0415

    found = {}
    for root in sorted({str(getattr(f, "__module__", "")).partition(".")[0] for f in factories} - {"regcheck"}):
        version = getattr(sys.modules.get(root), "__version__", None)
        with contextlib.suppress(metadata.PackageNotFoundError, ValueError):
            found[root] = version if isinstance(version, str) else metadata.version(root)
    return found


def versions() -> dict[str, str]:
    """Versions of this interpreter, NumPy and the frameworks that are loaded."""
    import platform  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    found = {"python": platform.python_version(), "numpy": np.__version__}
    for name, path in ADAPTERS.items():
        if name in sys.modules and path in sys.modules:
            found.update(sys.modules[path].versions())
    return found


__all__ = [
    "LoadError",
    "Unsupported",
    "build",
    "describe",
    "load",
    "packages",
    "prepare",
    "register_adapters",
    "versions",
]
