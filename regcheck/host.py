"""The layer as a law sees it: a proxy that is itself a `Layer`, whatever process the layer lives in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from regcheck import wire
from regcheck.families import CHANNELS, default_convention, samples
from regcheck.implementation import Unsupported
from regcheck.layer import Missing
from regcheck.processes import Died, Hung, Server, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy as np

    from regcheck.layer import Array, Arrays

CALL_SECONDS = 10.0
LOAD_SECONDS = 120.0


class Fault(Exception):  # noqa: N818  (an observation of the layer, not an error of ours)
    """The layer did not return: kind is "raised", "died", "hung", "wrong-return" or "lost"."""

    def __init__(self, kind: str, name: str, message: str, method: str = "", trace: str = "") -> None:
        self.kind, self.name, self.message, self.method, self.trace = kind, name, message, method, trace
        super().__init__(f"{name}: {message}" if name else message)

    @property
    def from_a_call(self) -> bool:
        """Whether a call raised a Python error: no crash, no hang, and not the factory's error."""
        return self.kind == "raised" and self.method != "make"

    def sentence(self) -> str:
        """What happened, in words."""
        if self.kind == "raised":
            return f"{self.method} raised {self.name}: {self.message}"
        if self.kind == "wrong-return":
            return self.message
        return f"{self.method}: {self.message}" if self.method else self.message


class TooSlowTogether(Exception):  # noqa: N818  (the calls are made again, one by one)
    """Several calls in one message took longer than one may."""


class Refused(Unsupported):
    """The factory, or a forward, does not offer this config; another may be offered."""


@dataclasses.dataclass(frozen=True)
class Audit:
    """What was seen during a call beside its result."""

    changed: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    earlier_changed: bool = False
    printed: int = 0


class PartnerFault(Exception):  # noqa: N818  (an observation of another layer than the one that is judged)
    """The partner of a relation did not return."""


