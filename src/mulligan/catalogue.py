"""Recipes by name, without importing torch or pydantic: their files are read, not run.

A recipe is found by its file name in `mulligan/recipes/`, or by a path to a user's own file. Its
header, knobs and presets are taken from the syntax tree; only `load_recipe` runs it.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mulligan.errors import UsageError
from mulligan.syntax import KnobFacts, RecipeFacts, read_recipe

if TYPE_CHECKING:
    from mulligan.recipe import Recipe

__all__ = [
    "KnobFacts",
    "RecipeFacts",
    "facts",
    "is_path",
    "load_recipe",
    "nearest",
    "recipe_names",
    "source_of",
]

HERE = Path(__file__).parent
USERS = "mulligan_user_"
"""Begins the module name of a user's own recipe."""


def recipe_names() -> list[str]:
    """The names of the recipes that come with mulligan, sorted."""
    files = (HERE / "recipes").glob("*.py")
    return sorted(file.stem for file in files if not file.stem.startswith("_"))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one, or None if none comes near."""
    same = {name.lower().replace("_", "-"): name for name in known}
    matches = difflib.get_close_matches(word.lower().replace("_", "-"), same, n=1, cutoff=0.6)
    return same[matches[0]] if matches else None


def is_path(recipe: str) -> bool:
    """Whether these words mean a user's file: they end in .py or contain a separator."""
    return recipe.endswith(".py") or "/" in recipe or os.sep in recipe


def source_of(recipe: str) -> Path:
    """The file of a recipe, by its name or by a path.

    Raises UsageError for an unknown name (with the nearest) and for a path without a file.
    """
    if is_path(recipe):
        path = Path(recipe).expanduser()
        if not path.is_file():
            raise UsageError(f"no recipe file at {recipe}", "give the path of a .py file")
        return path
    names = recipe_names()
    for name in names:
        if name == recipe.lower().replace("-", "_"):
            return HERE / "recipes" / f"{name}.py"
    close = nearest(recipe, names)
    hint = f"did you mean {close}? " if close else ""
    raise UsageError(
        f"unknown recipe {recipe!r}; there are {', '.join(names)}",
        f"{hint}`mulligan recipes` describes them; a file of your own is given as ./my_recipe.py",
    )


def facts(recipe: str) -> RecipeFacts:
    """What a recipe's file says about itself, without running it.

    recipe: a name or the path of a file.
    Raises UsageError for an unknown recipe and for a file that is not Python.
    """
    path = source_of(recipe)
    try:
        return read_recipe(path, (HERE / "recipe.py", HERE / "duel.py"))
    except SyntaxError as error:
        raise UsageError(f"{path}, line {error.lineno}: {error.msg}", "mend the file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8: {error}", "mend the file") from error


def load_recipe(recipe: str) -> type[Recipe]:
    """The recipe's class; this imports its module.

    recipe: a name or the path of a file, which runs with the user's rights.
    Raises UsageError for an unknown name, for an error in the user's file (with its line), and
    unless exactly one Recipe subclass is defined there.
    """
    path = source_of(recipe)
    if is_path(recipe):
        module = _run_file(path)
    else:
        module = importlib.import_module(f"mulligan.recipes.{path.stem}")
    return _only_recipe(module, path)


def _run_file(path: Path) -> ModuleType:
    # the digest keeps two files of one name apart; pydantic looks its annotations up by module
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    name = f"{USERS}{digest}_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        # compiled here: an import would leave a __pycache__ in the user's folder, and could take
        # an old one for a file that was changed within the second
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        sys.modules.pop(name)
        raise UsageError(f"{path}, line {error.lineno}: {error.msg}", "mend the file") from error
    except Exception as error:
        sys.modules.pop(name)
        raise UsageError(
            f"{path}, line {_line_in(path, error)}: {type(error).__name__}: {error}",
            "mend the file; --debug shows the traceback",
        ) from error
    return module


def _line_in(path: Path, error: Exception) -> int | str:
    """The last line of this file that the error passed through."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).name == path.name]
    return next((line for line in reversed(lines) if line), "?")


def _only_recipe(module: ModuleType, path: Path) -> type[Recipe]:
    from mulligan.recipe import Recipe

    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Recipe)
        and value.__module__ == module.__name__
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(cls.__name__ for cls in found) or "none"
    raise UsageError(
        f"{path} must define exactly one subclass of Recipe or Duel; it defines {names}",
        "one system, one file; helpers may be plain functions or modules",
    )
