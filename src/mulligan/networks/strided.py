"""Plain strided convolutions, kernel 4 and stride 2, after DCGAN (Radford et al., 1511.06434).

A kernel that the stride divides leaves no checkerboard. Any size works: the generator builds the
next larger grid and keeps its centre, the discriminator pads to that grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.networks import sub_pixel
from mulligan.networks.initial import normal

Norm = Literal["batch", "row", "none"]
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "row": lambda channels: nn.GroupNorm(1, channels),
    "none": lambda channels: nn.Identity(),
}


@dataclass(frozen=True)
class Grid:
    """How a picture size is halved: `stages` times, down to `base` = (height, width) >= 2."""

    size: tuple[int, int]
    stages: int
    base: tuple[int, int]

    @classmethod
    def of(cls, size: tuple[int, int]) -> Grid:
        """As many stages as bring the shorter side nearest to 4 pixels, at least one.

        28 pixels become 4 (and 32 on the way back) rather than 7: the layer more costs time, but
        from a coarser start the strokes of a digit agree with each other.
        """
        stages = max(1, round(math.log2(min(size) / 4)))
        height, width = (math.ceil(side / 2**stages) for side in size)
        return cls(size, stages, (height, width))

    @property
    def full(self) -> tuple[int, int]:
        """base times 2**stages: at least the picture size."""
        return self.base[0] * 2**self.stages, self.base[1] * 2**self.stages

    def crop(self, images: Tensor) -> Tensor:
        """The centre (N, C, *size) of (N, C, *full)."""
        top, left = ((full - side) // 2 for full, side in zip(self.full, self.size, strict=True))
        return images[..., top : top + self.size[0], left : left + self.size[1]]

    def pad(self, images: Tensor) -> Tensor:
        """(N, C, *size) in the centre of zeros (N, C, *full); what `crop` undoes."""
        if self.full == self.size:
            return images
        top, left = ((full - side) // 2 for full, side in zip(self.full, self.size, strict=True))
        bottom, right = self.full[0] - self.size[0] - top, self.full[1] - self.size[1] - left
        return F.pad(images, (left, right, top, bottom))


class Generator(nn.Module):
    """From noise to images: linear, then transposed convolutions; ReLU inside, tanh at the end.

    width: channels of the finest hidden map; they double with each halving of the side.
    norm: after all layers but the last. batch: batch norm, with DCGAN's initial weights; row: the
    same over each row's own map, which couples no rows; none. The latter two start as PyTorch does.
    """

    def __init__(
        self, latent: int, channels: int, size: tuple[int, int], width: int, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        self.grid = Grid.of(size)
        widths = [width * 2**stage for stage in reversed(range(self.grid.stages))]
        self.first_shape = (*self.grid.base, widths[0])  # channels last: no copy
        self.first = nn.Linear(latent, math.prod(self.first_shape), bias=norm == "none")
        self.norms = nn.ModuleList(NORMS[norm](w) for w in widths)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1, bias=norm == "none")
            for a, b in pairwise(widths)
        )
        self.last = sub_pixel.Up(widths[-1], channels)
        if norm == "batch":
            normal(self)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent) to (N, channels, height, width) in [-1, 1]."""
        maps = self.first(noise).unflatten(1, self.first_shape).permute(0, 3, 1, 2)
        maps = self.norms[0](maps).relu()
        for up, norm in zip(self.up, self.norms[1:], strict=True):
            maps = norm(up(maps)).relu()
        return self.grid.crop(self.last(maps).tanh())


class Discriminator(nn.Module):
    """From images to raw scores: strided convolutions, LeakyReLU 0.2; more outputs: an encoder.

    width: channels after the first layer; they double with each halving of the side.
    norm: batch norm after all convolutions but the first, with DCGAN's initial weights; without
    it, PyTorch's own.
    """

    def __init__(
        self, channels: int, size: tuple[int, int], width: int, norm: bool, outputs: int = 1
    ) -> None:
        super().__init__()
        self.grid, self.outputs = Grid.of(size), outputs
        widths = [channels, *(width * 2**stage for stage in range(self.grid.stages))]
        self.down = nn.ModuleList()
        self.norms = nn.ModuleList()
        for stage, (a, b) in enumerate(pairwise(widths)):
            normed = norm and stage > 0
            self.down.append(sub_pixel.Down(a, b, bias=not normed))
            self.norms.append(nn.BatchNorm2d(b) if normed else nn.Identity())
        self.last = nn.Linear(widths[-1] * math.prod(self.grid.base), outputs)
        if norm:
            normal(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to scores (N,), or (N, outputs) where there are several."""
        scores: Tensor = self.last(self.features(images))
        return scores.squeeze(1) if self.outputs == 1 else scores

    def features(self, images: Tensor) -> Tensor:
        """What the last layer sees, (N, places times channels)."""
        maps = self.grid.pad(images)
        for down, norm in zip(self.down, self.norms, strict=True):
            maps = F.leaky_relu(norm(down(maps)), 0.2)
        return maps.permute(0, 2, 3, 1).flatten(1)
