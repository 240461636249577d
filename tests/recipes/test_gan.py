"""The GAN's terms by hand, and the classic preset to the letter."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from helpers import batch_for, build, column, echo_duel
from mulligan.fields import Image, Points
from mulligan.recipe import Recipe
from mulligan.recipes.gan import GAN


def softplus(score: float) -> float:
    return math.log(1 + math.exp(score))


BATCH = {"real": column(2.0, -1.0), "noise": column(0.5, -3.0)}  # the scores, by way of echo_duel


def test_discriminator_terms_by_hand() -> None:
    recipe: Any = echo_duel("gan")
    terms = recipe.discriminator_loss(BATCH)
    assert terms["real"].item() == pytest.approx((softplus(-2.0) + softplus(1.0)) / 2)
    assert terms["fake"].item() == pytest.approx((softplus(0.5) + softplus(-3.0)) / 2)
    assert {key: value.item() for key, value in recipe.watched.items()} == {
        "accuracy_real": 0.5,
        "accuracy_fake": 0.5,
    }


def test_smoothing_lowers_the_target_of_reals_alone() -> None:
    recipe: Any = echo_duel("gan", smoothing=0.1)
    terms = recipe.discriminator_loss(BATCH)
    by_hand = 0.9 * (softplus(-2.0) + softplus(1.0)) + 0.1 * (softplus(2.0) + softplus(-1.0))
    assert terms["real"].item() == pytest.approx(by_hand / 2)
    assert terms["fake"].item() == pytest.approx((softplus(0.5) + softplus(-3.0)) / 2)


def test_the_separate_turns_are_the_two_halves_of_the_discriminators_loss() -> None:
    recipe: Any = echo_duel("gan", separate=True)
    real, fake, generator = recipe.turns()
    assert [turn.player for turn in recipe.turns()] == ["discriminator"] * 2 + ["generator"]
    batch = {"real": column(2.0, 3.0, -1.0), "noise": column(0.5, 1.0, -3.0)}
    assert real.loss({"real": batch["real"]})["real"].item() == pytest.approx(
        (softplus(-2.0) + softplus(-3.0) + softplus(1.0)) / 3
    )
    assert recipe.watched["accuracy_real"].item() == pytest.approx(2 / 3)
    assert fake.loss({"noise": batch["noise"]})["fake"].item() == pytest.approx(
        (softplus(0.5) + softplus(1.0) + softplus(-3.0)) / 3
    )
    assert recipe.watched["accuracy_fake"].item() == pytest.approx(1 / 3)
    assert generator.loss({"noise": batch["noise"]})["fake"].item() == pytest.approx(
        (softplus(-0.5) + softplus(-1.0) + softplus(3.0)) / 3
    )


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("non-saturating", (softplus(-0.5) + softplus(3.0)) / 2),
        ("minimax", -(softplus(0.5) + softplus(-3.0)) / 2),
    ],
)
def test_generator_term_by_hand(objective: str, expected: float) -> None:
    recipe: Any = echo_duel("gan", objective=objective)
    assert recipe.generator_loss(BATCH)["fake"].item() == pytest.approx(expected)


def test_minimax_loses_its_gradient_when_the_discriminator_wins() -> None:
    slopes = {}
    for objective in ("non-saturating", "minimax"):
        recipe: Any = echo_duel("gan", objective=objective)
        noise = column(-10.0).requires_grad_()  # a fake that is recognised with certainty
        recipe.generator_loss({"noise": noise})["fake"].backward()
        slopes[objective] = abs(noise.grad.item())
    assert slopes["non-saturating"] == pytest.approx(1, abs=1e-4)
    assert slopes["minimax"] < 1e-4


def classic() -> Recipe:
    torch.manual_seed(0)
    return build("gan", Image(1, 28, 28), **GAN.presets["classic"].settings)


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_classic_networks_have_the_texts_parameter_counts() -> None:
    recipe: Any = classic()
    assert count(recipe.generator) == 100 * 128 + 128 + 128 * 784 + 784 == 114_064
    assert count(recipe.discriminator) == 784 * 128 + 128 + 128 + 1 == 100_609
    assert recipe.generator.slope == recipe.discriminator.slope == 0.01


def test_classic_weights_are_glorot_uniform_and_biases_zero() -> None:
    recipe: Any = classic()
    layer = recipe.generator.last
    bound = math.sqrt(6 / (128 + 784))
    assert 0.99 * bound < layer.weight.abs().max().item() <= bound
    assert layer.weight.var().item() == pytest.approx(bound**2 / 3, rel=0.02)
    assert all((w == 0).all() for name, w in recipe.named_parameters() if name.endswith("bias"))


def test_classic_players_run_by_the_texts_adam() -> None:
    recipe: Any = classic()
    for optimizer in recipe.optimizers().values():
        group = optimizer.param_groups[0]
        assert (group["lr"], group["betas"], group["eps"]) == (1e-3, (0.9, 0.999), 1e-7)
    assert len(recipe.turns()) == 3
    assert recipe.schedule(1, 2)["ema"] == 0
    run = GAN.presets["classic"].run
    length = {"batch": 128, "rounds": 20_000, "tick": 1000}
    assert run == {**length, "held_out": 0, "patience": 0}


def test_the_knob_layers_counts_hidden_layers() -> None:
    recipe: Any = build("gan", Points(2, 1.0), layers=4, width=5)
    assert [layer.out_features for layer in recipe.generator.hidden] == [5, 5, 5, 5]
    assert [layer.out_features for layer in recipe.discriminator.hidden] == [5, 5, 5, 5]


def test_matching_compares_the_discriminators_mean_features() -> None:
    recipe: Any = build("gan", Points(2, 1.0), objective="matching")
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
