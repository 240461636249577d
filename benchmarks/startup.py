"""How soon the command line answers: whole processes, from nothing to exit, median of many.

Beside it Python itself doing nothing, and `import torch`, which a help text must not wait for.

    python benchmarks/startup.py        writes docs/results/startup.md
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from reporting import hardware, write_page

MULLIGAN = [sys.executable, "-m", "mulligan"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "mulligan --help": [*MULLIGAN, "--help"],
    "mulligan train --help": [*MULLIGAN, "train", "--help"],
    "mulligan recipes": [*MULLIGAN, "recipes"],
    "mulligan recipes gan": [*MULLIGAN, "recipes", "gan"],
    "python -c 'import torch'": [sys.executable, "-c", "import torch"],
}
LIMIT = 0.4


def seconds(command: list[str], times: int) -> float:
    """Median wall time of the command."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("docs/results/startup.md"))
    options = parser.parse_args()
    lines = ["| command | seconds |", "| --- | --- |"]
    for name, command in COMMANDS.items():
        lines.append(f"| `{name}` | {seconds(command, options.times):.2f} |")
        print(lines[-1], flush=True)
    lines += ["", f"The aim is {LIMIT} s for the help texts and the list of recipes.", ""]
    write_page(options.out, "Start-up", __doc__ or "", [*lines, hardware()])


if __name__ == "__main__":
    main()
