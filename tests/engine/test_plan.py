"""A plan says where each value comes from, and refuses what does not fit, all at once."""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from mulligan.engine.plan import Plan, make_plan
from mulligan.errors import DataError, MulliganError, UsageError

RECIPE = '''"""Four: a recipe with everything that a plan looks at."""
from typing import ClassVar, Literal

from mulligan import Duel, Preset, knob


class Four(Duel):
    class Settings(Duel.Settings):
        penalty: float = knob(10.0, "weight of the penalty", low=0)
        steps: int = knob(5, "critic updates", low=1, high=9)
        order: Literal[1, 2] = knob(1, "order of the norm")
        mixed: bool = knob(False, "mix them")

    run: ClassVar[dict] = {"batch": 48, "images": "48k", "pieces": 2}
    presets: ClassVar[dict[str, Preset]] = {
        "paper": Preset(
            "for tests",
            settings={"penalty": 5.0, "steps": 2},
            run={"batch": 30, "rounds": 100, "held_out": 0, "tick": 7},
        ),
        "long": Preset("epochs", run={"epochs": 2}),
        "broken": Preset("x", settings={"penalti": 1}, run={"bach": 2}),
    }
'''


@pytest.fixture
def four(tmp_path: Path) -> str:
    path = tmp_path / "four.py"
    path.write_text(RECIPE)
    return str(path)


def lines(caught: Any) -> str:
    return str(caught.value)


def write(path: Path, **values: Any) -> Path:
    path.write_text(tomli_w.dumps(values))
    return path


def test_defaults_for_images_and_points_have_reasons() -> None:
    plan = make_plan("digits", {})
    assert (plan.recipe_name, plan["batch"], plan["images"]) == ("cgan", 64, 400_000)
    assert (plan["size"], plan["channels"], plan["held_out"]) == ("28x28", 1, 0.05)
    assert plan["save_every"] == 4
    assert 36 <= math.ceil(6250 / plan["tick"]) <= 44
    assert -6250 % plan["tick"] <= 0.02 * plan["tick"]  # the last tick is as long as the others
    assert all(entry.origin == "default" for entry in plan.values.values())
    assert all(entry.reason for entry in plan.values.values())
    points = make_plan("2d:ring", {})
    assert (points.recipe_name, points["size"], points["channels"]) == ("r3gan", None, None)


def test_values_hold_every_option_and_every_knob() -> None:
    from mulligan.engine.options import BY_NAME

    plan = make_plan("2d:ring", {"recipe": "lsgan"})
    assert set(plan.values) == {*BY_NAME, *plan.recipe.Settings.model_fields}
    assert not {"force", "dry_run", "config", "debug", "name", "runs_dir"} & set(plan.stored())


@pytest.mark.parametrize("key", ["batch", "tick", "held_out", "images", "penalty", "steps"])
@pytest.mark.parametrize("top", ["default", "preset", "config", "flag"])
def test_precedence_is_default_preset_config_flag(
    four: str, tmp_path: Path, key: str, top: str
) -> None:
    in_layers: dict[str, dict[str, Any]] = {
        "config": {
            "batch": 20,
            "tick": 8,
            "held_out": 0.2,
            "images": 500,
            "penalty": 3,
            "steps": 3,
        },
        "flag": {
            "batch": "10",
            "tick": "9",
            "held_out": "0.3",
            "images": "600",
            "penalty": "2",
            "steps": "4",
        },
        "default": {"batch": 48, "tick": 25, "held_out": 0.05, "images": 48_000},
        "preset": {"batch": 30, "tick": 7, "held_out": 0, "images": 3000},
    }
    in_layers["default"] |= {"penalty": 10, "steps": 5}
    in_layers["preset"] |= {"penalty": 5, "steps": 2}
    above = ["default", "preset", "config", "flag"]
    used = above[: above.index(top) + 1]
    given: dict[str, Any] = {"recipe": four}
    if "preset" in used:
        given["preset"] = "paper"
    if "flag" in used:
        given[key] = in_layers["flag"][key]
    config = write(tmp_path / "c.toml", **{key: in_layers["config"][key]})
    plan = make_plan("2d:ring", given, config=config if "config" in used else None)
    assert plan[key] == pytest.approx(float(in_layers[top][key]))
    assert plan.values[key].origin == top
    if key in ("penalty", "steps"):
        assert getattr(plan.settings, key) == plan[key]


def test_lengths_in_rounds_and_epochs_become_images(four: str) -> None:
    assert make_plan("2d:ring", {"recipe": four, "preset": "paper"})["images"] == 3000
    rounds = make_plan("2d:ring", {"recipe": four, "preset": "paper", "batch": 10})
    assert rounds["images"] == 1000
    epochs = make_plan("2d:ring", {"recipe": four, "preset": "long", "held_out": 0})
    assert epochs["images"] == 200_000
    assert epochs.values["images"].origin == "preset"


