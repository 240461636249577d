"""Convolutions of stride 2 by sub-pixels: PyTorch's own sums, and slopes to the second order."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mulligan.networks import strided, sub_pixel
from mulligan.networks.sub_pixel import Down, Pads, Up, doubled, halved

CASES = [(4, (1, 1)), (5, (2, 2)), (5, (1, 2)), (3, (1, 1))]


def parts(kernel: int, size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images, maps of half their sides, weight and bias."""
    torch.manual_seed(0)
    half = (size[0] // 2, size[1] // 2)
    shapes = ((2, 2, *size), (2, 3, *half), (3, 2, kernel, kernel), (3,))
    images, maps, weight, bias = (torch.randn(s, dtype=torch.float64) for s in shapes)
    return images, maps, weight, bias


def plain(images: Tensor, weight: Tensor, bias: Tensor | None, pads: Pads) -> Tensor:
    return F.conv2d(F.pad(images, pads * 2), weight, bias, stride=2)


def slopes(found: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """Of a sum of squares, and of a penalty on the slope at the first input."""
    first = torch.autograd.grad(found.square().sum(), inputs, create_graph=True)
    second = torch.autograd.grad(first[0].square().sum(), inputs)
    return [*first, *second]


@pytest.mark.parametrize(("kernel", "pads"), CASES)
@settings(max_examples=10, deadline=None)
@given(rows=st.integers(6, 13), columns=st.integers(6, 13))
def test_halved_is_the_strided_convolution(
    kernel: int, pads: Pads, rows: int, columns: int
) -> None:
    images, _, weight, bias = parts(kernel, (rows, columns))
    inputs = [one.requires_grad_() for one in (images, weight, bias)]
    ours, theirs = halved(images, weight, bias, pads), plain(images, weight, bias, pads)
    torch.testing.assert_close(ours, theirs)
    for mine, other in zip(slopes(ours, inputs), slopes(theirs, inputs), strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(("kernel", "pads"), CASES)
@settings(max_examples=10, deadline=None)
@given(rows=st.integers(3, 6), columns=st.integers(3, 6))
def test_doubled_is_the_slope_of_the_strided_convolution(
    kernel: int, pads: Pads, rows: int, columns: int
) -> None:
    images, maps, weight, _ = parts(kernel, (2 * rows, 2 * columns))
    bias = torch.randn(2, dtype=torch.float64)
    for one in (images, maps, weight, bias):
        one.requires_grad_()
    halves = plain(images, weight, None, pads)
    (theirs,) = torch.autograd.grad(halves, images, maps, create_graph=True)
    theirs = theirs + bias[:, None, None]
    ours = doubled(maps, weight, bias, pads)
    torch.testing.assert_close(ours, theirs)
    for mine, other in zip(
        slopes(ours, [maps, weight]), slopes(theirs, [maps, weight]), strict=True
    ):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("channels", [1, 3, sub_pixel.FEW + 1])
def test_the_layers_are_those_of_pytorch(channels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a processor, where few channels go another way than many, and elsewhere."""
    torch.manual_seed(0)
    down, up = Down(channels, 5), Up(5, channels)
    images, maps = torch.randn(2, channels, 8, 12), torch.randn(2, 5, 4, 6)
    ours = down(images), up(maps)
    monkeypatch.setattr(sub_pixel, "serves", lambda *_: False)
    for mine, theirs in zip(ours, (down(images), up(maps)), strict=True):
        torch.testing.assert_close(mine, theirs)
    torch.testing.assert_close(
        ours[1], F.conv_transpose2d(maps, up.weight, up.bias, stride=2, padding=1)
    )


def test_autocast_gives_bfloat16_and_slopes_of_the_weights_type() -> None:
    torch.manual_seed(0)
    pair: Any = (strided.Generator(4, 1, (16, 16), 8), strided.Discriminator(1, (16, 16), 8, False))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        images = pair[0](torch.randn(4, 4))
        scores = pair[1](images)
    assert images.dtype == scores.dtype == torch.bfloat16
    scores.float().sum().backward()
    for network in pair:
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.dtype == torch.float32
