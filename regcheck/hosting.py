"""What runs on the layer's side: builds layers, calls them, and says what it saw. No policy.

The same `Host` serves a worker process and, for a debugger, the judge's own process.
"""

from __future__ import annotations

import collections
import sys
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from regcheck import loading
from regcheck.families import config_from_dict, samples
from regcheck.implementation import Implementation, Unsupported
from regcheck.layer import Layer, WrongReturn

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, np.dtype[Any]]
# Which argument of which method is called what in an audit.
ARGUMENTS = {
    "forward": ("x",),
    "backward": ("cotangent",),
    "second": ("x", "cotangent", "direction"),
    "value": ("w",),
    "gradient": ("w",),
    "prox": ("w",),
    "minimise": ("a", "b"),
    "step": ("w", "gradient"),
    "log_density": ("w",),
}


class Kept(NamedTuple):
    """An array that was given or returned, and its content then."""

    name: str
    array: Array
    content: bytes

    def changed(self) -> bool:
        """Whether the array holds something else now."""
        return self.array.tobytes() != self.content


class Call(NamedTuple):
    """What a call was given and what it returned; nothing later may change either."""

    given: list[Kept]
    returned: list[Kept]


class Host:
    """Layers of one implementation, and the answers to requests about them."""

    def __init__(self) -> None:
        self.implementations: dict[str, Implementation] = {}
        self.layers: dict[int, Layer] = {}
        self.earlier: dict[int, collections.deque[Call]] = {}

    def execute(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer {"calls": [...]} by {"result", "audit"} of the last call, or {"error"} of the first that raised.

        "kept" lists the results of the calls that asked for it by "keep".
        """
        reply: dict[str, Any] = {"result": None}
        kept: list[Any] = []
        position = 0
        try:
            for position, call in enumerate(request["calls"]):  # noqa: B007
                reply = getattr(self, "do_" + call["do"])(call)
                if "keep" in call:
                    kept.append(reply["result"])
        except BaseException as error:  # noqa: BLE001  (whatever a layer raises is data)
            call = request["calls"][position]
            return {"error": _describe(error, call.get("method", call["do"]))}
        return {**reply, "kept": kept}

    def do_probe(self, call: dict[str, Any]) -> dict[str, Any]:
        """Describe the implementations of a source."""
        found = loading.load(call["source"])
        described = []
        for attribute, implementation in found.items():
            described.append(loading.describe(attribute, implementation, samples(implementation.family)))
        roots = sorted({name.partition(".")[0] for name in sys.modules} & set(loading.ADAPTERS))
        packages = loading.packages(implementation.factory for implementation in found.values())
        return {"result": {"implementations": described, "frameworks": roots, "packages": packages}}

    def do_load(self, call: dict[str, Any]) -> dict[str, Any]:
        """Load a source's implementations for later `make` calls."""
        self.implementations = loading.load(call["source"])
        return {"result": None}

    def do_versions(self, _call: dict[str, Any]) -> dict[str, Any]:
        """Versions of the interpreter and the frameworks in use."""
        return {"result": loading.versions()}

    def do_reset(self, _call: dict[str, Any]) -> dict[str, Any]:
        """Forget every layer."""
        self.layers.clear()
        self.earlier.clear()
        return {"result": None}

    def do_make(self, call: dict[str, Any]) -> dict[str, Any]:
        """Build a layer from its factory."""
        implementation = self.implementations[call["attribute"]]
        config = config_from_dict(implementation.family, call["config"])
        self.layers[call["layer"]], _ = loading.build(implementation, config, call["dtype"])
        return {"result": None}

    def do_capabilities(self, call: dict[str, Any]) -> dict[str, Any]:
        """Methods that the layer offers, and the names of its parameters and state."""
        layer = self.layers[call["layer"]]
        offered: list[str] = getattr(layer, "offers", lambda: _overridden(layer))()
        return {"result": [*offered, *layer.parameters(), *layer.state()]}

    def do_call(self, call: dict[str, Any]) -> dict[str, Any]:
        """Call a method of a layer; audit its arguments and earlier results."""
        number, method = call["layer"], call["method"]
        layer = self.layers[number]
        arguments = call["args"]
        named = dict(zip(ARGUMENTS.get(method, ()), arguments, strict=False))  # a scalar has no name
        given = [Kept(name, value, value.tobytes()) for name, value in named.items()]
        result = getattr(layer, method)(*arguments)
        calls = self.earlier.setdefault(number, collections.deque(maxlen=2))
        audit = {
            "changed": [
                *(kept.name for kept in given if kept.changed()),
                *(f"{kept.name} of an earlier call" for call in calls for kept in call.given if kept.changed()),
            ],
            "aliases": [name for name, value in named.items() if _shares(result, value)],
            "earlier_changed": any(kept.changed() for call in calls for kept in call.returned),
        }
        checked = _checked(method, result)
        if named:
            found = checked if isinstance(checked, dict) else {method: checked}
            calls.append(Call(given, [Kept(name, value, value.tobytes()) for name, value in found.items()]))
        return {"result": checked, "audit": audit}


def _overridden(layer: Layer) -> list[str]:
    names = (*ARGUMENTS, "seed")
    return [name for name in names if getattr(type(layer), name) is not getattr(Layer, name)]


def _shares(result: Any, argument: Array) -> bool:
    if isinstance(result, dict):
        return any(_shares(value, argument) for value in result.values())
    return isinstance(result, np.ndarray) and bool(np.may_share_memory(result, argument))


def _checked(method: str, result: Any) -> Any:
    if method in {"assign_parameters", "assign_state", "seed"}:
        return None
    if method == "tolerance":
        if result is not None and not 0 <= float(result) < 1:
            # w = 0 has a duality gap of P(0): who promises that promises nothing.
            msg = f"tolerance returned {result!r}. Expected a relative duality gap in [0, 1), or None. Promise less."
            raise WrongReturn(msg)
        return None if result is None else float(result)
    if method in {"parameters", "state", "backward"}:
        if not isinstance(result, dict):
            msg = f"{method} returned {type(result).__name__}. Expected a dict of arrays."
            raise WrongReturn(msg)
        return {str(name): _array(f"{method}[{name!r}]", value) for name, value in result.items()}
    return _array(method, result)


def _array(what: str, value: Any) -> Array:
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if type(value) is not np.ndarray or value.dtype.kind not in "fiub":
        kind = f"array of dtype {value.dtype}" if isinstance(value, np.ndarray) else ""
        msg = f"{what} returned {type(value).__name__} {kind}".rstrip() + ". Expected a NumPy array of numbers."
        raise WrongReturn(msg)
    return value


def _describe(error: BaseException, method: str) -> dict[str, Any]:
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (Unsupported, "unsupported"),
        (WrongReturn, "wrong-return"),
        (loading.LoadError, "load"),
    )
    kind = next((name for cls, name in kinds if isinstance(error, cls)), "raised")
    return {
        "kind": kind,
        "type": type(error).__name__,
        "message": _safely(str, error),
        "traceback": _safely(lambda e: "".join(traceback.format_exception(type(e), e, e.__traceback__)), error)[-8000:],
        "method": method,
        "lines": error.lines if isinstance(error, loading.LoadError) else [],
    }


def _safely(render: Callable[[BaseException], str], error: BaseException) -> str:
    try:
        return render(error)[:20000].encode("utf-8", "replace").decode()
    except BaseException:  # noqa: BLE001  (an exception whose own text raises)
        return "(the exception cannot be printed)"
