"""A recipe's settings from the layers: checked by pydantic, explained in one line a problem."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mulligan.catalogue import nearest
from mulligan.engine.layers import Layer, Layers, Value
from mulligan.recipe import Recipe

BOUNDS = {
    "greater_than_equal": ("ge", "is too low: it must be at least"),
    "greater_than": ("gt", "is too low: it must be above"),
    "less_than_equal": ("le", "is too high: it must be at most"),
    "less_than": ("lt", "is too high: it must be below"),
}
KINDS = {"int": "is not a whole number", "float": "is not a number", "bool": "is not true or false"}


def resolve_settings(
    recipe: type[Recipe], layers: Layers
) -> tuple[Recipe.Settings | None, dict[str, Value]]:
    """The settings and each knob's value with its origin; (None, {}) if a problem was found."""
    given: dict[str, tuple[Layer, Any]] = {}
    for name, entry in recipe.Settings.model_fields.items():
        layer = layers.find(name)
        if layer is not None:
            given[name] = (layer, _as_choice(layer.values[name], entry.annotation))
    try:
        plain = {
            name: given[name][1] if name in given else entry.get_default(call_default_factory=True)
            for name, entry in recipe.Settings.model_fields.items()
        }  # defaults too, so that 20_000 becomes the float it is declared as
        settings = recipe.Settings.model_validate(plain)
    except ValidationError as error:
        for detail in error.errors():
            _explain(detail, recipe, given, layers)
        return None, {}
    values, before = {}, len(layers.problems.found)
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if name not in given:
            values[name] = Value(value, "default", "the recipe's default")
            continue
        layer = given[name][0]
        if isinstance(value, float) and not math.isfinite(value):
            layers.problems.add(f"{layer.say(name, value)} is not a finite number")
        values[name] = Value(value, layer.origin, layer.reason)
    return (settings, values) if len(layers.problems.found) == before else (None, {})


def _as_choice(value: Any, annotation: Any) -> Any:
    """The choice that is written so: "2" means 2 where the choices are numbers."""
    if get_origin(annotation) is Literal and isinstance(value, str):
        written = {str(choice): choice for choice in get_args(annotation)}
        return written.get(value, value)
    return value


def _explain(
    detail: ErrorDetails, recipe: type[Recipe], given: dict[str, tuple[Layer, Any]], layers: Layers
) -> None:
    """One line for one of pydantic's errors."""
    name = str(detail["loc"][0]) if detail["loc"] else ""
    if name not in given:
        layers.problems.add(detail["msg"].removeprefix("Value error, "))
        return
    layer, value = given[name]
    kind, context = detail["type"], detail.get("ctx", {})
    entry = recipe.Settings.model_fields[name]
    hint = f"{name}: {entry.description}" if entry.description else ""
    choices = [str(choice) for choice in get_args(entry.annotation)]
    if kind in BOUNDS:
        key, words = BOUNDS[kind]
        wrong = f"{words} {context[key]:g}"
    elif kind == "literal_error":
        wrong = f"is none of {', '.join(choices)}"
        close = nearest(str(value), choices)
        hint = f"did you mean {close}?" if close else hint
    else:
        wrong = KINDS.get(kind.split("_")[0], f"is wrong: {detail['msg']}")
    layers.problems.add(f"{layer.say(name, value)} {wrong}", hint)