def test_a_flag_on_length_overrules_a_weaker_layer(four: str, tmp_path: Path) -> None:
    timed = write(tmp_path / "t.toml", time="1h")
    plan = make_plan("2d:ring", {"recipe": four, "images": 100}, config=timed)
    assert (plan["images"], plan["time"]) == (100, "")


def test_time_becomes_images_once(four: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mulligan.engine import calibrate

    def measured(plan: Plan, seconds: float) -> calibrate.Fit:
        assert plan["batch"] == 48
        return calibrate.Fit(round(seconds * 20), 1)

    monkeypatch.setattr(calibrate, "fit", measured)
    plan = make_plan("2d:ring", {"recipe": four, "time": "1m"})
    assert plan["images"] == 1200
    assert plan.values["images"].origin == "flag"
    assert plan.values["images"].reason.startswith("60 s at 20 images/s")
    assert plan["tick"] == 1  # 25 rounds


def test_python_values_strings_and_dashes_mean_the_same(four: str) -> None:
    typed = {"recipe": four, "held-out": "0.1", "order": "2", "mixed": "true", "steps": "3"}
    meant = {"recipe": four, "held_out": 0.1, "order": 2, "mixed": True, "steps": 3}
    plans = [make_plan("2d:ring", words) for words in (typed, meant)]
    assert plans[0].stored() == plans[1].stored()
    assert plans[0]["order"] == 2


def test_a_users_file_is_named_and_pinned(four: str) -> None:
    plan = make_plan("2d:ring", {"recipe": four})
    assert plan.recipe_name == "four"
    assert plan.recipe_file is not None
    assert Path(plan.recipe_file["path"]).is_absolute()
    assert len(plan.recipe_file["sha256"]) == 64


def stored_as_file(plan: Plan, path: Path) -> bytes:
    """config.toml as a run writes it: three tables, None left out."""
    kept = {name: entry for name, entry in plan.stored().items() if entry["value"] is not None}
    tables = {
        table + ("s" if table == "value" else ""): {name: kept[name][table] for name in kept}
        for table in ("value", "origin", "reason")
    }
    path.write_text(tomli_w.dumps(tables))
    return path.read_bytes()


@pytest.mark.parametrize("data", ["digits", "2d:ring"])
def test_a_runs_own_config_gives_the_same_run(data: str, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("1.toml", "2.toml", "3.toml"))
    given = {"recipe": "lsgan", "rate": "1e-3", "images": "2k", "name": "x"}
    stored_as_file(make_plan(data, given), first)
    again = make_plan(data, {}, config=first)
    assert {entry.origin for name, entry in again.values.items() if name in again.stored()} <= {
        "config",
        "default",
    }
    assert again.values["rate"].origin == "config"
    stored_as_file(again, second)
    values = [tomllib.loads(path.read_text())["values"] for path in (first, second)]
    assert values[0] == values[1]
    assert [type(value) for value in values[0].values()] == [
        type(value) for value in values[1].values()
    ]
    assert stored_as_file(make_plan(data, {"config": str(second)}), third) == second.read_bytes()


def test_a_timed_runs_config_keeps_its_images(tmp_path: Path) -> None:
    config = write(tmp_path / "c.toml", values={"images": 640, "time": "60s"})
    plan = make_plan("2d:ring", {}, config=config)
    assert (plan["images"], plan["time"]) == (640, "60s")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"penalti": 3}, "unknown option penalti.*did you mean penalty"),
        ({"data": "digits"}, "`data` cannot stand in"),
        ({"force": True}, "`force` cannot stand in.*--force"),
        ({"steps": 99}, "steps = 99 in .*too high: it must be at most 9"),
        ({"images": 5, "time": "1m"}, "both say how long"),
        ({"seed": 1, "values": {"seed": 2}}, "`seed` stands twice"),
    ],
)
def test_wrong_config_files(four: str, tmp_path: Path, values: Any, complaint: str) -> None:
    config = write(tmp_path / "c.toml", **values)
    with pytest.raises(UsageError) as caught:
        make_plan("2d:ring", {"recipe": four}, config=config)
    assert re.search(complaint, lines(caught), re.DOTALL), lines(caught)


