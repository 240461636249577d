"""What the data decide: the recipe and the augmentation, below presets and flags."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from mulligan.catalogue import load_recipe
from mulligan.data.dataset import DataSet, select_label
from mulligan.data.open import open_data
from mulligan.engine import automatic
from mulligan.engine.plan import make_plan
from mulligan.fields import Image, Label

SMALL = {"device": "cpu", "evaluate_every": 0, "precision": "float32", "threads": 1}


def digits(count: int = 10_000) -> DataSet:
    whole = open_data("digits")
    return replace(whole, arrays={name: array[:count] for name, array in whole.arrays.items()})


def without_labels(data: DataSet) -> DataSet:
    real = {"real": data.arrays["real"]}
    return replace(data, fields={"real": data.fields["real"]}, arrays=real)


def test_labels_choose_a_recipe_that_is_told_them() -> None:
    assert automatic.recipe_for(digits()).value == "cgan"
    assert automatic.recipe_for(without_labels(digits())).value == "r3gan"
    assert automatic.recipe_for(select_label(digits(), "7")).value == "r3gan"
    assert automatic.recipe_for(open_data("2d:ring")).value == "r3gan"


def in_colour(data: DataSet) -> DataSet:
    fields = {**data.fields, "real": Image(3, 28, 28)}
    arrays = {**data.arrays, "real": data.arrays["real"].repeat(1, 3, 1, 1)}
    return replace(data, fields=fields, arrays=arrays)


def test_in_colour_r3gan_is_told_the_classes() -> None:
    colour = in_colour(digits())
    assert automatic.recipe_for(colour).value == "r3gan"
    told = automatic.told("r3gan", colour)
    assert told is not None
    assert told.values == {"labels": True}
    assert "10 classes" in told.reason
    assert automatic.told("cgan", digits()) is None
    for other in (without_labels(colour), in_colour(digits(999)), open_data("2d:ring")):
        assert automatic.told("r3gan", other) is None


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({}, True), ({"labels": False}, False), ({"recipe": "r3gan"}, False)],
)
def test_only_auto_tells_classes(given: dict[str, Any], wanted: bool, tmp_path: Path) -> None:
    """A recipe that was asked for by name stays as its page says."""
    path = tmp_path / "colour.zip"
    draw = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(200):
            held = io.BytesIO()
            Picture.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(held, "PNG")
            archive.writestr(f"{'ab'[number % 2]}/{number}.png", held.getvalue())
    plan = make_plan(str(path), {**given, **SMALL})
    assert plan.settings.model_dump()["labels"] is wanted


def test_classes_of_few_rows_are_no_reason() -> None:
    assert automatic.recipe_for(digits(1000)).value == "cgan"
    assert automatic.recipe_for(digits(999)).value == "r3gan"
    one = replace(digits(), fields={**digits().fields, "label": Label(("all",))})
    assert automatic.recipe_for(one).value == "r3gan"


def test_few_pictures_are_augmented_as_the_recipe_allows() -> None:
    few, many = digits(9_999), digits()
    assert automatic.few(load_recipe("dcgan"), many) is None
    for recipe, wanted in (("dcgan", "adaptive"), ("r3gan", "adaptive"), ("wgan", "on")):
        layer = automatic.few(load_recipe(recipe), few)
        assert layer is not None
        assert layer.values == {"augment": wanted}
        assert "9,999 pictures are few" in layer.reason
    assert automatic.few(load_recipe("vae"), few) is None
    assert automatic.few(load_recipe("gan"), open_data("2d:ring")) is None


@pytest.mark.parametrize(
    ("given", "wanted"),
    [({}, "adaptive"), ({"augment": "off"}, "off"), ({"preset": "classic"}, "off")],
)
def test_presets_and_flags_are_stronger(
    given: dict[str, Any], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mulligan.data import open as opening

    some = digits(700)
    monkeypatch.setattr(opening, "open_data", lambda name, **shape: some)
    plan = make_plan("digits", {"recipe": "dcgan", **given, **SMALL})
    assert plan["augment"] == wanted
    assert torch.equal(plan.data.arrays["real"], some.arrays["real"])
