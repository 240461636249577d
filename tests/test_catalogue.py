"""Recipes are read without being run, and what is read is what would be run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mulligan.catalogue import facts, is_path, load_recipe, nearest, recipe_names
from mulligan.engine.options import BY_NAME
from mulligan.errors import UsageError

USER_FILE = '''"""Mine: a claim of my own.

Paper    none, it is a toy.
D        one line
         and another
Departs  nothing.

A paragraph that belongs to no section.
"""
from __future__ import annotations

from typing import ClassVar, Literal

from mulligan import Duel, Preset, knob


def helper():
    return 1


class Mine(Duel):
    class Settings(Duel.Settings):
        penalty: float = knob(10.0, "weight of the penalty", low=0, below=100, role="penalty")
        mode: Literal["soft", "hard"] = knob("soft", "how hard " "it is")
        width: int = 7

    presets: ClassVar[dict[str, Preset]] = {"small": Preset("for " "tests", {"width": 2})}
'''


@pytest.fixture
def user_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(USER_FILE)
    return path


@pytest.mark.parametrize("name", recipe_names())
def test_what_is_read_is_what_would_run(name: str) -> None:
    found, cls = facts(name), load_recipe(name)
    fields = cls.Settings.model_fields
    assert [knob.name for knob in found.knobs] == list(fields)
    for knob in found.knobs:
        entry = fields[knob.name]
        assert knob.default == entry.default, knob.name
        assert knob.sentence == entry.description, knob.name
        limits = {type(limit).__name__: next(iter(vars_of(limit))) for limit in entry.metadata}
        assert limits == {
            word: value
            for word, value in zip(
                ("Ge", "Le", "Gt", "Lt"), (knob.low, knob.high, knob.above, knob.below), strict=True
            )
            if value is not None
        }, knob.name
    assert found.presets == {name: preset.note for name, preset in cls.presets.items()}


def vars_of(limit: object) -> list[float]:
    """The one number of an annotated bound."""
    return [getattr(limit, word) for word in ("ge", "le", "gt", "lt") if hasattr(limit, word)]


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_has_its_header_and_no_knob_named_like_an_option(name: str) -> None:
    found = facts(name)
    assert found.claim.endswith(".")
    assert {"Paper", "Departs"} <= set(found.sections)
    assert all(knob.sentence for knob in found.knobs)
    assert not {knob.name for knob in found.knobs} & set(BY_NAME)


@pytest.mark.parametrize("name", recipe_names())
def test_every_preset_sets_knobs_and_options_that_exist(name: str) -> None:
    cls = load_recipe(name)
    for preset in cls.presets.values():
        cls.Settings(**preset.settings)  # forbids unknown names
        assert set(preset.run) <= {*BY_NAME, "rounds", "epochs"}
    assert set(cls.run) <= {*BY_NAME, "rounds", "epochs"}


def test_a_header_is_cut_at_its_left_column_words(user_file: Path) -> None:
    found = facts(str(user_file))
    assert found.claim == "Mine: a claim of my own."
    assert found.sections == {
        "Paper": "none, it is a toy.",
        "D": "one line\nand another",
        "Departs": "nothing.",
    }


def test_own_and_inherited_knobs_of_a_users_file(user_file: Path) -> None:
    knobs = {knob.name: knob for knob in facts(str(user_file)).knobs}
    assert knobs["penalty"].bounds == "at least 0 and below 100"
    assert knobs["penalty"].role == "penalty"
    assert knobs["mode"].choices == ("soft", "hard")
    assert knobs["mode"].sentence == "how hard it is"
    assert knobs["rate"].default == 2e-4
    assert (knobs["width"].default, knobs["width"].low) == (7, None)
    assert "widest" in knobs["width"].sentence
    assert facts(str(user_file)).presets == {"small": "for tests"}


def test_a_users_file_is_loaded_and_holds_exactly_one_recipe(user_file: Path) -> None:
    assert load_recipe(str(user_file)).__name__ == "Mine"
    assert [path.name for path in user_file.parent.iterdir()] == ["mine.py"]  # no __pycache__
    user_file.write_text(USER_FILE + "\n\nclass Other(Duel):\n    pass\n")
    with pytest.raises(UsageError, match=r"exactly one subclass.*Mine, Other"):
        load_recipe(str(user_file))
    user_file.write_text("from mulligan import Duel\n")
    with pytest.raises(UsageError, match="it defines none"):
        load_recipe(str(user_file))


def test_errors_in_a_users_file_come_with_their_line(user_file: Path) -> None:
    user_file.write_text("import math\n\n\ndef f():\n    return 1 / 0\n\n\nf()\n")
    with pytest.raises(UsageError, match=r"mine.py, line 5: ZeroDivisionError"):
        load_recipe(str(user_file))
    user_file.write_text("x = 1\nclass Broken(:\n")
    for reads in (load_recipe, facts):
        with pytest.raises(UsageError, match=r"mine.py, line 2: "):
            reads(str(user_file))


def test_a_file_without_header_is_fine_for_users(user_file: Path) -> None:
    user_file.write_text("from mulligan import Duel\n\nclass Bare(Duel):\n    pass\n")
    found = facts(str(user_file))
    assert (found.claim, found.sections) == ("", {})
    assert "latent" in {knob.name for knob in found.knobs}


@pytest.mark.parametrize(
    ("word", "meant"), [("dcgn", "dcgan"), ("LSGANN", "lsgan"), ("vea", "vae")]
)
def test_an_unknown_recipe_gives_the_nearest_and_the_list(word: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_recipe(word)
    assert f"did you mean {meant}?" in caught.value.suggestion
    assert all(name in caught.value.message for name in recipe_names())


def test_a_word_far_from_all_has_no_nearest() -> None:
    assert nearest("zzzzzz", recipe_names()) is None
    assert nearest("critic-step", ["critic_steps", "rate"]) == "critic_steps"


def test_paths_are_told_from_names(tmp_path: Path) -> None:
    assert is_path("my_gan.py")
    assert is_path("./gan")
    assert not is_path("gan")
    with pytest.raises(UsageError, match="no recipe file at"):
        load_recipe(str(tmp_path / "none.py"))


def test_reading_imports_nothing_heavy() -> None:
    code = (
        "import sys; from mulligan.catalogue import *; [facts(name) for name in recipe_names()];"
        "print([m for m in ('torch', 'pydantic', 'numpy', 'PIL', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
