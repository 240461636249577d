"""SNGAN's residual pair: layers of the paper, sizes, rows, starts."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mulligan.networks import resnet
from mulligan.networks.spectral import spectral

sides = st.integers(6, 70)


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]


def silence(block: resnet.Up | resnet.Down) -> None:
    """Leave a block its shortcut alone."""
    for weight in block.branch.parameters():
        nn.init.zeros_(weight)


@settings(max_examples=8, deadline=None)
@given(sides, sides, st.sampled_from([1, 3, 4]), st.booleans())
def test_any_size_is_taken(height: int, width: int, channels: int, norm: bool) -> None:
    images = resnet.Generator(3, channels, (height, width), 2, norm)(torch.randn(2, 3))
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    for outputs, shape in ((1, (2,)), (5, (2, 5))):
        judge = resnet.Discriminator(channels, (height, width), 2, outputs)
        judge = spectral(judge) if norm else judge
        assert judge(images).shape == shape


def test_the_paper_has_these_layers_at_32_pixels() -> None:
    generator = resnet.Generator(128, 3, (32, 32), 128)
    assert generator.first_shape == (4, 4, 256)
    assert len(generator.blocks) == 3
    assert {layer.out_channels for layer in convolutions(generator)} == {256, 3}
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in generator.modules()) == 7
    judge = spectral(resnet.Discriminator(3, (32, 32), 128))
    assert [block.halve for block in judge.blocks] == [True, True, False, False]
    assert {layer.out_channels for layer in convolutions(judge)} == {128}
    assert judge.last.in_features == 128
    assert len(convolutions(judge)) == 8 + 2  # shortcuts are convolved only where the side changes


def test_rows_are_independent_but_for_batch_norm() -> None:
    torch.manual_seed(0)
    images, noise = torch.rand(6, 1, 12, 12), torch.randn(6, 4)
    cases: list[tuple[nn.Module, Tensor, bool]] = [
        (spectral(resnet.Discriminator(1, (12, 12), 8)), images, True),
        (resnet.Discriminator(1, (12, 12), 8), images, True),
        (resnet.Generator(4, 1, (12, 12), 8, norm=False), noise, True),
        (resnet.Generator(4, 1, (12, 12), 8), noise, False),
    ]
    for network, rows, independent in cases:
        whole = copy.deepcopy(network)(rows)[:2]
        assert torch.allclose(whole, network(rows[:2]), atol=1e-6) == independent


def test_every_pixel_reaches_the_score() -> None:
    image = torch.randn(1, 1, 21, 30, requires_grad=True)
    spectral(resnet.Discriminator(1, (21, 30), 8))(image).sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).all()


def test_the_last_features_are_summed_over_all_pixels() -> None:
    """Not their mean: an image of four times the area has four times the score."""
    torch.manual_seed(0)
    judge = resnet.Discriminator(1, (16, 16), 4)
    maps = []
    judge.blocks[-1].register_forward_hook(lambda _module, _given, out: maps.append(out))
    scores = judge(torch.randn(3, 1, 16, 16))
    by_hand = maps[0].relu().sum((2, 3)) @ judge.last.weight[0] + judge.last.bias
    torch.testing.assert_close(scores, by_hand)


def test_shortcuts_are_those_of_the_paper_in_either_order() -> None:
    """Upsample then 1x1 convolution; 1x1 convolution then means of 2x2 pixels."""
    torch.manual_seed(0)
    maps = torch.randn(2, 6, 4, 4)
    up, down = resnet.Up(6, norm=False), resnet.Down(6, 6, halve=True)
    for block in (up, down):
        silence(block)
    torch.testing.assert_close(up(maps), up.shortcut(resnet.doubled(maps)))
    torch.testing.assert_close(down(maps), F.avg_pool2d(down.shortcut(maps), 2))
    flat = resnet.Down(6, 6, halve=False)
    silence(flat)
    assert torch.equal(flat(maps), maps)


def test_no_relu_stands_before_the_image() -> None:
    """A first block with a ReLU in front would see nothing of an image that is dark everywhere."""
    block = resnet.Down(1, 4, halve=True, first=True)
    dark = -torch.rand(1, 1, 4, 4)
    assert not torch.allclose(block(dark), block(torch.zeros_like(dark)))
    block = resnet.Down(1, 4, halve=True)
    with torch.no_grad():
        block.shortcut.weight.zero_()  # type: ignore[operator,union-attr]
    assert torch.equal(block(dark), block(torch.zeros_like(dark)))


def test_the_start_is_glorot_s_and_stronger_in_branches() -> None:
    torch.manual_seed(0)
    block = resnet.Discriminator(3, (32, 32), 64).blocks[1]
    bound = math.sqrt(6 / (2 * 9 * 64))
    assert block.branch[0].weight.abs().max().item() == pytest.approx(  # type: ignore[union-attr,index]
        math.sqrt(2) * bound, rel=0.01
    )
    bound = math.sqrt(6 / (2 * 64))
    assert block.shortcut.weight.abs().max().item() == pytest.approx(bound, rel=0.02)  # type: ignore[union-attr]


def test_the_seed_decides_and_no_memory_is_needed() -> None:
    def state(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        pair = resnet.Generator(3, 1, (8, 8), 4), spectral(resnet.Discriminator(1, (8, 8), 4))
        return [entry for network in pair for entry in network.state_dict().values()]

    assert all(map(torch.equal, state(1), state(1)))
    assert not all(map(torch.equal, state(1), state(2)))
    with torch.device("meta"):
        assert all(entry.is_meta for entry in state(1))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_compiled_equals_eager(name: str) -> None:
    torch.manual_seed(0)
    torch._dynamo.reset()
    eager: nn.Module = resnet.Generator(4, 1, (12, 12), 4)
    rows = torch.randn(3, 4)
    if name == "discriminator":
        eager, rows = spectral(resnet.Discriminator(1, (12, 12), 4)), torch.rand(3, 1, 12, 12)
    compiled = copy.deepcopy(eager)
    compiled.compile(backend="eager")
    for _ in range(2):
        torch.testing.assert_close(compiled(rows), eager(rows))
