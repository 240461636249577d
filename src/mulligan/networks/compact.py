"""A body for CPUs: all arithmetic on maps of a quarter of the picture's side, or coarser.

The generator ends, and the discriminator begins, by moving pixels between space and channels: 4x4
pixels are 16 channels of a map of a quarter of the side. Each residual branch starts near zero, so
that deep stacks train without normalisation, and the discriminator has none: its rows do not
touch. Any size works, by the grid of `strided`.

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


def plan(stages: int, width: int) -> tuple[list[int], int]:
    """Channels of the hidden maps, coarse to fine, and the side of the pixels' patches.

    From the coarsest maps the side doubles up to a quarter of the picture's, and the channels
    halve, so that a block costs no more the finer it is.
    """
    doublings = max(0, stages - 2)
    counts = [max(NARROWEST, width // 2**doubling) for doubling in range(doublings + 1)]
    return counts, 2 ** (stages - doublings)


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
    """From noise to images: linear, residual blocks, then pixel shuffle; tanh at the end.

    width: channels of the coarsest maps. norm: batch norm before every LeakyReLU.
    blocks: on the coarsest maps; larger pictures have one more a doubling.
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
        counts, self.patch = plan(self.grid.stages, width)
        self.first_shape = (*self.grid.base, counts[0])  # channels last: no copy
        self.first = nn.Linear(latent, math.prod(self.first_shape))
        self.blocks = nn.Sequential(*(Block(counts[0], norm) for _ in range(blocks)))
        self.norms = nn.ModuleList(normed(count, norm) for count in counts)
        self.up = nn.ModuleList(nn.Conv2d(a, 4 * b, 3, padding=1) for a, b in pairwise(counts))
        self.finer = nn.ModuleList(Block(count, norm) for count in counts[1:])
        self.last = nn.Conv2d(counts[-1], channels * self.patch**2, 3, padding=1)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent) to (N, channels, height, width) in [-1, 1]."""
        maps = self.first(noise).unflatten(1, self.first_shape).permute(0, 3, 1, 2)
        maps = self.blocks(maps)
        for norm, up, finer in zip(self.norms, self.up, self.finer, strict=False):
            maps = finer(F.pixel_shuffle(up(F.leaky_relu(norm(maps), SLOPE)), 2))
        maps = self.last(F.leaky_relu(self.norms[-1](maps), SLOPE))
        return self.grid.crop(F.pixel_shuffle(maps, self.patch).tanh())


class Discriminator(nn.Module):
    """From images to raw scores: pixels into channels, residual blocks, half the side, linear.

    width: channels of the maps that the generator starts from; the last maps, of half that side,
    have twice as many. blocks: on the former; one block stands on the latter, and one on every
    finer map.
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
        counts, self.patch = plan(self.grid.stages, width)
        counts.reverse()
        self.first = nn.Conv2d(channels * self.patch**2, counts[0], 3, padding=1)
        self.finer = nn.ModuleList(Block(count) for count in counts[:-1])
        self.down = nn.ModuleList(nn.Conv2d(4 * a, b, 3, padding=1) for a, b in pairwise(counts))
        self.blocks = nn.Sequential(*(Block(counts[-1]) for _ in range(blocks)))
        self.coarser = nn.Conv2d(counts[-1], 2 * width, 3, stride=2, padding=1)
        self.lowest = Block(2 * width)
        area = math.prod(math.ceil(side / 2) for side in self.grid.base)
        self.last = nn.Linear(2 * width * area, outputs)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to scores (N,), or (N, outputs) where there are several."""
        scores: Tensor = self.last(self.features(images))
        return scores.squeeze(1) if self.outputs == 1 else scores

    def features(self, images: Tensor) -> Tensor:
        """What the last layer sees, (N, units)."""
        maps = self.first(F.pixel_unshuffle(self.grid.pad(images), self.patch))
        for finer, down in zip(self.finer, self.down, strict=True):
            maps = down(F.pixel_unshuffle(F.leaky_relu(finer(maps), SLOPE), 2))
        maps = self.coarser(F.leaky_relu(self.blocks(maps), SLOPE))
        return F.leaky_relu(self.lowest(maps), SLOPE).permute(0, 2, 3, 1).flatten(1)


def normed(width: int, norm: bool) -> nn.Module:
    """Batch norm, or nothing."""
    return nn.BatchNorm2d(width) if norm else nn.Identity()
