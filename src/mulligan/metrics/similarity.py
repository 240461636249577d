"""How much images resemble their originals, pixel by pixel: PSNR and SSIM."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from mulligan.errors import UsageError

SPAN = 2.0
"""The range of images, which lie in [-1, 1]."""

WINDOW, DEVIATION = 11, 1.5
"""Pixels and standard deviation of the Gaussian window of SSIM."""


def psnr(images: Tensor, originals: Tensor, span: float = SPAN) -> Tensor:
    """10 log10(span^2 / mean squared error) of every image in decibels, (N,); inf where equal.

    images, originals: (N, C, H, W). Raises UsageError if the shapes differ.
    """
    images, originals = _as_images(images, originals)
    error = (images - originals).square().flatten(1).mean(dim=1)
    return 10 * torch.log10(span**2 / error)


def ssim(images: Tensor, originals: Tensor, span: float = SPAN, mirrored: bool = False) -> Tensor:
    """Structural similarity of every image, (N,), at most 1, and 1 where equal.

    images, originals: (N, C, H, W), at least 11 pixels wide and high: windows that reach over the
    edge do not count. Constants 0.01 and 0.03, population covariances. Wang et al. 2004.
    mirrored: count those windows too, with the images mirrored at their edges, as torchmetrics
    does; takes images from 6 pixels on. The two kinds differ: compare within one.
    Raises UsageError for smaller images, or if the shapes differ.
    """
    images, originals = _as_images(images, originals)
    height, width = images.shape[2:]
    least = WINDOW // 2 + 1 if mirrored else WINDOW
    if min(height, width) < least:
        raise UsageError(f"SSIM needs {least} pixels or more; images are {width}x{height}")
    if mirrored:
        edge = [WINDOW // 2] * 4
        images, originals = (pad(side, edge, mode="reflect") for side in (images, originals))
    stacked = [images, originals, images.square(), originals.square(), images * originals]
    means = [_smooth(entry) for entry in stacked]
    one, other = means[:2]
    of_one, of_other = means[2] - one.square(), means[3] - other.square()
    between = means[4] - one * other
    low, high = (0.01 * span) ** 2, (0.03 * span) ** 2
    luminance = (2 * one * other + low) / (one.square() + other.square() + low)
    structure = (2 * between + high) / (of_one + of_other + high)
    return (luminance * structure).flatten(1).mean(dim=1)


def _smooth(images: Tensor) -> Tensor:
    """The Gaussian mean around every pixel whose window lies inside, channel by channel."""
    places = torch.arange(WINDOW, dtype=torch.float64, device=images.device) - WINDOW // 2
    window = torch.exp(-0.5 * (places / DEVIATION).square())
    window = window / window.sum()
    flat = images.flatten(0, 1)[:, None]  # (N C, 1, H, W)
    smooth = conv2d(conv2d(flat, window[None, None, :, None]), window[None, None, None])
    apart: Tensor = smooth.unflatten(0, images.shape[:2])  # (N, C, 1, H - 10, W - 10)
    return apart[:, :, 0]


def _as_images(images: Tensor, originals: Tensor) -> tuple[Tensor, Tensor]:
    if images.ndim != 4 or images.shape != originals.shape:
        raise UsageError(
            f"images and originals must both be (N, C, H, W); they are {tuple(images.shape)} and "
            f"{tuple(originals.shape)}"
        )
    return images.detach().double(), originals.detach().double()
