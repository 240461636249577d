"""Spectral normalisation: each weight divided by its largest singular value.

Miyato et al. 2018, arXiv:1802.05957, section 2 and algorithm 1; the arithmetic is PyTorch's own.
Every forward pass in training mode does one step of the power method, on vectors that are buffers
and so a part of every checkpoint. They move in the generator's turn too, when the layer's weights
are frozen: so they do in the paper's public codes, and the estimate only gets better by it. One
step from a random start is crude, so PyTorch does 15 at construction. Compiled, a second pass
before the backward one fails: the first needs the vectors that it left. Judge all rows in one pass.
"""

from __future__ import annotations

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

LAYERS = (nn.Linear, nn.Conv2d, nn.Embedding)


def spectral(network: nn.Module) -> nn.Module:
    """The network, with the weight of every linear, convolution and embedding layer normalised.

    In place, after the initial weights are set: what is trained is then called
    parametrizations.weight.original. Layers that are normalised already stay as they are.
    The start vectors are drawn from torch's global generator. A weight of zeros, as at the end
    of some residual branches, has no direction: it would give NaN at once.
    """
    for layer in list(network.modules()):
        if isinstance(layer, LAYERS) and not is_parametrized(layer, "weight"):
            spectral_norm(layer)
    return network
