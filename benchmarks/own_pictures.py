"""Pictures of one's own: a folder of photographs and a zip of pixel art, one command each.

The photographs (cats and dogs, 64 px) are for research use, so their samples are not shown; the
pixel art (tinyhero, CC BY-SA 3.0 or GPL 3.0, made with the Universal LPC spritesheet) is. The
spread is the mean distance between two samples over that between two pictures of the data, in
pixels: 1 is the data's variety, near 0 is a generator that has collapsed to one picture. It says
nothing of quality.

    python benchmarks/own_pictures.py        resumable; needs MULLIGAN_DATA; writes pictures.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from campaign import finished
from mulligan import load, pictures
from mulligan.data.open import open_data
from mulligan.places import data_folder
from reporting import hardware, write_page

SETS = {
    "photographs, a folder": "cats-dogs",
    "pixel art, a zip": "tinyhero/tinyhero-64x64.zip",
}
SHOWN = "tinyhero"
COUNT = 500


def spread(images: Tensor) -> float:
    """Mean distance between two of the images. images: uint8 (N, ...)."""
    return float(torch.pdist(images.flatten(1).float()).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/pictures.md"))
    options = parser.parse_args()
    root = data_folder()
    if root is None:
        parser.error("set MULLIGAN_DATA to a folder that holds cats-dogs/ and tinyhero/")
    lines = ["| data | pictures | skipped | images seen | seconds | images a second | spread |"]
    lines.append("| --- " * 7 + "|")
    for name, place in SETS.items():
        asked = {"recipe": "dcgan", "size": 64, "images": options.images, "device": "cpu"}
        run = finished(str(root / place), options.runs_dir, **asked)
        facts, row, model = run.read_json("data.json"), run.rows()[-1], load(run)
        real = open_data(str(root / place), size=(64, 64)).arrays["real"][::2][:COUNT]
        fake = torch.from_numpy(model.sample(COUNT, seed=0).images)
        lines.append(
            f"| {name} | {facts['count']:,} | {len(facts['skipped'])} | {row['images']:,} | "
            f"{row['seconds']:.0f} | {row['images'] / row['seconds']:.0f} | "
            f"{spread(fake) / spread(real):.2f} |"
        )
        if SHOWN in place:
            sheet = pictures.grid(model.sample(32, seed=0).images.transpose(0, 3, 1, 2), 8)
            sheet.save(options.out.with_name("tinyhero.png"))
    lines += ["", "`mulligan train FOLDER --recipe dcgan --size 64`, one seed, nothing chosen.", ""]
    lines += ["![tinyhero: samples of the last checkpoint](tinyhero.png)", "", hardware()]
    print("\n".join(lines))
    write_page(options.out, "Pictures of one's own", __doc__ or "", lines)


if __name__ == "__main__":
    main()
