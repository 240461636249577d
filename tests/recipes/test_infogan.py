"""InfoGAN's terms by hand; what its noise is made of."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers import TINY, build, player_weights
from mulligan.fields import Points


def softplus(score: float) -> float:
    return math.log(1 + math.exp(score))


class First(nn.Module):
    """The generator paints the category's number."""

    def forward(self, noise: Tensor) -> Tensor:
        return noise[:, :3].argmax(1, keepdim=True).to(noise.dtype)


class Heads(nn.Module):
    """Score x; logits 0, x, 1; mean of the code x / 4; its deviation softplus(0.3) + 0.001."""

    def forward(self, rows: Tensor) -> Tensor:
        x = rows[:, 0]
        whole = torch.ones_like(x)
        return torch.stack([x, 0 * x, x, whole, x / 4, 0.3 * whole], dim=1)


def duel(**knobs: Any) -> Any:
    recipe: Any = build("infogan", Points(1, 1.0), latent=1, categories=3, codes=1, **knobs)
    recipe.generator, recipe.discriminator = First(), Heads()
    return recipe


def noise(category: int, code: float) -> list[float]:
    return [float(category == k) for k in range(3)] + [code, 0.0]


BATCH = {
    "real": torch.tensor([[3.0], [-1.0]]),
    "noise": torch.tensor([noise(2, 0.4), noise(0, -0.6)]),  # painted: 2 and 0
}


def test_discriminator_and_generator_terms_by_hand() -> None:
    recipe = duel()
    terms = recipe.discriminator_loss(BATCH)
    assert terms["real"].item() == pytest.approx((softplus(-3.0) + softplus(1.0)) / 2)
    assert terms["fake"].item() == pytest.approx((softplus(2.0) + softplus(0.0)) / 2)
    found = recipe.generator_loss(BATCH)["fake"].item()
    assert found == pytest.approx((softplus(-2.0) + softplus(0.0)) / 2)
    assert recipe.watched["accuracy_real"].item() == 0.5


def test_information_terms_by_hand() -> None:
    recipe = duel(information=0.5)
    terms = recipe.information_loss(BATCH)

    def cross(score: float, category: int) -> float:
        logits = [0.0, score, 1.0]
        return math.log(sum(map(math.exp, logits))) - logits[category]

    assert terms["category"].item() == pytest.approx(0.5 * (cross(2, 2) + cross(0, 0)) / 2)
    deviation = softplus(0.3) + 1e-3
    misses = [(0.4 - 0.5) / deviation, (-0.6 - 0.0) / deviation]
    by_hand = sum(miss**2 / 2 + math.log(deviation) for miss in misses) / 2
    assert terms["codes"].item() == pytest.approx(0.5 * by_hand)
    assert recipe.watched["accuracy"].item() == 0.0  # the largest logits are those of 1 and 2


def test_noise_is_one_category_uniform_codes_and_normal_rest() -> None:
    recipe: Any = build("infogan", TINY["2-D points"], latent=5, categories=4, codes=2)
    drawn = recipe.noise(4000, torch.Generator().manual_seed(0))
    assert drawn.shape == (4000, 4 + 2 + 5)
    assert recipe.latent == 11
    assert (drawn[:, :4].sum(1) == 1).all()
    assert drawn[:, :4].sum(0).tolist() == pytest.approx([1000] * 4, abs=120)
    codes, rest = drawn[:, 4:6], drawn[:, 6:]
    assert codes.abs().max() <= 1
    assert codes.var().item() == pytest.approx(1 / 3, rel=0.05)
    assert rest.var().item() == pytest.approx(1.0, rel=0.05)
    category, read = recipe.read(drawn)
    assert torch.equal(category, drawn[:, :4].argmax(1))
    assert torch.equal(read, codes)


def test_the_information_player_overlaps_with_both_others() -> None:
    recipe: Any = build("infogan", TINY["2-D points"])
    three = {name: set(player_weights(recipe, name)) for name in recipe.optimizers()}
    assert three["information"] == three["discriminator"] | three["generator"]
    assert not three["discriminator"] & three["generator"]


def test_show_varies_the_category_on_the_same_noise() -> None:
    torch.manual_seed(0)
    recipe: Any = build("infogan", TINY["2-D points"], categories=3).eval()
    batch = {"noise": recipe.noise(4, torch.Generator().manual_seed(0))}
    with torch.no_grad():
        shown = recipe.show(batch)
    assert list(shown) == ["generated", "category 0", "category 1", "category 2"]
    category, _ = recipe.read(batch["noise"])
    for row in range(4):
        own = shown[f"category {category[row]}"][row]
        torch.testing.assert_close(own, shown["generated"][row])
        other = shown[f"category {(category[row] + 1) % 3}"][row]
        assert not torch.equal(other, own)
