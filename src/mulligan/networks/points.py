"""A pair for points in the plane whose modes are narrow: what many small experiments left over.

ReLU in the generator can map a whole region of noise onto one mode, and so leaves little between
modes; a slope below zero cannot, nor can a smooth function (measured on 25 modes: high quality
90 % against 57 and 60 %). Two numbers of noise do better than eight. The discriminator also sees
slow sines of the coordinates; fast ones made it win. Weights start as He et al. have them (2015,
arXiv:1502.01852).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.networks.initial import scaled

SPREAD = 2.0
"""Factor on the noise: the generator must be steep between modes."""

OCTAVES = 3


class Generator(nn.Module):
    """From noise to points, without bounds: hidden layers with ReLU."""

    def __init__(self, latent: int, dims: int, width: int = 128, layers: int = 5) -> None:
        super().__init__()
        self.hidden = stack([latent, *[width] * layers])
        self.last = scaled(nn.Linear(width, dims), 1.0)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent) to (N, dims)."""
        rows = SPREAD * noise
        for layer in self.hidden:
            rows = layer(rows).relu()
        points: Tensor = self.last(rows)
        return points


class Discriminator(nn.Module):
    """From points to raw scores: coordinates and their sines, then hidden layers, LeakyReLU 0.2."""

    def __init__(self, dims: int, width: int = 128, layers: int = 3, outputs: int = 1) -> None:
        super().__init__()
        self.outputs = outputs
        self.hidden = stack([dims * (1 + 2 * OCTAVES), *[width] * layers])
        self.last = scaled(nn.Linear(width, outputs), 1.0)

    def forward(self, points: Tensor) -> Tensor:
        """(N, dims) to scores (N,), or (N, outputs) where there are several."""
        scores: Tensor = self.last(self.features(points))
        return scores.squeeze(1) if self.outputs == 1 else scores

    def features(self, points: Tensor) -> Tensor:
        """What the last layer sees, (N, width)."""
        rows = waves(points)
        for layer in self.hidden:
            rows = F.leaky_relu(layer(rows), 0.2)
        return rows


def stack(sizes: list[int]) -> nn.ModuleList:
    """Linear layers from each size to the next."""
    return nn.ModuleList(scaled(nn.Linear(a, b), math.sqrt(2)) for a, b in pairwise(sizes))


def waves(points: Tensor) -> Tensor:
    """The coordinates, and their sines and cosines of three octaves, each as steep as the last.

    (N, dims) to (N, dims (1 + 2 OCTAVES)).
    """
    rates = 2 ** torch.arange(OCTAVES, dtype=points.dtype)
    phases = math.pi * points[:, :, None] * rates.to(points)  # (N, dims, OCTAVES)
    both = torch.cat([phases.sin() / rates.to(points), phases.cos() / rates.to(points)], dim=2)
    return torch.cat([points, both.flatten(1)], dim=1)
