"""Is a killed run, resumed, the run that was never killed?

Runs of 300 rounds, each with its process group killed (SIGKILL) at random moments, two in five of
them at the next save after a random moment, and resumed until it ends. Then every update's losses
and sample ids, every row of the log, every preview and the hashes of all final tensors must equal
those of the uninterrupted run. A kill counts as inside a save if it left a temporary checkpoint
folder behind.

    python benchmarks/kills.py        writes docs/results/kills.md
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from mulligan.catalogue import recipe_names
from reporting import hardware, write_page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))


def main() -> None:
    kill_and_resume = import_module("engine.killing").kill_and_resume
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--out", type=Path, default=Path("docs/results/kills.md"))
    options = parser.parse_args()
    names, chance = recipe_names(), random.Random(0)
    lines = ["| recipe | kills | inside a save | equal to the uninterrupted run |"]
    lines.append("| --- " * 4 + "|")
    total = inside = 0
    for name in names:
        kills = options.kills // len(names)
        with tempfile.TemporaryDirectory() as folder:
            hits = kill_and_resume(name, Path(folder), kills, chance)  # fails if not equal
        total, inside = total + kills, inside + hits
        lines.append(f"| {name} | {kills} | {hits} | yes |")
        print(lines[-1], flush=True)
    lines += ["", f"**{total} kills, {inside} of them inside a save, no difference.**", ""]
    write_page(options.out, "Kills", __doc__ or "", [*lines, hardware()])


if __name__ == "__main__":
    main()
