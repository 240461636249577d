"""DRAGAN's terms by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from helpers import TINY, build, column, echo_duel

BATCH = {"real": column(2.0, -1.0), "noise": column(0.5, -3.0)}


def softplus(score: float) -> float:
    return math.log(1 + math.exp(score))


def test_discriminator_terms_by_hand() -> None:
    recipe: Any = echo_duel("dragan", slope=3.0)
    terms = recipe.discriminator_loss(BATCH)
    assert terms["real"].item() == pytest.approx((softplus(-6.0) + softplus(3.0)) / 2)
    assert terms["fake"].item() == pytest.approx((softplus(1.5) + softplus(-9.0)) / 2)
    assert terms["penalty"].item() == pytest.approx(10 * (3 - 1) ** 2, rel=1e-5)
    assert recipe.watched["accuracy_real"].item() == 0.5


def test_generator_term_by_hand() -> None:
    recipe: Any = echo_duel("dragan")
    by_hand = (softplus(-0.5) + softplus(3.0)) / 2
    assert recipe.generator_loss(BATCH)["fake"].item() == pytest.approx(by_hand)


def test_the_slope_is_taken_near_the_reals() -> None:
    recipe: Any = echo_duel("dragan")

    class Bowl(torch.nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return rows[:, 0].square() / 2  # the slope at x is x

    recipe.discriminator = Bowl()
    torch.manual_seed(7)
    found = recipe.discriminator_loss(BATCH)["penalty"].item()
    torch.manual_seed(7)
    real, deviation = BATCH["real"], 1.5 * math.sqrt(2)  # of 2 and -1, by N - 1
    far = real + 0.5 * deviation * torch.rand(2, 1)
    share = torch.rand(2, 1)
    points = share * real + (1 - share) * far
    by_hand = 10 * ((points.abs() - 1) ** 2).mean().item()
    assert found == pytest.approx(by_hand, rel=1e-5)


def test_the_discriminators_turn_differentiates_a_gradient() -> None:
    recipe: Any = build("dragan", TINY["2-D points"])
    assert [turn.second_order for turn in recipe.turns()] == [True, False]
