"""Stacked-MNIST: how many of 1,000 modes, how evenly, and what the loss needs for it.

Three digits as the three colour channels; a sample's mode is what the shipped classifier reads in
each. 26,000 samples of the averaged generator; the reverse KL is from the uniform distribution, and
about 0.02 for perfect samples. `r3gan` on its small body, 48 channels wide, in bfloat16 on one
core, three seeds; its loss without the pairing and without R2, with the same networks and as many
images; `gan` and `dcgan` at their defaults beside them. Minutes include pauses of the process.

What it shows: with networks like these (batch norm in the generator, 1.3 million images) every
convolutional arm finds all modes, whatever its loss; the fully connected `gan` does not. The
differences that R3GAN's paper reports between losses belong to its network, which has no
normalisation; they are not repeated here. One seed for all arms but the first.

    python benchmarks/stacked.py [ARM ...]        resumable; needs mnist; writes stacked.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from campaign import tried
from mulligan import load
from mulligan.engine import checkpoint
from mulligan.evaluation.lens import open_lens
from mulligan.fields import Image
from mulligan.metrics.modes import label_modes
from mulligan.run import Run
from reporting import hardware, write_page

DATA = "stacked-mnist"
COUNT, CHUNK = 26_000, 1000
SMALL: dict[str, Any] = {
    "recipe": "r3gan",
    "body": "auto",
    "width": 48,
    "batch": 128,
    "rate": 1e-3,
    "lazy": 1,
}
"""Found by search: with twice the batch the classes are as even only after twice the images."""

ARMS: dict[str, dict[str, Any]] = {
    "pairing + R1 + R2": SMALL,
    "GAN + R1 + R2": {**SMALL, "paired": False},
    "pairing + R1": {**SMALL, "both": False},
    "gan": {"recipe": "gan"},
    "dcgan": {"recipe": "dcgan"},
}
POINTS = 20
"""Checkpoints on the curve, about."""

SEEDS = {"pairing + R1 + R2": 3}
PUBLISHED = """| pairing + R1 + R2, R3GAN's table 1 | 1000 | 0.078 |
| GAN + R1 + R2, R3GAN's table 1 | 693 | 0.927 |
| pairing + R1, R3GAN's table 1 | diverges | |
| DCGAN, PacGAN's table 2 | 78.9 | 4.50 |
| PacDCGAN2, PacGAN's table 2 | 1000 | 0.06 |"""
Found = dict[str, float]


def trained(arm: str, seed: int, images: int, device: str, home: Path) -> Run:
    """The run of one arm and one seed."""
    asked = {**ARMS[arm], "images": images, "seed": seed, "device": device}
    rounds = images // int(asked.get("batch", 64))
    apart = 4 if ARMS[arm] is SMALL else 8  # the curve that matters has twice the points
    asked |= {"tick": rounds // (4 * POINTS), "save_every": apart, "keep_every": 1}
    asked |= {"patience": 0, "evaluate_every": 0, "precision": "bfloat16"}
    return tried(DATA, home, **asked)


def counted(run: Run, round: int) -> Found:
    """Modes and reverse KL of one checkpoint, kept beside the run."""
    kept = run.path / f"campaign-modes-{round:07d}.json"
    if not kept.exists():
        model = load(run, checkpoint=round)
        lens = open_lens("stacked", Image(3, 28, 28))
        images = torch.from_numpy(model.sample(COUNT, seed=0).images).permute(0, 3, 1, 2)
        labels = torch.cat([lens.rows(part).labels for part in images.split(CHUNK)])
        found = label_modes(labels, 1000)
        seen = model.state["counters"]
        kept.write_text(
            json.dumps(
                {
                    "images": seen["seen"],
                    "seconds": seen["seconds"],
                    "modes": found.modes,
                    "reverse_kl": found.reverse_kl,
                }
            )
        )
    return dict(json.loads(kept.read_text()))


def curve(run: Run) -> list[Found]:
    """Every checkpoint that the run kept."""
    return [counted(run, round) for round in checkpoint.published(run.checkpoints) if round]


def draw(curves: dict[str, list[list[Found]]], path: Path) -> None:
    """Modes over images seen, one line a run."""
    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    for place, (arm, runs) in enumerate(curves.items()):
        for number, points in enumerate(runs):
            axes.plot(
                [one["images"] / 1000 for one in points],
                [one["modes"] for one in points],
                color=f"C{place}",
                label=arm if number == 0 else None,
                marker=".",
            )
    axes.set(xlabel="thousand images seen", ylabel="modes of 1,000", ylim=(0, 1030))
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arms", nargs="*", default=list(ARMS))
    parser.add_argument("--images", type=int, default=1_300_000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/stacked.md"))
    options = parser.parse_args()
    lines = ["| loss | seed | modes | reverse KL | images | minutes | all modes at |"]
    lines.append("| --- " * 7 + "|")
    curves: dict[str, list[list[Found]]] = {}
    for arm in options.arms:
        for seed in range(SEEDS.get(arm, 1)):
            run = trained(arm, seed, options.images, options.device, options.runs_dir)
            points = curve(run)
            curves.setdefault(arm, []).append(points)
            last = points[-1]
            end = f"{last['images']:,.0f}"
            end += ", then it diverged" if run.info()["status"] == "diverged" else ""
            whole = next((one["images"] for one in points if one["modes"] == 1000), None)
            lines.append(
                f"| {arm} | {seed} | {last['modes']:.0f} | {last['reverse_kl']:.3f} | "
                f"{end} | {last['seconds'] / 60:.0f} | "
                f"{'never' if whole is None else f'{whole:,.0f} images'} |"
            )
            print(lines[-1], flush=True)
    draw(curves, options.out.with_suffix(".png"))
    lines += ["", f"![modes over images seen]({options.out.stem}.png)", ""]
    lines += ["Published, under other protocols (networks, lengths, numbers of samples):", ""]
    lines += ["| loss | modes | reverse KL |", "| --- | --- | --- |", PUBLISHED, "", hardware()]
    write_page(options.out, "Stacked-MNIST", __doc__ or "", lines)


if __name__ == "__main__":
    main()
