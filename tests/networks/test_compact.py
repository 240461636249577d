"""The CPU body: layout, sizes, rows, starts, and where its arithmetic is."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mulligan.networks import compact

sides = st.integers(4, 140)


@settings(max_examples=10, deadline=None)
@given(sides, sides, st.sampled_from([1, 3, 4]), st.booleans())
def test_any_size_is_taken(height: int, width: int, channels: int, norm: bool) -> None:
    images = compact.Generator(3, channels, (height, width), 8, norm)(torch.randn(2, 3))
    assert images.shape == (2, channels, height, width)
    assert images.abs().max() <= 1
    for outputs, shape in ((1, (2,)), (5, (2, 5))):
        assert compact.Discriminator(channels, (height, width), 8, outputs)(images).shape == shape


@pytest.mark.parametrize(
    ("side", "stages", "base"),
    [(4, 1, 2), (16, 1, 8), (28, 2, 7), (32, 2, 8), (48, 3, 6), (64, 3, 8), (128, 4, 8)],
)
def test_coarsest_maps_are_of_four_to_nine_pixels(side: int, stages: int, base: int) -> None:
    grid = compact.grid((side, side))
    assert (grid.stages, grid.base) == (stages, (base, base))


@given(st.integers(6, 1024))
def test_the_coarsest_side_is_bounded(side: int) -> None:
    assert 3 <= compact.grid((side, 2 * side)).base[0] <= 10


def test_channels_halve_with_each_doubling_up_to_a_quarter_of_the_side() -> None:
    assert compact.plan(1, 64) == ([64], 2)
    assert compact.plan(2, 64) == ([64], 4)
    assert compact.plan(3, 64) == ([64, 32], 4)
    assert compact.plan(5, 64) == ([64, 32, 16, 8], 4)
    assert compact.plan(5, 16) == ([16, 8, 8, 8], 4)


def test_moving_pixels_into_channels_and_back_changes_nothing() -> None:
    """Both ends speak of the same layout: channel 16c + 4i + j is row i, column j of each 4x4."""
    images = torch.randn(2, 3, 8, 12)
    moved = F.pixel_unshuffle(images, 4)
    assert torch.equal(F.pixel_shuffle(moved, 4), images)
    assert torch.equal(moved[:, 16 * 1 + 4 * 3 + 2], images[:, 1, 3::4, 2::4])


def work(network: nn.Module, rows: Tensor) -> dict[int, int]:
    """Multiplications of all convolutions by the side of the maps they give."""
    found: dict[int, int] = {}

    def note(layer: nn.Conv2d, _given: tuple[Tensor, ...], out: Tensor) -> None:
        side = out.shape[-1]
        found[side] = found.get(side, 0) + layer.weight.numel() * side * side

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(note)
    network(rows)
    return found


@pytest.mark.parametrize("side", [28, 32, 64, 128])
def test_no_map_is_convolved_beyond_a_quarter_of_the_side(side: int) -> None:
    for network, rows in (
        (compact.Generator(8, 1, (side, side), 64), torch.randn(1, 8)),
        (compact.Discriminator(1, (side, side), 64), torch.randn(1, 1, side, side)),
    ):
        assert max(work(network, rows)) == side / 4


def test_four_times_the_pixels_cost_less_than_four_times_as_much() -> None:
    def total(side: int) -> int:
        network = compact.Discriminator(3, (side, side), 64)
        return sum(work(network, torch.zeros(1, 3, side, side)).values())

    assert total(64) < 3 * total(32)


def test_blocks_start_within_a_few_percent_of_the_identity() -> None:
    torch.manual_seed(0)
    maps = torch.randn(8, 32, 7, 7)
    for norm in (False, True):
        change = compact.Block(32, norm)(maps) - maps
        assert 0 < change.std() < 0.03


def test_a_deep_stack_neither_fades_nor_explodes() -> None:
    torch.manual_seed(0)
    judge = compact.Discriminator(1, (28, 28), 32, blocks=40)
    shallow = compact.Discriminator(1, (28, 28), 32, blocks=1)
    images = torch.rand(16, 1, 28, 28) * 2 - 1
    assert 0.3 < (judge(images).std() / shallow(images).std()).item() < 3


def test_rows_are_independent_but_for_batch_norm() -> None:
    torch.manual_seed(0)
    images, noise = torch.rand(6, 1, 12, 12), torch.randn(6, 4)
    cases: list[tuple[nn.Module, Tensor, bool]] = [
        (compact.Discriminator(1, (12, 12), 8), images, True),
        (compact.Generator(4, 1, (12, 12), 8, norm=False), noise, True),
        (compact.Generator(4, 1, (12, 12), 8), noise, False),
    ]
    for network, rows, independent in cases:
        assert torch.allclose(network(rows)[:2], network(rows[:2]), atol=1e-6) == independent


@pytest.mark.parametrize("size", [(28, 28), (21, 30), (70, 66)])
def test_every_pixel_reaches_the_score(size: tuple[int, int]) -> None:
    image = torch.randn(1, 1, *size, requires_grad=True)
    compact.Discriminator(1, size, 16)(image).sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).all()


def test_a_gradient_penalty_reaches_every_weight_that_turns_the_gradient() -> None:
    torch.manual_seed(0)
    judge = compact.Discriminator(1, (28, 28), 8)
    images = torch.randn(4, 1, 28, 28, requires_grad=True)
    (slope,) = torch.autograd.grad(judge(images).sum(), images, create_graph=True)
    slope.square().sum().backward()
    for name, weight in judge.named_parameters():
        if name.endswith("weight"):
            assert weight.grad is not None, name
            assert weight.grad.abs().sum() > 0, name


def test_the_seed_decides_and_no_memory_is_needed() -> None:
    def state(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        pair = compact.Generator(3, 1, (8, 8), 8), compact.Discriminator(1, (8, 8), 8)
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
    eager: nn.Module = compact.Generator(4, 1, (12, 12), 8)
    rows = torch.randn(3, 4)
    if name == "discriminator":
        eager, rows = compact.Discriminator(1, (12, 12), 8), torch.rand(3, 1, 12, 12)
    compiled = copy.deepcopy(eager)
    compiled.compile(backend="eager")
    for _ in range(2):
        torch.testing.assert_close(compiled(rows), eager(rows))
