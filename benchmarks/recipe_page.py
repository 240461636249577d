"""One recipe, measured: settings, seconds, samples, curves, figures with their intervals.

Each data set is trained on once, with the recipe's defaults; the best checkpoint is compared with
the test images. Beside each figure stands what as many training images get: what zero means. The
intervals cover chance in the samples, not another training run.

    python benchmarks/recipe_page.py RECIPE        resumable; writes docs/results/recipes/

`--sets mnist cifar10.zip` takes other data, `--preset classic` a preset, at its own length where it
has one; a page of its own then bears their names.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure as Plot

from campaign import finished
from figures import cell
from mulligan import evaluate, load
from mulligan.data.open import open_data
from mulligan.engine import checkpoint
from mulligan.evaluation.lens import open_lens
from mulligan.evaluation.result import Evaluation
from mulligan.metrics.distances import frechet_distance
from mulligan.metrics.moments import Moments
from mulligan.run import Run
from reporting import trained_on, write_page

SETS = {"mnist": "digits", "fashion-mnist": "fashion"}
KINDS = ("FD", "KD", "MIND", "IS", "precision", "recall", "density", "coverage", "reverse KL")
SHOWN = 10
IMAGES = 200_000


def evaluation(run: Run, device: str) -> Evaluation:
    """The best checkpoint against the test images, kept beside the run."""
    kept = run.path / "campaign-figures.json"
    if not kept.exists():
        kept.write_text(json.dumps(evaluate(run, probe=True, device=device).to_json()))
    return Evaluation.from_json(json.loads(kept.read_text()))


def table(found: Evaluation, extractor: str) -> list[str]:
    """A line a figure: of samples, and of training images."""
    made = {figure.name: figure for figure in found.figures}
    zero = {figure.name: figure for figure in found.baseline}
    lines = ["| figure | samples | training images |", "| --- | --- | --- |"]
    for name in [f"{kind}-{extractor}" for kind in KINDS] + ["label accuracy", "probe AUC"]:
        if name in made:
            lines.append(f"| {name} | {cell(made[name])} | {cell(zero.get(name))} |")
    return lines


def draw_curves(run: Run, path: Path) -> None:
    """Losses over the images seen."""
    rows = run.rows()
    names = [
        name
        for name, value in rows[-1].items()
        if "/" in name and isinstance(value, float)
        and not name.startswith(("rate/", "progress/"))
        and not name.endswith("/gradient")
    ]  # fmt: skip
    figure = Plot(figsize=(7, 3.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for name in names:
        pairs = [(row["images"] / 1000, row[name]) for row in rows if name in row]
        axes.plot(*zip(*pairs, strict=True), label=name, linewidth=1)
    axes.set(xlabel="thousand images seen")
    axes.legend(frameon=False, fontsize=7, ncols=2)
    figure.savefig(path, metadata={"Software": None})


def sheet(run: Run, path: Path) -> None:
    """Samples of the best checkpoint; a row a class where the class can be asked for."""
    load(run).sample(SHOWN * 10, seed=0).save(path, force=True)


def settings(run: Run) -> str:
    """The recipe's knobs and what the run was given, in one line."""
    config: dict[str, Any] = tomllib.loads((run.path / "config.toml").read_text())
    values = config["values"]
    skipped = {"preset", "time", "weights", "runs_dir", "name", "only_label", "recipe"}
    return ", ".join(f"{k} {v}" for k, v in values.items() if k not in skipped and v != "")


def ranks(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).argsort().argsort().double()


def correlation(one: list[float], other: list[float]) -> float:
    """Spearman's rank correlation."""
    both = torch.stack([ranks(one), ranks(other)])
    return float(torch.corrcoef(both)[0, 1])


def critic(run: Run, data: str, extractor: str, path: Path) -> list[str]:
    """For critics: does the loss fall as the distance does? Every kept checkpoint counts."""
    test = open_data(data, split="test")
    lens = open_lens(extractor, test.fields["real"])
    real = Moments.of(lens.rows(test.arrays["real"][:5000]).features.double())
    losses, distances, seen = [], [], []
    for row in run.rows():
        if row["round"] not in checkpoint.published(run.checkpoints):
            continue
        model = load(run, checkpoint=row["round"])
        images = torch.from_numpy(model.sample(5000, seed=0).images).permute(0, 3, 1, 2)
        made = Moments.of(lens.rows(images).features.double())
        distances.append(frechet_distance(real, made))
        losses.append(-(row["discriminator/real"] + row["discriminator/fake"]))
        seen.append(row["images"] / 1000)
    figure = Plot(figsize=(7, 3.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(seen, losses, color="C0", label="minus the critic's loss (left)")
    right = axes.twinx()
    right.plot(seen, distances, color="C1", label=f"FD-{extractor} (right)")
    axes.set(xlabel="thousand images seen")
    figure.legend(frameon=False, fontsize=8, loc="outside upper right")
    figure.savefig(path, metadata={"Software": None})
    return [
        "", f"![the critic's loss and the distance]({path.name})", "",
        f"Rank correlation of minus the critic's loss and FD-{extractor} over {len(seen)} "
        f"checkpoints: **{correlation(losses, distances):.2f}**.",
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--preset", default="")
    parser.add_argument("--images", type=int, help="200,000, or what the preset says")
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/recipes"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    runs: list[Run] = []
    subject = "-".join(word for word in (options.recipe, options.preset) if word)
    for data in options.sets:
        extractor, stem = SETS.get(data, "squeezenet"), f"{subject}-{Path(data).stem}"
        asked: dict[str, Any] = {"recipe": options.recipe, "seed": 0}
        if options.images or not options.preset:
            asked["images"] = options.images or IMAGES
        if options.preset:
            asked["preset"] = options.preset
        if options.recipe.startswith("wgan"):
            asked |= {"keep_every": 1, "save_every": 1}
        run = finished(data, options.runs_dir, device=options.device, **asked)
        runs.append(run)
        found = evaluation(run, options.device)
        sheet(run, options.out / f"{stem}.png")
        draw_curves(run, options.out / f"{stem}-curves.png")
        row = run.rows()[-1]
        lines += [
            f"## {Path(data).stem}",
            "",
            f"![samples]({stem}.png)",
            "",
            *table(found, extractor),
            "",
        ]
        lines += [f"{'; '.join(found.verdicts)}.", "", f"![losses]({stem}-curves.png)", ""]
        lines.append(
            f"{row['images']:,} images in {row['seconds']:.0f} s; the best checkpoint is that of "
            f"{found.images:,} images. Seed 0. {settings(run)}."
        )
        if options.recipe.startswith("wgan"):
            lines += critic(run, data, extractor, options.out / f"{stem}-critic.png")
        lines.append("")
    others = [Path(data).stem for data in options.sets if data not in SETS]
    page = options.out / f"{'-'.join([subject, *others])}.md"
    write_page(page, f"`{subject}`, measured", __doc__ or "", [*lines, trained_on(runs)])


if __name__ == "__main__":
    main()
