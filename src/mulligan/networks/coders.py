"""Encoder and decoder for images: fully connected layers between the code and the convolutions.

With convolutions alone the map from codes to pictures is close to linear, and a variational
autoencoder's samples, unlike its reconstructions, were seen to be mostly blank.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.networks import mlp, strided


class Encoder(nn.Module):
    """From images to codes: strided convolutions, then two hidden layers of `units`."""

    def __init__(
        self, channels: int, size: tuple[int, int], width: int, outputs: int, units: int = 256
    ) -> None:
        super().__init__()
        self.body = strided.Discriminator(channels, size, width, norm=False, outputs=units)
        self.head = mlp.Discriminator((units,), (units,), outputs=outputs)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to (N, outputs)."""
        codes: Tensor = self.head(F.leaky_relu(self.body(images), 0.2))
        return codes


class Decoder(nn.Module):
    """From codes to images: two hidden layers of `units`, then transposed convolutions.

    Each row's units and maps are normalised on their own; rows do not touch.
    """

    def __init__(
        self, latent: int, channels: int, size: tuple[int, int], width: int, units: int = 256
    ) -> None:
        super().__init__()
        self.head = mlp.Generator(latent, (units,), (units,), norm=True)
        self.body = strided.Generator(units, channels, size, width, norm="row")

    def forward(self, codes: Tensor) -> Tensor:
        """(N, latent) to (N, channels, height, width) in [-1, 1]."""
        images: Tensor = self.body(F.leaky_relu(self.head(codes), 0.2))
        return images
