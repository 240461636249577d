"""Does a long run take more and more memory?

A run is started as a user would start it, and its anonymous memory (`RssAnon`, what the process
itself has allocated) is read at every line of its log. The slope is that of the least-squares line
over all but the first quarter, in which caches fill. Logs, previews, evaluations, checkpoints and
reports are those of a usual run, 40 of its lines; what each of them leaves counts too.

    python benchmarks/memory.py        Linux; writes docs/results/memory.md
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from reporting import hardware, write_page

ROUNDS, LINES = 20_000, 40
CASES = {"gan": ["--batch", "64"], "dcgan": ["--batch", "8"]}
LIMIT = 0.4
SETTLED = 0.25
"""Share of the run that is left out."""


def anonymous(pid: int) -> float:
    """KB of memory that the process has allocated."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return float(line.split()[1])
    raise RuntimeError(f"process {pid} says nothing of its memory")


def watched(recipe: str, options: list[str]) -> list[tuple[int, float]]:
    """(round, KB) at every line of a run's log."""
    batch = int(options[options.index("--batch") + 1])
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, "-m", "mulligan", "train", "digits", "--recipe", recipe, *options]
        call += ["--images", str(ROUNDS * batch), "--tick", str(ROUNDS // LINES)]
        call += ["--patience", "0", "--device", "cpu", "--runs-dir", folder, "--log", "json"]
        child = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        found = []
        for line in child.stdout:
            row = json.loads(line)
            if "round" in row and "seconds" in row:
                found.append((int(row["round"]), anonymous(child.pid)))
        if child.wait():
            raise RuntimeError(f"the run ended with status {child.returncode}")
    return found


def slope(found: list[tuple[int, float]]) -> float:
    """KB a round, of the least-squares line over the settled part."""
    settled = np.array(found[int(SETTLED * len(found)) :], dtype=np.float64)
    return float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/memory.md"))
    options = parser.parse_args()
    lines = [
        f"| recipe | rounds | MB at a quarter | MB at the end | KB a round | aim below {LIMIT} |"
    ]
    lines.append("| --- " * 6 + "|")
    for recipe, given in CASES.items():
        found = watched(recipe, given)
        first, last = found[int(SETTLED * len(found))][1], found[-1][1]
        rise = slope(found)
        lines.append(
            f"| {recipe} {' '.join(given)} | {found[-1][0]:,} | {first / 1024:.1f} | "
            f"{last / 1024:.1f} | **{rise:.3f}** | {'yes' if rise < LIMIT else 'no'} |"
        )
        print(lines[-1], flush=True)
    write_page(options.out, "Memory over a long run", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()
