"""White specks: the lone bright pixels that a fully connected GAN leaves in the background.

A speck is a pixel of at least 64 (of 255) all of whose eight neighbours are below 64. The share is
specks over all pixels that are specks or below 64, in 10,000 samples (or the first 10,000 real
digits), in millionths. Networks without convolutions paint each pixel on its own.

    python benchmarks/specks.py        resumable; writes docs/results/specks.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from campaign import finished
from mulligan import load, pictures
from mulligan.data.open import open_data
from reporting import hardware, write_page

BRIGHT = 64
COUNT = 10_000
SYSTEMS = {
    "gan --preset classic": {"recipe": "gan", "preset": "classic", "seed": 0},
    "gan": {"recipe": "gan", "seed": 0},
    "dcgan": {"recipe": "dcgan", "seed": 0},
}


def speck_share(images: np.ndarray) -> float:
    """Specks a million background pixels. images: uint8 (N, H, W)."""
    bright = torch.from_numpy(images >= BRIGHT).float()[:, None]
    around = F.conv2d(F.pad(bright, (1, 1, 1, 1)), torch.ones(1, 1, 3, 3)) - bright
    specks = (bright == 1) & (around == 0)
    background = (bright == 0) | specks
    return 1e6 * float(specks.sum()) / float(background.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/specks.md"))
    options = parser.parse_args()
    real = open_data("mnist").arrays["real"].numpy()[:COUNT, 0]
    rows = [("real digits", speck_share(real), "", "")]
    sheets = []
    for name, asked in SYSTEMS.items():
        run = finished("mnist", options.runs_dir, device="cpu", **asked)
        images = load(run).sample(COUNT, seed=0).images[..., 0]
        seen, seconds = run.rows()[-1]["images"], run.rows()[-1]["seconds"]
        rows.append((name, speck_share(images), f"{seen:,}", f"{seconds:.0f}"))
        sheets.append(pictures.grid(images[:64, None]))
        print(rows[-1], flush=True)
    lines = ["| system | specks a million | images | seconds |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {share:.0f} | {seen} | {took} |" for name, share, seen, took in rows]
    strip = Image.new("L", (sum(s.width + 8 for s in sheets), sheets[0].height), 255)
    for index, sheet in enumerate(sheets):
        strip.paste(sheet.convert("L"), (index * (sheet.width + 8), 0))
    picture = options.out.with_name("specks.png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    strip.save(picture)
    lines += ["", f"![{', '.join(SYSTEMS)}, from left to right]({picture.name})", "", hardware()]
    print("\n".join(lines))
    write_page(options.out, "White specks", __doc__ or "", lines)


if __name__ == "__main__":
    main()
