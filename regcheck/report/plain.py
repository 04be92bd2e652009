"""Foreign text as data: names, messages and values that came from a layer, made safe to print on one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from regcheck.verdict import Number

LONGEST = 2000


def one_line(text: object) -> str:
    """`text` without control characters, direction overrides or line breaks, each shown as its escape."""
    shown = str(text)[: LONGEST + 1]
    if not shown.isprintable():
        shown = "".join(map(_shown, shown))
    shown = f"{shown[:LONGEST]}…" if len(shown) > LONGEST else shown
    # A continuous-integration runner takes a word such as ::error for a command to itself.
    return re.sub(r"(?<!\S)(?=::|##\[)", r"\\", shown)


def _shown(char: str) -> str:
    # Not printable are control, format (zero-width, direction), surrogate, private and unassigned characters, and
    # separators other than the space.
    return char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii")


def times_bound(error: Number | None) -> str:
    """An error in units of its bound, in words."""
    if error is None:
        return "not measured"
    return f"{error:.4g} × the bound" if isinstance(error, float | int) else f"{one_line(error)} × the bound"


def witness_lines(inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (name, text) of a witness' inputs: arrays in decimal, then in hexadecimal."""
    for name, value in inputs.items():
        label = one_line(name)
        if not (isinstance(value, dict) and isinstance(value.get("values"), list)):
            yield label, one_line(_scalar(value))
            continue
        shape = value.get("shape")
        sizes = [n for n in shape if isinstance(n, int)] if isinstance(shape, list) else []
        if value.get("left_out") or not value["values"]:
            left = (
                f", of which the replay file holds {one_line(value['left_out'])} more" if value.get("left_out") else ""
            )
            yield f"{label} shape", f"{'×'.join(map(str, sizes))} elements{left}"
        yield label, one_line(nested(value["values"], sizes))
        if isinstance(value.get("hex"), list) and value["hex"]:
            yield f"{label} hex", one_line(nested([_short_hex(text) for text in value["hex"]], sizes))


def _short_hex(text: Any) -> Any:
    """A hexadecimal float without the zeros that say nothing."""
    return re.sub(r"\.([0-9a-f]*?)0*p", lambda m: f".{m[1] or '0'}p", text) if isinstance(text, str) else text


def nested(flat: list[Any], shape: list[int]) -> str:
    """Flat values in the brackets of their shape, or flat where they do not fill it."""
    texts = [_scalar(value) for value in flat]
    size = 1
    for length in shape:
        size *= length
    if size != len(texts) or not texts:
        return f"[{', '.join(texts)}]"
    for length in reversed(shape):
        texts = [f"[{', '.join(texts[i : i + length])}]" for i in range(0, len(texts), length)]
    return texts[0]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value
    import json  # noqa: PLC0415  (a listing for people starts without it)

    return json.dumps(value, ensure_ascii=False, default=str)


def configuration(config: Mapping[str, Any]) -> str:
    """A config as keyword arguments."""
    return ", ".join(f"{one_line(key)}={one_line(_scalar(value))}" for key, value in config.items()) or "defaults"
