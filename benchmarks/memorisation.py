"""Is a replay called out, and are honest generators left alone?

Three "generators" on MNIST and on Fashion-MNIST: one that replays 500 training images; one that
replays them in half of its samples and is honest in the other half (test images); and honest ones:
test images that are not among the held-out reals, and trained `dcgan`, `gan` and `vae` (200,000
images seen). Copies is the share of samples as near to a training image as only 1 % of unseen real
images are; "memorised" is said where it is above a tenth beyond doubt.

    python benchmarks/memorisation.py        resumable; needs both sets; writes memorisation.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from campaign import finished
from mulligan import load
from mulligan.data.open import open_data
from mulligan.evaluation.cache import cached_rows
from mulligan.evaluation.lens import open_lens
from mulligan.evaluation.memorised import pair_picture, replay
from reporting import hardware, write_page

SETS = {"mnist": "digits", "fashion-mnist": "fashion"}
TRAINED = ("dcgan", "gan", "vae")
COUNT, REPLAYED, IMAGES = 2000, 500, 200_000


def generators(name: str, runs_dir: Path, training: Tensor, unseen: Tensor) -> dict[str, Tensor]:
    """COUNT samples of each, uint8 (N, C, H, W)."""
    copies = training[torch.arange(COUNT) % REPLAYED]
    made = {
        "replay of 500 training images": copies,
        "half replay, half honest": torch.cat([copies[: COUNT // 2], unseen[: COUNT // 2]]),
        "other test images": unseen,
    }
    for recipe in TRAINED:
        run = finished(name, runs_dir, recipe=recipe, images=IMAGES, seed=0, device="cpu")
        images = torch.from_numpy(load(run).sample(COUNT, seed=0).images)
        made[f"`{recipe}`"] = images.permute(0, 3, 1, 2)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/memorisation.md"))
    options = parser.parse_args()
    lines = ["| data | generator | nearest ratio | copies | said |", "| --- " * 5 + "|"]
    for name, extractor in SETS.items():
        training = open_data(name).arrays["real"]
        test = open_data(name, split="test").arrays["real"]
        lens = open_lens(extractor, open_data(name).fields["real"])
        learned = cached_rows(lens, training).features
        held = cached_rows(lens, test[COUNT : 2 * COUNT]).features
        every = generators(name, options.runs_dir, training, test[:COUNT])
        for kind, images in every.items():
            found = replay(lens.rows(images).features, learned, held, extractor, {})
            ratio, copies = found.figures
            said = "**memorised**" if found.replays else "no sign of it"
            lines.append(
                f"| {name} | {kind} | {ratio.value:.3f} | {copies.value:.4f} ({copies.low:.4f} to "
                f"{copies.high:.4f}) | {said} |"
            )
            print(lines[-1], flush=True)
            if kind == "`dcgan`" and name == "mnist":
                picture = options.out.with_name("nearest-pairs.png")
                pair_picture(images, training, found).save(picture)
    lines += ["", "![dcgan on MNIST: the nearest pairs](nearest-pairs.png)", "",
              "Each sample of `dcgan`, then its nearest training image; the nearest pairs of "
              f"{COUNT:,}.", "", hardware()]  # fmt: skip
    write_page(options.out, "Memorisation", __doc__ or "", lines)


if __name__ == "__main__":
    main()
