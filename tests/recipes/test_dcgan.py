"""DCGAN's terms by hand, and the presets' networks by Keras's conventions."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from helpers import batch_for, build, column, echo_duel
from mulligan.fields import Image
from mulligan.networks.dropout import Dropout
from mulligan.networks.keras import SameConv, SameUp, half_turn
from mulligan.recipe import Recipe
from mulligan.recipes.dcgan import DCGAN

BATCH = {"real": column(2.0, -1.0), "noise": column(0.5, -3.0)}  # the scores, by way of echo_duel


def cross_entropy(score: float, target: float) -> float:
    """-target log p - (1 - target) log(1 - p) with p = sigmoid(score)."""
    p = 1 / (1 + math.exp(-score))
    return -target * math.log(p) - (1 - target) * math.log(1 - p)


def test_discriminator_terms_by_hand() -> None:
    recipe: Any = echo_duel("dcgan")
    terms = recipe.discriminator_loss(BATCH)
    assert terms["real"].item() == pytest.approx(
        (cross_entropy(2.0, 1) + cross_entropy(-1.0, 1)) / 2
    )
    assert terms["fake"].item() == pytest.approx(
        (cross_entropy(0.5, 0) + cross_entropy(-3.0, 0)) / 2
    )
    assert recipe.watched["accuracy_real"].item() == 0.5


def test_generator_term_by_hand() -> None:
    recipe: Any = echo_duel("dcgan")
    expected = (cross_entropy(0.5, 1) + cross_entropy(-3.0, 1)) / 2
    assert recipe.generator_loss(BATCH)["fake"].item() == pytest.approx(expected)


def test_joint_terms_with_noisy_targets_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe: Any = echo_duel("dcgan", joint=True, label_noise=0.05)
    monkeypatch.setattr(torch, "rand_like", lambda like: torch.full_like(like, 0.6))
    seen: list[Tensor] = []
    recipe.discriminator.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    terms = recipe.discriminator_loss(BATCH)
    noise = 0.6 * 0.05
    real = (cross_entropy(2.0, 1 + noise) + cross_entropy(-1.0, 1 + noise)) / 2
    fake = (cross_entropy(0.5, noise) + cross_entropy(-3.0, noise)) / 2
    assert terms["real"].item() == pytest.approx(0.5 * real)  # halves of one mean over both
    assert terms["fake"].item() == pytest.approx(0.5 * fake)
    assert len(seen) == 1, "one joint batch"
    assert seen[0].flatten().tolist() == [0.5, -3.0, 2.0, -1.0], "fakes, then reals"


def test_label_noise_is_uniform_up_to_the_knob() -> None:
    recipe: Any = echo_duel("dcgan", label_noise=0.05)
    torch.manual_seed(0)
    rows = column(*[1.0] * 20_000)
    terms = recipe.discriminator_loss({"real": rows, "noise": rows})
    mean = cross_entropy(1.0, 0.025)  # linear in the target
    assert terms["fake"].item() == pytest.approx(mean, abs=3 * 0.05 / math.sqrt(12 * 20_000))
    assert terms["fake"].item() != pytest.approx(mean, abs=1e-9)


def classic(preset: str, real: Image | None = None) -> Recipe:
    torch.manual_seed(0)
    return build("dcgan", real or Image(1, 28, 28), **DCGAN.presets[preset].settings)


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_classic_networks_have_the_texts_parameter_counts() -> None:
    recipe: Any = classic("classic")
    dense, norms = 100 * 12544, 2 * (12544 + 128 + 64)
    convolutions = 25 * (256 * 128 + 128 * 64 + 64 * 1)
    assert count(recipe.generator) == dense + norms + convolutions == 2_305_472
    assert count(recipe.discriminator) == 25 * 64 + 64 + 25 * 64 * 128 + 128 + 6272 + 1 == 212_865
    with_norm: Any = classic("classic-bn")
    assert count(with_norm.discriminator) == 212_865 + 2 * (64 + 128)


def test_classic_layers_follow_the_texts() -> None:
    recipe: Any = classic("classic")
    drops = [m.rate for m in recipe.discriminator.modules() if isinstance(m, Dropout) and m.rate]
    assert drops == [0.3, 0.3]
    assert recipe.generator.slope == recipe.discriminator.slope == 0.3
    second: Any = classic("classic-bn")
    drops = [m.rate for m in second.discriminator.modules() if isinstance(m, Dropout) and m.rate]
    assert drops == [0.2]
    assert second.generator.slope == second.discriminator.slope == 0.2
    assert second.settings.joint
    for name, rate, beta1 in (("classic", 1e-4, 0.9), ("classic-bn", 2e-4, 0.5)):
        for optimizer in classic(name).optimizers().values():
            group = optimizer.param_groups[0]
            assert (group["lr"], group["betas"], group["eps"]) == (rate, (beta1, 0.999), 1e-7)
    to_the_end = {"held_out": 0, "patience": 0}
    assert DCGAN.presets["classic"].run == {"batch": 256, "epochs": 50, **to_the_end}
    assert DCGAN.presets["classic-bn"].run == {"batch": 128, "epochs": 100, **to_the_end}


def test_second_texts_discriminator_normalises_after_the_activation() -> None:
    recipe: Any = classic("classic-bn")
    judge = recipe.discriminator.train()
    inputs: list[Tensor] = []
    judge.norms[0].register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    judge(batch_for(recipe, rows=3)["real"])
    maps = judge.first(batch_for(recipe, rows=3)["real"])
    turned = half_turn(torch.where(maps > 0, maps, 0.2 * maps))
    torch.testing.assert_close(inputs[0], turned)


def test_keras_batch_norm_moves_one_percent_towards_the_batch() -> None:
    recipe: Any = classic("classic-bn")
    for norm in (recipe.generator.wide_norm, recipe.discriminator.norms[1]):
        maps = torch.randn(8, norm.num_features, 4, 4) + 3
        norm.train()(maps)
        torch.testing.assert_close(norm.running_mean, 0.01 * maps.mean(dim=(0, 2, 3)))
        assert norm.eps == 1e-3


def test_glorot_bounds_of_a_convolution() -> None:
    recipe: Any = classic("classic")
    weight = recipe.discriminator.second.conv.weight
    bound = math.sqrt(6 / (25 * (64 + 128)))
    assert 0.99 * bound < weight.abs().max().item() <= bound
    assert (recipe.discriminator.second.conv.bias == 0).all()
    weight = recipe.generator.fine.conv.weight
    assert 0.99 * bound < weight.abs().max().item() <= bound


def impulse(row: int, column_: int, side: int = 28) -> Tensor:
    image = torch.zeros(1, 1, side, side)
    image[0, 0, row, column_] = 1
    return image


def test_same_padding_is_one_before_and_two_behind() -> None:
    conv = SameConv(1, 1, 5, stride=2)
    nn.init.ones_(conv.conv.weight)
    nn.init.zeros_(conv.conv.bias)
    # with padding (1, 2), output o covers inputs 2o - 1 to 2o + 3
    assert conv(impulse(0, 0)).nonzero().tolist() == [[0, 0, 0, 0]]
    hit = conv(impulse(27, 27))[0, 0].nonzero().tolist()
    assert hit == [[12, 12], [12, 13], [13, 12], [13, 13]]
    assert conv(impulse(0, 0, 7)).shape[2:] == (4, 4)
    assert len(conv(impulse(0, 0, 7)).nonzero()) == 4  # odd sides are padded (2, 2)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(8, 12), (7, 10), (9, 9)])
def test_turned_images_give_the_turned_maps(
    size: tuple[int, int], kernel: int, stride: int
) -> None:
    torch.manual_seed(0)
    conv = SameConv(2, 3, kernel, stride)
    nn.init.normal_(conv.conv.bias)
    images = torch.randn(2, 2, *size)
    torch.testing.assert_close(conv.turned(half_turn(images)), half_turn(conv(images)))


@pytest.mark.parametrize("preset", ["classic", "classic-bn"])
@pytest.mark.parametrize("size", [(28, 28), (30, 20)])
def test_the_classic_discriminator_is_its_layers_in_order(
    size: tuple[int, int], preset: str
) -> None:
    recipe: Any = classic(preset, Image(3, *size))
    judge = recipe.discriminator.eval()
    images = torch.randn(4, 3, *size)
    maps = images
    for layer, norm in ((judge.first, judge.norms[0]), (judge.second, judge.norms[1])):
        maps = norm(F.leaky_relu(layer(maps), judge.slope))
    rows = maps.permute(0, 2, 3, 1).flatten(1)
    torch.testing.assert_close(judge(images), judge.last(rows)[:, 0])


@pytest.mark.parametrize("stride", [1, 2])
def test_transposed_convolution_is_the_adjoint_of_same(stride: int) -> None:
    torch.manual_seed(0)
    down, up = SameConv(2, 3, 5, stride), SameUp(3, 2, stride)
    nn.init.zeros_(down.conv.bias)
    up.conv.weight.data = down.conv.weight.data  # (3, 2, 5, 5) in both
    images, maps = torch.randn(1, 2, 8, 12), torch.randn(1, 3, 8 // stride, 12 // stride)
    assert up(maps).shape == images.shape
    torch.testing.assert_close((down(images) * maps).sum(), (images * up(maps)).sum())


@pytest.mark.parametrize("size", [(28, 28), (30, 30), (9, 14), (32, 20)])
def test_classic_works_at_other_sizes(size: tuple[int, int]) -> None:
    recipe: Any = classic("classic", Image(3, *size))
    batch = batch_for(recipe, rows=2)
    fake = recipe.generate(batch)
    assert fake.shape == (2, 3, *size)
    assert recipe.score(fake, batch).shape == (2,)


def test_the_knob_body_is_obeyed() -> None:
    def norms(body: str) -> int:
        recipe: Any = build("dcgan", Image(1, 32, 32), body=body)
        return sum(isinstance(m, nn.BatchNorm2d) for m in recipe.discriminator.modules())

    assert norms("auto") == norms("dcgan") == 2
    assert norms("plain") == norms("mlp") == 0


def test_matching_compares_the_discriminators_mean_features() -> None:
    recipe: Any = build("dcgan", Image(1, 16, 16), objective="matching", body="plain")
    batch = batch_for(recipe)
    torch.manual_seed(0)
    found = recipe.generator_loss(batch)["matching"]
    torch.manual_seed(0)
    real = recipe.discriminator.features(batch["real"])
    fake = recipe.discriminator.features(recipe.generator(batch["noise"]))
    gap = (real.mean(0) - fake.mean(0)).tolist()
    assert found.item() == pytest.approx(sum(part**2 for part in gap), rel=1e-4)
    torch.testing.assert_close(
        recipe.discriminator.last(real)[:, 0], recipe.discriminator(batch["real"])
    )
