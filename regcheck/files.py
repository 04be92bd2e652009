"""Files appear whole or not at all; what is no file, a device or a pipe, is written to as it is."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from regcheck.errors import UsageError


def write_atomically(path: Path, text: str) -> None:
    """Write `text` beside `path`, flush it to disk, rename. Raises UsageError where that cannot be done.

    The file that a link leads to is replaced, never the link.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_text(text, encoding="utf-8")
            return
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(beside).chmod(0o644)
            Path(beside).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(beside).unlink()
            raise
    except OSError as error:
        msg = f"{str(path)!r} cannot be written: {error.strerror}. Expected a writable place. Choose another path."
        raise UsageError(msg) from error
