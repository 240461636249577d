"""Augmentation in every recipe that has a discriminator: judged pictures change, samples do not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import mulligan
from helpers import batch_for, build
from mulligan.catalogue import load_recipe, recipe_names
from mulligan.duel import Duel
from mulligan.engine.parallel import World
from mulligan.engine.step import Stepper
from mulligan.errors import UsageError
from mulligan.fields import Image, Points
from mulligan.run import Run

DUELS = [name for name in recipe_names() if issubclass(load_recipe(name), Duel)]
CRITICS = [name for name in DUELS if load_recipe(name).undecided is None]
every_duel = pytest.mark.parametrize("name", DUELS)


def made(name: str, **knobs: Any) -> Any:
    torch.manual_seed(0)
    return build(name, Image(3, 16, 16), width=8, latent=4, **knobs)


@every_duel
def test_what_is_judged_changes_and_what_is_made_does_not(name: str) -> None:
    plain, changed = made(name), made(name, augment="on")
    batch = batch_for(plain)

    def scores(recipe: Any) -> torch.Tensor:
        torch.manual_seed(3)  # sngan's and dropout's own chance
        return recipe.score(batch["real"], batch)

    for recipe in (plain, changed):
        recipe.eval()
    assert torch.equal(scores(plain), scores(changed))  # watching sees pictures as they are
    changed.train()
    plain.train()
    with torch.no_grad():
        assert (scores(plain) != scores(changed)).any()
        torch.manual_seed(1)
        samples = plain.generate(batch)
        torch.manual_seed(1)
        assert torch.equal(changed.generate(batch), samples)


@every_duel
def test_every_loss_can_be_minimised_augmented(name: str) -> None:
    recipe = made(name, augment="on" if name in CRITICS else "adaptive")
    stepper = Stepper(recipe, "float32", "cpu", 1, World())
    for turn in recipe.turns():
        logged = stepper.update(turn, batch_for(recipe), 6)
        assert all(map(math.isfinite, logged.values()))
    if name not in CRITICS:
        assert float(recipe.augment.gauge[1]) == 6  # each real of the round counts once


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="changes pictures"):
        build("gan", Points(2, 1.0), augment="on")
    for name in CRITICS:
        with pytest.raises(UsageError, match="critic"):
            made(name, augment="adaptive")


def test_all_ranks_move_the_chance_by_the_reals_of_all() -> None:
    class Doubled(World):
        """Another rank that saw the same."""

        def sum(self, tensors: list[torch.Tensor]) -> None:
            for tensor in tensors:
                tensor.mul_(2)

    one, two = made("dcgan", augment="adaptive"), made("dcgan", augment="adaptive")
    for recipe, world in ((one, World()), (two, Doubled())):
        stepper = Stepper(recipe, "float32", "cpu", 1, world)
        for turn in recipe.turns():
            stepper.update(turn, batch_for(recipe), 6)
    assert float(two.augment.gauge[1]) == 2 * float(one.augment.gauge[1]) == 12


def test_the_chance_is_part_of_a_checkpoint(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "recipe": "dcgan", "augment": "adaptive", "augment_pace": 2000, "width": 4, "batch": 32,
        "size": 16, "tick": 5, "save_every": 1, "evaluate_every": 0, "device": "cpu",
        "log": "none", "runs_dir": tmp_path,
    }  # fmt: skip
    whole = mulligan.train("digits", name="whole", images=40 * 32, **options)
    part = mulligan.train("digits", name="part", images=25 * 32, **options)
    mulligan.resume(part, images=str(40 * 32))
    assert chance(whole) == chance(part)
    assert 0 < chance(whole)[0] <= 0.8
    assert whole.rows()[-1]["discriminator/augmented"] > 0


def chance(run: Run) -> list[float]:
    """The chance, and what was noted since it last moved."""
    augment: Any = mulligan.load(run, checkpoint="last").recipe.augment
    return [float(augment.chance), *augment.gauge.tolist()]
