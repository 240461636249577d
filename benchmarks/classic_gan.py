"""The introductory texts' GAN on MNIST: does ours behave like the published log?

`train mnist --recipe gan --preset classic` with five seeds. Criterion: from round 5,000 on the
discriminator's loss stays in 0.2 to 0.75, its accuracy in 70 to 92 % and the generator's loss in
2.4 to 5. Our rows are means over the 1,000 rounds before them, so the criterion is for the rows
above 5,000; the published values are single batches and scatter more. Losses of the discriminator
are the mean of its two updates.

    python benchmarks/classic_gan.py        resumable; writes docs/results/classic-gan.md
    python benchmarks/classic_gan.py --keras rows.json

The second command takes the rows that `classic_gan_keras.py` wrote and puts them beside ours.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable
from pathlib import Path

from campaign import finished
from mulligan.run import Run
from reporting import hardware, write_page

Figures = tuple[float, float, float]
Log = dict[int, Figures]  # round: discriminator's loss, its accuracy in percent, generator's loss

PUBLISHED: Log = {
    1_000: (0.130, 96.1, 3.39),
    5_000: (0.380, 86.7, 3.94),
    10_000: (0.445, 80.9, 3.47),
    15_000: (0.387, 82.0, 2.80),
    20_000: (0.355, 81.6, 2.72),
}
BOUNDS = ((0.2, 0.75), (70.0, 92.0), (2.4, 5.0))
CRITERION_ABOVE = 5_000

# The same game, logged four times by the author of one text: chapter-3/Chapter_3_GAN.ipynb of
# github.com/GANs-in-Action/gans-in-action at four commits; single batches, one each 1,000 rounds.
# fmt: off
AUTHORS_LOGS: dict[str, tuple[Figures, ...]] = {
    "6b317bc": (
        (0.055, 100.0, 3.75), (0.287, 91.0, 3.30), (0.228, 91.0, 3.96), (0.093, 97.3, 5.46),
        (0.091, 94.9, 6.05), (0.118, 94.9, 4.83), (0.108, 96.5, 5.69), (0.139, 94.9, 5.15),
        (0.235, 89.8, 3.83), (0.299, 89.1, 4.62), (0.296, 88.3, 3.22), (0.491, 78.9, 2.66),
        (0.282, 88.3, 2.84), (0.351, 85.5, 3.05), (0.306, 84.8, 3.05), (0.217, 91.8, 3.58),
        (0.295, 87.1, 2.59), (0.381, 82.0, 2.54), (0.333, 84.8, 3.10),
    ),
    "7b4867d": (
        (0.065, 98.4, 5.06), (0.223, 91.8, 5.70), (0.304, 84.4, 5.16), (0.173, 93.4, 4.63),
        (0.139, 95.7, 4.04), (0.280, 90.2, 4.53), (0.272, 91.8, 4.62), (0.148, 94.5, 3.56),
        (0.281, 89.1, 4.16), (0.273, 88.3, 4.15), (0.434, 83.2, 3.51), (0.294, 86.3, 3.68),
        (0.236, 89.1, 3.45), (0.452, 79.3, 3.54), (0.332, 88.7, 3.67), (0.583, 77.0, 2.49),
        (0.397, 84.4, 3.51), (0.419, 80.1, 2.89), (0.457, 80.9, 2.74),
    ),
    "5b95ef7": (
        (0.081, 96.1, 4.45), (0.022, 99.6, 6.62), (0.071, 97.3, 5.53), (0.272, 90.2, 6.14),
        (0.197, 93.0, 5.77), (0.309, 87.9, 4.63), (0.206, 91.4, 3.77), (0.339, 88.3, 4.66),
        (0.307, 87.9, 3.32), (0.340, 83.2, 3.40), (0.301, 86.3, 4.28), (0.621, 71.5, 2.83),
        (0.374, 82.8, 3.01), (0.399, 84.0, 3.43), (0.490, 78.9, 2.74), (0.389, 82.4, 2.51),
        (0.558, 75.0, 2.51), (0.445, 82.0, 2.81), (0.369, 78.9, 3.18), (0.367, 84.0, 2.87),
    ),
    "0c4849f": (
        (0.080, 98.0, 5.47), (0.052, 98.8, 4.66), (0.137, 94.5, 4.26), (0.112, 95.7, 4.91),
        (0.213, 91.8, 4.43), (0.204, 92.6, 5.18), (0.232, 89.8, 3.96), (0.370, 86.3, 3.75),
        (0.327, 86.7, 3.81), (0.314, 87.9, 2.94), (0.252, 89.5, 3.95), (0.374, 85.5, 4.22),
        (0.406, 81.2, 2.59), (0.330, 86.3, 3.24), (0.461, 80.5, 2.61), (0.358, 85.9, 3.78),
        (0.207, 91.8, 3.46), (0.271, 89.1, 3.32), (0.357, 88.3, 3.31), (0.367, 82.8, 2.97),
    ),
}
# fmt: on


def figures(row: dict[str, float]) -> Figures:
    """Discriminator's loss, its accuracy in percent, generator's loss, as the texts log them."""
    loss = (row["discriminator/real"] + row["discriminator/fake"]) / 2
    accuracy = (row["discriminator/accuracy_real"] + row["discriminator/accuracy_fake"]) / 2
    return loss, 100 * accuracy, row["generator/fake"]


def by_round(run: Run) -> Log:
    return {row["round"]: figures(row) for row in run.rows()}


def keras_logs(path: Path) -> tuple[list[Log], list[Log], str]:
    """(means, single batches) of each seed in the file of classic_gan_keras.py, and its versions"""
    content = json.loads(path.read_text())
    seeds = [content["seeds"][seed] for seed in sorted(content["seeds"], key=int)]
    means, single = (
        [{row["round"]: tuple(row[kind]) for row in rows} for rows in seeds]
        for kind in ("mean", "single")
    )
    return means, single, ", ".join(f"{k} {v}" for k, v in content["versions"].items())


def within(values: Figures) -> bool:
    return all(low <= value <= high for value, (low, high) in zip(values, BOUNDS, strict=True))


def late(log: Log) -> list[Figures]:
    return [values for number, values in log.items() if number > CRITERION_ABOVE]


def verdict(logs: Iterable[Log]) -> tuple[int, int]:
    """Rows above round 5,000 that meet the criterion, and all of them."""
    rows = [values for log in logs for values in late(log)]
    return sum(map(within, rows)), len(rows)


def over_seeds(logs: list[Log]) -> Log:
    """Means over the seeds, row by row."""
    mean = statistics.mean
    return {
        number: (mean(r[0] for r in rows), mean(r[1] for r in rows), mean(r[2] for r in rows))
        for number in logs[0]
        for rows in [[log[number] for log in logs]]
    }


def table(columns: dict[str, Log], rounds: Iterable[int]) -> list[str]:
    """One row a round, one column a log; each cell holds the three figures."""
    lines = ["| round | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 1) + "|"]
    for number in rounds:
        cells = [log.get(number) for log in columns.values()]
        shown = " | ".join("{:.3f}, {:.1f} %, {:.2f}".format(*c) if c else "-" for c in cells)
        lines.append(f"| {number:,} | {shown} |")
    return lines


def spans(name: str, log: Log) -> str:
    """How many late rows are inside the bounds, and the range of each figure over them."""
    rows = late(log)
    ranges = "; ".join(
        f"{min(column):.3g} to {max(column):.3g}" for column in zip(*rows, strict=True)
    )
    return f"- {name}: {sum(map(within, rows))} of {len(rows)} rows inside the bounds ({ranges})"


def beside_keras(path: Path, ours: list[Log]) -> list[str]:
    """Section: the texts' loop in Keras beside ours, by the same criterion."""
    means, single, versions = keras_logs(path)
    average = {"ours": over_seeds(ours), "Keras": over_seeds(means)}
    inside, total = verdict(means)
    inside_single, total_single = verdict(single)
    return [
        "## The texts' loop in Keras",
        "",
        f"`python benchmarks/classic_gan_keras.py` with {versions}: {len(means)} seeds of the "
        "texts' loop to the letter. Means over the 1,000 rounds before, as ours.",
        "",
        *table({f"Keras, seed {s}": log for s, log in enumerate(means)}, PUBLISHED),
        "",
        *(spans(f"Keras, seed {s}", log) for s, log in enumerate(means)),
        "",
        f"Means over the seeds, {len(ours)} of ours and {len(means)} of Keras:",
        "",
        *table(average, sorted(average["Keras"])),
        "",
        f"**{inside} of {total} Keras rows above round 5,000 meet the criterion; of the single "
        f"batches at these rounds, as the texts log them, {inside_single} of {total_single}.**",
    ]


