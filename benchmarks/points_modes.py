"""Modes of points: which recipes find all of them, and are they as sharp as the data's?

The ring of 8 and the grid of 25 modes of PacGAN (Lin et al. 2017, arXiv:1712.04086), 2,500 samples
of each run's last averaged generator. A point within 3 deviations of its nearest centre is of high
quality; a mode counts if it has one; the reverse KL is that of the histogram of high-quality points
from the uniform one; spread is the deviation within modes over that of perfect samples. True data
have 98.9 % of high quality, a spread of 1 and a reverse KL of about 0.001 (ring) and 0.005 (grid).
Every recipe runs at its own defaults and its own length; mean and standard error over seeds.

    python benchmarks/points_modes.py [RECIPE ...]        resumable; writes points-modes.md
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.figure import Figure

from campaign import finished
from mulligan import load
from mulligan.data.points import modes
from mulligan.metrics.modes import PointModes, point_modes
from mulligan.run import Run
from reporting import hardware, trained_on, write_page

SETS = ("2d:ring", "2d:grid")
SEEDS = {"r3gan": 10}
FEW = 5
RECIPES = ("r3gan", "gan", "lsgan", "wgan", "wgan_gp", "sngan")
COUNT = 2500
LIMITS = {"2d:ring": 0.02, "2d:grid": 0.03}
PUBLISHED = (
    ("GAN", "6.3 +- 0.5 / 98.2 +- 0.2 % / 0.45", "17.3 +- 0.8 / 94.8 +- 0.7 % / 0.70"),
    ("ALI", "6.6 +- 0.3 / 97.6 +- 0.4 % / 0.36", "24.1 +- 0.4 / 95.7 +- 0.6 % / 0.14"),
    ("PacGAN2", "7.9 +- 0.1 / 95.6 +- 2.0 % / 0.07", "23.8 +- 0.7 / 91.3 +- 0.8 % / 0.13"),
    ("PacGAN4", "7.8 +- 0.1 / 95.9 +- 1.4 % / 0.07", "24.8 +- 0.2 / 93.6 +- 0.6 % / 0.04"),
)


HEAD_OF_SEEDS = (
    "",
    "The seeds of `r3gan`:",
    "",
    "| data | seed | modes | high quality | reverse KL | spread | s | good |",
    "| --- " * 8 + "|",
)
NOTE = (
    "PacGAN's rows are its table 1: modes, high quality, reverse KL, after 400,000 steps of batch "
    "100. s: seconds of training, the median; good: all modes, 96 to 99.5 % of high quality, a "
    "spread of 0.8 to 1.2, a reverse KL of at most 0.02 (ring) or 0.03 (grid)."
)


def samples(run: Run) -> torch.Tensor:
    """(2,500, 2) of a run's last checkpoint."""
    return torch.from_numpy(load(run, checkpoint="last").sample(COUNT, seed=0).points)


def measured(run: Run, data: str) -> PointModes:
    """The modes of a run's samples."""
    return point_modes(samples(run), *modes(data))


def draw(first: dict[tuple[str, str], Run], recipes: Sequence[str], path: Path) -> None:
    """The samples of each recipe's first seed, a row a data set."""
    figure = Figure(figsize=(2.1 * len(recipes), 4.4), dpi=100, layout="constrained")
    every = figure.subplots(len(SETS), len(recipes), squeeze=False)
    for row, data in zip(every, SETS, strict=True):
        reach = 1.25 * float(modes(data)[0].abs().max())
        for axes, recipe in zip(row, recipes, strict=True):
            axes.scatter(*samples(first[recipe, data]).T, s=1, linewidths=0, color="C0")
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
            axes.set(xticks=[], yticks=[], title=recipe)
    figure.savefig(path, metadata={"Software": None})


def good(found: PointModes, data: str) -> bool:
    """All modes, sharp and balanced: the criterion for r3gan."""
    return (
        found.modes == found.total
        and 0.96 <= found.high_quality <= 0.995
        and found.spread is not None
        and 0.8 <= found.spread <= 1.2
        and found.reverse_kl is not None
        and found.reverse_kl <= LIMITS[data]
    )


def over_seeds(values: list[float], digits: int = 3) -> str:
    """Mean and standard error."""
    mean = statistics.fmean(values)
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{mean:.{digits}f} +- {error:.{digits}f}"


def cell(every: list[PointModes]) -> str:
    shown = [over_seeds([float(one.modes) for one in every], 1)]
    shown.append(over_seeds([100 * one.high_quality for one in every], 1) + " %")
    some = [one for one in every if one.reverse_kl is not None and one.spread is not None]
    if some:
        shown.append(over_seeds([float(one.reverse_kl or 0.0) for one in some]))
        shown.append(over_seeds([float(one.spread or 0.0) for one in some], 2))
    return " / ".join(shown)


def each(data: str, every: list[PointModes], runs: list[Run]) -> list[str]:
    """One line a seed."""
    lines = []
    for seed, (one, run) in enumerate(zip(every, runs, strict=True)):
        verdict = "yes" if good(one, data) else "**no**"
        lines.append(
            f"| {data} | {seed} | {one.modes} | {100 * one.high_quality:.1f} % | "
            f"{one.reverse_kl or 0:.4f} | {one.spread or 0:.2f} | "
            f"{run.rows()[-1]['seconds']:.0f} | {verdict} |"
        )
    return lines


def row(recipe: str, count: int, runs_dir: Path) -> tuple[str, list[str], list[list[Run]]]:
    """A recipe's line of the table, a line a seed, and its runs, a list for each data set."""
    cells, lines, every = [], [], []
    for data in SETS:
        asked = {"recipe": recipe, "device": "cpu", "patience": 0}
        runs = [finished(data, runs_dir, seed=seed, **asked) for seed in range(count)]
        found = [measured(run, data) for run in runs]
        cells.append(cell(found))
        lines += each(data, found, runs)
        every.append(runs)
    seconds = statistics.median(run.rows()[-1]["seconds"] for runs in every for run in runs)
    return f"| `{recipe}` | {count} | {cells[0]} | {cells[1]} | {seconds:.0f} |", lines, every


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", default=RECIPES)
    parser.add_argument("--seeds", type=int, default=0, help="at most so many of each")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/points-modes.md"))
    options = parser.parse_args()
    lines = ["| recipe | seeds | ring: modes / high quality / reverse KL / spread | grid | s |"]
    lines.append("| --- " * 5 + "|")
    seeds: list[str] = []
    first: dict[tuple[str, str], Run] = {}
    trained: list[Run] = []
    for recipe in options.recipes:
        count = SEEDS.get(recipe, FEW)
        line, each_seed, every = row(recipe, min(count, options.seeds or count), options.runs_dir)
        lines.append(line)
        print(line, flush=True)
        first |= {(recipe, data): runs[0] for data, runs in zip(SETS, every, strict=True)}
        trained += [run for runs in every for run in runs]
        if recipe == "r3gan":
            seeds = [*HEAD_OF_SEEDS, *each_seed]
    lines += [
        f"| {name}, PacGAN's table 1 | 10 | {ring} | {grid} | |" for name, ring, grid in PUBLISHED
    ]
    draw(first, options.recipes, options.out.with_suffix(".png"))
    lines += ["", NOTE, "", f"![samples of seed 0]({options.out.stem}.png)", *seeds, ""]
    lines += [trained_on(trained), "", f"Page: {hardware()}"]
    write_page(options.out, "Modes of points", __doc__ or "", lines)


if __name__ == "__main__":
    main()
