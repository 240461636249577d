"""Labels for any pair of networks: wrappers that look a class up and hand it to a plain network.

Each wrapper has the network as `inner`, built for what the wrapper hands it. Labels are int64
(N,). Embeddings start N(0, 1), as PyTorch's do: about as large as noise and as a picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

SIZE = 64
"""Numbers of a label's embedding, as in R3GAN's generator."""

POINT_SIZE = 8
"""The same beside the few coordinates of a point, which more would drown out."""


class Generator(nn.Module):
    """A generator of noise and `size` numbers of the label, side by side.

    inner: a generator with `size` numbers of noise more. Mirza and Osindero 2014,
    arXiv:1411.1784, with an embedding for the one-hot label.
    """

    def __init__(self, inner: nn.Module, classes: int, size: int) -> None:
        super().__init__()
        self.inner = inner
        self.embed = nn.Embedding(classes, size)

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        """(N, latent) and (N,) to samples."""
        samples: Tensor = self.inner(torch.cat((noise, self.embed(label)), dim=1))
        return samples


class Planes(nn.Module):
    """A discriminator that sees the label as one channel more, or as coordinates more.

    inner: for images, a discriminator of one channel more; for points, one of as many coordinates
    more as `shape` says. shape: (height, width) of the plane, or (numbers,) for points.
    """

    def __init__(self, inner: nn.Module, classes: int, shape: Sequence[int]) -> None:
        super().__init__()
        self.inner = inner
        self.shape = tuple(shape) if len(shape) == 1 else (1, *shape)
        self.embed = nn.Embedding(classes, math.prod(shape))

    def forward(self, samples: Tensor, label: Tensor) -> Tensor:
        """Samples and (N,) to the inner network's scores."""
        known = self.embed(label).unflatten(1, self.shape)
        scores: Tensor = self.inner(torch.cat((samples, known), dim=1))
        return scores


class Projection(nn.Module):
    """A discriminator whose score is <h(x), embed(label)> / sqrt(size).

    inner: a network with `size` outputs, h. Miyato and Koyama 2018, arXiv:1802.05637, in the form
    of R3GAN (Huang et al. 2024, arXiv:2501.05441): no term without the label.
    """

    def __init__(self, inner: nn.Module, classes: int, size: int) -> None:
        super().__init__()
        assert size > 1, "a network with one output has no column to multiply"
        self.inner, self.size = inner, size
        self.embed = nn.Embedding(classes, size)

    def forward(self, samples: Tensor, label: Tensor) -> Tensor:
        """Samples and (N,) to scores (N,)."""
        scores: Tensor = (self.inner(samples) * self.embed(label)).sum(dim=1)
        return scores / math.sqrt(self.size)