def test_config_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*none.toml"):
        make_plan("2d:ring", {"config": tmp_path / "none.toml"})
    bad = tmp_path / "bad.toml"
    bad.write_text("a = = 1")
    with pytest.raises(UsageError, match="is not TOML"):
        make_plan("2d:ring", {}, config=bad)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"penalty": "-3"}, "--penalty -3 is too low: it must be at least 0"),
        ({"steps": "10"}, "--steps 10 is too high: it must be at most 9"),
        ({"rate": "0"}, "--rate 0 is too low: it must be above 0"),
        ({"beta1": 1}, "--beta1 1 is too high: it must be below 1"),
        ({"steps": "2.5"}, "--steps 2.5 is not a whole number"),
        ({"penalty": "much"}, "--penalty much is not a number"),
        ({"penalty": "inf"}, "--penalty inf is not a finite number"),
        ({"mixed": "perhaps"}, "--mixed perhaps is not true or false"),
        ({"order": "3"}, "--order 3 is none of 1, 2"),
        ({"body": "mpl"}, "--body mpl is none of auto, mlp.*did you mean mlp"),
        ({"critic-stps": 1}, "unknown option --critic-stps: recipe four has no such knob"),
        ({"batch_size": 1}, "unknown option --batch-size.*did you mean --batch"),
        ({"preset": "papre"}, "no preset 'papre'; it has paper, long, broken.*did you mean paper"),
        ({"images": 10, "time": 5}, "--images 10 and --time 5 both say how long"),
        ({"batch": 65_536, "only_label": "0"}, "is more than the .* training rows"),
        ({"batch": 4, "pieces": 5}, "--pieces 5 is more than the batch of 4"),
        ({"device": "cuda:77"}, "this machine has . usable CUDA GPUs"),
        ({"size": "x"}, "--size x is no size"),
    ],
)
def test_wrong_values_are_one_line_each(four: str, given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(MulliganError) as caught:
        make_plan("2d:ring", {"recipe": four, **given})
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    assert re.search(complaint, lines(caught), re.DOTALL), lines(caught)


def test_broken_presets_of_a_users_recipe_are_named(four: str) -> None:
    with pytest.raises(UsageError, match=r"(?s)presets the option 'bach'.*sets 'penalti'"):
        make_plan("2d:ring", {"recipe": four, "preset": "broken"})


def test_all_problems_come_at_once(four: str) -> None:
    given = {"recipe": four, "penalty": -1, "batch": "x", "penalti": 2, "seed": -4, "size": "q"}
    with pytest.raises(UsageError) as caught:
        make_plan("no-such-folder", given)
    text = lines(caught)
    assert text.startswith("6 problems:\n")
    for part in ("no-such-folder", "--penalty -1", "--batch x", "--penalti", "--seed -4", "--size"):
        assert part in text
    assert len(text.splitlines()) == 7


def test_an_unknown_recipe_and_knob_are_both_named() -> None:
    with pytest.raises(UsageError, match=r"(?s)2 problems.*'dcgn'.*--latnt.*did you mean --latent"):
        make_plan("2d:ring", {"recipe": "dcgn", "latnt": 3})


def test_missing_data_alone_are_a_data_error() -> None:
    with pytest.raises(DataError, match="did you mean digits"):
        make_plan("digts", {})


def test_data_that_do_not_fit_name_those_that_would(tmp_path: Path) -> None:
    path = tmp_path / "images_only.py"
    path.write_text(
        "from mulligan import Duel\nfrom mulligan.fields import Image\n\n"
        "class Pictures(Duel):\n    reads = {'real': (Image,)}\n"
    )
    with pytest.raises(DataError) as caught:
        make_plan("2d:ring", {"recipe": str(path)})
    assert "points" in caught.value.message
    assert "digits" in caught.value.suggestion
    assert "2d:" not in caught.value.suggestion


def test_the_batch_shrinks_to_small_data_and_says_so(four: str, tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "few"
    folder.mkdir()
    for index in range(10):
        Image.new("L", (16, 16), 20 * index).save(folder / f"{index}.png")
    plan = make_plan(str(folder), {"recipe": four, "body": "mlp", "pieces": 1})
    assert plan["batch"] == 10  # int(0.05 * 10) rows are held out: none
    assert "fewer than 48" in plan.values["batch"].reason


def test_a_size_that_the_networks_refuse_is_refused_in_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "square.py"
    path.write_text(
        "from mulligan import Duel\n\nclass Square(Duel):\n    def networks(self):\n"
        "        raise ValueError('28 is not a power of two')\n"
    )
    with pytest.raises(UsageError, match="does not fit these data: 28 is not a power of two"):
        make_plan("digits", {"recipe": str(path)})


@pytest.mark.parametrize(
    ("extractor", "asked", "patience"),
    [("digits", "auto", 10), ("random", "auto", 0), ("random", "4", 4)],
)
def test_an_untrained_extractor_ends_no_run_unless_asked_to(
    extractor: str, asked: str, patience: int
) -> None:
    plan = make_plan("digits", {"extractor": extractor, "patience": asked})
    assert plan["patience"] == patience
