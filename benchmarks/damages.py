"""Ways to damage pictures, in four strengths each, and what each figure is expected to do.

The table EXPECTED was written before anything was measured; RESTATED after draws had refuted a cell
of it, and before the fresh draws that judge it were made.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Damage = Callable[[Tensor, Tensor, float], Tensor]
"""From uint8 images (N, C, H, W), labels (N,) and a strength to as many damaged images."""

LEVELS: dict[str, tuple[float, ...]] = {
    "blur": (0.5, 1.0, 1.5, 2.0),
    "noise": (12.0, 25.0, 50.0, 100.0),
    "dropped classes": (1, 3, 5, 8),
    "duplicates": (2000, 1000, 500, 100),
    "swapped colours": (0.25, 0.5, 0.75, 1.0),
}
UNITS = {
    "blur": "deviation of the Gaussian, pixels",
    "noise": "deviation of the noise, of 255",
    "dropped classes": "classes that are missing, of 10",
    "duplicates": "different images among all",
    "swapped colours": "share of images with red and blue swapped",
}

FIGURES = ("FD", "KD", "MIND", "precision", "recall", "density", "coverage", "IS", "reverse KL")

# +: rises, -: falls, 0: blind to it. Reasons for the zeros: precision and density ask whether each
# sample looks real, which missing classes and copies of real images do; the score asks how sure and
# how varied the classes are, which copies keep, and colours do not enter.
EXPECTED: dict[str, str] = {
    #                    FD KD MIND prec rec dens cov IS rKL
    "blur":            "+  +  +    -    -   -    -   -  +",
    "noise":           "+  +  +    -    -   -    -   -  +",
    "dropped classes": "+  +  +    0    -   0    -   -  +",
    "duplicates":      "+  +  +    0    -   0    -   0  +",
    "swapped colours": "+  +  +    -    -   -    -   0  0",
}  # fmt: skip

# Precision asks whether any one ball of a real image holds a sample. Strong blur drives photographs
# into a corner of SqueezeNet's features, among the few smooth real ones, whose balls are huge:
# which of those a draw has decides it, not the damage (Naeem et al. 2020, arXiv:2002.09797).
RESTATED: dict[tuple[str, str, str], str] = {("cifar10", "blur", "precision"): "0"}
"""(data, damage, figure) -> what fresh draws are expected to show instead."""


def expected(damage: str, figure: str) -> str:
    """One cell of the table."""
    return EXPECTED[damage].split()[FIGURES.index(figure)]


def blur(images: Tensor, labels: Tensor, deviation: float) -> Tensor:
    reach = int(3 * deviation) + 1
    places = torch.arange(-reach, reach + 1, dtype=torch.float32)
    window = torch.exp(-0.5 * (places / deviation).square())
    window = window / window.sum()
    channels = images.shape[1]
    padded = F.pad(images.float(), [reach] * 4, mode="replicate")
    across = F.conv2d(padded, window.expand(channels, 1, 1, -1), groups=channels)
    both = F.conv2d(across, window[:, None].expand(channels, 1, -1, 1), groups=channels)
    return both.round().clamp(0, 255).to(torch.uint8)


def noise(images: Tensor, labels: Tensor, deviation: float) -> Tensor:
    draw = torch.Generator().manual_seed(7)
    added = torch.randn(images.shape, generator=draw) * deviation
    return (images.float() + added).round().clamp(0, 255).to(torch.uint8)


def dropped(images: Tensor, labels: Tensor, missing: float) -> Tensor:
    """The images of the other classes, repeated from a second draw to the same number."""
    kept = (labels >= missing).nonzero().flatten()
    return images[kept]


def duplicates(images: Tensor, labels: Tensor, different: float) -> Tensor:
    return images[torch.arange(len(images)) % int(different)]


def swapped(images: Tensor, labels: Tensor, share: float) -> Tensor:
    count = int(share * len(images))
    return torch.cat([images[:count].flip(1), images[count:]])


DAMAGES: dict[str, Damage] = {
    "blur": blur,
    "noise": noise,
    "dropped classes": dropped,
    "duplicates": duplicates,
    "swapped colours": swapped,
}
