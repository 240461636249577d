"""What the data decide where nobody else does: the recipe, and what few pictures need."""

from __future__ import annotations

from mulligan.data.dataset import DataSet
from mulligan.duel import Duel
from mulligan.engine.layers import Layer, Value
from mulligan.fields import Image, Label, Points
from mulligan.recipe import Recipe

A_CLASS = 100
"""Rows of the average class from which on it pays to tell the networks the class."""

FEW = 10_000
"""Pictures below which a discriminator learns them by heart within a usual run."""


def recipe_for(data: DataSet) -> Value:
    """The recipe that `auto` means for these data.

    With classes cgan is nearest to the data of all after a minute (docs/results/search-60s.md).
    Without, dcgan and r3gan are as near, but dcgan ended in one picture on tinyhero (a spread of
    0.11 after 60,000 images) and r3gan keeps the variety of 367 photographs
    (docs/results/pictures.md). Points: docs/results/points-modes.md.
    """
    label = data.fields.get("label")
    if isinstance(data.fields["real"], Points):
        return Value("r3gan", "default", "it finds all modes of points")
    if isinstance(label, Label) and "only_label" not in data.manifest:
        classes = len(label.names)
        if classes > 1 and len(data) >= A_CLASS * classes:
            return Value(
                "cgan", "default", f"the data have {classes} classes, which help it to learn"
            )
    return Value("r3gan", "default", "it keeps the variety of pictures without classes")


def few(recipe: type[Recipe], data: DataSet) -> Layer | None:
    """What these data ask for below the recipe's own presets: augmentation where they are few."""
    if not issubclass(recipe, Duel) or not isinstance(data.fields["real"], Image):
        return None
    if len(data) >= FEW:
        return None
    chosen = "on" if recipe.undecided is None else "adaptive"
    reason = f"{len(data):,} pictures are few; from {FEW:,} on it is off"
    return Layer("default", "few pictures", {"augment": chosen}, reason)
