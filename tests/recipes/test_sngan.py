"""SNGAN's terms by hand, its schedule, and the normalised discriminator."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from helpers import TINY, batch_for, build, column, echo_duel
from mulligan.fields import Image

BATCH = {"real": column(2.0, 0.4), "noise": column(0.6, -3.0)}


def test_discriminator_terms_by_hand() -> None:
    recipe: Any = echo_duel("sngan")
    terms = recipe.discriminator_loss(BATCH)
    assert terms["real"].item() == pytest.approx((0 + 0.6) / 2)
    assert terms["fake"].item() == pytest.approx((1.6 + 0) / 2)
    assert recipe.watched["accuracy_fake"].item() == 0.5


def test_generator_term_by_hand() -> None:
    recipe: Any = echo_duel("sngan")
    assert recipe.generator_loss(BATCH)["fake"].item() == pytest.approx(1.2)


def test_the_rate_falls_to_zero_in_a_straight_line() -> None:
    recipe: Any = build("sngan", TINY["2-D points"])
    rates = [recipe.schedule(seen, 1000)["rate"] for seen in (0, 250, 1000, 1010)]
    assert rates == pytest.approx([1.0, 0.75, 0.0, 0.0])
    steady: Any = build("sngan", TINY["2-D points"], decay=False)
    assert steady.schedule(999, 1000)["rate"] == 1.0


@pytest.mark.parametrize("real", [TINY["2-D points"], Image(1, 16, 16)], ids=str)
def test_every_layer_of_the_discriminator_stretches_by_at_most_one(real) -> None:
    torch.manual_seed(0)
    recipe: Any = build("sngan", real, width=8).train()
    batch = batch_for(recipe)
    for _ in range(30):
        recipe.score(batch["real"], batch)
    recipe.eval()
    layers = [m for m in recipe.discriminator.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert layers
    for layer in layers:
        largest = torch.linalg.svdvals(layer.weight.detach().flatten(1))[0].item()
        assert largest == pytest.approx(1.0, abs=0.05)


def test_five_steps_of_the_discriminator_for_one_of_the_generator() -> None:
    recipe: Any = build("sngan", TINY["2-D points"])
    assert [turn.repeat for turn in recipe.turns()] == [5, 1]
