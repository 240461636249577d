"""What becomes of damaged and forged pictures?

Small whole files of every format (JPEG: baseline, progressive, CMYK, with EXIF; PNG: 1, 8 and 16
bit, palette, interlaced, animated; GIF; BMP; WebP: lossy, lossless, animated; TIFF: LZW, 16-bit,
float, pages, tiles, fax) are spoilt: bits flipped, runs replaced, cut off, bytes inserted, segments
swapped, doubled or lost, sides and depths in headers forged, two files spliced. A process opens
them as a user's folder. Every file must be decoded or skipped with a reason, or nothing is written.
The slowest call is the processor time of one file's header or pixels; memory is the most that the
process has taken beyond what it had before the first file.

    python benchmarks/mutated.py        Linux; --count 200000 for a long one
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from reporting import hardware, write_page

BATCH = 6000
SCRIPT = Path(__file__).resolve().parent.parent / "tests" / "data" / "opened_mutants.py"
SHOWN = 3
"""Reasons named for each format."""

Table = dict[str, dict[str, Any]]


def opened(count: int, seed: int) -> Table:
    """What became of so many files, by format. Raises RuntimeError if the process ended badly."""
    table: Table = {}
    with tempfile.TemporaryDirectory() as cache:
        call = [sys.executable, str(SCRIPT), str(count), str(seed), str(BATCH)]
        env = {**os.environ, "MULLIGAN_CACHE": cache}
        child = subprocess.Popen(  # libtiff writes its complaints to stderr
            call, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
        )
        assert child.stdout is not None
        for line in child.stdout:
            add(table, json.loads(line))
        if child.wait():
            raise RuntimeError(f"the process ended with status {child.returncode}")
    return table


def add(table: Table, row: dict[str, Any]) -> None:
    """Add a row of one folder to those of its format."""
    empty = {"files": 0, "decoded": 0, "reasons": Counter(), "slowest": 0.0, "memory": 0}
    kept = table.setdefault(row["format"], empty)
    for name in ("files", "decoded"):
        kept[name] += row[name]
    for name in ("slowest", "memory"):
        kept[name] = max(kept[name], row[name])
    for reason, times in row["reasons"].items():
        kept["reasons"][re.sub(r"\d+", "N", reason)] += times


def lines(table: Table) -> list[str]:
    """The table of a page."""
    found = ["| format | files | decoded | skipped | slowest call, ms | memory, MB | most often |"]
    found.append("| --- " * 7 + "|")
    for kind, row in table.items():
        often = "; ".join(f"{why} ({times})" for why, times in row["reasons"].most_common(SHOWN))
        found.append(
            f"| {kind} | {row['files']:,} | {row['decoded']:,} | {row['reasons'].total():,} | "
            f"{1000 * row['slowest']:.0f} | {row['memory'] / 2**20:.0f} | {often} |"
        )
    files, decoded = (sum(row[name] for row in table.values()) for name in ("files", "decoded"))
    skipped = sum(row["reasons"].total() for row in table.values())
    slow = 1000 * max(row["slowest"] for row in table.values())
    memory = max(row["memory"] for row in table.values()) / 2**20
    found += ["", f"**{files:,} files: {decoded:,} decoded, {skipped:,} skipped with a reason, "
              f"none lost. The slowest took {slow:.0f} ms, memory grew by {memory:.0f} MB; "
              "512 MB are the aim.**"]  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/results/mutated-files.md"))
    options = parser.parse_args()
    found = [*lines(opened(options.count, options.seed)), "", hardware()]
    print("\n".join(found))
    write_page(options.out, "Damaged pictures", __doc__ or "", found)


if __name__ == "__main__":
    main()
