"""The command `regcheck`, and `python -m regcheck`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from regcheck.cli import run  # noqa: PLC0415  (a worker's interpreter has no click)

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
