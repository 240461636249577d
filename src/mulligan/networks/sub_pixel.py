"""Convolutions of stride 2, and transposed ones, where few channels make them slow on a processor.

There oneDNN takes a transposed convolution to a picture's channels at a thirtieth of its usual
rate, and so the slope of a convolution at a picture, which is the same sums. Here both are a
convolution of stride 1 to four times the channels, which then become pixels (Shi et al. 2016,
arXiv:1609.05158). Each of the two is the other's slope, to any order. Elsewhere than on a
processor, and in compiled code, PyTorch's own serve.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Pads = tuple[int, int]
"""Rows of zeros above an image, and below it; columns likewise."""

FEW = 8
"""Channels up to which these sums are quicker; at 16 they take longer than oneDNN's own."""

SIDE = 6
"""The largest kernel that one pixel of a 3x3 convolution's input and its neighbours can serve."""


class Down(nn.Conv2d):
    """A convolution with kernel 4 that halves the sides."""

    def __init__(self, channels: int, width: int, bias: bool = True) -> None:
        super().__init__(channels, width, 4, stride=2, padding=1, bias=bias)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) to (N, width, H / 2, W / 2)."""
        if serves(images, self.in_channels):
            return halved(images, self.weight, self.bias, (1, 1))
        return super().forward(images)


class Up(nn.ConvTranspose2d):
    """A transposed convolution with kernel 4 that doubles the sides."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__(channels, width, 4, stride=2, padding=1)

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, channels, H, W) to (N, width, 2 H, 2 W)."""
        if not serves(maps, self.out_channels) or output_size is not None:
            return super().forward(maps, output_size)
        return doubled(maps, self.weight, self.bias, (1, 1))


def serves(images: Tensor, channels: int) -> bool:
    """Whether these sums are worth while. channels: of the image, on the side of full size."""
    return channels <= FEW and images.is_cpu and not torch.compiler.is_compiling()


def halved(images: Tensor, weight: Tensor, bias: Tensor | None, pads: Pads) -> Tensor:
    """The convolution of stride 2: (N, C, H, W) and (M, C, k, k) to (N, M, ...), plus (M,).

    k: at most 5. pads: rows and columns of zeros around, at most 2 before.
    """
    halves: Tensor = _Halved.apply(*_cast(images, weight, bias), pads)
    return halves


def doubled(maps: Tensor, weight: Tensor, bias: Tensor | None, pads: Pads) -> Tensor:
    """Its adjoint, for even sides: (N, M, H, W) and (M, C, k, k) to (N, C, 2 H, 2 W), plus (C,).

    pads: what `halved` puts around; here that border is cut off.
    """
    size = (2 * maps.shape[2], 2 * maps.shape[3])
    images: Tensor = _Doubled.apply(*_cast(maps, weight, bias), pads, size)
    return images


def sub_pixel(maps: Tensor, weight: Tensor, bias: Tensor | None, before: int) -> Tensor:
    """The same from one convolution and a shuffle. before: the first of the pads.

    Pixel 2 i + a is the sum over j in -1, 0, 1 of pixel i + j times weight a + before - 2 j.
    """
    channels, width, side = weight.shape[:3]
    first = 2 - before
    padded = F.pad(weight, (first, SIDE - side - first) * 2).view(channels, width, 3, 2, 3, 2)
    small = padded.permute(1, 3, 5, 0, 2, 4).reshape(4 * width, channels, 3, 3).flip(2, 3)
    each = None if bias is None else bias.repeat_interleave(4)  # added to pixels, it took as long
    return F.pixel_shuffle(F.conv2d(maps, small, each, padding=1), 2)


class _Halved(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, pads: Pads
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.pads = pads
        bordered, padding = _bordered(images, pads)
        return F.conv2d(bordered, weight, bias, stride=2, padding=padding)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        at_images = at_weight = at_bias = None
        if ctx.needs_input_grad[0]:
            at_images = _Doubled.apply(slope, weight, None, ctx.pads, images.shape[2:])
        wanted = ctx.needs_input_grad[1:3]
        if any(wanted):
            at_weight, at_bias = _slopes(slope, images, weight, ctx.pads, wanted)
        return at_images, at_weight, at_bias, None


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        maps: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        pads: Pads,
        size: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.pads = pads
        more = [math.ceil(side / 2) - had for side, had in zip(size, maps.shape[2:], strict=True)]
        if any(more):  # an odd side's last pixel, which a map that is not there would begin
            maps = F.pad(maps, (0, more[1], 0, more[0]))
        return sub_pixel(maps, weight, bias, pads[0])[..., : size[0], : size[1]]

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors
        at_maps = at_weight = at_bias = None
        if ctx.needs_input_grad[0]:
            at_maps = _Halved.apply(slope, weight, None, ctx.pads)
        if ctx.needs_input_grad[1]:
            at_weight, _ = _slopes(maps, slope, weight, ctx.pads, (True, False))
        if ctx.needs_input_grad[2]:
            at_bias = slope.sum((0, 2, 3))
        return at_maps, at_weight, at_bias, None, None


def _slopes(
    slope: Tensor, images: Tensor, weight: Tensor, pads: Pads, wanted: tuple[bool, bool]
) -> tuple[Tensor | None, Tensor | None]:
    """Of the convolution of images, from the slope at its maps: at weight and bias, as wanted."""
    bordered, padding = _bordered(images, pads)
    grid = ([2, 2], [padding] * 2, [1, 1], False, [0, 0], 1)
    _, at_weight, at_bias = torch.ops.aten.convolution_backward(
        slope, bordered, weight, [len(weight)], *grid, (False, *wanted)
    )
    return at_weight, at_bias


def _bordered(images: Tensor, pads: Pads) -> tuple[Tensor, int]:
    """The images, and the padding that is left to the convolution: all of it where it is even."""
    before, after = pads
    if before == after:
        return images, before
    return F.pad(images, (before, after) * 2), 0


def _cast(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    """In the number format of an autocast region, as its convolutions are."""
    if not torch.is_autocast_enabled("cpu"):
        return tensors
    dtype = torch.get_autocast_dtype("cpu")
    return tuple(None if one is None else one.to(dtype) for one in tensors)
