"""Stacked-MNIST: three random digits as the three colour channels, 1,000 classes.

Metz et al. 2016, arXiv:1611.02163, section 3.3.1; the number of training images is PacGAN's (Lin
et al. 2017, arXiv:1712.04086, section 4.2). Every class is as likely as any other.
"""

from __future__ import annotations

import torch

from mulligan.data.dataset import DataSet, build
from mulligan.data.digits import open_digits
from mulligan.data.idx import open_idx
from mulligan.fields import Image, Label

COUNTS = {"train": 128_000, "test": 26_000}
SEEDS = {"train": 20161107, "test": 20161108}
CLASSES = tuple(f"{number:03d}" for number in range(1000))
"""The three digits in the order of the channels."""


def open_stacked(name: str, split: str) -> DataSet:
    """28x28 colour images, always the same ones: of `mnist`, or of the embedded `digits`."""
    digits = open_idx("mnist", split) if name == "stacked-mnist" else open_digits()
    draw = torch.Generator().manual_seed(SEEDS[split])
    rows = torch.randint(len(digits), (COUNTS[split], 3), generator=draw)
    single = digits.arrays["label"][rows]
    return build(
        name,
        {"real": Image(3, 28, 28), "label": Label(CLASSES)},
        {
            "real": digits.arrays["real"][:, 0][rows],
            "label": single @ torch.tensor([100, 10, 1]),
        },
        source=f"three digits each, drawn from {digits.name}, {split} split",
        files=digits.manifest["files"],
    )
