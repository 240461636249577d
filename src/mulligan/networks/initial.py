"""Initial weights by their papers' names. All draw from torch's global generator."""

from __future__ import annotations

import math
from typing import TypeVar

from torch import nn

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


def glorot(network: nn.Module) -> None:
    """Set linear and convolution weights Glorot-uniform and biases zero, as Keras does.

    Uniform on +-sqrt(6 / (fan_in + fan_out)). Glorot and Bengio 2010, equation 16.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, *CONVOLUTIONS)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def normal(network: nn.Module, deviation: float = 0.02) -> None:
    """Set weights N(0, deviation), biases zero, batch norm's scale N(1, deviation).

    Radford et al. 2015, arXiv:1511.06434, section 4 (the batch norm part is the authors' code).
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, *CONVOLUTIONS)):
            nn.init.normal_(layer.weight, 0.0, deviation)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, deviation)


Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)


def scaled(layer: Layer, gain: float) -> Layer:
    """The layer with weights N(0, gain^2 / fan_in) and a bias, if it has one, of zero."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
