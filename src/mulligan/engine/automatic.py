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

    Grey pictures with classes: cgan is nearest of all after a minute (docs/results/search-60s.md).
    In colour r3gan that is told the classes is as near as cgan on pixel art, and much nearer on
    photographs (docs/results/search-32-pixels.md). dcgan is nearer still there, but is told no
    class, and ended in one picture on tinyhero at 64 pixels (docs/results/search-64-pixels.md).
    Without classes r3gan keeps the variety of 367 photographs (docs/results/pictures.md). Points:
    docs/results/points-modes.md.
    """
    real, classes = data.fields["real"], helpful_classes(data)
    if isinstance(real, Points):
        return Value("r3gan", "default", "it finds all modes of points")
    if not classes:
        return Value("r3gan", "default", "it keeps the variety of pictures without classes")
    if isinstance(real, Image) and real.channels == 1:
        return Value("cgan", "default", f"the data have {classes} classes, which help it to learn")
    return Value("r3gan", "default", f"it learns colours well, told the {classes} classes")


def helpful_classes(data: DataSet) -> int:
    """How many classes of pictures there are, where each is large enough to be told; else 0."""
    label = data.fields.get("label")
    if not isinstance(label, Label) or "only_label" in data.manifest:
        return 0
    count = len(label.names)
    return count if count > 1 and len(data) >= A_CLASS * count else 0


def told(recipe: str, data: DataSet) -> Layer | None:
    """What `auto` means beside the recipe: that r3gan, whose paper does both, is told classes."""
    classes = helpful_classes(data)
    if recipe != "r3gan" or not classes or isinstance(data.fields["real"], Points):
        return None
    reason = f"the data have {classes} classes, which help it to learn"
    return Layer("default", "classes", {"labels": True}, reason)


def few(recipe: type[Recipe], data: DataSet) -> Layer | None:
    """What these data ask for below the recipe's own presets: augmentation where they are few."""
    if not issubclass(recipe, Duel) or not isinstance(data.fields["real"], Image):
        return None
    if len(data) >= FEW:
        return None
    chosen = "on" if recipe.undecided is None else "adaptive"
    reason = f"{len(data):,} pictures are few; from {FEW:,} on it is off"
    return Layer("default", "few pictures", {"augment": chosen}, reason)
