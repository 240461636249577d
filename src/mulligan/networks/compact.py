"""A body for CPUs: almost all arithmetic on maps of a quarter of the picture's side.

The generator ends, and the discriminator begins, by moving pixels between space and channels: 2x2
pixels are 4 channels of a map of half the side, so no full-size map is ever convolved. Each
residual branch starts near zero, so that deep stacks train without normalisation, and the
discriminator has none: its rows do not touch. Any size works, by the grid of `strided`.

A body of this project and no paper's. Pixel shuffle: Shi et al. 2016, arXiv:1609.05158; branches
that start at zero: Zhang et al. 2019, arXiv:1901.09321.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.networks.strided import Grid

SLOPE = 0.2
"""Of every LeakyReLU below zero."""

COARSEST = 7
"""Pixels of the shorter side, about, where the generator starts: 28 / 4."""

NARROWEST = 8
"""Channels that no hidden map goes below."""

FAINT = 0.01
"""Size of a residual branch's start, compared with its input."""


def grid(size: tuple[int, int]) -> Grid:
    """As many halvings as bring the shorter side nearest to COARSEST pixels, at least one."""
    stages = max(1, round(math.log2(min(size) / COARSEST)))
    height, width = (math.ceil(side / 2**stages) for side in size)
    return Grid(size, stages, (height, width))


def widths(stages: int, width: int) -> list[int]:
    """Channels of the hidden maps, coarse to fine: one entry a stage.

    Half as many with each doubling of the side, so that a block costs less the finer it is; but a
    quarter as many on the finest hidden map, of half the picture's side, which has no block.
    """
    found = [width // 2**stage for stage in range(stages)]
    if stages > 1:
        found[-1] //= 2
    return [max(NARROWEST, entry) for entry in found]


class Block(nn.Module):
    """A residual block, [norm, LeakyReLU, conv] twice, that starts as nearly the identity."""

    def __init__(self, width: int, norm: bool = False) -> None:
        super().__init__()
        self.norms = nn.ModuleList(normed(width, norm) for _ in range(2))
        first = nn.Conv2d(width, width, 3, padding=1)
        last = nn.Conv2d(width, width, 3, padding=1, bias=False)
        # not zero, which spectral normalisation could not divide
        nn.init.normal_(last.weight, 0.0, FAINT / math.sqrt(9 * width))
        self.branch = nn.ModuleList((first, last))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, width, h, w) to the same."""
        inner = maps
        for norm, layer in zip(self.norms, self.branch, strict=True):
            inner = layer(F.leaky_relu(norm(inner), SLOPE))
        return maps + inner


class Generator(nn.Module):
    """From noise to images: linear, residual blocks, then pixel shuffles; tanh at the end.

    width: channels of the coarsest maps. norm: batch norm before every LeakyReLU.
    blocks: on the coarsest maps; larger pictures have one more block a doubling, up to a quarter
    of their side.
    """

    def __init__(
        self,
        latent: int,
        channels: int,
        size: tuple[int, int],
        width: int,
        norm: bool = True,
        blocks: int = 2,
    ) -> None:
        super().__init__()
        self.grid = grid(size)
        counts = widths(self.grid.stages, width)
        self.first_shape = (counts[0], *self.grid.base)
        self.first = nn.Linear(latent, math.prod(self.first_shape))
        self.blocks = nn.Sequential(*(Block(counts[0], norm) for _ in range(blocks)))
        self.norms = nn.ModuleList(normed(count, norm) for count in counts)
        self.up = nn.ModuleList(nn.Conv2d(a, 4 * b, 3, padding=1) for a, b in pairwise(counts))
        self.finer = nn.ModuleList(Block(count, norm) for count in counts[1:-1])
        self.finer.append(nn.Identity())
        self.last = nn.Conv2d(counts[-1], 4 * channels, 3, padding=1)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent) to (N, channels, height, width) in [-1, 1]."""
        maps = self.blocks(self.first(noise).unflatten(1, self.first_shape))
        for norm, up, finer in zip(self.norms, self.up, self.finer, strict=False):
            maps = finer(F.pixel_shuffle(up(F.leaky_relu(norm(maps), SLOPE)), 2))
        maps = self.last(F.leaky_relu(self.norms[-1](maps), SLOPE))
        return self.grid.crop(F.pixel_shuffle(maps, 2).tanh())


class Discriminator(nn.Module):
    """From images to raw scores: pixels into channels, residual blocks, half the side, linear.

    width: channels of the maps that the generator starts from; the last maps, of half that side,
    have twice as many. blocks: on the former; one block stands on the latter, and one more on
    every finer map up to a quarter of the side.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        width: int,
        outputs: int = 1,
        blocks: int = 1,
    ) -> None:
        super().__init__()
        self.grid, self.outputs = grid(size), outputs
        counts = [channels, *reversed(widths(self.grid.stages, width))]
        self.down = nn.ModuleList(nn.Conv2d(4 * a, b, 3, padding=1) for a, b in pairwise(counts))
        self.finer = nn.ModuleList(Block(count) for count in counts[2:-1])
        if self.grid.stages > 1:
            self.finer.insert(0, nn.Identity())
        self.finer.append(nn.Sequential(*(Block(counts[-1]) for _ in range(blocks))))
        self.coarser = nn.Conv2d(counts[-1], 2 * width, 3, stride=2, padding=1)
        self.lowest = Block(2 * width)
        area = math.prod(math.ceil(side / 2) for side in self.grid.base)
        self.last = nn.Linear(2 * width * area, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to scores (N,), or (N, outputs) where there are several."""
        maps = self.grid.pad(images)
        for stage, (down, finer) in enumerate(zip(self.down, self.finer, strict=True)):
            maps = F.leaky_relu(maps, SLOPE) if stage else maps
            maps = finer(down(F.pixel_unshuffle(maps, 2)))
        maps = self.lowest(self.coarser(F.leaky_relu(maps, SLOPE)))
        scores: Tensor = self.last(F.leaky_relu(maps, SLOPE).flatten(1))
        return scores.squeeze(1) if self.outputs == 1 else scores


def normed(width: int, norm: bool) -> nn.Module:
    """Batch norm, or nothing."""
    return nn.BatchNorm2d(width) if norm else nn.Identity()
