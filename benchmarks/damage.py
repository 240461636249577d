"""The ladder of damage: what each figure does when good pictures are spoilt in a known way.

Real training images stand in for a generator and are damaged more and more; they are compared with
the test images (of the CIFAR-10 copy, which has no test part, with other training images). A cell
says what the strongest damage does to a figure: + rises, - falls, 0 neither; a figure has moved if
its 95 % interval is apart from that of undamaged images, and by a tenth of the latter for those
that are near 1. Where all samples lie in a corner of the features, precision hangs on a few real
images, and its interval says so by its length. What was expected had been written first
(benchmarks/damages.py); a cell that is not as expected is marked with ≠.

    python benchmarks/damage.py        resumable; needs MULLIGAN_DATA; writes damage.md and .png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from convert_cifar10 import jpeg_pictures, write_zip
from damages import DAMAGES, FIGURES, LEVELS, UNITS, expected
from mulligan.data.dataset import DataSet
from mulligan.data.open import open_data
from mulligan.evaluation.cache import cached_rows
from mulligan.evaluation.figures import distribution_figures
from mulligan.evaluation.lens import Lens, open_lens
from mulligan.evaluation.modes_found import class_modes
from mulligan.evaluation.reals import some
from mulligan.features.names import figure_name
from mulligan.metrics.figure import Figure
from mulligan.places import data_folder
from reporting import hardware, write_page

SETS = {"mnist": "digits", "fashion-mnist": "fashion", "cifar10": "squeezenet"}
COUNT = 5000
"""Rows of each side."""

NEAR_ONE = ("precision", "recall", "density", "coverage", "IS")
MOVED = 0.1
Table = dict[str, dict[str, list[Figure]]]
"""damage -> figure -> the figure at each level, the undamaged one first."""


def open_sets(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Real images, other images to damage, and the labels of those; uint8 (N, C, H, W)."""
    if name != "cifar10":
        data, test = open_data(name), open_data(name, split="test").arrays["real"]
        rows = some(6 * COUNT, len(data), 1)  # MNIST's rows are not in random order
        real, label = data.arrays["real"], data.arrays["label"]
        return test[some(COUNT, len(test), 0)], real[rows], label[rows]
    copy = _cifar_copy()
    real, label = copy.arrays["real"], copy.arrays["label"]
    order = torch.randperm(len(real), generator=torch.Generator().manual_seed(0))
    others = order[COUNT : 7 * COUNT]
    return real[order[:COUNT]], real[others], label[others]


def _cifar_copy() -> DataSet:
    root = data_folder()
    assert root is not None, "set MULLIGAN_DATA"
    zipped = Path("runs/campaigns/cifar10-jpeg.zip")
    if not zipped.exists():
        zipped.parent.mkdir(parents=True, exist_ok=True)
        write_zip(zipped, jpeg_pictures(root / "cifar10"))
    return open_data(str(zipped), size=(32, 32), channels=3)


def measured(name: str, home: Path) -> Table:
    """All figures of one data set, from the files of earlier sittings where they are there."""
    real, images, labels = open_sets(name)
    lens = open_lens(SETS[name], open_data(name).fields["real"] if name != "cifar10" else _image())
    plain = _one(home / f"{name}-{COUNT}-undamaged.json", lens, real, images[:COUNT])
    table: Table = {}
    for damage, make in DAMAGES.items():
        if damage == "swapped colours" and images.shape[1] == 1:
            continue
        table[damage] = {figure: [found] for figure, found in plain.items()}
        for level in LEVELS[damage]:
            enough = 6 * COUNT if damage == "dropped classes" else COUNT
            spoilt = make(images[:enough], labels[:enough], level)[:COUNT]
            stem = f"{name}-{COUNT}-{damage.replace(' ', '-')}-{level:g}"
            found = _one(home / f"{stem}.json", lens, real, spoilt)
            for figure, value in found.items():
                table[damage][figure].append(value)
            print(stem, {k: round(v.value, 4) for k, v in found.items()}, flush=True)
    return table


def _image() -> Any:
    from mulligan.fields import Image

    return Image(3, 32, 32)


def _one(path: Path, lens: Lens, real: Tensor, spoilt: Tensor) -> dict[str, Figure]:
    """The figures by kind. Kept as a file."""
    if path.exists():
        kept = json.loads(path.read_text())
        return {kind: Figure.from_json(entry) for kind, entry in kept.items()}
    rows, made = cached_rows(lens, real), lens.rows(spoilt)
    figures, _ = distribution_figures(rows, made, lens, {"extractor": lens.name})
    modes = class_modes(rows, made, lens, {"extractor": lens.name})
    by_name = {figure.name: figure for figure in [*figures, *(modes[0] if modes else [])]}
    found = {}
    for kind in FIGURES:
        name = figure_name(kind, lens.name)
        if name in by_name:
            found[kind] = by_name[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({kind: entry.to_json() for kind, entry in found.items()}))
    return found


def moved(kind: str, figures: list[Figure]) -> str:
    """+, - or 0: what the strongest damage did."""
    before, after = figures[0], figures[-1]
    if kind in NEAR_ONE and abs(after.value - before.value) < MOVED * before.value:
        return "0"
    if after.low > before.high:
        return "+"
    return "-" if after.high < before.low else "0"


def matrix(tables: dict[str, Table]) -> tuple[list[str], int, int]:
    """The lines of the table, cells as expected, and all cells."""
    lines = ["| data | damage | " + " | ".join(FIGURES) + " |", "| --- " * 11 + "|"]
    right = total = 0
    for name, table in tables.items():
        for damage, figures in table.items():
            cells = []
            for kind in FIGURES:
                if kind not in figures:
                    cells.append("")
                    continue
                seen, wanted = moved(kind, figures[kind]), expected(damage, kind)
                total, right = total + 1, right + (seen == wanted)
                cells.append(seen if seen == wanted else f"{seen} ≠ {wanted}")
            lines.append(f"| {name} | {damage} | {' | '.join(cells)} |")
    return lines, right, total


def values(tables: dict[str, Table]) -> list[str]:
    """The figures at each strength."""
    lines = []
    for name, table in tables.items():
        for damage, figures in table.items():
            levels = ["none", *(f"{level:g}" for level in LEVELS[damage])]
            lines += ["", f"**{name}, {damage}** ({UNITS[damage]})", ""]
            lines += ["| figure | " + " | ".join(levels) + " |", "| --- " * 6 + "|"]
            for found in figures.values():
                cells = (f"{one.value:.4g}" for one in found)
                lines.append(f"| {found[0].name} | {' | '.join(cells)} |")
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
            for kind, found in table[damage].items():
                top = max(abs(one.value) for one in found) or 1.0
                axis.plot(range(5), [one.value / top for one in found], marker="o", ms=3,
                          label=kind)  # fmt: skip
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
    parser.add_argument("--home", type=Path, default=Path("runs/campaigns/damage"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/damage.md"))
    options = parser.parse_args()
    tables = {name: measured(name, options.home) for name in options.sets}
    lines, right, total = matrix(tables)
    lines += ["", f"**{right} of {total} cells are as expected.**", "", "![all](damage.png)"]
    through = "; ".join(f"{name}: {extractor}" for name, extractor in SETS.items())
    lines += ["", f"Extractors: {through}; {COUNT:,} rows of each side."]
    lines += values(tables)
    print("\n".join(lines[:20]))
    plot(tables, options.out.with_suffix(".png"))
    write_page(options.out, "The ladder of damage", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()
