"""Looking at a recipe without changing anything: modes, random states and graphs are as before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mulligan.engine.randomness import undisturbed
from mulligan.recipe import Recipe


@contextmanager
def watching(recipe: Recipe, key_value: int) -> Iterator[None]:
    """Evaluation mode, no graph, a private random state; everything is put back afterwards."""
    modes = [(module, module.training) for module in recipe.modules()]
    recipe.eval()
    try:
        with torch.no_grad(), undisturbed(key_value):
            yield
    finally:
        for module, training in modes:
            module.training = training
