"""R3GAN's terms by hand, its schedule, and the paper's network."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from helpers import TINY, batch_for, build, column, echo_duel
from mulligan.engine.plan import make_plan
from mulligan.errors import UsageError
from mulligan.fields import Image, Label, Points
from mulligan.networks.resample import Resample
from mulligan.recipes import r3gan
from mulligan.recipes.r3gan import R3GAN, Block

BATCH = {"real": column(2.0, -1.0), "noise": column(0.5, -3.0)}


def softplus(score: float) -> float:
    return math.log(1 + math.exp(score))


def test_discriminator_terms_by_hand() -> None:
    recipe: Any = echo_duel("r3gan", slope=3.0, penalty=0.4)
    terms = recipe.penalised_loss(BATCH)
    assert terms["paired"].item() == pytest.approx((softplus(1.5 - 6) + softplus(-9 + 3)) / 2)
    assert terms["r1"].item() == pytest.approx(0.2 * 9)
    assert terms["r2"].item() == pytest.approx(0.2 * 9)
    assert recipe.watched["accuracy_real"].item() == 1.0  # in both pairs the real scores more
    assert recipe.watched["accuracy_fake"].item() == 1.0


def test_generator_term_by_hand() -> None:
    recipe: Any = echo_duel("r3gan")
    found = recipe.generator_loss(BATCH)["paired"].item()
    assert found == pytest.approx((softplus(2 - 0.5) + softplus(-1 + 3)) / 2)


def test_r1_is_taken_at_reals_and_r2_at_fakes() -> None:
    recipe: Any = echo_duel("r3gan", penalty=2.0)

    class Bowl(nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return rows[:, 0].square() / 2  # the slope at x is x

    recipe.discriminator = Bowl()
    terms = recipe.penalised_loss(BATCH)
    assert terms["r1"].item() == pytest.approx((4 + 1) / 2)
    assert terms["r2"].item() == pytest.approx((0.25 + 9) / 2)


def test_the_ablations_of_the_loss() -> None:
    alone: Any = echo_duel("r3gan", paired=False)
    terms = alone.penalised_loss(BATCH)
    assert set(terms) == {"real", "fake", "r1", "r2"}
    assert terms["real"].item() == pytest.approx((softplus(-2.0) + softplus(1.0)) / 2)
    assert terms["fake"].item() == pytest.approx((softplus(0.5) + softplus(-3.0)) / 2)
    assert alone.watched["accuracy_real"].item() == 0.5  # above and below 0
    found = alone.generator_loss(BATCH)["fake"].item()
    assert found == pytest.approx((softplus(-0.5) + softplus(3.0)) / 2)
    half: Any = echo_duel("r3gan", both=False)
    assert set(half.penalised_loss(BATCH)) == {"paired", "r1"}


def test_penalties_to_first_order_agree_and_need_no_second_derivative() -> None:
    recipe: Any = echo_duel("r3gan", slope=3.0, penalty=2.0, nearby=0.01)
    rows = {"real": torch.zeros(20_000, 1), "noise": torch.ones(20_000, 1)}
    torch.manual_seed(0)
    terms = recipe.penalised_loss(rows)
    assert terms["r1"].item() == pytest.approx(9, rel=0.05)
    assert terms["r2"].item() == pytest.approx(9, rel=0.05)
    assert not recipe.turns()[0].second_order
    exact: Any = echo_duel("r3gan")
    assert exact.turns()[0].second_order


def test_the_schedule_is_half_a_cosine_over_the_burn_in() -> None:
    knobs = {"penalty": 2.0, "final_penalty": 0.1, "final_rate": 0.25, "burn_in": 0.5}
    knobs |= {"beta2": 0.9, "final_beta2": 0.99, "lead": 2.0, "final_lead": 0.5}
    recipe: Any = build("r3gan", TINY["2-D points"], **knobs)
    first, middle, last, after = (recipe.schedule(seen, 1000) for seen in (0, 250, 500, 900))
    one, other = "rate/discriminator", "rate/generator"
    assert (first[one], first[other], first["beta2"], first["penalty"]) == (1.0, 2.0, 0.9, 2.0)
    assert (middle[one], middle[other]) == pytest.approx((0.625, 1.5))
    assert (middle["beta2"], middle["penalty"]) == pytest.approx((0.945, 1.1))
    assert (last[one], last[other]) == pytest.approx((0.25, 1.0))
    assert (last["beta2"], last["penalty"]) == pytest.approx((0.99, 0.2))
    assert after == last


def test_a_geometric_schedule_moves_by_equal_factors() -> None:
    knobs = {"penalty": 2.0, "final_penalty": 0.01, "final_rate": 0.25, "geometric": True}
    recipe: Any = build("r3gan", TINY["2-D points"], **knobs)
    first, middle, last = (recipe.schedule(seen, 1000) for seen in (0, 500, 1000))
    assert [now["penalty"] for now in (first, middle, last)] == pytest.approx([2.0, 0.2, 0.02])
    assert [now["rate/discriminator"] for now in (first, middle, last)] == pytest.approx(
        [1.0, 0.5, 0.25]
    )


def test_points_get_the_settings_that_were_searched_for_them() -> None:
    given = {"recipe": "r3gan", "device": "cpu", "latent": 3}
    plan = make_plan("2d:grid", given)
    assert (plan.settings.rate, plan.settings.penalty, plan["batch"]) == (3e-3, 0.3, 512)
    assert plan.values["rate"].origin == "default"
    assert plan.settings.latent == 3  # flags are stronger
    assert plan["images"] == 20_000 * 512
    pictures = make_plan("digits", given)
    found = pictures.settings
    assert (found.body, found.rate, found.lazy) == ("plain", 1e-3, 4)
    assert pictures["batch"] == 64
    paper = make_plan("digits", {"recipe": "r3gan", "preset": "xs", "device": "cpu"})
    assert (paper.settings.paper, paper.settings.lazy) == (True, 1)  # a preset is stronger too


def test_the_penalty_of_the_schedule_is_the_one_that_counts() -> None:
    recipe: Any = echo_duel("r3gan", slope=3.0, penalty=0.4)
    recipe.now = {"penalty": 0.04}
    assert recipe.penalised_loss(BATCH)["r1"].item() == pytest.approx(0.02 * 9)


def paper(image: Image, labels: bool = False, **knobs: Any) -> Any:
    torch.manual_seed(0)
    fields = {"real": image, "label": Label(("a", "b", "c"))}
    return R3GAN(R3GAN.Settings(paper=True, width=16, labels=labels, **knobs), fields)


def test_a_block_starts_as_the_identity_with_the_papers_scales() -> None:
    torch.manual_seed(0)
    block = Block(64, count=8)
    maps = torch.randn(2, 64, 5, 5)
    assert torch.equal(block(maps), maps)
    gain = math.sqrt(2 / 1.04) * 8**-0.25
    assert block.widen.weight.std().item() == pytest.approx(gain / math.sqrt(64), rel=0.05)
    assert block.mix.weight.std().item() == pytest.approx(gain / math.sqrt(9 * 16), rel=0.05)
    assert block.mix.groups == 8  # of 16 channels each
    assert (block.mix.bias == 0).all()


def test_resampling_up_is_duplication_and_a_low_pass_of_one_two_one() -> None:
    maps = torch.randn(1, 2, 3, 3)
    twice = torch.nn.functional.interpolate(maps, scale_factor=2)
    line = torch.tensor([1.0, 2.0, 1.0]) / 4
    kernel = torch.outer(line, line).expand(2, 1, 3, 3)
    by_hand = torch.nn.functional.conv2d(twice, kernel, padding=1, groups=2)
    torch.testing.assert_close(Resample(2, 2, up=True)(maps), by_hand)


def test_resampling_down_keeps_the_mean_inside() -> None:
    flat = torch.full((1, 2, 8, 8), 3.0)
    half = Resample(2, 2, up=False)(flat)
    assert half.shape == (1, 2, 4, 4)
    assert half[0, 0, 1:3, 1:3].flatten().tolist() == pytest.approx([3.0] * 4)


@pytest.mark.parametrize("image", [Image(3, 32, 32), Image(1, 28, 28), Image(4, 20, 40)], ids=str)
@pytest.mark.parametrize("labels", [False, True])
def test_the_papers_network_takes_any_size(image: Image, labels: bool) -> None:
    recipe = paper(image, labels)
    batch = {**batch_for(recipe, rows=2), "label": torch.tensor([0, 2])}
    assert recipe.generate(batch).shape == (2, *image.shape)
    assert recipe.score(batch["real"], batch).shape == (2,)


def test_the_papers_network_has_its_number_of_weights() -> None:
    torch.manual_seed(0)
    image = Image(3, 32, 32)
    network = r3gan.Discriminator(image, 768)
    block = 768 * 1536 + 1536 + 1536 * 16 * 9 + 1536 + 1536 * 768
    assert sum(w.numel() for w in network.parameters()) == (
        3 * 768 + 8 * block + 768 * 16 + 768
    )  # about 21 million
    assert r3gan.widths(768, 3) == [768] * 4
    assert r3gan.widths(768, 6) == [768, 768, 768, 768, 384, 192, 96]


def test_judges_of_the_paper_treat_rows_independently() -> None:
    recipe = paper(Image(1, 16, 16)).double()
    batch = batch_for(recipe, rows=4)
    images = batch["real"].double()
    scores = recipe.score(images, batch)
    alone = torch.cat([recipe.score(images[k : k + 1], batch) for k in range(4)])
    torch.testing.assert_close(scores, alone)


@pytest.mark.parametrize("real", [Image(1, 16, 16), TINY["2-D points"]], ids=str)
def test_with_labels_only_the_class_changes_samples_and_scores(real) -> None:
    torch.manual_seed(0)
    fields = {"real": real, "label": Label(("a", "b", "c"))}
    recipe: Any = R3GAN(R3GAN.Settings(labels=True, width=8), fields).eval()
    assert recipe.conditions == ("label",)
    batch = {**batch_for(recipe), "label": torch.tensor([0, 1, 2, 0, 1, 2])}
    other = {**batch, "label": (batch["label"] + 1) % 3}
    with torch.no_grad():
        assert not torch.equal(recipe.generate(batch), recipe.generate(other))
        one, two = (recipe.score(batch["real"], each) for each in (batch, other))
    assert (one != two).all()


def test_reals_and_fakes_are_judged_by_their_own_labels() -> None:
    torch.manual_seed(0)
    fields = {"real": TINY["2-D points"], "label": Label(("a", "b", "c"))}
    recipe: Any = R3GAN(R3GAN.Settings(labels=True, width=8), fields)
    batch = {**batch_for(recipe), "label": torch.tensor([0, 1, 2, 0, 1, 2])}
    real, fake = (recipe.score(x, batch) for x in (batch["real"], recipe.generate(batch)))
    by_hand = torch.nn.functional.softplus(fake - real).mean().item()
    assert recipe.penalised_loss(batch)["paired"].item() == pytest.approx(by_hand, rel=1e-5)


def test_labels_that_are_not_there_are_refused() -> None:
    with pytest.raises(UsageError, match="no labels"):
        R3GAN(R3GAN.Settings(labels=True), {"real": Points(2, 1.0)})
    assert R3GAN(R3GAN.Settings(), {"real": Points(2, 1.0)}).conditions == ()


def test_penalties_may_have_an_update_of_their_own_as_many_times_as_heavy() -> None:
    recipe: Any = echo_duel("r3gan", slope=3.0, penalty=0.4, lazy=4)
    judge, penalty, generator = recipe.turns()
    assert [turn.every for turn in recipe.turns()] == [1, 4, 1]
    assert [turn.second_order for turn in recipe.turns()] == [False, True, False]
    assert generator.player == "generator"
    found = penalty.loss(BATCH)
    assert set(found) == {"r1", "r2"}
    assert found["r1"].item() == found["r2"].item() == pytest.approx(4 * 0.2 * 9)
    at_once: Any = echo_duel("r3gan", slope=3.0, penalty=0.4)
    terms = at_once.turns()[0].loss(BATCH)
    assert {**judge.loss(BATCH), "r1": terms["r1"], "r2": terms["r2"]} == terms
