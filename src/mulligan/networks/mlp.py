"""Fully connected networks, for points and for (flattened) images. No layer couples rows.

Functions without weights work in place: their matrices are small, and fresh memory costs more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class Generator(nn.Module):
    """From noise to samples of any shape.

    shape: of one sample; three numbers mean an image, which ends in tanh.
    hidden: units of each hidden layer. slope: of LeakyReLU below zero.
    norm: normalise each row's units before every LeakyReLU.
    """

    def __init__(
        self,
        latent: int,
        shape: Sequence[int],
        hidden: Sequence[int] = (256, 256, 256),
        slope: float = 0.2,
        norm: bool = False,
    ) -> None:
        super().__init__()
        self.shape, self.slope = tuple(shape), slope
        self.bounded = len(self.shape) == 3
        sizes = (latent, *hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(nn.LayerNorm(b) if norm else nn.Identity() for b in hidden)
        self.last = nn.Linear(sizes[-1], math.prod(self.shape))

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent) to (N, *shape): images in [-1, 1], points without bounds."""
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            noise = F.leaky_relu(norm(layer(noise)), self.slope, inplace=True)
        samples: Tensor = self.last(noise)
        return (samples.tanh_() if self.bounded else samples).view(-1, *self.shape)


class Discriminator(nn.Module):
    """From samples of any shape to raw scores; with more outputs, an encoder.

    A single score is never bfloat16, in which two of them around 1 differ by 1/128 at least.
    """

    def __init__(
        self,
        shape: Sequence[int],
        hidden: Sequence[int] = (256, 256, 256),
        slope: float = 0.2,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.slope, self.outputs = slope, outputs
        sizes = (math.prod(shape), *hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.last = nn.Linear(sizes[-1], outputs)

    def forward(self, samples: Tensor) -> Tensor:
        """(N, *shape) to scores (N,), or to (N, outputs) where there are several."""
        rows = self.features(samples)
        if self.outputs > 1:
            several: Tensor = self.last(rows)
            return several
        # the layer's own sums: as a product of matrices in bfloat16, with casts, so narrow a one
        # takes 6 % of a classic GAN's round longer
        return (rows * self.last.weight).sum(1) + self.last.bias

    def features(self, samples: Tensor) -> Tensor:
        """What the last layer sees, (N, units)."""
        rows = samples.flatten(1)
        for layer in self.hidden:
            rows = F.leaky_relu(layer(rows), self.slope, inplace=True)
        return rows
