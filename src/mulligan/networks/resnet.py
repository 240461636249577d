"""The residual networks of SNGAN (Miyato et al. 2018, arXiv:1802.05957, appendix, for CIFAR-10).

The paper has one width for all blocks, 256 in the generator and 128 in the discriminator at 32
pixels; here they are 2 `width` and `width`. Any size works, by the grid of `strided`. Weights
start Glorot-uniform, those of residual branches with the gain sqrt(2) of the authors' code.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.networks.initial import glorot
from mulligan.networks.strided import Grid


class Up(nn.Module):
    """A block that doubles the side: [norm, ReLU, upsample, conv, norm, ReLU, conv] + shortcut."""

    def __init__(self, width: int, norm: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width) if norm else nn.Identity() for _ in range(2)
        )
        self.branch = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.shortcut = nn.Conv2d(width, width, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, width, h, w) to (N, width, 2h, 2w)."""
        inner = self.branch[0](doubled(self.norms[0](maps).relu()))
        inner = self.branch[1](self.norms[1](inner).relu())
        # a 1x1 convolution and nearest neighbours may change places: a quarter of the work
        total: Tensor = inner + doubled(self.shortcut(maps))
        return total


class Down(nn.Module):
    """A block of the discriminator: [ReLU, conv, ReLU, conv, halve] + shortcut.

    halve: halve the side by means of 2x2 pixels. first: of the image itself, so no ReLU before
    the first convolution, and the shortcut is halved before its convolution.
    """

    def __init__(self, inputs: int, width: int, halve: bool, first: bool = False) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.branch = nn.ModuleList(
            nn.Conv2d(count, width, 3, padding=1) for count in (inputs, width)
        )
        self.shortcut = nn.Conv2d(inputs, width, 1) if halve or first else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, width, h, w), or half of h and w."""
        inner = self.branch[0](maps if self.first else maps.relu())
        inner = self.branch[1](inner.relu())
        if not self.halve:
            return inner + self.shortcut(maps)  # type: ignore[no-any-return]
        # means of pixels and a 1x1 convolution may change places: a quarter of the work
        return halved(inner) + self.shortcut(halved(maps))  # type: ignore[no-any-return]


class Generator(nn.Module):
    """From noise to images: linear, then blocks of 2 `width` channels that double the side.

    The paper's is width 128. norm: batch norm before every ReLU.
    """

    def __init__(
        self, latent: int, channels: int, size: tuple[int, int], width: int, norm: bool = True
    ) -> None:
        super().__init__()
        self.grid, width = Grid.of(size), 2 * width
        self.first_shape = (*self.grid.base, width)  # channels last: no copy
        self.first = nn.Linear(latent, math.prod(self.first_shape))
        self.blocks = nn.ModuleList(Up(width, norm) for _ in range(self.grid.stages))
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.last = nn.Conv2d(width, channels, 3, padding=1)
        start(self)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent) to (N, channels, height, width) in [-1, 1]."""
        maps = self.first(noise).unflatten(1, self.first_shape).permute(0, 3, 1, 2)
        for block in self.blocks:
            maps = block(maps)
        return self.grid.crop(self.last(self.norm(maps).relu()).tanh())


class Discriminator(nn.Module):
    """From images to raw scores: blocks of `width` channels, a sum over all pixels, linear.

    The paper's is width 128. The side is halved once less often than in the generator, down to 8
    pixels at 32, at least once; two blocks without halving follow.
    `spectral` normalises its weights, as the paper does.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        width: int,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.grid, self.outputs = Grid.of(size), outputs
        halvings = max(1, self.grid.stages - 1)
        self.blocks = nn.ModuleList([Down(channels, width, halve=True, first=True)])
        self.blocks.extend(Down(width, width, halve=True) for _ in range(halvings - 1))
        self.blocks.extend(Down(width, width, halve=False) for _ in range(2))
        self.last = nn.Linear(width, outputs)
        start(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to scores (N,), or (N, outputs) where there are several."""
        scores: Tensor = self.last(self.features(images))
        return scores.squeeze(1) if self.outputs == 1 else scores

    def features(self, images: Tensor) -> Tensor:
        """What the last layer sees, (N, width)."""
        maps = self.grid.pad(images)
        for block in self.blocks:
            maps = block(maps)
        return maps.relu().sum((2, 3))


def start(network: nn.Module) -> None:
    """Set the initial weights; biases zero."""
    glorot(network)
    for block in network.modules():
        if isinstance(block, (Up, Down)):
            for layer in block.branch:
                nn.init.xavier_uniform_(layer.weight, math.sqrt(2))  # type: ignore[arg-type]


def doubled(maps: Tensor) -> Tensor:
    """Each pixel as 2x2 pixels."""
    return F.interpolate(maps, scale_factor=2.0, mode="nearest")


def halved(maps: Tensor) -> Tensor:
    """Means of 2x2 pixels."""
    return F.avg_pool2d(maps, 2)
