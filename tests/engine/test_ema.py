"""The twin: averages by hand, statistics of batch norm, and a live network left alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mulligan.engine.ema import Twin, decay
from mulligan.fields import Image
from mulligan.recipe import Recipe


class Painter(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.unused = nn.BatchNorm1d(3)

    def forward(self, noise):
        return self.norm(self.linear(noise))


class Tiny(Recipe):
    class Settings(Recipe.Settings):
        latent: int = 2

    averaged = ("generator",)

    def __init__(self):
        super().__init__(Tiny.Settings(), {"real": Image(1, 8, 8)})
        self.generator = Painter()
        self.discriminator = nn.Linear(3, 1)

    def generate(self, batch):
        return self.generator(batch["noise"])


def batches():
    draw = torch.Generator().manual_seed(0)
    return [{"noise": torch.randn(16, 2, generator=draw)} for _ in range(4)]


@pytest.fixture
def recipe():
    torch.manual_seed(0)
    recipe = Tiny()
    recipe.train()
    recipe.generate({"noise": torch.randn(16, 2) + 3})  # statistics of other inputs
    return recipe


def test_the_decay_halves_over_a_half_life_and_ramps_up():
    assert decay(1000, 10**9, 1000) == pytest.approx(0.5)
    assert decay(1000, 10**9, 500) == pytest.approx(0.5**0.5)
    assert decay(1000, 0, 64) == 0
    assert decay(1000, 1000, 50) == pytest.approx(0.5)  # 5 % of 1,000 images seen


def test_the_average_moves_as_computed_by_hand(recipe):
    twin = Twin(recipe)
    old = recipe.generator.linear.weight.clone()
    with torch.no_grad():
        recipe.generator.linear.weight += 1
    twin.update(1000, 10**9, 1000)
    assert torch.allclose(twin.recipe.generator.linear.weight, old + 0.5)


def test_batch_norm_is_estimated_from_the_fixed_batches(recipe):
    twin = Twin(recipe)
    shown = twin.refresh(1000, batches)
    with torch.no_grad():
        inputs = [recipe.generator.linear(batch["noise"]) for batch in batches()]
    mean = torch.stack([values.mean(0) for values in inputs]).mean(0)
    var = torch.stack([values.var(0) for values in inputs]).mean(0)
    assert torch.allclose(shown.generator.norm.running_mean, mean, atol=1e-6)
    assert torch.allclose(shown.generator.norm.running_var, var, atol=1e-6)
    assert not shown.generator.norm.training


def test_layers_outside_of_generate_keep_the_live_statistics(recipe):
    recipe.generator.unused.running_mean += 7
    shown = Twin(recipe).refresh(1000, batches)
    assert torch.equal(shown.generator.unused.running_mean, recipe.generator.unused.running_mean)


def test_refreshing_changes_neither_the_live_network_nor_itself(recipe):
    twin = Twin(recipe)
    before = {name: value.clone() for name, value in recipe.state_dict().items()}
    first = {name: v.clone() for name, v in twin.refresh(9, batches).state_dict().items()}
    second = twin.refresh(9, batches).state_dict()
    assert all(torch.equal(before[name], value) for name, value in recipe.state_dict().items())
    assert all(torch.equal(first[name], value) for name, value in second.items())
    assert recipe.generator.norm.training


def test_without_averaging_the_twin_is_an_exact_copy(recipe):
    twin = Twin(recipe)
    with torch.no_grad():
        recipe.generator.linear.weight += 1
    twin.update(0, 1000, 10)
    shown = twin.refresh(0, batches)
    for name, value in recipe.generator.state_dict().items():
        assert torch.equal(shown.generator.state_dict()[name], value)
    assert shown.generator.linear.weight is not recipe.generator.linear.weight


def test_the_twin_shares_what_is_not_averaged(recipe):
    assert Twin(recipe).recipe.discriminator is recipe.discriminator
