"""What tests of evaluation share: an extractor whose answers are known, and a small real MNIST."""

from __future__ import annotations

import gzip
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mulligan.data import points
from mulligan.data.dataset import DataSet
from mulligan.data.open import open_data
from mulligan.engine import preview, records
from mulligan.evaluation.lens import Lens
from mulligan.features.classifier import WEIGHTS
from mulligan.features.extractor import Extractor

DIGITS = "digits" if (WEIGHTS / "digits.safetensors").is_file() else "random"
"""The extractor for digits: the shipped one."""

TRAINING, TESTS = 900, 600
STAMP = {"extractor": "known", "seed": 0}


class KnownNet(nn.Module):
    """Images to their pixels, and to scores of two classes: dark and bright."""

    def __init__(self, classes: bool = True) -> None:
        super().__init__()
        self.classes, self.calls = classes, 0

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        self.calls += 1
        bright = images.mean(dim=(1, 2, 3))
        scores = 50 * torch.stack((-bright, bright), dim=1)
        return (images.flatten(1), scores) if self.classes else images.flatten(1)


def known_lens(classes: bool = True, **changes: object) -> Lens:
    """A lens through which the features of a grey image are its pixels in [-1, 1]."""
    facts = {"name": "known", "width": 4, "channels": 1, "size": None, "digest": "d1", **changes}
    names = ("dark", "bright") if classes else ()
    return Lens(Extractor(network=KnownNet(classes), classes=names, **facts))  # type: ignore[arg-type]


def calls(lens: Lens) -> int:
    """How many batches have passed through a known lens."""
    assert lens.extractor is not None
    assert isinstance(lens.extractor.network, KnownNet)
    return lens.extractor.network.calls


@cache
def digits() -> DataSet:
    return open_data("digits")


def small_mnist(home: Path) -> Path:
    """A folder for MULLIGAN_DATA whose mnist is 900 training and 600 other test digits."""
    arrays = digits().arrays
    folder = home / "mnist"
    folder.mkdir(parents=True)
    for prefix, rows in (("train", slice(TRAINING)), ("t10k", slice(TRAINING, TRAINING + TESTS))):
        images = arrays["real"][rows, 0].numpy()
        label = arrays["label"][rows].numpy().astype(np.uint8)
        for name, array, dims in (("images-idx3", images, 3), ("labels-idx1", label, 1)):
            head = struct.pack(f">{dims + 1}I", 0x800 + dims, *array.shape)
            content = gzip.compress(head + array.tobytes(), compresslevel=1)
            (folder / f"{prefix}-{name}-ubyte.gz").write_bytes(content)
    return home


def quiet(patch: pytest.MonkeyPatch) -> None:
    """Runs without pictures and reports, and points of which there are 4,000.

    Pictures cost ten times what the rounds of a small run do.
    """
    for name in ("draw", "draw_film", "draw_first_batch"):
        patch.setattr(preview, name, lambda *words: None)
    patch.setattr(records, "write_report", lambda run: None)
    patch.setattr(points, "COUNT", 4000)
