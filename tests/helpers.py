"""Recipes, fields and batches of tiny size, for tests of all recipes and of each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mulligan.catalogue import load_recipe
from mulligan.fields import Field, Fields, Image, Label, Points
from mulligan.recipe import Batch, Recipe, Turn

TINY: dict[str, Field] = {
    "16x16 grey": Image(1, 16, 16),
    "8x12 colour": Image(3, 8, 12),
    "20x16 alpha": Image(4, 20, 16),
    "30x30 grey": Image(1, 30, 30),
    "1-D points": Points(1, 1.0),
    "2-D points": Points(2, 3.0),
}


def fields_for(recipe: type[Recipe], real: Field) -> Fields:
    """What a recipe reads, with `real` as given and everything else made up to fit."""
    fields: Fields = {}
    for name, kinds in recipe.reads.items():
        if name == "real":
            fields[name] = real
        else:
            fields[name] = Label(("a", "b", "c")) if Label in kinds else real
    return fields


def takes(recipe: type[Recipe], real: Field) -> bool:
    """Whether the recipe reads this kind of data."""
    return isinstance(real, recipe.reads["real"])


def build(name: str, real: Field, **knobs: Any) -> Recipe:
    """A small recipe on the given data; knobs replace the small ones."""
    cls = load_recipe(name)
    small = {"width": 4, "latent": 6}
    known = cls.Settings.model_fields
    settings = {key: value for key, value in {**small, **knobs}.items() if key in known}
    return cls(cls.Settings(**settings), fields_for(cls, real))


def batch_for(recipe: Recipe, rows: int = 6, seed: int = 0) -> Batch:
    """Random rows of every field that the recipe reads, and noise."""
    generator = torch.Generator().manual_seed(seed)
    batch: Batch = {"noise": recipe.noise(rows, generator)}
    for name in recipe.reads:
        batch[name] = _rows(recipe.fields[name], rows, generator)
    return batch


def _rows(field: Field, rows: int, generator: torch.Generator) -> Tensor:
    if isinstance(field, Label):
        return torch.randint(len(field.names), (rows,), generator=generator)
    assert isinstance(field, (Image, Points))
    uniform = torch.rand(rows, *field.shape, generator=generator)
    return 2 * uniform - 1


def player_weights(recipe: Recipe, player: str) -> list[nn.Parameter]:
    """The parameters of one player's optimizer."""
    groups = recipe.optimizers()[player].param_groups
    return [weight for group in groups for weight in group["params"]]


def play(recipe: Recipe, turn: Turn, batch: Batch) -> dict[str, Tensor]:
    """Backpropagate one turn's terms with everybody else frozen, as the engine does."""
    recipe.zero_grad(set_to_none=True)
    recipe.requires_grad_(False)
    for weight in player_weights(recipe, turn.player):
        weight.requires_grad_(True)
    terms = turn.loss(batch)
    torch.stack(list(terms.values())).sum().backward()
    return terms


class Echo(nn.Module):
    """A network that returns the first number of each row, times a slope: scores by a test."""

    def __init__(self, slope: float = 1.0) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, rows: Tensor, *given: Tensor) -> Tensor:
        return self.slope * rows.flatten(1)[:, 0]


class Same(nn.Module):
    """A network that returns its input."""

    def forward(self, rows: Tensor, *given: Tensor) -> Tensor:
        return rows


def echo_duel(name: str, slope: float = 1.0, **knobs: Any) -> Recipe:
    """A duel on 1-D points in which scores(x) = slope x and G(z) = z."""
    recipe = build(name, Points(1, 1.0), latent=1, **knobs)
    recipe.generator, recipe.discriminator = Same(), Echo(slope)
    return recipe


def column(*values: float) -> Tensor:
    """(N, 1) of the given numbers."""
    return torch.tensor(values)[:, None]
