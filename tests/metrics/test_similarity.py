"""PSNR and SSIM: known values, and torchmetrics."""

from __future__ import annotations

import math

import pytest
import torch
from known import normal
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from mulligan.errors import UsageError
from mulligan.metrics.similarity import psnr, ssim


def test_psnr_of_a_known_error() -> None:
    originals = torch.zeros(2, 1, 4, 4)
    images = originals + torch.tensor([0.2, 2.0])[:, None, None, None]
    assert psnr(images, originals).tolist() == pytest.approx([20, 0], abs=1e-5)
    assert psnr(originals, originals).tolist() == [math.inf, math.inf]


@pytest.mark.parametrize("size", [(3, 1, 16, 16), (2, 3, 20, 13)])
def test_both_equal_torchmetrics(size: tuple[int, ...]) -> None:
    originals = normal(*size).tanh()
    images = (originals + 0.3 * normal(*size, seed=1)).clamp(-1, 1)
    theirs = peak_signal_noise_ratio(
        images, originals, data_range=2.0, dim=(1, 2, 3), reduction="none"
    )
    torch.testing.assert_close(psnr(images, originals), theirs, rtol=1e-6, atol=0)
    theirs = structural_similarity_index_measure(
        images, originals, data_range=2.0, reduction="none"
    )
    ours = ssim(images, originals, mirrored=True)
    torch.testing.assert_close(ours, theirs.double(), rtol=1e-6, atol=1e-7)


def test_windows_over_the_edge_do_not_count_unless_asked() -> None:
    originals, images = normal(2, 1, 20, 16).tanh(), normal(2, 1, 20, 16, seed=1).tanh()
    _, everywhere = structural_similarity_index_measure(
        images, originals, data_range=2.0, reduction="none", return_full_image=True
    )
    inner = everywhere[..., 5:-5, 5:-5].flatten(1).mean(dim=1)
    torch.testing.assert_close(ssim(images, originals), inner, rtol=1e-6, atol=1e-7)


def test_ssim_is_1_for_equals_and_negative_for_negatives() -> None:
    contrast = 0.2 * normal(2, 1, 16, 16).tanh()
    images, negatives = 0.5 + contrast, 0.5 - contrast
    assert ssim(images, images).tolist() == pytest.approx([1, 1])
    assert bool((ssim(negatives, images) < -0.5).all())


def test_ssim_of_two_flat_images_is_the_luminance_term() -> None:
    dark, light = torch.full((1, 1, 12, 12), 0.2), torch.full((1, 1, 12, 12), 0.6)
    low = 0.02**2
    expected = (2 * 0.2 * 0.6 + low) / (0.2**2 + 0.6**2 + low)
    assert ssim(dark, light).item() == pytest.approx(expected, rel=1e-6)


def test_small_images_and_other_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match="images are 20x10"):
        ssim(torch.zeros(1, 1, 10, 20), torch.zeros(1, 1, 10, 20))
    with pytest.raises(UsageError, match="6 pixels or more; images are 8x5"):
        ssim(torch.zeros(1, 1, 5, 8), torch.zeros(1, 1, 5, 8), mirrored=True)
    with pytest.raises(UsageError, match="must both be"):
        psnr(torch.zeros(1, 1, 4, 4), torch.zeros(2, 1, 4, 4))
