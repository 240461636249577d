"""Labels for any pair of networks: wrappers that look a class up and hand it to a plain network.

Each wrapper has the network as `inner`, built for what the wrapper hands it. Labels are int64
(N,). Embeddings start N(0, 1), as PyTorch's do, but for the generator's.
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
    """A generator of noise that each class scales, with `size` numbers of the label beside it.

    inner: a generator with latent + size numbers of noise. The numbers beside the noise are Mirza
    and Osindero's (2014, arXiv:1411.1784), an embedding that starts as long as their one-hot
    label, 1; the product is that of Keras's ACGAN. With the first alone, generators were seen to
    learn one picture a class and to forget the noise, the sooner the longer the embedding; with
    the second alone, to be slow to learn the classes.
    """

    def __init__(self, inner: nn.Module, classes: int, latent: int, size: int) -> None:
        super().__init__()
        self.inner = inner
        self.scale = nn.Embedding(classes, latent)
        self.embed = nn.Embedding(classes, size)
        nn.init.normal_(self.embed.weight, std=size**-0.5)

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        """(N, latent) and (N,) to samples."""
        known = torch.cat((noise * self.scale(label), self.embed(label)), dim=1)
        samples: Tensor = self.inner(known)
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
