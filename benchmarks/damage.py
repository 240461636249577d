"""The ladder of damage: what each figure does when good pictures are spoilt in a known way.

Real images stand in for a generator and are damaged more and more; they are compared with other
real images. Five times, each with a draw of its own of both, all from the training part. A cell
says what the strongest damage does to a figure: + rises, - falls, 0 neither; a figure has moved if
the 95 % interval of its change over the draws (Student's) leaves out zero and, for figures that are
near 1, if the change is a tenth or more. What was expected had been written first
(benchmarks/damages.py); a cell that is not as expected is marked with ≠, and its draws are listed.

One cell refuted what was first expected: precision under blur of photographs. Its expectation was
stated anew, with the reason, and is judged by five fresh draws made after that; so is its whole
row, which repeats the other cells. Density, which counts balls, sees what precision does not.

    python benchmarks/damage.py        resumable; needs MULLIGAN_DATA; writes damage.md and .png
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from convert_cifar10 import cifar10_zip
from damages import DAMAGES, FIGURES, LEVELS, RESTATED, UNITS, expected
from mulligan.data.dataset import DataSet
from mulligan.data.open import open_data
from mulligan.evaluation.lens import Lens, Rows, open_lens
from mulligan.fields import Image
from mulligan.metrics.coverage import coverage
from mulligan.metrics.distances import frechet_distance, kernel_distance, mind
from mulligan.metrics.intervals import student
from mulligan.metrics.modes import label_modes
from mulligan.metrics.moments import Moments
from mulligan.metrics.score import inception_score
from reporting import hardware, write_page

SETS = {"mnist": "digits", "fashion-mnist": "fashion", "cifar10": "squeezenet"}
COUNT = 5000
"""Rows of each side."""

DRAWS = 5
"""Draws of both sides. The damages between none and the strongest are seen in the first alone."""

NEAR_ONE = ("precision", "recall", "density", "coverage", "IS")
MOVED = 0.1
Values = dict[str, float]
Table = dict[str, list[list[Values]]]
"""damage -> draw -> the figures at each level, undamaged first; after draw 0 only both ends."""


def open_set(name: str) -> tuple[Tensor, Tensor]:
    """All images, uint8 (N, C, H, W), and their labels."""
    data = _cifar_copy() if name == "cifar10" else open_data(name)
    return data.arrays["real"], data.arrays["label"]


def _cifar_copy() -> DataSet:
    return open_data(str(cifar10_zip()), size=(32, 32), channels=3)


def measured(name: str, home: Path, kinds: Iterable[str] = DAMAGES, first: int = 0) -> Table:
    """Figures of one data set, from the files of earlier sittings where they are there.

    kinds: the damages. first: the number of the first draw of DRAWS.
    """
    images, labels = open_set(name)
    lens = open_lens(SETS[name], Image(*images.shape[1:]))
    colour = images.shape[1] == 3
    table: Table = {kind: [] for kind in kinds if colour or kind != "swapped colours"}
    for draw in range(first, first + DRAWS):
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(draw))
        others = order[COUNT : 7 * COUNT]
        subject = Subject(lens, images[order[:COUNT]], images[others], labels[others])
        for damage, draws in table.items():
            levels = LEVELS[damage] if draw == 0 else LEVELS[damage][-1:]
            draws.append([])
            for level in (0.0, *levels):
                kind = damage if level else "none"
                stem = f"{name}-{draw}-{kind.replace(' ', '-')}-{level:g}"
                draws[-1].append(_kept(home / f"{stem}.json", subject, kind, level))
                print(stem, {k: round(v, 4) for k, v in draws[-1][-1].items()}, flush=True)
    return table


class Subject:
    """One draw: the real rows, measured once, and the images to damage with their labels."""

    def __init__(self, lens: Lens, real: Tensor, images: Tensor, labels: Tensor) -> None:
        self.lens, self.images, self.labels = lens, images, labels
        self._real = real

    @cached_property
    def rows(self) -> Rows:
        return self.lens.rows(self._real)

    def figures(self, damage: str, level: float) -> Values:
        """The figures of images with this damage, by kind."""
        enough = len(self.images) if damage == "dropped classes" else COUNT
        images, labels = self.images[:enough], self.labels[:enough]
        spoilt = images if damage == "none" else DAMAGES[damage](images, labels, level)
        return figures(self.rows, self.lens.rows(spoilt[:COUNT]), self.lens)


def figures(real: Rows, made: Rows, lens: Lens) -> Values:
    """Every figure that the extractor allows."""
    pair = real.features.double(), made.features.double()
    near = coverage(*pair)
    found = {
        "FD": frechet_distance(Moments.of(pair[0]), Moments.of(pair[1])),
        "KD": kernel_distance(*pair),
        "MIND": mind(*pair),
        **{kind: getattr(near, kind) for kind in ("precision", "recall", "density", "coverage")},
    }
    if lens.classes:
        weights = torch.bincount(real.labels, minlength=len(lens.classes)).double()
        modes = label_modes(made.labels, len(lens.classes), weights)
        found["IS"] = inception_score(made.probabilities, splits=1)
        found["reverse KL"] = modes.reverse_kl or 0.0
    return found


def _kept(path: Path, subject: Subject, damage: str, level: float) -> Values:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(subject.figures(damage, level)))
    return dict(json.loads(path.read_text()))


def change(kind: str, draws: list[list[Values]]) -> tuple[float, float]:
    """What the strongest damage adds to a figure: the mean over the draws, and its half-width."""
    moves = torch.tensor([draw[-1][kind] - draw[0][kind] for draw in draws], dtype=torch.float64)
    error = float(moves.std()) / math.sqrt(len(moves))
    return float(moves.mean()), student(0.95, len(moves) - 1) * error


def moved(kind: str, draws: list[list[Values]]) -> str:
    """+, - or 0: what the strongest damage did."""
    mean, half = change(kind, draws)
    before = sum(draw[0][kind] for draw in draws) / len(draws)
    if abs(mean) <= half or (kind in NEAR_ONE and abs(mean) < MOVED * before):
        return "0"
    return "+" if mean > 0 else "-"


def matrix(tables: dict[str, Table]) -> tuple[list[str], int, int]:
    """The lines of the table, cells as expected, and all cells."""
    lines = ["| data | damage | " + " | ".join(FIGURES) + " |", "| --- " * 11 + "|"]
    right = total = 0
    for name, table in tables.items():
        for damage, draws in table.items():
            cells = []
            for kind in FIGURES:
                if kind not in draws[0][0]:
                    cells.append("")
                    continue
                seen, wanted = moved(kind, draws), expected(damage, kind)
                total, right = total + 1, right + (seen == wanted)
                cells.append(seen if seen == wanted else f"{seen} ≠ {wanted}")
            lines.append(f"| {name} | {damage} | {' | '.join(cells)} |")
    return lines, right, total


def surprises(tables: dict[str, Table]) -> list[str]:
    """The draws of each cell that is not as expected."""
    lines = []
    for name, table in tables.items():
        for damage, draws in table.items():
            for kind in draws[0][0]:
                if moved(kind, draws) != expected(damage, kind):
                    pairs = (f"{draw[0][kind]:.3g} to {draw[-1][kind]:.3g}" for draw in draws)
                    lines.append(f"{name}, {damage}, {kind}: {'; '.join(pairs)}.")
    return lines


def fresh(home: Path, sets: Iterable[str]) -> tuple[list[str], int]:
    """Lines on the cells stated anew, judged by draws of their own; how many are as stated."""
    lines: list[str] = []
    right = 0
    for (name, damage, figure), wanted in RESTATED.items():
        if name not in sets:
            continue
        draws = measured(name, home, [damage], first=DRAWS)[damage]
        seen = moved(figure, draws)
        right += seen == wanted
        pairs = "; ".join(f"{draw[0][figure]:.3g} to {draw[-1][figure]:.3g}" for draw in draws)
        others = [kind for kind in draws[0][0] if kind != figure]
        same = [kind for kind in others if moved(kind, draws) == expected(damage, kind)]
        lines += [
            f"**Stated anew: {name}, {damage}, {figure}: {wanted}. Fresh draws: {seen}** "
            f"({pairs}). Of the other {len(others)} cells of that row, "
            f"{len(same)} come out as expected again."
        ]
    return lines, right


def values(tables: dict[str, Table]) -> list[str]:
    """The figures of the first draw at each strength, and the change over all draws."""
    lines = []
    for name, table in tables.items():
        for damage, draws in table.items():
            levels = ["none", *(f"{level:g}" for level in LEVELS[damage])]
            lines += ["", f"**{name}, {damage}** ({UNITS[damage]})", ""]
            lines += [
                f"| figure | {' | '.join(levels)} | change, {DRAWS} draws |",
                "| --- " * 7 + "|",
            ]
            for kind in draws[0][0]:
                cells = " | ".join(f"{level[kind]:.4g}" for level in draws[0])
                mean, half = change(kind, draws)
                lines.append(f"| {kind} | {cells} | {mean:+.3g} ± {half:.2g} |")
    return lines


def plot(tables: dict[str, Table], path: Path) -> None:
    """Each figure over the strength of the damage, as a share of its largest value."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        len(tables), len(DAMAGES), figsize=(17, 9), sharey=True, squeeze=False
    )
    for row, (name, table) in zip(axes, tables.items(), strict=True):
        for axis, damage in zip(row, DAMAGES, strict=True):
            if damage not in table:
                axis.axis("off")
                continue
            for kind in table[damage][0][0]:
                found = [level[kind] for level in table[damage][0]]
                top = max(abs(one) for one in found) or 1.0
                axis.plot(range(5), [one / top for one in found], marker="o", ms=3, label=kind)
            axis.set_xticks(range(5), ["none", *(f"{level:g}" for level in LEVELS[damage])])
            axis.set_title(f"{name}: {damage}", fontsize=10)
            axis.set_xlabel(UNITS[damage], fontsize=8)
    axes[0][0].set_ylabel("share of the largest value")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="upper right", ncols=2)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--home", type=Path, default=Path("runs/campaigns/damages"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/damage.md"))
    options = parser.parse_args()
    tables = {name: measured(name, options.home) for name in options.sets}
    lines, right, total = matrix(tables)
    again, repaired = fresh(options.home, options.sets)
    verdict = f"**{right} of {total} cells are as first expected"
    verdict += f", {repaired} of the other {total - right} as stated anew.**" if again else ".**"
    lines += ["", verdict, "", *surprises(tables), "", *again]
    lines += ["", "![all](damage.png)"]
    through = "; ".join(f"{name}: {extractor}" for name, extractor in SETS.items())
    lines += ["", f"Extractors: {through}; {COUNT:,} rows of each side, {DRAWS} draws."]
    lines += values(tables)
    print("\n".join(lines[:20]))
    plot(tables, options.out.with_suffix(".png"))
    write_page(options.out, "The ladder of damage", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()
