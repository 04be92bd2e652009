"""What starting a command costs, in bare interpreter starts: CPU time of both, interleaved in one run.

    python tests/benchmarks/startup.py [ROUNDS]

A ratio of medians, with the interval that holds 95 % of a bootstrap's. It asserts nothing.
"""

import os
import random
import resource
import statistics
import subprocess
import sys

COMMANDS = {
    "bare interpreter": ["-c", "pass"],
    "import click": ["-c", "import click"],
    "regcheck --version": ["-m", "regcheck", "--version"],
    "regcheck --help": ["-m", "regcheck", "--help"],
    "regcheck list implementations": ["-m", "regcheck", "list", "implementations"],
    "regcheck list implementations --json": ["-m", "regcheck", "list", "implementations", "--json"],
    "regcheck list properties": ["-m", "regcheck", "list", "properties"],
}
BARE = "bare interpreter"
# As after an installation: what was compiled once is read, not compiled at every start.
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def cpu_seconds(arguments):
    """User and system time of one start."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=ENVIRONMENT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def interval(seen, bare, rounds=1000):
    """The 95 % bootstrap interval of the ratio of medians."""
    draw = random.Random(0)  # noqa: S311
    pairs = list(zip(seen, bare, strict=True))
    ratios = []
    for _ in range(rounds):
        ours, theirs = zip(*draw.choices(pairs, k=len(pairs)), strict=True)
        ratios.append(statistics.median(ours) / statistics.median(theirs))
    ratios.sort()
    return ratios[rounds // 40], ratios[-rounds // 40]


def main():
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for arguments in COMMANDS.values():
        cpu_seconds(arguments)
    seen = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            seen[name].append(cpu_seconds(arguments))
    for name, seconds in seen.items():
        low, high = interval(seconds, seen[BARE])
        ratio = statistics.median(seconds) / statistics.median(seen[BARE])
        print(f"{name:40}{1e3 * statistics.median(seconds):8.1f} ms{ratio:8.2f}  [{low:.2f}, {high:.2f}]")  # noqa: T201


if __name__ == "__main__":
    main()
