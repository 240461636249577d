"""Layers with the conventions of Keras, for presets that repeat its introductory examples."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn


class SameConv(nn.Module):
    """Convolution with Keras's "same" padding: what does not divide evenly goes right and below.

    An even side at stride 2 is padded by (1, 2) for a kernel of 5 and by (0, 1) for one of 3.
    """

    def __init__(self, channels: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.conv = nn.Conv2d(channels, width, kernel, stride=stride)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, width, ceil(H / stride), ceil(W / stride))."""
        pads: list[int] = []
        for side in (images.shape[3], images.shape[2]):
            steps = math.ceil(side / self.stride) - 1
            total = max(0, steps * self.stride + self.kernel - side)
            pads += [total // 2, total - total // 2]
        maps: Tensor = self.conv(F.pad(images, pads))
        return maps
