"""Layers with the conventions of Keras, for presets that repeat its introductory examples."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.networks.sub_pixel import doubled, halved, serves, sub_pixel


class SameConv(nn.Module):
    """Convolution with Keras's "same" padding: what does not divide evenly goes right and below.

    An even side at stride 2 is padded by (1, 2) for a kernel of 5 and by (0, 1) for one of 3.
    kernel: odd. stride: 1 or 2.
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

    def turned(self, images: Tensor) -> Tensor:
        """The same of images that were turned by half a turn: maps that are turned likewise.

        The wide border lies before then, and the last step does not reach the end of the narrow
        one: it is the padding that a convolution does itself, and no map is copied into a larger.
        """
        weight, bias, border = half_turn(self.conv.weight), self.conv.bias, self.kernel // 2
        if self.stride == 2 and serves(images, self.conv.in_channels):
            return halved(images, weight, bias, (border, border))
        return F.conv2d(images, weight, bias, stride=self.stride, padding=border)


def half_turn(images: Tensor) -> Tensor:
    """(..., H, W) with its rows and its columns from the last to the first."""
    return images.flip(-2, -1)


class SameUp(nn.Module):
    """5x5 transposed convolution without bias, the adjoint of `SameConv`: sides times stride.

    At stride 2 each output pixel meets every other weight, so it is computed as a 3x3 convolution
    to four times the channels, which then become pixels: the same sums, without a border to cut
    off, and on a processor five times as fast where there are few channels.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.ConvTranspose2d(channels, width, 5, stride=stride, padding=2, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) to (N, width, H * stride, W * stride)."""
        if self.stride == 1:
            images: Tensor = self.conv(maps)
            return images
        if serves(maps, channels=0):  # kernel 5 gains at any number of channels
            return doubled(maps, self.conv.weight, None, (1, 2))
        return sub_pixel(maps, self.conv.weight, None, 1)
