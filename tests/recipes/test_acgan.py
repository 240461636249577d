"""ACGAN's terms by hand, and the classic preset to the letter."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers import batch_for, build
from mulligan.fields import Image, Label, Points
from mulligan.recipes.acgan import ACGAN


def softplus(score: float) -> float:
    return math.log(1 + math.exp(score))


def cross(logits: list[float], target: int) -> float:
    return math.log(sum(math.exp(value) for value in logits)) - logits[target]


class Same(nn.Module):
    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        return noise


class Heads(nn.Module):
    """The score is x; the logits of three or four classes are x, -x, 0.5 (, 1)."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, rows: Tensor) -> Tensor:
        x = rows[:, 0]
        every = [x, x, -x, torch.full_like(x, 0.5), torch.full_like(x, 1.0)]
        return torch.stack(every[: self.outputs], dim=1)


def logits(score: float, count: int) -> list[float]:
    return [score, -score, 0.5, 1.0][:count]


def duel(**knobs: Any) -> Any:
    recipe: Any = build("acgan", Points(1, 1.0), latent=1, **knobs)
    recipe.generator, recipe.discriminator = (
        Same(),
        Heads(5 if knobs.get("fakes") == "apart" else 4),
    )
    return recipe


BATCH = {
    "real": torch.tensor([[2.0], [-1.0]]),
    "noise": torch.tensor([[0.5], [-3.0]]),
    "label": torch.tensor([0, 2]),
}


def test_discriminator_terms_by_hand() -> None:
    terms = duel(class_weight=0.7, fakes="named").discriminator_loss(BATCH)
    assert terms["real"].item() == pytest.approx((softplus(-2.0) + softplus(1.0)) / 2)
    assert terms["fake"].item() == pytest.approx((softplus(0.5) + softplus(-3.0)) / 2)
    real = (cross(logits(2.0, 3), 0) + cross(logits(-1.0, 3), 2)) / 2
    fake = (cross(logits(0.5, 3), 0) + cross(logits(-3.0, 3), 2)) / 2
    assert terms["real_class"].item() == pytest.approx(0.7 * real)
    assert terms["fake_class"].item() == pytest.approx(0.7 * fake)


def test_by_default_the_classes_are_learned_from_reals_alone() -> None:
    terms = duel().discriminator_loss(BATCH)
    assert set(terms) == {"real", "real_class", "penalty", "fake"}


def test_the_penalty_is_r1_of_the_score_alone() -> None:
    recipe = duel(penalty=0.6)

    class Steep(Heads):
        def forward(self, rows: Tensor) -> Tensor:
            outputs = super().forward(rows)
            return torch.cat([3 * outputs[:, :1], 100 * outputs[:, 1:]], dim=1)

    recipe.discriminator = Steep(4)
    assert recipe.real_loss(BATCH)["penalty"].item() == pytest.approx(0.3 * 9)
    assert [turn.second_order for turn in recipe.turns()] == [True, False]
    assert [turn.second_order for turn in duel(penalty=0).turns()] == [False, False]


def test_the_penalty_grows_with_the_pixels() -> None:
    recipe = duel(penalty=0.6)
    recipe.heads = lambda images: (3 * images[:, 0, 0, 0], torch.zeros(len(images), 3))
    wide = {**BATCH, "real": torch.zeros(2, 1, 28, 56)}
    assert recipe.real_loss(wide)["penalty"].item() == pytest.approx(2 * 0.3 * 9)


def test_generator_terms_by_hand() -> None:
    terms = duel(class_weight=0.7).generator_loss(BATCH)
    assert terms["fake"].item() == pytest.approx((softplus(-0.5) + softplus(3.0)) / 2)
    named = (cross(logits(0.5, 3), 0) + cross(logits(-3.0, 3), 2)) / 2
    assert terms["fake_class"].item() == pytest.approx(0.7 * named)


def test_the_eleventh_class_is_the_target_of_fakes_in_the_discriminators_turn_alone() -> None:
    recipe = duel(fakes="apart")
    fake = (cross(logits(0.5, 4), 3) + cross(logits(-3.0, 4), 3)) / 2
    assert recipe.fake_loss(BATCH)["fake_class"].item() == pytest.approx(fake)
    real = (cross(logits(2.0, 4), 0) + cross(logits(-1.0, 4), 2)) / 2
    assert recipe.real_loss(BATCH)["real_class"].item() == pytest.approx(real)
    torch.manual_seed(5)
    terms = recipe.generator_loss(BATCH)
    torch.manual_seed(5)
    drawn = torch.randint_like(BATCH["label"], 3).tolist()
    named = (cross(logits(0.5, 4), drawn[0]) + cross(logits(-3.0, 4), drawn[1])) / 2
    assert terms["fake_class"].item() == pytest.approx(named)


def test_drawn_labels_are_even_over_the_classes() -> None:
    recipe = duel(fakes="apart")
    noise = torch.zeros(3000, 1)
    torch.manual_seed(0)
    _, label = recipe.paint({"noise": noise, "label": torch.zeros(3000, dtype=torch.int64)})
    assert torch.bincount(label).tolist() == pytest.approx([1000] * 3, abs=100)


def test_the_accuracy_is_that_of_the_scores() -> None:
    recipe = duel()
    recipe.discriminator_loss({**BATCH, "noise": torch.tensor([[-0.5], [-3.0]])})
    assert recipe.watched["accuracy_real"].item() == 0.5
    assert recipe.watched["accuracy_fake"].item() == 1.0


def classic(image: Image = Image(1, 28, 28)) -> Any:  # noqa: B008
    torch.manual_seed(0)
    fields = {"real": image, "label": Label(tuple("0123456789"))}
    return ACGAN(ACGAN.Settings(**ACGAN.presets["classic"].settings), fields)


def count(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_classic_networks_have_the_texts_parameter_counts() -> None:
    recipe = classic()
    dense = 100 * 6272 + 6272
    convolutions = 128 * 128 * 9 + 128 + 128 * 64 * 9 + 64 + 64 * 9 + 1
    norms = 2 * (128 + 128 + 64)
    assert count(recipe.generator) == 10 * 100 + dense + convolutions + norms
    convolutions = 9 * (1 * 16 + 16 * 32 + 32 * 64 + 64 * 128) + 16 + 32 + 64 + 128
    heads = 128 * 4 * 4 * 12 + 12  # one score and eleven classes
    assert count(recipe.discriminator) == convolutions + 2 * (32 + 64) + heads


def test_classic_players_and_turns() -> None:
    recipe = classic()
    assert [turn.player for turn in recipe.turns()] == ["discriminator"] * 2 + ["generator"]
    for optimizer in recipe.optimizers().values():
        group = optimizer.param_groups[0]
        assert (group["lr"], group["betas"], group["eps"]) == (2e-4, (0.5, 0.999), 1e-7)
    assert ACGAN.presets["classic"].run["batch"] == 32
    assert recipe.schedule(1, 2)["ema"] == 0


@pytest.mark.parametrize("image", [Image(3, 32, 32), Image(3, 30, 50), Image(1, 28, 28)], ids=str)
def test_classic_networks_take_any_size(image: Image) -> None:
    recipe = classic(image)
    batch = batch_for(recipe, rows=2)
    assert recipe.generate(batch).shape == (2, *image.shape)
    scores, named = recipe.heads(batch["real"])
    assert scores.shape == (2,)
    assert named.shape == (2, 11)
