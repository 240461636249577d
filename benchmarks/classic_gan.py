"""The introductory texts' GAN on MNIST: does ours behave like the published log?

`train mnist --recipe gan --preset classic` with five seeds. Criterion: from round 5,000 on the
discriminator's loss stays in 0.2 to 0.75, its accuracy in 70 to 92 % and the generator's loss in
2.4 to 5. Our rows are means over the 1,000 rounds before them, so the criterion is for the rows
above 5,000; the published values are single batches and scatter more. Losses of the discriminator
are the mean of its two updates.

    python benchmarks/classic_gan.py        resumable; writes docs/results/classic-gan.md
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from campaign import finished
from mulligan.run import Run
from reporting import hardware, write_page

PUBLISHED = {  # round: discriminator's loss, its accuracy in percent, generator's loss
    1_000: (0.130, 96.1, 3.39),
    5_000: (0.380, 86.7, 3.94),
    10_000: (0.445, 80.9, 3.47),
    15_000: (0.387, 82.0, 2.80),
    20_000: (0.355, 81.6, 2.72),
}
BOUNDS = ((0.2, 0.75), (70.0, 92.0), (2.4, 5.0))
Figures = tuple[float, float, float]


def figures(row: dict[str, float]) -> Figures:
    """Discriminator's loss, its accuracy in percent, generator's loss, as the texts log them."""
    loss = (row["discriminator/real"] + row["discriminator/fake"]) / 2
    accuracy = (row["discriminator/accuracy_real"] + row["discriminator/accuracy_fake"]) / 2
    return loss, 100 * accuracy, row["generator/fake"]


def by_round(run: Run) -> dict[int, Figures]:
    return {row["round"]: figures(row) for row in run.rows()}


def within(values: Figures) -> bool:
    return all(low <= value <= high for value, (low, high) in zip(values, BOUNDS, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/classic-gan.md"))
    options = parser.parse_args()
    runs = [
        finished("mnist", options.runs_dir, recipe="gan", preset="classic", seed=seed, device="cpu")
        for seed in range(options.seeds)
    ]
    logs = [by_round(run) for run in runs]
    lines = ["| round | published | " + " | ".join(f"seed {s}" for s in range(len(runs))) + " |"]
    lines.append("| --- " * (len(runs) + 2) + "|")
    for round_number, published in PUBLISHED.items():
        cells = [published, *(log[round_number] for log in logs)]
        shown = " | ".join(f"{d:.3f}, {a:.1f} %, {g:.2f}" for d, a, g in cells)
        lines.append(f"| {round_number:,} | {shown} |")
    late = [[v for n, v in log.items() if n > 5_000] for log in logs]
    inside = [sum(map(within, values)) for values in late]
    seconds = [run.rows()[-1]["seconds"] for run in runs]
    lines += ["", "Each cell: discriminator's loss, its accuracy, generator's loss.", ""]
    for seed, (log, count) in enumerate(zip(late, inside, strict=True)):
        ranges = "; ".join(
            f"{min(v[i] for v in log):.3g} to {max(v[i] for v in log):.3g}" for i in range(3)
        )
        lines.append(f"- seed {seed}: {count} of {len(log)} rows inside the bounds ({ranges})")
    total = sum(map(len, late))
    lines += [
        "",
        f"**{sum(inside)} of {total} rows above round 5,000 meet the criterion.** "
        f"20,000 rounds took {statistics.median(seconds):.0f} s (median of {len(runs)} seeds).",
        "",
        hardware(),
    ]
    print("\n".join(lines))
    write_page(options.out, "The classic GAN", __doc__ or "", lines)


if __name__ == "__main__":
    main()
