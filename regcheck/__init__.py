"""Tells whether a regularisation or normalisation layer does what its definition says, and how fast.

The public names are loaded when they are first used: `import regcheck` imports neither NumPy nor
Hypothesis, and runs where regcheck's own dependencies are not installed (a worker's interpreter).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regcheck import bounds, cases, families, moments, reference, statistical
    from regcheck.case import Case
    from regcheck.host import Fault
    from regcheck.implementation import Declared, Deviation, Implementation, Unsupported, implements
    from regcheck.property import Evidence, Layers, Partner, Property, holds, prop, same_bits, within
    from regcheck.pytest_plugin import parametrize

__version__ = "0.1.0"

_MODULES = ("bounds", "cases", "families", "moments", "reference", "statistical")
_NAMES = {
    "Case": "case",
    "Declared": "implementation",
    "Deviation": "implementation",
    "Evidence": "property",
    "Fault": "host",
    "Implementation": "implementation",
    "Layers": "property",
    "Partner": "property",
    "Property": "property",
    "Unsupported": "implementation",
    "holds": "property",
    "implements": "implementation",
    "parametrize": "pytest_plugin",
    "prop": "property",
    "same_bits": "property",
    "within": "property",
}

__all__ = [
    "Case",
    "Declared",
    "Deviation",
    "Evidence",
    "Fault",
    "Implementation",
    "Layers",
    "Partner",
    "Property",
    "Unsupported",
    "__version__",
    "bounds",
    "cases",
    "families",
    "holds",
    "implements",
    "moments",
    "parametrize",
    "prop",
    "reference",
    "same_bits",
    "statistical",
    "within",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module. Raises AttributeError for any other name."""
    if name in _MODULES:
        return importlib.import_module(f"regcheck.{name}")
    if name not in _NAMES:
        msg = f"module 'regcheck' has no attribute {name!r}. Public names: {', '.join(__all__)}."
        raise AttributeError(msg)
    value = getattr(importlib.import_module(f"regcheck.{_NAMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted(__all__)
