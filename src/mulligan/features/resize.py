"""Sizes and channels as an extractor wants them. Resizing alone moves a FID by 6 and more."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.features.names import RESIZES

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey, ITU-R BT.601, as Pillow takes them."""


def resize(images: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Float images in another size, (N, C, *size), in [-1, 1]; values are not rounded.

    images: (N, C, H, W) in [-1, 1]. mode: one of `RESIZES`. Raises UsageError for another mode.
    """
    if mode == "antialiased":
        # Pillow's filter (a = -0.5); it overshoots at edges, and clean-fid clips that to the range
        resized = F.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False)
        return resized.clamp(-1, 1)
    if mode == "tensorflow1":
        return _tensorflow1(images, size)
    raise UsageError(f"resize mode {mode!r} is unknown", f"one of {', '.join(RESIZES)}")


def _tensorflow1(images: Tensor, size: tuple[int, int]) -> Tensor:
    """tf.image.resize_bilinear of TensorFlow 1: target pixel i lies at i * (source / target)."""
    for axis, target in ((3, size[1]), (2, size[0])):  # TensorFlow's order, for the same rounding
        source = images.shape[axis]
        places = torch.arange(target, dtype=torch.float32, device=images.device) * (source / target)
        low = places.floor().long().clamp(max=source - 1)
        high = (low + 1).clamp(max=source - 1)
        shape = [1] * 4
        shape[axis] = target
        share = (places - low).reshape(shape)
        below, above = images.index_select(axis, low), images.index_select(axis, high)
        images = below + (above - below) * share
    return images


def with_channels(images: Tensor, channels: int) -> Tensor:
    """Images in [-1, 1] with 1 or 3 channels: grey is repeated, colour weighted, alpha put on
    white.

    images: (N, 1, 3 or 4, H, W).
    """
    if images.shape[1] == 4:
        cover = (images[:, 3:] + 1) / 2
        images = images[:, :3] * cover + (1 - cover)
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.expand(-1, 3, -1, -1)
    weights = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return (images * weights[:, None, None]).sum(dim=1, keepdim=True)
