"""Networks shared by recipes: sizes, grids, initial weights, and which layers couple rows."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mulligan.errors import UsageError
from mulligan.fields import Image, Label, Points
from mulligan.networks import mlp, strided
from mulligan.networks.pairs import coder, pair
from mulligan.networks.strided import Grid


@pytest.mark.parametrize(
    ("size", "stages", "base"),
    [
        ((28, 28), 3, (4, 4)),
        ((32, 32), 3, (4, 4)),
        ((30, 30), 3, (4, 4)),
        ((48, 64), 4, (3, 4)),
        ((8, 8), 1, (4, 4)),
        ((8, 12), 1, (4, 6)),
        ((128, 128), 5, (4, 4)),
        ((4, 4), 1, (2, 2)),
    ],
)
def test_grids(size: tuple[int, int], stages: int, base: tuple[int, int]) -> None:
    grid = Grid.of(size)
    assert (grid.stages, grid.base) == (stages, base)


sides = st.integers(8, 70)


@settings(max_examples=30, deadline=None)
@given(sides, sides)
def test_padding_centres_and_cropping_undoes_it(height: int, width: int) -> None:
    grid = Grid.of((height, width))
    images = torch.rand(1, 1, height, width) + 1
    padded = grid.pad(images)
    assert padded.shape[2:] == grid.full
    assert torch.equal(grid.crop(padded), images)
    top = int((padded[0, 0].sum(1) > 0).nonzero()[0])
    below = grid.full[0] - height - top
    assert 0 <= below - top <= 1


@settings(max_examples=10, deadline=None)
@given(sides, sides, st.sampled_from([1, 3, 4]), st.booleans())
def test_strided_networks_take_any_size(height: int, width: int, channels: int, norm: bool) -> None:
    generator = strided.Generator(3, channels, (height, width), 2, "batch" if norm else "none")
    images = generator(torch.randn(2, 3))
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    assert strided.Discriminator(channels, (height, width), 2, norm)(images).shape == (2,)
    assert strided.Discriminator(channels, (height, width), 2, norm, 5)(images).shape == (2, 5)


def test_every_pixel_reaches_the_score() -> None:
    image = torch.randn(1, 1, 30, 21, requires_grad=True)
    strided.Discriminator(1, (30, 21), 4, norm=False)(image).sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).all()


def test_channels_double_towards_the_coarse_end_as_in_the_paper() -> None:
    generator = strided.Generator(100, 3, (64, 64), 128)
    assert generator.first_shape == (4, 4, 1024)
    ups = [layer for layer in generator.modules() if isinstance(layer, nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in ups] == [512, 256, 128, 3]
    judge = strided.Discriminator(3, (64, 64), 128, norm=True)
    downs = [layer for layer in judge.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in downs] == [128, 256, 512, 1024]


def test_dcgan_weights_are_normal_with_deviation_002() -> None:
    torch.manual_seed(0)
    generator = strided.Generator(64, 3, (32, 32), 32)
    for layer in generator.modules():
        if isinstance(layer, (nn.ConvTranspose2d, nn.Linear)):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.weight.mean().item() == pytest.approx(1, abs=0.02)
            assert 0 < layer.weight.std().item() < 0.04


def test_batch_norm_is_everywhere_but_at_the_ends() -> None:
    generator, judge = pair("dcgan", Image(1, 32, 32), 8, 4)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in generator.modules()) == 3
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in judge.modules()) == 2
    assert isinstance(judge.norms[0], nn.Identity)  # type: ignore[index]


def rows_are_independent(network: nn.Module, rows: torch.Tensor) -> bool:
    network.train()
    return torch.allclose(network(rows)[:2], network(rows[:2]), atol=1e-6)


def test_which_networks_couple_rows() -> None:
    torch.manual_seed(0)
    image = Image(1, 16, 16)
    images, noise = torch.rand(6, 1, 16, 16), torch.randn(6, 8)
    assert rows_are_independent(pair("plain", image, 8, 4)[1], images)
    assert not rows_are_independent(pair("dcgan", image, 8, 4)[1], images)
    assert not rows_are_independent(pair("plain", image, 8, 4)[0], noise)
    assert all(
        rows_are_independent(n, x)
        for n, x in zip(coder("plain", image, 8, 5, 4), (images, noise), strict=True)
    )
    assert all(
        rows_are_independent(n, x)
        for n, x in zip(pair("mlp", image, 8, 4), (noise, images), strict=True)
    )


def test_an_mlp_by_hand() -> None:
    network = mlp.Discriminator((2,), hidden=(1,), slope=0.1)
    hidden: Any = network.hidden[0]
    with torch.no_grad():
        hidden.weight.copy_(torch.tensor([[1.0, -2.0]]))
        hidden.bias.fill_(0.5)
        network.last.weight.fill_(3.0)
        network.last.bias.fill_(-1.0)
    scores = network(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    assert scores.tolist() == pytest.approx([3 * 1.5 - 1, 3 * -0.15 - 1])


def test_points_are_not_bounded_and_images_are() -> None:
    torch.manual_seed(0)
    noise = 1000 * torch.randn(4, 8)
    points = mlp.Generator(8, (2,))(noise)
    assert points.shape == (4, 2)
    assert points.abs().max() > 1
    images = mlp.Generator(8, (3, 4, 5))(noise)
    assert images.shape == (4, 3, 4, 5)
    assert images.abs().max() <= 1


def test_auto_is_mlp_for_points_and_plain_for_images() -> None:
    assert isinstance(pair("auto", Points(2, 1.0), 4)[0], mlp.Generator)
    generator, judge = pair("auto", Image(1, 16, 16), 4)
    assert isinstance(generator, strided.Generator)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in judge.modules())


@pytest.mark.parametrize(
    "build",
    [lambda body, field: pair(body, field, 4), lambda body, field: coder(body, field, 4, 8)],
)
def test_misfits_are_refused_with_advice(build: Any) -> None:
    with pytest.raises(UsageError, match="needs images"):
        build("plain", Points(2, 1.0))
    with pytest.raises(UsageError, match="'unet' is unknown; it is one of auto, mlp"):
        build("unet", Image(1, 8, 8))
    with pytest.raises(UsageError, match="needs images"):
        build("mlp", Label(("a",)))


def test_coders_have_the_given_outputs_and_latents() -> None:
    for body, field in (
        ("auto", Image(3, 16, 12)),
        ("mlp", Image(1, 8, 8)),
        ("auto", Points(2, 1.0)),
    ):
        encoder, decoder = coder(body, field, 6, 12, 4)
        samples = decoder(torch.randn(3, 6))
        assert samples.shape[1:] == field.shape  # type: ignore[attr-defined]
        assert encoder(samples).shape == (3, 12)


def test_glorot_is_bounded_by_both_fans() -> None:
    from mulligan.networks.initial import glorot

    layer = nn.Linear(30, 70)
    glorot(layer)
    bound = math.sqrt(6 / 100)
    assert 0.95 * bound < layer.weight.abs().max().item() <= bound
    assert (layer.bias == 0).all()


def test_fully_connected_scores_are_not_rounded_to_bfloat16() -> None:
    judge = mlp.Discriminator((2,), (16,))
    judge.last.weight.data.zero_()
    judge.last.bias.data.fill_(1.001)  # bfloat16 has no number between 1 and 1.0078
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = judge(torch.randn(4, 2))
    assert scores.dtype == torch.float32
    assert (scores == torch.tensor(1.001)).all()


def test_a_fully_connected_score_is_that_of_its_last_layer() -> None:
    judge = mlp.Discriminator((1, 3, 4), (16,)).double()
    images = torch.randn(5, 1, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(judge(images), judge.last(judge.features(images)).squeeze(1))
