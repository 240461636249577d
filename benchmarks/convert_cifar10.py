"""Turn CIFAR-10 as a few npz and WebP files into a zip that `mulligan train` takes.

    python benchmarks/convert_cifar10.py FOLDER OUT.zip --part jpeg|lossless|lossless-test

FOLDER holds `train_jpeg.npz` (all 50,000 training pictures as JPEG with a common header) and
`train_lossless_*.webp`, `test_lossless_*.webp` (sheets of 32x32 tiles, row by row) with
`lossless_index.npz` (places in the original order, and labels). The zip holds JPEG files as they
are, or PNG files with the exact pixels, and `dataset.json` with the labels. Pictures are named
after their place in the original order.
"""

from __future__ import annotations

import argparse
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mulligan.places import data_folder

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SIDE = 32
Pictures = Iterator[tuple[str, int, bytes]]


def jpeg_pictures(folder: Path) -> Pictures:
    """(name, label, content) of the complete, lossy training set."""
    with np.load(folder / "train_jpeg.npz", allow_pickle=False) as stored:
        header = stored["header"].tobytes()
        data, offsets, labels = stored["data"].tobytes(), stored["offsets"], stored["labels"]
    for place, label in enumerate(labels):
        content = header + data[offsets[place] : offsets[place + 1]]
        yield f"{place:05}.jpg", int(label), content


def lossless_pictures(folder: Path, split: str) -> Pictures:
    """(name, label, content) of the exact pictures of the split "train" or "test"."""
    with np.load(folder / "lossless_index.npz", allow_pickle=False) as stored:
        places, labels = stored[f"{split}_index"], stored[f"{split}_labels"]
    tiles = (tile for path in sorted(folder.glob(f"{split}_lossless_*.webp")) for tile in cut(path))
    # the last sheet is filled up with black tiles, so it has more tiles than places
    for place, label, tile in zip(places, labels, tiles, strict=False):
        held = io.BytesIO()
        tile.save(held, "PNG")
        yield f"{place:05}.png", int(label), held.getvalue()


def cut(path: Path) -> Iterator[Image.Image]:
    """The 32x32 tiles of a sheet, row by row."""
    sheet = Image.open(path).convert("RGB")
    for top in range(0, sheet.height, SIDE):
        for left in range(0, sheet.width, SIDE):
            yield sheet.crop((left, top, left + SIDE, top + SIDE))


def write_zip(out: Path, pictures: Pictures) -> int:
    """Write the pictures and dataset.json; returns how many pictures there were."""
    if out.exists():
        raise FileExistsError(f"{out} exists already")
    listed: list[tuple[str, int]] = []
    part = out.with_name(out.name + ".part")
    with zipfile.ZipFile(part, "w") as archive:
        for name, label, content in pictures:
            archive.writestr(zipfile.ZipInfo(name), content)
            listed.append((name, label))
        index = json.dumps({"labels": listed, "classes": CLASSES})
        archive.writestr(zipfile.ZipInfo("dataset.json"), index)
    part.rename(out)
    return len(listed)


def cifar10_zip() -> Path:
    """The lossy copy in MULLIGAN_DATA as a zip, for `mulligan train`; written once."""
    root, out = data_folder(), Path("runs/campaigns/cifar10-jpeg.zip").absolute()
    if not out.exists():
        if root is None:
            raise SystemExit("set MULLIGAN_DATA to a folder that holds cifar10/train_jpeg.npz")
        out.parent.mkdir(parents=True, exist_ok=True)
        write_zip(out, jpeg_pictures(root / "cifar10"))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description="CIFAR-10 as a zip with labels")
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path, help="the zip to write; must not exist")
    parser.add_argument("--part", choices=("jpeg", "lossless", "lossless-test"), default="jpeg")
    given = parser.parse_args()
    if given.part == "jpeg":
        pictures = jpeg_pictures(given.folder)
    else:
        split = "test" if given.part == "lossless-test" else "train"
        pictures = lossless_pictures(given.folder, split)
    print(f"{given.out}: {write_zip(given.out, pictures)} pictures")


if __name__ == "__main__":
    main()
