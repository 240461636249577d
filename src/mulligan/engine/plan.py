"""The plan of a run: every value resolved, with its origin and reason, before anything is done.

Defaults < preset < config file < flags. All problems of a request are raised at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mulligan import catalogue
from mulligan.data.dataset import DataSet
from mulligan.data.framing import Framing
from mulligan.engine import transfer
from mulligan.engine.automatic import few, recipe_for, told
from mulligan.engine.checkpoint import Checkpoint
from mulligan.engine.choose import resolve_options, settle
from mulligan.engine.fitting import check_fields, check_networks
from mulligan.engine.knobs import resolve_settings
from mulligan.engine.layers import Layer, Layers, Problems, Value, config_layer, flags_layer
from mulligan.engine.options import AUTO, BY_NAME
from mulligan.engine.readers import seconds
from mulligan.errors import MulliganError
from mulligan.recipe import Preset, Recipe

__all__ = ["Plan", "Value", "make_plan"]

LENGTHS = ("rounds", "epochs")
"""What a recipe and its presets may say besides options."""


@dataclass
class Plan:
    """What a run will do. values: every option and every knob of the recipe by name.

    start: the checkpoint of another run whose weights a new run takes over.
    """

    data: DataSet
    recipe: type[Recipe]
    recipe_name: str
    recipe_file: dict[str, str] | None
    settings: Recipe.Settings
    values: dict[str, Value]
    start: Checkpoint | None = None

    def __getitem__(self, name: str) -> Any:
        """The value of an option or a knob."""
        return self.values[name].value

    def stored(self) -> dict[str, dict[str, Any]]:
        """What config.toml holds: all but the options that are not part of the training itself."""
        return {
            name: {"value": entry.value, "origin": entry.origin, "reason": entry.reason}
            for name, entry in self.values.items()
            if name not in BY_NAME or BY_NAME[name].stored
        }


def make_plan(data: str | Path, given: Mapping[str, Any], config: str | Path | None = None) -> Plan:
    """The plan for these data and values, all checked against each other.

    data: a folder, an archive or a name. given: options and knobs by name, as strings or Python
    values. config: a TOML file of values, weaker than `given`.
    Raises UsageError or DataError with every problem that was found. On a processor, and where a
    time is given, a short measurement runs.
    """
    problems = Problems()
    layers, start = _sources(given, config, problems)

    # find recipe and data; a recipe that is named may preset what the data are opened with
    named = layers.option("recipe").value != AUTO
    opened = None if named else _open(str(data), layers)
    choice = _choose_recipe(layers, opened)
    recipe = _load(choice, layers) if choice else None
    name = _short_name(choice)
    opened = _open(str(data), layers) if named else opened
    settings, knobs = _settings(recipe, name, layers, opened) if recipe else (None, {})
    if recipe is None or opened is None:
        _check_alone(layers, choice, recipe)
        problems.raise_any()
    assert recipe is not None
    assert opened is not None
    assert choice is not None

    # resolve the rest, and refuse what does not fit
    values = {**resolve_options(layers, opened), "recipe": choice}
    check_fields(recipe, opened, problems)
    problems.raise_any()
    assert settings is not None
    whole = {**values, **knobs}
    plan = Plan(opened, recipe, name, _file_facts(choice.value), settings, whole, start)
    check_networks(recipe, name, settings, opened.fields, start)
    settle(plan.values, least_tick=_measure(plan))
    return plan


def _sources(
    given: Mapping[str, Any], config: str | Path | None, problems: Problems
) -> tuple[Layers, Checkpoint | None]:
    """The user's layers, and below them that of a run to start from, with its checkpoint."""
    layers = Layers([flags_layer(given)], problems)
    path = config or layers.option("config").value
    if path:
        layers.stack.insert(0, config_layer(Path(path).expanduser(), problems))
    start = transfer.origin(layers)
    if start:
        layers.stack.insert(0, transfer.layer(start))
    return layers, start


def _open(data: str, layers: Layers) -> DataSet | None:
    from mulligan.data.open import open_data

    size, channels = layers.option("size").value, layers.option("channels").value
    try:
        return open_data(
            data,
            size=None if size == AUTO else size,
            channels=None if channels == AUTO else channels,
            framing=Framing.of({name: layers.option(name).value for name in ("fit", "background")}),
            only_label=layers.option("only_label").value or None,
        )
    except MulliganError as error:
        layers.problems.take(error)
        return None


