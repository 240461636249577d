"""How soon do batches come: from the packed store, and from a DataLoader over Pillow?

The same 20,000 files, half JPEG and half PNG, at 64 and at 128 pixels, made from photographs; both
sides give shuffled uint8 batches of 64 at the size of the files. All files are read once before
either begins, so both have them in the disk's cache. The DataLoader has two workers, which it
starts in every epoch, and decodes every picture in every epoch, as torchvision's ImageFolder does.
Ours packs in its first epoch (listing, starting processes, decoding, writing, hashing) and gathers
from then on, as a run does. The size is given: where it is chosen, every header is read before.
First is compared with first; then the best of three later epochs of theirs with the mean of twenty
of ours.

    python benchmarks/loading.py        writes docs/results/loading.md; needs 3 GB of temporary disk
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from convert_cifar10 import cifar10_zip
from mulligan.data.open import open_data
from mulligan.data.order import Order
from reporting import hardware, write_page

BATCH = 64
EPOCHS, LATER = 20, 3
"""After the first one, of ours and of theirs: one of ours is over too soon to be timed."""


class Files(Dataset[Tensor]):
    """Pictures decoded one at a time."""

    def __init__(self, root: Path) -> None:
        self.paths = sorted(root.iterdir())

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> Tensor:
        with Image.open(self.paths[place]) as image:
            return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def make_files(root: Path, count: int, side: int) -> None:
    """Photographs of CIFAR-10, enlarged, with noise so that they are not too easy to decode."""
    images = open_data(str(cifar10_zip()), size=(32, 32), channels=3).arrays["real"]
    draw = np.random.default_rng(0)
    for place in range(count):
        pixels = images[place % len(images)].permute(1, 2, 0).numpy()
        large = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
        noisy = np.asarray(large).astype(np.int16) + draw.integers(-6, 7, (side, side, 3))
        picture = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
        if place % 2:
            picture.save(root / f"{place:06d}.jpg", quality=90)
        else:
            picture.save(root / f"{place:06d}.png")


def epoch_of_theirs(loader: DataLoader[Tensor]) -> float:
    start = time.perf_counter()
    for batch in loader:
        assert batch.dtype == torch.uint8
    return time.perf_counter() - start


def gathered(images: Tensor, epochs: int) -> Iterator[Tensor]:
    """Our batches, in the order that a run has."""
    order = Order(torch.arange(len(images)), lambda epoch: epoch)
    for start in range(0, epochs * len(images), BATCH):
        yield images.index_select(0, order.rows(start, BATCH))


def seconds_of_theirs(root: Path) -> tuple[float, float]:
    """The first epoch, and the best of the later ones."""
    loader: DataLoader[Tensor] = DataLoader(Files(root), BATCH, shuffle=True, num_workers=2)
    first, *later = [epoch_of_theirs(loader) for _ in range(LATER + 1)]
    return first, min(later)


def seconds_of_ours(root: Path, side: int) -> tuple[float, float, float]:
    """The first epoch with all that comes before it, a later one, and opening it again."""
    times = [time.perf_counter()]
    images = open_data(str(root), size=(side, side)).arrays["real"]
    for epochs in (1, EPOCHS):
        for batch in gathered(images, epochs):
            assert batch.dtype == torch.uint8
        times.append(time.perf_counter())
    open_data(str(root), size=(side, side))
    times.append(time.perf_counter())
    first, steady, again = (after - before for before, after in pairwise(times))
    return first, steady / EPOCHS, again


def measure(side: int, count: int) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "files"
        root.mkdir()
        make_files(root, count, side)
        os.sync()  # else the system writes them while we measure
        for path in root.iterdir():
            path.read_bytes()
        os.environ["MULLIGAN_CACHE"] = str(Path(folder) / "cache")
        their_first, their_steady = seconds_of_theirs(root)
        first, steady, again = seconds_of_ours(root, side)
    cells = [f"{their_first:.2f}", f"{first:.2f}", f"**{first / their_first:.2f}**"]
    cells += [f"{count / their_steady:,.0f}", f"{count / steady:,.0f}"]
    cells += [f"**{their_steady / steady:.0f}**", f"{again:.2f}"]
    return f"| {side} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--out", type=Path, default=Path("docs/results/loading.md"))
    options = parser.parse_args()
    lines = [
        "| pixels | DataLoader's first epoch, s | ours, s | of it "
        "| DataLoader later, images/s | ours, images/s | times | opened again, s |",
        "| --- " * 8 + "|",
    ]
    for side in (64, 128):
        lines.append(measure(side, options.count))
        print(lines[-1], flush=True)
    write_page(options.out, "Loading", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()
