"""The figures of every recipe, with what real images get beside them.

Each recipe with its defaults on MNIST, 200,000 images seen, one seed; its best checkpoint against
the test images. The last row is what 10,000 training images get in the place of samples: what zero
means. Intervals cover chance in the samples, not another training run.

    python benchmarks/figures.py        resumable; needs mnist; writes docs/results/figures.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from campaign import finished
from mulligan import evaluate
from mulligan.catalogue import recipe_names
from mulligan.evaluation.result import Evaluation, number
from mulligan.metrics.figure import Figure
from reporting import hardware, write_page

IMAGES = 200_000
KINDS = (
    "FD-digits", "KD-digits", "MIND-digits", "IS-digits", "precision-digits", "recall-digits",
    "density-digits", "coverage-digits", "reverse KL-digits", "copies-digits", "probe AUC",
)  # fmt: skip


def cell(figure: Figure | None) -> str:
    """Value and interval."""
    if figure is None:
        return ""
    return f"{number(figure.value)} ({number(figure.low)} to {number(figure.high)})"


def found(data: str, recipe: str, runs_dir: Path) -> Evaluation:
    """The evaluation of one recipe, kept beside its run."""
    run = finished(data, runs_dir, recipe=recipe, images=IMAGES, seed=0, device="cpu")
    kept = run.path / "campaign-figures.json"
    if not kept.exists():
        made = evaluate(run, probe=True)
        kept.write_text(json.dumps(made.to_json()))
    return Evaluation.from_json(json.loads(kept.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/figures.md"))
    options = parser.parse_args()
    names = [name.replace("digits", "fashion") for name in KINDS]
    names = names if options.data == "fashion-mnist" else list(KINDS)
    every = {}
    for recipe in recipe_names():
        every[recipe] = found(options.data, recipe, options.runs_dir)
        print(every[recipe], flush=True)
    rows = []
    for recipe, one in every.items():
        figures = {figure.name: figure for figure in one.figures}
        rows.append([f"`{recipe}`", *(cell(figures.get(name)) for name in names)])
    zero = {figure.name: figure for figure in one.baseline}
    rows.append(["training images", *(cell(zero.get(name)) for name in names)])
    lines = ["| | " + " | ".join(row[0] for row in rows) + " |", "| --- " * (len(rows) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(row[place + 1] for row in rows) + " |"
        for place, name in enumerate(names)
    ]
    lines += [""]
    for recipe, one in every.items():
        lines.append(f"- `{recipe}`, best at {one.images:,} images: {'; '.join(one.verdicts)}.")
    stamp = one.figures[0].stamp
    lines += ["", f"Extractor {stamp['extractor']}, weights {str(stamp['weights'])[:16]}, split "
              f"{stamp['split']}, seed {stamp['seed']}; 10,000 real and generated images (2,000 "
              "for nearest neighbours and MIND).", "", hardware()]  # fmt: skip
    print("\n".join(lines))
    write_page(options.out, "Figures of every recipe", __doc__ or "", lines)


if __name__ == "__main__":
    main()
