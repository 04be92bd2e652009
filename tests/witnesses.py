"""Store the witnesses of the stock implementations' deviations: python tests/witnesses.py REPORT.json.

Run beside the `.regcheck/` folder of the run that wrote the report.
"""

from __future__ import annotations

import sys
from pathlib import Path

from regcheck import replay
from regcheck.report import records

FOLDER = Path(__file__).resolve().parents[1] / "regcheck" / "stock" / "witnesses"


def main(report: Path) -> None:
    """Copy every declared deviation's replay file."""
    for cell in records.read(report).cells:
        if cell.verdict == "deviates" and not cell.reason.startswith("declared:") and cell.witness is not None:
            path = cell.witness.replay.removeprefix("regcheck replay ")
            print(replay.publish(Path(path), FOLDER))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