def _choose_recipe(layers: Layers, data: DataSet | None) -> Value | None:
    asked = layers.option("recipe")
    if asked.value != AUTO:
        if not catalogue.is_path(asked.value):
            return Value(asked.value.lower().replace("-", "_"), asked.origin, asked.reason)
        return asked
    return recipe_for(data) if data else None


def _short_name(choice: Value | None) -> str:
    """The recipe's name, or the stem of a user's file."""
    return Path(choice.value).stem if choice else ""


def _load(choice: Value, layers: Layers) -> type[Recipe] | None:
    """The recipe, its own layers laid below those of the user; None if it cannot be loaded."""
    try:
        recipe = catalogue.load_recipe(choice.value)
    except MulliganError as error:
        layers.problems.take(error)
        return None
    _add_layers(recipe, _short_name(choice), layers)
    return recipe


def _add_layers(recipe: type[Recipe], name: str, layers: Layers) -> None:
    """Lay the recipe's own layers below those of the user: what it prefers, and the preset."""
    asked = str(layers.option("preset").value)
    preset = recipe.presets.get(asked, Preset(""))
    if asked and asked not in recipe.presets:
        close = catalogue.nearest(asked, recipe.presets)
        known = ", ".join(recipe.presets) or "none"
        layers.problems.add(
            f"recipe {name} has no preset {asked!r}; it has {known}",
            f"did you mean {close}?" if close else f"`mulligan recipes {name}` describes them",
        )
    own = {*BY_NAME, *LENGTHS}
    for word in [*recipe.run, *preset.run]:
        if word not in own:
            layers.problems.add(f"recipe {name} presets the option {word!r}, which there is not")
    for word in set(preset.settings) - set(recipe.Settings.model_fields):
        layers.problems.add(f"preset {asked} of recipe {name} sets {word!r}, which is no knob")
    layers.stack[:0] = [
        Layer("default", f"recipe {name}", dict(recipe.run), f"the default of recipe {name}"),
        Layer("preset", f"preset {asked}", {**preset.settings, **preset.run}, f"preset {asked}"),
    ]
    layers.check_names(recipe.Settings.model_fields, name)


def _settings(
    recipe: type[Recipe], name: str, layers: Layers, data: DataSet | None
) -> tuple[Recipe.Settings | None, dict[str, Value]]:
    """The recipe's settings, once what it prefers for these data lies below the preset."""
    if data and not layers.option("preset").value and (wanted := few(recipe, data)):
        layers.stack.insert(1, wanted)
    if data and layers.option("recipe").value == AUTO and (wanted := told(name, data)):
        layers.stack.insert(1, wanted)
    preferred = recipe.prefers.get(type(data.fields["real"])) if data else None
    if preferred:
        values, reason = {**preferred.settings, **preferred.run}, preferred.note
        layers.stack.insert(1, Layer("default", f"recipe {name}", values, reason))
    return resolve_settings(recipe, layers)


def _check_alone(layers: Layers, choice: Value | None, recipe: type[Recipe] | None) -> None:
    """Check what can be checked when the data or the recipe are missing."""
    for name in BY_NAME:
        if name not in ("size", "channels", "only_label", "recipe", "config"):
            layers.option(name)
    if recipe is None and (choice is None or not catalogue.is_path(choice.value)):
        every = [
            knob.name for name in catalogue.recipe_names() for knob in catalogue.facts(name).knobs
        ]
        layers.check_names(every, "")


def _file_facts(recipe: str) -> dict[str, str] | None:
    if not catalogue.is_path(recipe):
        return None
    path = catalogue.source_of(recipe).resolve()
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _measure(plan: Plan) -> int:
    """Settle what only the machine can say: what is quickest, and what fits into a time.

    Returns how many rounds a tick should have at least.
    """
    from mulligan.engine.calibrate import fit
    from mulligan.engine.needs import settle_memory
    from mulligan.engine.quickest import settle_arithmetic

    settle_memory(plan)
    settle_arithmetic(plan)
    if plan["images"] is not None:
        return 1
    budget = seconds(plan["time"])
    found = fit(plan, budget)
    pace = found.images / budget
    reason = f"{budget:g} s at {pace:,.0f} images/s, measured by a short calibration"
    plan.values["images"] = Value(found.images, plan.values["time"].origin, reason)
    return found.tick
