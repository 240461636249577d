"""Labels around any pair: they matter, and the score is the one written down."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mulligan.fields import Field, Image, Points
from mulligan.networks import labelled
from mulligan.networks.pairs import BODIES, Judge, discriminator, pair

GREY, PLANE = Image(1, 16, 16), Points(2, 1.0)
CASES = [("mlp", PLANE), ("points", PLANE), *((b, GREY) for b in BODIES if b != "points")]
LABELS = torch.tensor([0, 1, 2, 2])

every_case = pytest.mark.parametrize(("body", "field"), CASES, ids=str)
every_judge = pytest.mark.parametrize("judge", ["projection", "planes"])


def made(body: str, field: Field, judge: Judge) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return pair(body, field, 6, 8, 3, judge)


@every_case
@every_judge
def test_the_label_alone_changes_samples_and_scores(body: str, field: Any, judge: Judge) -> None:
    generator, network = (one.eval() for one in made(body, field, judge))
    noise = torch.randn(1, 6).expand(4, 6)
    samples = generator(noise, LABELS)
    assert samples.shape == (4, *field.shape)
    assert not torch.allclose(samples[0], samples[1])
    torch.testing.assert_close(samples[2], samples[3])
    scores = network(samples[:1].expand(4, *field.shape), LABELS)
    assert scores.shape == (4,)
    assert not torch.isclose(scores[0], scores[1])
    torch.testing.assert_close(scores[2], scores[3])


@every_case
@every_judge
def test_samples_and_noise_matter_too(body: str, field: Any, judge: Judge) -> None:
    generator, network = (one.eval() for one in made(body, field, judge))
    label = torch.tensor([1, 1])
    samples = generator(torch.randn(2, 6), label)
    assert not torch.allclose(samples[0], samples[1])
    scores = network(torch.randn(2, *field.shape), label)
    assert not torch.isclose(scores[0], scores[1])


@every_judge
@pytest.mark.parametrize("field", [GREY, PLANE], ids=str)
def test_every_weight_is_reached(field: Any, judge: Judge) -> None:
    body = "auto"
    generator, network = made(body, field, judge)
    network(generator(torch.randn(4, 6), LABELS), LABELS).sum().backward()
    for one in (generator, network):
        for name, weight in one.named_parameters():
            assert weight.grad is not None, name


class Halves(nn.Module):
    """h(x) = (first half of x's sum, second half's sum)."""

    def forward(self, samples: Tensor) -> Tensor:
        return samples.unflatten(1, (2, -1)).sum(2)


def test_the_projection_is_a_dot_product_over_the_root_of_its_length() -> None:
    network = labelled.Projection(Halves(), 2, 2)
    with torch.no_grad():
        network.embed.weight.copy_(torch.tensor([[1.0, -2.0], [0.5, 3.0]]))
    samples = torch.tensor([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]])  # h = (3, 7)
    scores = network(samples, torch.tensor([0, 1]))
    by_hand = [(3 * 1 - 7 * 2) / math.sqrt(2), (3 * 0.5 + 7 * 3) / math.sqrt(2)]
    assert scores.tolist() == pytest.approx(by_hand)


class Keep(nn.Module):
    """Returns what it is given."""

    def forward(self, samples: Tensor) -> Tensor:
        return samples


def test_planes_join_one_channel_or_some_coordinates() -> None:
    images = torch.randn(2, 3, 4, 5)
    network = labelled.Planes(Keep(), 7, (4, 5))
    joined = network(images, torch.tensor([6, 0]))
    assert torch.equal(joined[:, :3], images)
    assert torch.equal(joined[0, 3], network.embed.weight[6].view(4, 5))
    points = torch.randn(2, 2)
    network = labelled.Planes(Keep(), 7, (5,))
    joined = network(points, torch.tensor([6, 0]))
    assert torch.equal(joined[:, :2], points)
    assert torch.equal(joined[1, 2:], network.embed.weight[0])


def test_the_class_scales_the_noise_and_stands_behind_it_at_the_length_of_one() -> None:
    torch.manual_seed(0)
    network = labelled.Generator(Keep(), 40, 5, 64)
    noise = torch.randn(2, 5)
    joined = network(noise, torch.tensor([3, 1]))
    assert torch.equal(joined[0, :5], noise[0] * network.scale.weight[3])
    assert torch.equal(joined[1, 5:], network.embed.weight[1])
    assert network.embed.weight.norm(dim=1).mean().item() == pytest.approx(1, abs=0.1)


def test_rows_are_independent() -> None:
    torch.manual_seed(0)
    for judge in ("projection", "planes"):
        network = pair("compact", GREY, 6, 8, 3, judge)[1]
        images = torch.rand(4, 1, 16, 16)
        whole = network(images, LABELS)[:2]
        torch.testing.assert_close(whole, network(images[:2], LABELS[:2]))


def test_several_outputs() -> None:
    for body, field in CASES:
        judge = discriminator(body, field, 8, outputs=4)
        assert judge(torch.randn(4, *field.shape)).shape == (4, 4)
        assert pair(body, field, 6, 8, outputs=4)[1](torch.randn(4, *field.shape)).shape == (4, 4)
        judge = pair(body, field, 6, 8, 3, "planes", outputs=4)[1]
        assert judge(torch.randn(4, *field.shape), LABELS).shape == (4, 4)
    with pytest.raises(AssertionError, match="one score"):
        pair("mlp", PLANE, 6, 8, 3, "projection", outputs=4)


@every_case
def test_without_classes_nothing_takes_a_label(body: str, field: Any) -> None:
    generator, judge = pair(body, field, 6, 8)
    assert judge(generator(torch.randn(4, 6))).shape == (4,)


def test_the_seed_decides_and_no_memory_is_needed() -> None:
    def state() -> list[Tensor]:
        return [entry for one in made("plain", GREY, "planes") for entry in one.parameters()]

    assert all(map(torch.equal, state(), state()))
    with torch.device("meta"):
        assert all(entry.is_meta for entry in state())


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@every_judge
def test_compiled_equals_eager(judge: Judge) -> None:
    torch._dynamo.reset()
    generator, network = made("mlp", PLANE, judge)
    noise, points = torch.randn(4, 6), torch.randn(4, 2)
    expected = generator(noise, LABELS), network(points, LABELS)
    generator.compile(backend="eager")
    network.compile(backend="eager")
    torch.testing.assert_close(generator(noise, LABELS), expected[0])
    torch.testing.assert_close(network(points, LABELS), expected[1])
