"""Does a long run take more and more memory?

A run is started as a user would start it, and its anonymous memory (`RssAnon`, what the process
itself has allocated) is read at every line of its log. The slope is that of the least-squares line
over all but the first quarter, in which caches fill. Logs, previews, evaluations, checkpoints and
reports are those of a usual run, 40 of its lines; what each of them leaves counts too.

Then a run on a store of 50,000 pictures of 128 pixels: 2.5 GB of decoded pixels are mapped from the
cache, so what the process itself allocates must not grow with them. The most is that at any line.

    python benchmarks/memory.py        Linux; writes docs/results/memory.md
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from reporting import hardware, write_page

ROUNDS, LINES = 20_000, 40
CASES = {"gan": ["--batch", "64"], "dcgan": ["--batch", "8"]}
LIMIT = 0.4
STORED, SIDE, ENOUGH = 50_000, 128, 1.5
"""Pictures of the store, their side, and the GB that a run on them may take."""

SETTLED = 0.25
"""Share of the run that is left out."""


def anonymous(pid: int) -> float:
    """KB of memory that the process has allocated. Raises ProcessLookupError if it is over."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return float(line.split()[1])
    raise ProcessLookupError(f"process {pid} says nothing of its memory")


def long_run(recipe: str, options: list[str]) -> list[tuple[int, float]]:
    """(round, KB) at every line of a run on the digits."""
    batch = int(options[options.index("--batch") + 1])
    length = ["--images", str(ROUNDS * batch), "--tick", str(ROUNDS // LINES)]
    with tempfile.TemporaryDirectory() as folder:
        return watched("digits", folder, ["--recipe", recipe, *options, *length])


def large_store() -> list[tuple[int, float]]:
    """(round, KB) at every line of a run on STORED pictures, most of all after packing them."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "pictures"
        root.mkdir()
        draw = np.random.default_rng(0)
        for number in range(STORED):
            rough = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            smooth = Image.fromarray(rough).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
            smooth.save(root / f"{number:05}.jpg", quality=85)
        options = ["--size", str(SIDE), "--images", "1920", "--tick", "5"]
        return watched(str(root), folder, options)


def watched(data: str, folder: str, options: list[str]) -> list[tuple[int, float]]:
    """(round, KB) at every line of a run's log. folder: for the run and for the cache."""
    call = [sys.executable, "-m", "mulligan", "train", data, *options, "--patience", "0"]
    call += ["--device", "cpu", "--runs-dir", folder, "--log", "json"]
    environment = {**os.environ, "MULLIGAN_CACHE": f"{folder}/cache"}
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        found = []
        for line in child.stdout:
            row = json.loads(line)
            if "round" in row and "seconds" in row:
                with suppress(ProcessLookupError):
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
        found = long_run(recipe, given)
        first, last = found[int(SETTLED * len(found))][1], found[-1][1]
        rise = slope(found)
        lines.append(
            f"| {recipe} {' '.join(given)} | {found[-1][0]:,} | {first / 1024:.1f} | "
            f"{last / 1024:.1f} | **{rise:.3f}** | {'yes' if rise < LIMIT else 'no'} |"
        )
        print(lines[-1], flush=True)
    most = max(kept for _, kept in large_store()) * 1024 / 1e9
    stored = (
        f"{STORED:,} pictures of {SIDE}x{SIDE}, {STORED * SIDE * SIDE * 3 / 1e9:.1f} GB of pixels"
    )
    lines += ["", f"| store | most GB allocated | aim below {ENOUGH} |", "| --- " * 3 + "|"]
    lines.append(f"| {stored} | **{most:.2f}** | {'yes' if most < ENOUGH else 'no'} |")
    write_page(options.out, "Memory over a long run", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()
