"""How soon do samples come, one at a time and in numbers?

A run of each recipe (of a few images: its networks are of the usual size, what they draw does not
matter) is loaded once, as `mulligan sample` loads it, and asked for 1 image, for 64, and for 1,000.
Latency is the median of many calls, noise and conversion to bytes included. One thread.

    python benchmarks/sampling.py        writes docs/results/sampling.md
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import mulligan
from mulligan.model import Model
from reporting import hardware, write_page

CASES = {
    "gan": ["digits", "gan", ""],
    "dcgan": ["digits", "dcgan", ""],
    "dcgan --preset classic": ["digits", "dcgan", "classic"],
    "cgan": ["digits", "cgan", ""],
    "r3gan": ["digits", "r3gan", ""],
    "sngan": ["digits", "sngan", ""],
}
COUNTS = {1: 50, 64: 10, 1000: 3}
"""Images a call, and how many calls are timed."""


def opened(data: str, recipe: str, preset: str, folder: str) -> Model:
    """A generator of this kind, hardly trained."""
    given: dict[str, Any] = {"recipe": recipe, "preset": preset, "images": 64, "batch": 16}
    given |= {"device": "cpu", "evaluate_every": 0, "log": "none", "runs_dir": folder}
    return mulligan.load(mulligan.train(data, **given), device="cpu")


def latency(model: Model, count: int, calls: int) -> float:
    """Median seconds of a call."""
    model.sample(count, seed=0)
    taken = []
    for seed in range(calls):
        start = time.perf_counter()
        model.sample(count, seed=seed)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/sampling.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = ["| generator | 1 image, ms | 64, ms | images/s at 64 | images/s at 1,000 |"]
    lines.append("| --- " * 5 + "|")
    with tempfile.TemporaryDirectory() as folder:
        for name, (data, recipe, preset) in CASES.items():
            model = opened(data, recipe, preset, folder)
            one, many, most = (latency(model, count, calls) for count, calls in COUNTS.items())
            lines.append(
                f"| {name} | {1000 * one:.1f} | {1000 * many:.1f} | {64 / many:,.0f} | "
                f"{1000 / most:,.0f} |"
            )
            print(lines[-1], flush=True)
    write_page(options.out, "Sampling", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()