def authors_logs() -> list[str]:
    """Section: the four logs that the author of one text published of the same game."""
    logs = {
        f"`{commit}`": {1_000 * (i + 1): values for i, values in enumerate(log)}
        for commit, log in AUTHORS_LOGS.items()
    }
    inside, total = verdict(logs.values())
    accuracies = [log[CRITERION_ABOVE][1] for log in logs.values()]
    return [
        "## Other published logs of the same game",
        "",
        "Single batches, from four commits of `chapter-3/Chapter_3_GAN.ipynb` in "
        "[GANs-in-Action/gans-in-action](https://github.com/GANs-in-Action/gans-in-action); the "
        "game did not change between them. Two logs end at 19,000.",
        "",
        *table(logs, sorted({*PUBLISHED, 6_000})),
        "",
        *(spans(name, log) for name, log in logs.items()),
        "",
        f"**{inside} of {total} published rows above round 5,000 meet the criterion.** At round "
        f"5,000 the discriminator's accuracy is {min(accuracies)} to {max(accuracies)} % in these "
        f"logs and {PUBLISHED[CRITERION_ABOVE][1]} % in the one above: single batches of one game "
        "differ by that much.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--keras", type=Path, help="rows that classic_gan_keras.py wrote")
    parser.add_argument("--out", type=Path, default=Path("docs/results/classic-gan.md"))
    options = parser.parse_args()
    runs = [
        finished("mnist", options.runs_dir, recipe="gan", preset="classic", seed=seed, device="cpu")
        for seed in range(options.seeds)
    ]
    logs = [by_round(run) for run in runs]
    inside, total = verdict(logs)
    seconds = statistics.median(run.rows()[-1]["seconds"] for run in runs)
    names = [f"seed {seed}" for seed in range(len(runs))]
    lines = [
        *table({"published": PUBLISHED, **dict(zip(names, logs, strict=True))}, PUBLISHED),
        "",
        "Each cell: discriminator's loss, its accuracy, generator's loss.",
        "",
        *(spans(name, log) for name, log in zip(names, logs, strict=True)),
        "",
        f"**{inside} of {total} rows above round 5,000 meet the criterion.** "
        f"20,000 rounds took {seconds:.0f} s (median of {len(runs)} seeds).",
        "",
        *authors_logs(),
        "",
        *(beside_keras(options.keras, logs) if options.keras else []),
        "",
        hardware(),
    ]
    print("\n".join(lines))
    write_page(options.out, "The classic GAN", __doc__ or "", lines)


if __name__ == "__main__":
    main()
