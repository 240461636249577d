"""Are labels obeyed? What a classifier sees in samples that were asked for by class.

`cgan`, `acgan` and `r3gan --labels` on MNIST: 10,000 samples, 1,000 of each class, read by the
shipped classifier; then the recall of each class, by features of 1,000 samples against 892 or more
test images, with that of 1,000 training images beside it. `--only-label 0` must give zeros.

    python benchmarks/labels.py        resumable; needs mnist; writes labels.md
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from campaign import finished
from mulligan import load, pictures
from mulligan.data.open import open_data
from mulligan.evaluation.lens import Rows, open_lens
from mulligan.metrics.coverage import precision_recall
from reporting import hardware, write_page

ARMS: dict[str, dict[str, Any]] = {
    "cgan": {"recipe": "cgan"},
    "acgan": {"recipe": "acgan"},
    "r3gan": {"recipe": "r3gan", "labels": True},
}
EACH = 1000


def uint8(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def recalls(real: Rows, labels: Tensor, made: Rows, asked: Tensor) -> list[float]:
    """The recall of each class."""
    found = []
    for label in range(10):
        mine, fakes = real.features[labels == label], made.features[asked == label]
        count = min(len(mine), len(fakes))
        found.append(precision_recall(mine[:count], fakes[:count])[1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400_000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/labels.md"))
    options = parser.parse_args()
    train, test = open_data("mnist"), open_data("mnist", split="test")
    lens = open_lens("digits", test.fields["real"])
    asked = torch.arange(10).repeat_interleave(EACH)
    real = lens.rows(test.arrays["real"])
    some = torch.cat([(train.arrays["label"] == k).nonzero()[:EACH, 0] for k in range(10)])
    baseline = recalls(real, test.arrays["label"], lens.rows(train.arrays["real"][some]), asked)
    lines = ["| recipe | agreement | worst class | " + " | ".join("0123456789") + " |"]
    lines.append("| --- " * 13 + "|")
    spreads = ["", "Recall of each class:", "", "| | " + " | ".join("0123456789") + " |"]
    spreads.append("| --- " * 11 + "|")
    for name, knobs in ARMS.items():
        run = finished(
            "mnist", options.runs_dir, images=options.images, device=options.device, **knobs
        )
        images = uint8(load(run).sample(10 * EACH, seed=0, label=asked.numpy()).images)
        made = lens.rows(images)
        right = (made.labels == asked).double().reshape(10, EACH).mean(1)
        shares = " | ".join(f"{100 * share:.1f}" for share in right.tolist())
        lines.append(
            f"| `{name}` | {100 * right.mean():.2f} % | {100 * right.min():.1f} % | {shares} |"
        )
        print(lines[-1], flush=True)
        found = recalls(real, test.arrays["label"], made, asked)
        spreads.append(f"| `{name}` | " + " | ".join(f"{one:.2f}" for one in found) + " |")
        sheet = pictures.grid(images.reshape(10, EACH, *images.shape[1:])[:, :10].flatten(0, 1), 10)
        sheet.save(options.out.with_name(f"labels-{name}.png"))
    spreads.append("| training images | " + " | ".join(f"{one:.2f}" for one in baseline) + " |")
    alone = finished(
        "mnist", options.runs_dir, images=60_000, device=options.device, only_label="0"
    )
    zeros = lens.rows(uint8(load(alone).sample(EACH, seed=0).images)).labels
    share = float((zeros == 0).double().mean())
    lines += [*spreads, ""]
    lines.append(
        f"`mulligan train mnist --only-label 0`, 60,000 images: **{100 * share:.1f} %** of "
        f"{EACH:,} samples are read as a zero."
    )
    lines.append("")
    lines += [f"![{name}: a row a class](labels-{name}.png)" for name in ARMS]
    write_page(options.out, "Labels", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()
