"""CGAN's terms by hand; the class reaches both networks."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from helpers import TINY, batch_for, build, column, echo_duel
from mulligan.errors import UsageError
from mulligan.fields import Image, Points
from mulligan.recipes.cgan import CGAN

BATCH = {
    "real": column(2.0, -1.0),
    "noise": column(0.5, -3.0),
    "label": torch.tensor([0, 2]),
}


def softplus(score: float) -> float:
    return math.log(1 + math.exp(score))


def test_discriminator_terms_by_hand() -> None:
    recipe: Any = echo_duel("cgan")
    terms = recipe.penalised_loss(BATCH)
    assert terms["real"].item() == pytest.approx((softplus(-2.0) + softplus(1.0)) / 2)
    assert terms["fake"].item() == pytest.approx((softplus(0.5) + softplus(-3.0)) / 2)
    assert recipe.watched["accuracy_real"].item() == 0.5


def test_the_penalty_is_r1() -> None:
    recipe: Any = echo_duel("cgan", slope=3.0, penalty=0.6, lazy=1)
    assert recipe.penalised_loss(BATCH)["penalty"].item() == pytest.approx(0.3 * 9)
    assert [turn.second_order for turn in recipe.turns()] == [True, False]


def test_the_penalty_grows_with_the_pixels() -> None:
    recipe: Any = echo_duel("cgan", slope=3.0, penalty=0.6, lazy=1)
    recipe.score = lambda images, batch: 3 * images[:, 0, 0, 0]
    recipe.generate = lambda batch: batch["real"]
    wide = {**BATCH, "real": torch.zeros(2, 1, 28, 56)}
    assert recipe.penalised_loss(wide)["penalty"].item() == pytest.approx(2 * 0.3 * 9)


def test_the_penalty_may_have_an_update_of_its_own_as_many_times_as_heavy() -> None:
    recipe: Any = echo_duel("cgan", slope=3.0, penalty=0.6, lazy=4)
    judge, penalty, generator = recipe.turns()
    assert [turn.every for turn in recipe.turns()] == [1, 4, 1]
    assert [turn.second_order for turn in recipe.turns()] == [False, True, False]
    assert generator.player == "generator"
    assert penalty.loss(BATCH)["penalty"].item() == pytest.approx(4 * 0.3 * 9)
    at_once: Any = echo_duel("cgan", slope=3.0, penalty=0.6, lazy=1)
    terms = at_once.turns()[0].loss(BATCH)
    assert {**judge.loss(BATCH), "penalty": terms["penalty"]} == terms


def test_rates_are_steady_first_and_then_fall_with_the_root_of_what_was_seen() -> None:
    recipe: Any = echo_duel("cgan", steady=1000)
    for seen, rate in ((0, 1), (1000, 1), (4000, 0.5), (100_000, 0.1)):
        for total in (10_000, 10**9):  # a run that is made longer goes on as it was
            now = recipe.schedule(seen, total)
            assert now["rate/generator"] == now["rate/discriminator"] == pytest.approx(rate)
            assert now["ema"] == recipe.settings.ema


def test_smoothing_lowers_the_target_of_reals_alone() -> None:
    recipe: Any = echo_duel("cgan", smoothing=0.1)
    terms = recipe.discriminator_loss(BATCH)
    by_hand = 0.9 * (softplus(-2.0) + softplus(1.0)) + 0.1 * (softplus(2.0) + softplus(-1.0))
    assert terms["real"].item() == pytest.approx(by_hand / 2)
    assert terms["fake"].item() == pytest.approx((softplus(0.5) + softplus(-3.0)) / 2)


def test_generator_term_by_hand() -> None:
    recipe: Any = echo_duel("cgan")
    by_hand = (softplus(-0.5) + softplus(3.0)) / 2
    assert recipe.generator_loss(BATCH)["fake"].item() == pytest.approx(by_hand)


@pytest.mark.parametrize("judge", ["planes", "projection"])
@pytest.mark.parametrize("real", [Image(1, 16, 16), TINY["2-D points"]], ids=str)
def test_only_the_class_changes_samples_and_scores(real, judge: str) -> None:
    torch.manual_seed(0)
    recipe: Any = build("cgan", real, judge=judge).eval()
    batch = batch_for(recipe)
    other = {**batch, "label": (batch["label"] + 1) % 3}
    with torch.no_grad():
        assert not torch.equal(recipe.generate(batch), recipe.generate(other))
        one, two = (recipe.score(batch["real"], each) for each in (batch, other))
    assert (one != two).all()


def test_data_without_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="no labels"):
        CGAN(CGAN.Settings(), {"real": Points(2, 1.0)})