class Session:
    """Fresh layers of one implementation for laws (`Layers`), in a worker or in this process."""

    partner: PartnerSession | None = None  # the other layer of a relation, while a law asks for it

    def __init__(  # noqa: PLR0913, PLR0917  (what a session is about, and nothing else)
        self,
        server: Server | None,
        source: dict[str, Any],
        attribute: str,
        family: str,
        declares: Mapping[str, Any],
        timeout: float = CALL_SECONDS,
    ) -> None:
        self.server, self.source, self.attribute, self.family = server, source, attribute, family
        self.declares = dict(declares)
        self.timeout = timeout
        self.worker: Worker | None = None
        self.local: Any = None
        self.pending: list[dict[str, Any]] = []
        self.axes: dict[str, tuple[int, ...]] = {}
        self.refusals: dict[tuple[Any, str], str] = {}
        self.together = True  # whether small calls share messages
        self.spoil: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] | None = None  # see `regcheck.sentinel`
        self.made = 0
        self.printed = 0
        self.output = ""

    def make(self, config: Any, dtype: str) -> HostedLayer:
        """A fresh layer from the factory. Raises Unsupported where the factory does (at the first call)."""
        self.made += 1
        fields = {"do": "make", "layer": self.made, "attribute": self.attribute, "dtype": dtype}
        self.pending.append({**fields, "config": _plain(config)})
        return HostedLayer(self, self.made)

    def declared(self, convention: str) -> Any:
        """The declared value of a convention, or its default."""
        if convention in self.declares:
            return self.declares[convention]
        return default_convention(self.family, convention)

    def offered_axes(self, dtype: str) -> tuple[int, ...]:
        """Numbers of spatial axes that the factory takes; every one where it refuses all, none where there are none."""
        if dtype not in self.axes:
            configs = samples(self.family) if self.family in CHANNELS else []
            taken = tuple(config.ndim for config in configs if not self.refusal(config, dtype))
            self.axes[dtype] = taken or tuple(config.ndim for config in configs)
        return self.axes[dtype]

    def refusal(self, config: Any, dtype: str) -> str:
        """Why the factory does not offer a config; empty where it does."""
        if (config, dtype) not in self.refusals:
            self.refusals[config, dtype] = self._refusal(config, dtype)
        return self.refusals[config, dtype]

    def _refusal(self, config: Any, dtype: str) -> str:
        self.reset()
        try:
            self.make(config, dtype).capabilities()
        except Unsupported as unsupported:
            return str(unsupported) or "Unsupported"
        except Fault:  # its cells will show it
            return ""
        return ""

    def reset(self) -> None:
        """Forget the layers made so far, the partner's too."""
        self.pending = [{"do": "reset"}]
        self.made = 0
        if self.partner is not None:
            self.partner.reset()

    def renew(self) -> None:
        """Go on in a fresh worker process."""
        self.close()
        self.output = ""
        self.local = None

    def ask(self, *calls: dict[str, Any]) -> dict[str, Any]:
        """Send what is pending and `calls`; the reply to the last. Raises Fault or Unsupported."""
        request = {"calls": [*self.pending, *calls]}
        self.pending = []
        method = calls[-1].get("method", calls[-1]["do"])
        try:
            reply = self._deliver(request)
        except Died as died:
            self._lose()
            raise _fault(died, str(died), method) from died
        except Hung as hung:
            self._lose()
            if len(calls) > 1:
                raise TooSlowTogether from hung
            msg = f"no result within {self.timeout:g} s"
            raise _fault(hung, msg, method) from hung
        except wire.BrokenFrame as broken:
            self._lose()
            raise _fault(broken, f"the layer's process sent something unreadable ({broken})", method) from broken
        if self.spoil is not None:
            reply = self.spoil(calls[-1], reply)
        if "error" in reply:
            _raise(reply["error"])
        return reply

    def _deliver(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.server is None:
            return self._deliver_locally(request)
        if self.worker is None:
            self.worker = self.server.worker()
            loaded = self.worker.ask({"calls": [{"do": "load", "source": self.source}]}, LOAD_SECONDS)
            if "error" in loaded:
                return loaded
        reply = self.worker.ask(request, self.timeout)
        self.printed = self.worker.printed
        if self.printed:
            self.output = self.worker.text()
        return reply

    def _deliver_locally(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.local is None:
            from regcheck import hosting, loading, registry  # noqa: PLC0415  (in-process runs only)

            loading.register_adapters(registry.adapters())
            self.local = hosting.Host()
            loaded = self.local.execute({"calls": [{"do": "load", "source": self.source}]})
            if "error" in loaded:
                return dict(loaded)
        return _copied(self.local.execute(_copied(request)))

    def _lose(self) -> None:
        if self.worker is not None:
            self.output = self.worker.text()
            self.worker.end()
        self.worker = None

    def close(self) -> None:
        """End the worker, the partner's too."""
        if self.worker is not None:
            self.worker.end()
            self.worker = None
        self.pending = []
        if self.partner is not None:
            self.partner.close()


def _fault(seen: Died | Hung | wire.BrokenFrame, message: str, method: str) -> Fault:
    kind = "died" if isinstance(seen, Died) else "hung" if isinstance(seen, Hung) else "lost"
    return Fault(kind, "", message, method)


def _copied(message: dict[str, Any]) -> dict[str, Any]:
    """The message as the wire would deliver it: every array a copy with its layout."""
    frame = wire.pack(message)
    header, _ = wire.lengths(frame[: wire.PREFIX.size])
    end = wire.PREFIX.size + header
    return wire.unpack(frame[wire.PREFIX.size : end], frame[end:])


def _plain(config: Any) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(config).items()}


def _raise(error: dict[str, Any]) -> None:
    if error["kind"] == "unsupported":
        # What a layer does not offer at all is Missing, whatever the config.
        raise (Unsupported if error["type"] == Missing.__name__ else Refused)(error["message"])
    raise Fault(error["kind"], error["type"], error["message"], error["method"], error["traceback"])


class PartnerSession(Session):
    """Fresh layers of a relation's other side: what is wrong with them is not held against the layer that is judged."""

    def __init__(self, server: Server | None, about: Mapping[str, Any], timeout: float = CALL_SECONDS) -> None:
        declares = {**about["defaults"], **about["declares"]}
        super().__init__(server, about["source"], about["attribute"], about["family"], declares, timeout)
        self.name: str = about["name"]

    def ask(self, *calls: dict[str, Any]) -> dict[str, Any]:
        """As a session's. Raises PartnerFault or Unsupported."""
        try:
            return super().ask(*calls)
        except Fault as fault:
            msg = f"the partner {self.name}: {fault.sentence()}"
            raise PartnerFault(msg) from fault


class HostedLayer:
    """A canonical `Layer` (see `regcheck.layer`) that lives elsewhere; `audit` tells of the last call."""

    def __init__(self, session: Session, number: int) -> None:
        self._session, self._number = session, number
        self._offered: frozenset[str] | None = None
        self.audit = Audit()

    def _queue(self, method: str, *args: Any) -> None:
        self._session.pending.append({"do": "call", "layer": self._number, "method": method, "args": list(args)})

    def _call(self, method: str, *args: Any) -> Any:
        self._offered = None  # a call may show more: some layers make their parameters in the first one
        reply = self._session.ask({"do": "call", "layer": self._number, "method": method, "args": list(args)})
        seen = reply.get("audit", {})
        self.audit = Audit(
            tuple(seen.get("changed", ())),
            tuple(seen.get("aliases", ())),
            bool(seen.get("earlier_changed")),
            seen.get("printed", self._session.printed),
        )
        return reply["result"]

    def capabilities(self) -> frozenset[str]:
        """Methods that the layer offers, and the names of its parameters and state."""
        if self._offered is None:
            reply = self._session.ask({"do": "capabilities", "layer": self._number})
            self._offered = frozenset(reply["result"])
        return self._offered

    def parameters(self) -> Arrays:
        """Parameters by canonical name."""
        return dict(self._call("parameters"))

    def assign_parameters(self, values: Arrays) -> None:
        """Set parameters; what the layer does not have raises Missing at the next call."""
        self._queue("assign_parameters", values)

    def state(self) -> Arrays:
        """State by canonical name."""
        return dict(self._call("state"))

    def assign_state(self, values: Arrays) -> None:
        """Set state; what the layer does not have raises Missing at the next call."""
        self._queue("assign_state", values)

    def forward(self, x: Array, training: bool) -> Array:  # noqa: FBT001  (the contract's positional flag)
        """The layer's result for x."""
        return self._array("forward", x, bool(training))

    def backward(self, cotangent: Array) -> Arrays:
        """Vector-Jacobian product of the last forward."""
        return dict(self._call("backward", cotangent))

    def second(self, x: Array, cotangent: Array, direction: Array, training: bool, mode: str) -> Array:  # noqa: FBT001
        """The second derivative's product with a direction, in one mode."""
        return self._array("second", x, cotangent, direction, bool(training), mode)

    def seed(self, value: int) -> None:
        """Restart the layer's random stream."""
        self._queue("seed", int(value))

    def value(self, w: Array) -> Array:
        """A penalty's value, shape ()."""
        return self._array("value", w)

    def values(self, ws: Iterable[Array]) -> list[Array]:
        """A penalty's values of several w, which travel together: a small call costs less than its message.

        Raises TooSlowTogether where all of them take longer than one may.
        """
        if not self._session.together:
            return [self.value(w) for w in ws]
        about = {"do": "call", "layer": self._number, "method": "value", "keep": True}
        calls = [{**about, "args": [w]} for w in ws]
        return list(self._session.ask(*calls)["kept"]) if calls else []

    def gradient(self, w: Array) -> Array:
        """A penalty's gradient."""
        return self._array("gradient", w)

    def prox(self, w: Array, step: float) -> Array:
        """A penalty's proximal map."""
        return self._array("prox", w, float(step))

    def minimise(self, a: Array, b: Array) -> Array:
        """The minimiser's solution."""
        return self._array("minimise", a, b)

    def tolerance(self) -> float | None:
        """The relative duality gap that a minimiser promises."""
        value = self._call("tolerance")
        return None if value is None else float(value)

    def step(self, w: Array, gradient: Array) -> Array:
        """One optimiser step."""
        return self._array("step", w, gradient)

    def log_density(self, w: Array) -> Array:
        """Elementwise log density."""
        return self._array("log_density", w)

    def _array(self, method: str, *args: Any) -> np.ndarray[Any, Any]:
        result: np.ndarray[Any, Any] = self._call(method, *args)
        return result
