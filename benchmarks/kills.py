"""Is a killed run, resumed, the run that was never killed?

Runs of 300 rounds, each with its process group killed (SIGKILL) at random moments, two in five of
them at the next save after a random moment, and resumed until it ends. Then every update's losses
and sample ids, every row of the log, every preview and the hashes of all final tensors must equal
those of the uninterrupted run. A kill counts as inside a save if it left a temporary checkpoint
folder behind.

    python benchmarks/kills.py        resumable by recipe; writes docs/results/kills.md
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from mulligan.catalogue import recipe_names
from mulligan.jsonl import append, read
from reporting import hardware, write_page

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))


def main() -> None:
    kill_and_resume = import_module("engine.killing").kill_and_resume
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--kept", type=Path, default=Path("runs/campaigns/kills.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/kills.md"))
    options = parser.parse_args()
    names = recipe_names()
    done = {(row["recipe"], row["kills"]): row["inside"] for row in read(options.kept)}
    lines = ["| recipe | kills | inside a save | equal to the uninterrupted run |"]
    lines.append("| --- " * 4 + "|")
    total = inside = 0
    for name in names:
        kills = math.ceil(options.kills / len(names))
        if (name, kills) not in done:
            with tempfile.TemporaryDirectory() as folder:  # raises if anything is not equal
                hits = kill_and_resume(name, Path(folder), kills, random.Random(name))
            append(options.kept, {"recipe": name, "kills": kills, "inside": hits})
            done[name, kills] = hits
        hits = done[name, kills]
        total, inside = total + kills, inside + hits
        lines.append(f"| {name} | {kills} | {hits} | yes |")
        print(lines[-1], flush=True)
    lines += ["", f"**{total} kills, {inside} of them inside a save, no difference.**", ""]
    write_page(options.out, "Kills", __doc__ or "", [*lines, hardware()])


if __name__ == "__main__":
    main()
