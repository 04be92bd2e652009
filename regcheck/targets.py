"""From a Python object to the target that names it, so that another process can find it."""

from __future__ import annotations

import inspect
import sys
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regcheck.errors import UsageError
from regcheck.implementation import implementation_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec

    from regcheck.implementation import Implementation


def target_of(factory: Callable[..., Any]) -> str:
    """`module:name` or `file.py:name` of a factory. Raises UsageError for one that no name leads to."""
    name = getattr(factory, "__qualname__", "")
    module = sys.modules.get(getattr(factory, "__module__", None) or "")
    if not name.isidentifier() or module is None or getattr(module, name, None) is not factory:
        raise UsageError(_unreachable(factory, "it is a lambda, local, or no longer what its name leads to"))
    file = inspect.getsourcefile(module)
    if module.__name__ == "__main__":
        raise UsageError(_unreachable(factory, "it is defined in __main__"))
    if file is None or _found_by_name(module.__name__, file):
        return f"{module.__name__}:{name}"
    return f"{file}:{name}"


def _unreachable(factory: object, why: str) -> str:
    name = getattr(factory, "__qualname__", type(factory).__name__)
    return (
        f"The factory {name!r} cannot be imported by another process: {why}. Expected a function or class at the top "
        "level of a module. Move it there."
    )


def _found_by_name(name: str, file: str) -> bool:
    """Whether importing `name` in a fresh process with this path leads to `file`."""
    path = None
    spec: ModuleSpec | None = None
    for parent in accumulate(name.split("."), lambda a, b: f"{a}.{b}"):
        spec = _find(parent, path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
    origin = Path(spec.origin) if spec is not None and spec.origin is not None else None
    return origin is not None and origin.exists() and origin.samefile(file)


def _find(name: str, path: Any) -> ModuleSpec | None:
    for finder in sys.meta_path:
        # pytest's own finder is not there in another process.
        if type(finder).__module__.partition(".")[0] == "_pytest":
            continue
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    return None


def family_of(factory: Callable[..., Any], family: str | None) -> str:
    """What a factory was marked with, else what the table of known classes says. Raises UsageError."""
    found = implementation_of(factory)
    if found is not None:
        return found.family
    if isinstance(factory, type):
        from regcheck import bare  # noqa: PLC0415  (only bare classes need the tables)

        try:
            inferred: Implementation = bare.infer(factory, family)
        except ValueError as error:
            raise UsageError(str(error)) from error
        return inferred.family
    msg = (
        f"{getattr(factory, '__qualname__', factory)!r} is not marked. Expected a factory `def make(config): ...` "
        'under @regcheck.implements("<family>"). Add the decorator.'
    )
    raise UsageError(msg)
