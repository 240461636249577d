"""Is a replay called out, and are honest generators left alone?

"Generators" on MNIST and on Fashion-MNIST: one that replays 500 training images; one that replays
them with noise; one that replays them in half of its samples and is honest in the other half (test
images); and honest ones: test images that are not among the held-out reals, the same out of focus,
as poor samples are, and trained recipes (200,000 images seen). Copies is the share of samples as
close to one training image, for what the next ten are, as only 1 % of unseen real images are;
"memorised" is said where it is above a tenth beyond doubt. Near is the share of those that lie as
near, without regard to the next ten: what is blurred lies near to everything.

    python benchmarks/memorisation.py        resumable; needs both sets; writes memorisation.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from campaign import finished
from mulligan import load
from mulligan.data.open import open_data
from mulligan.evaluation.cache import cached_rows
from mulligan.evaluation.lens import open_lens
from mulligan.evaluation.memorised import pair_picture, replay
from mulligan.metrics.memorisation import COPY_QUANTILE, nearest
from reporting import hardware, write_page

SETS = {"mnist": "digits", "fashion-mnist": "fashion"}
TRAINED = ("dcgan", "gan", "vae")
COUNT, REPLAYED, IMAGES = 2000, 500, 200_000


def noisy(images: Tensor) -> Tensor:
    """With noise of 10 in 255."""
    draw = torch.Generator().manual_seed(0)
    moved = images.float() + 10 * torch.randn(images.shape, generator=draw)
    return moved.round().clamp(0, 255).to(torch.uint8)


def blurred(images: Tensor) -> Tensor:
    """Each pixel as the mean of 5 by 5."""
    return avg_pool2d(images.float(), 5, stride=1, padding=2).round().to(torch.uint8)


def near(rows: Tensor, training: Tensor, held_out: Tensor) -> float:
    """The share that lies as near to a training row as 1 % of the held-out ones do."""
    limit = nearest(held_out, training).distances.quantile(COPY_QUANTILE)
    return float((nearest(rows, training).distances <= limit).double().mean())


def generators(
    name: str, options: argparse.Namespace, training: Tensor, unseen: Tensor
) -> dict[str, Tensor]:
    """COUNT samples of each, uint8 (N, C, H, W)."""
    copies = training[torch.arange(COUNT) % REPLAYED]
    made = {
        "replay of 500 training images": copies,
        "replay with noise": noisy(copies),
        "half replay, half honest": torch.cat([copies[: COUNT // 2], unseen[: COUNT // 2]]),
        "other test images": unseen,
        "other test images, blurred": blurred(unseen),
    }
    for recipe in options.trained:
        run = finished(name, options.runs_dir, recipe=recipe, images=IMAGES, seed=0, device="cpu")
        images = torch.from_numpy(load(run).sample(COUNT, seed=0).images)
        made[f"`{recipe}`"] = images.permute(0, 3, 1, 2)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--trained", nargs="*", default=TRAINED)
    parser.add_argument("--out", type=Path, default=Path("docs/results/memorisation.md"))
    options = parser.parse_args()
    lines = ["| data | generator | nearest ratio | near | copies | said |", "| --- " * 6 + "|"]
    for name, extractor in SETS.items():
        training = open_data(name).arrays["real"]
        test = open_data(name, split="test").arrays["real"]
        lens = open_lens(extractor, open_data(name).fields["real"])
        learned = cached_rows(lens, training).features
        held = cached_rows(lens, test[COUNT : 2 * COUNT]).features
        every = generators(name, options, training, test[:COUNT])
        for kind, images in every.items():
            rows = lens.rows(images).features
            found = replay(rows, learned, held, extractor, {})
            ratio, copies = found.figures
            said = "**memorised**" if found.replays else "no sign of it"
            lines.append(
                f"| {name} | {kind} | {ratio.value:.3f} | {near(rows, learned, held):.4f} | "
                f"{copies.value:.4f} ({copies.low:.4f} to {copies.high:.4f}) | {said} |"
            )
            print(lines[-1], flush=True)
            if kind == f"`{options.trained[0]}`" and name == "mnist":
                picture = options.out.with_name("nearest-pairs.png")
                pair_picture(images, training, found).save(picture)
    lines += ["", "![the nearest pairs](nearest-pairs.png)", "",
              f"Each sample of `{options.trained[0]}` on MNIST, then its nearest training image; "
              f"the nearest pairs of {COUNT:,}.", "", hardware()]  # fmt: skip
    write_page(options.out, "Memorisation", __doc__ or "", lines)


if __name__ == "__main__":
    main()
