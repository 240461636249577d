"""`random`: a fixed network of random convolutions. Trained on nothing, so it prefers nothing.

Random convolutions keep much of what tells pictures apart (Saxe et al. 2011, "On random weights
and unsupervised feature learning"): edges, colours and their deviation over the picture, at three
scales. They know no objects. It serves to see that something moved where no trained network fits.
"""

from __future__ import annotations

import hashlib
import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from mulligan.errors import UsageError
from mulligan.features.extractor import Extractor, weights_sha256

CHANNELS = (3, 15, 16, 30)
"""Channels of the picture and of each of three maps, each half as large as the one before."""

WIDTH = 2 * sum(CHANNELS)

SMALLEST = 8
"""Pixels of a side: three halvings lead to one pixel."""

NOTE = "random features: the network was trained on nothing; a coarse look, no measure of quality"


class RandomNet(nn.Module):
    """From (N, 3, H, W) to means and deviations of the picture and of all maps, (N, 128).

    The deviation over the places of a map sees blur and noise, which hardly move a mean.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.utils.skip_init(nn.Conv2d, a, b, 3, stride=2, padding=1, bias=False)
            for a, b in pairwise(CHANNELS)
        )
        for position, layer in enumerate(self.layers):
            assert isinstance(layer, nn.Conv2d)
            layer.weight = nn.Parameter(_weights(tuple(layer.weight.shape), position))

    def forward(self, images: Tensor) -> Tensor:
        if min(images.shape[2:]) < SMALLEST:
            height, width = images.shape[2:]
            raise UsageError(
                f"images of {height}x{width} pixels are too small for the extractor random; "
                f"sides of {SMALLEST} pixels or more are possible"
            )
        maps, found = images, _pooled(images)
        for layer in self.layers:
            maps = layer(maps).relu()
            found += _pooled(maps)
        return torch.cat(found, dim=1)


def _pooled(maps: Tensor) -> list[Tensor]:
    """Mean and deviation over all places, (N, channels) each."""
    places = maps.flatten(2)
    return [places.mean(dim=2), places.std(dim=2, correction=0)]


def _weights(shape: tuple[int, ...], position: int) -> Tensor:
    """Uniform weights of variance 2 / fan-in (He et al. 2015, arXiv:1502.01852, equation 10), less
    their mean over each filter: else brightness outweighs all that a filter could see.

    16 bits each of a hash of the position. torch's normal numbers differ in their last bits from
    one processor to another, and its generators may change with a release; a hash never does. Sums
    are of integers, so they are exact.
    """
    count, inputs = math.prod(shape), math.prod(shape[1:])
    content = hashlib.shake_256(f"mulligan random {position}".encode()).digest(2 * count)
    steps = np.frombuffer(content, dtype="<u2").astype(np.int64).reshape(-1, inputs)
    centred = (inputs * steps - steps.sum(axis=1, keepdims=True)) / inputs
    weights = centred * (math.sqrt(6 / inputs) / 2**15)
    return torch.from_numpy(weights.astype(np.float32).reshape(shape))


def open_untrained(device: str) -> Extractor:
    """The fixed random network, for images of 8 pixels a side or more; the same on every machine.

    Its features raise UsageError for smaller images.
    """
    network = RandomNet()
    return Extractor(
        name="random",
        network=network,
        width=WIDTH,
        channels=3,
        size=None,
        digest=weights_sha256(network),
        note=NOTE,
        device=device,
    )
