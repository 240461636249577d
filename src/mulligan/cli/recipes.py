"""mulligan recipes: what there is, and what a recipe's file says about itself."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from mulligan.catalogue import RecipeFacts, facts, recipe_names
from mulligan.cli.train import shown, table


def recipes(
    name: Annotated[str | None, Parameter(help="a recipe, or the path of a .py file")] = None, /
) -> None:
    """List the recipes, or describe one: its paper, knobs and presets."""
    if name is None:
        print(table([(recipe, facts(recipe).claim) for recipe in recipe_names()]))
        return
    found = facts(name)
    if found.header:
        print(f"{found.header}\n")
    print(_knobs(found))
    if found.presets:
        print("\nPresets (--preset NAME)\n")
        print(table([(f"  {preset}", note) for preset, note in found.presets.items()]))


def print_knobs_asked_for(words: list[str]) -> None:
    """The knobs of the recipe in `train --recipe NAME --help`, in any order; else nothing."""
    for index, word in enumerate(words):
        value = words[index + 1] if word == "--recipe" and index + 1 < len(words) else ""
        if word.startswith("--recipe="):
            value = word.partition("=")[2]
        if value and value != "auto" and not value.startswith("-"):
            print(_knobs(facts(value)))


def _knobs(found: RecipeFacts) -> str:
    if not found.knobs:
        return f"Recipe {found.name} has no knobs."
    rows = []
    for knob in found.knobs:
        bounds = f" ({knob.bounds})" if knob.bounds else ""
        rows.append((f"  {knob.flag}", shown(knob.default), f"{knob.sentence}{bounds}"))
    return f"Knobs of recipe {found.name}\n\n" + table(rows)
