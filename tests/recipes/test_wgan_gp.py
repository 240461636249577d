"""WGAN-GP's terms by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from helpers import TINY, build, column, echo_duel

BATCH = {"real": column(2.0, 0.4), "noise": column(0.6, -3.0)}


def test_critic_terms_by_hand() -> None:
    recipe: Any = echo_duel("wgan_gp", slope=3.0)
    terms = recipe.critic_loss(BATCH)
    assert terms["real"].item() == pytest.approx(-3.6)
    assert terms["fake"].item() == pytest.approx(-3.6)
    assert terms["penalty"].item() == pytest.approx(10 * (3 - 1) ** 2, rel=1e-5)
    assert recipe.undecided is None


def test_the_penalty_has_two_sides_and_a_weight() -> None:
    flat: Any = echo_duel("wgan_gp", slope=0.5, penalty=4.0)
    assert flat.critic_loss(BATCH)["penalty"].item() == pytest.approx(4 * 0.25, rel=1e-5)


def test_generator_term_by_hand() -> None:
    recipe: Any = echo_duel("wgan_gp")
    assert recipe.generator_loss(BATCH)["fake"].item() == pytest.approx(1.2)


def test_the_slope_is_taken_between_real_and_fake_with_a_share_for_each_row() -> None:
    recipe: Any = echo_duel("wgan_gp")

    class Bowl(torch.nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return rows[:, 0].square() / 2  # the slope at x is x

    recipe.discriminator = Bowl()
    batch = {"real": column(3.0, 5.0), "noise": column(1.0, 1.0)}
    torch.manual_seed(7)
    found = recipe.critic_loss(batch)["penalty"].item()
    torch.manual_seed(7)
    share = torch.rand(2, 1)
    points = share * batch["real"] + (1 - share) * batch["noise"]
    assert found == pytest.approx(10 * (points - 1).square().mean().item(), rel=1e-5)


def test_the_turns_are_the_papers() -> None:
    recipe: Any = build("wgan_gp", TINY["2-D points"])
    critic, generator = recipe.turns()
    assert (critic.player, critic.repeat, critic.second_order) == ("discriminator", 5, True)
    assert (generator.player, generator.repeat) == ("generator", 1)
    for optimizer in recipe.optimizers().values():
        assert optimizer.param_groups[0]["betas"] == (0.0, 0.9)
