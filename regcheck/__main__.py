"""The command `regcheck`, and `python -m regcheck`."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from regcheck.cli import run  # noqa: PLC0415  (a worker's interpreter has no click)

    # A run that a CI system ends keeps what it has, as one that is interrupted.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
