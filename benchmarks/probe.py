"""What the probe says of pictures whose answer is known.

A fresh critic is trained to tell one set of pictures from another, and its AUC is measured on rows
it has not seen (mulligan/evaluation/probe.py). "real" takes other pictures of the same set, so the
truth is 0.5, and about 95 % of the intervals should hold it (90 to 99 % is accepted). "copies"
takes the very same pictures in another order, which must not look better than real. "blurred" is
the mean of 3x3 pixels, "slightly blurred" moves a tenth of each pixel to its neighbours, "dropped"
leaves out the pictures of class 0 (no critic can have more than about 0.55), "noise" is uniform.
Each repetition draws its rows anew from the training set and has a seed of its own. Rows are those
of each side; 35 % of them are the test part. Seconds were taken on a machine with other work.
A run that was cut off goes on from `--kept`; remove that file after a change of the probe.

    python benchmarks/probe.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from mulligan.data.open import open_data
from mulligan.evaluation.probe import probe
from mulligan.jsonl import append, read
from reporting import hardware, write_page

Rows = tuple[Tensor, Tensor]
"""Images and their labels."""


def blurred(images: Tensor) -> Tensor:
    return F.avg_pool2d(images.float(), 3, stride=1, padding=1).round().byte()


def slightly_blurred(images: Tensor) -> Tensor:
    kernel = torch.tensor([[0, 0.025, 0], [0.025, 0.9, 0.025], [0, 0.025, 0]])[None, None]
    return F.conv2d(images.float(), kernel, padding=1).round().byte()


def noise(images: Tensor) -> Tensor:
    """From torch's own generator, which is seeded for each repetition."""
    return torch.randint(0, 256, images.shape, dtype=torch.uint8)


@dataclass(frozen=True)
class Case:
    """What is compared with real rows, how many of each, and how often."""

    name: str
    generated: Callable[[Rows, Rows], Tensor]  # from the real rows and others, with their labels
    rows: int
    repetitions: int


CASES = (
    Case("real", lambda real, other: other[0], 2000, 40),
    Case("real", lambda real, other: other[0], 500, 100),
    Case("copies", lambda real, other: real[0].flip(0), 2000, 10),
    Case("noise", lambda real, other: noise(other[0]), 2000, 3),
    Case("blurred", lambda real, other: blurred(other[0]), 2000, 3),
    Case("slightly blurred", lambda real, other: slightly_blurred(other[0]), 2000, 3),
    Case("dropped", lambda real, other: other[0][other[1] != 0], 2000, 3),
)


def measure(case: Case, images: Tensor, label: Tensor) -> str:
    """What follows the names in a row of the table."""
    figures, seconds = [], []
    for seed in range(case.repetitions):
        torch.manual_seed(seed)
        order = torch.randperm(len(images))
        real, other = order[: case.rows], order[case.rows : 2 * case.rows]
        generated = case.generated((images[real], label[real]), (images[other], label[other]))
        started = time.perf_counter()
        figures.append(probe(images[real], generated, seed=seed))
        seconds.append(time.perf_counter() - started)
    held = [figure.low <= 0.5 <= figure.high for figure in figures]
    value, low, high = (
        fmean(getattr(figure, part) for figure in figures) for part in ("value", "low", "high")
    )
    return (
        f"{case.rows:,} | {case.repetitions} | {value:.3f} | {low:.3f} to {high:.3f} | "
        f"{sum(held)} of {len(held)} | {fmean(seconds):.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/probe.md"))
    parser.add_argument("--kept", type=Path, default=Path("build/probe.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.kept.parent.mkdir(parents=True, exist_ok=True)
    kept = {row["case"]: row["line"] for row in read(options.kept)}
    lines = [
        "| set | compared with | rows | repetitions | mean AUC | mean interval | 0.5 is held | "
        "seconds each |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in ("mnist", "fashion-mnist"):
        arrays = open_data(name).arrays
        for case in CASES:
            key = f"{name}, {case.name}, {case.rows} x {case.repetitions}"
            if key not in kept:
                kept[key] = measure(case, arrays["real"], arrays["label"])
                append(options.kept, {"case": key, "line": kept[key]})
            lines.append(f"| {name} | {case.name} | {kept[key]}")
            print(lines[-1], flush=True)
    assert __doc__ is not None
    write_page(options.out, "The probe", __doc__, [*lines, "", hardware()])


if __name__ == "__main__":
    main()
