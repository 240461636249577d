"""WGAN's terms by hand, and its four properties as facts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import RMSprop

from helpers import TINY, batch_for, build, column, echo_duel, play
from mulligan.fields import Image
from mulligan.recipes.wgan import WGAN

BATCH = {"real": column(2.0, 0.4), "noise": column(0.6, -3.0)}  # the scores


def test_terms_by_hand() -> None:
    recipe: Any = echo_duel("wgan")
    critic = recipe.critic_loss(BATCH)
    assert critic["real"].item() == pytest.approx(-1.2)
    assert critic["fake"].item() == pytest.approx(-1.2)
    assert recipe.generator_loss(BATCH)["fake"].item() == pytest.approx(1.2)
    assert recipe.undecided is None
    assert recipe.watched == {}  # a critic has no accuracy


@pytest.mark.parametrize("real", [TINY["2-D points"], Image(1, 16, 16)], ids=str)
def test_first_property_no_sigmoid_the_scores_have_no_bounds(real) -> None:
    torch.manual_seed(0)
    recipe: Any = build("wgan", real)
    assert not [m for m in recipe.discriminator.modules() if isinstance(m, (nn.Sigmoid, nn.Tanh))]
    batch = batch_for(recipe)
    with torch.no_grad():
        last = recipe.discriminator.last
        last.weight.mul_(1e4)
        scores = recipe.score(batch["real"], batch)
    assert scores.abs().max() > 1


def test_second_property_no_logarithm_the_losses_are_linear_in_the_scores() -> None:
    plain: Any = echo_duel("wgan")
    steep: Any = echo_duel("wgan", slope=1000.0)
    for name in ("critic_loss", "generator_loss"):
        once, larger = (getattr(recipe, name)(BATCH) for recipe in (plain, steep))
        for term, value in once.items():
            assert larger[term].item() == pytest.approx(1000 * value.item())


def test_third_property_no_momentum() -> None:
    recipe: Any = build("wgan", TINY["2-D points"])
    for optimizer in recipe.optimizers().values():
        assert isinstance(optimizer, RMSprop)
        assert optimizer.param_groups[0]["momentum"] == 0
        assert optimizer.param_groups[0]["alpha"] == 0.99


@pytest.mark.parametrize("clip", [0.01, 0.5])
def test_fourth_property_the_critic_is_lipschitz(clip: float) -> None:
    torch.manual_seed(0)
    recipe: Any = build("wgan", TINY["2-D points"], clip=clip, width=8)
    turn = recipe.turns()[0]
    assert turn.after is not None
    play(recipe, turn, batch_for(recipe))
    turn.after()
    weights = list(recipe.discriminator.parameters())
    assert max(weight.abs().max().item() for weight in weights) == pytest.approx(clip)
    # no slope can pass the product of what each layer may stretch: |W| <= c sqrt(rows columns)
    bound = 1.0
    for weight in weights:
        if weight.ndim == 2:
            bound *= clip * weight.numel() ** 0.5
    points = torch.randn(50, 2, requires_grad=True)
    recipe.discriminator(points).sum().backward()
    assert points.grad is not None
    assert points.grad.norm(dim=1).max() <= bound


def test_clipping_leaves_small_weights_and_the_generator_alone() -> None:
    recipe: Any = build("wgan", TINY["2-D points"], clip=0.1)
    with torch.no_grad():
        recipe.discriminator.last.weight.fill_(0.05)
    before = [weight.clone() for weight in recipe.generator.parameters()]
    recipe.clip()
    assert (recipe.discriminator.last.weight == 0.05).all()
    assert all(map(torch.equal, before, recipe.generator.parameters()))


def test_the_critic_moves_five_times_for_each_move_of_the_generator() -> None:
    recipe: Any = build("wgan", TINY["2-D points"])
    assert [(turn.player, turn.repeat) for turn in recipe.turns()] == [
        ("discriminator", 5),
        ("generator", 1),
    ]


def test_the_classic_preset_has_the_papers_values() -> None:
    classic = WGAN.presets["classic"]
    settings = WGAN.Settings(**classic.settings)
    assert (settings.rate, settings.clip, settings.critic_steps) == (5e-5, 0.01, 5)
    assert (settings.beta1, settings.ema, classic.run["batch"]) == (0, 0, 64)
