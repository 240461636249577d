"""The house as docs/architecture.md draws it: who may import whom, and how long things may be."""

from __future__ import annotations

import ast
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).parent.parent / "src"
ROOT = SOURCE / "mulligan"

# Each room with its modules and the rooms it may import from. A room stands below all rooms that
# may import it, so imports run upwards in this table and downwards in the house. Names end in a
# dot where a whole folder is meant.
ROOMS: dict[str, tuple[tuple[str, ...], set[str]]] = {
    "base": (("errors", "places", "words"), set()),
    "fields": (("fields",), {"base"}),
    "data": (("data.",), {"base", "fields"}),
    "run": (("run", "layout", "disk", "jsonl"), {"base"}),
    "pictures": (("pictures", "plots", "plot_codes", "plot_frame"), set()),
    "screen": (("screen", "screen_panel"), {"base"}),
    "metrics": (("metrics.",), {"base", "fields"}),
    "networks": (("networks.",), {"base", "fields"}),
    "features": (("features.",), {"base", "fields", "data", "networks"}),
    "evaluation": (
        ("evaluation.",),
        {"base", "fields", "data", "run", "pictures", "metrics", "networks", "features"},
    ),
    "report": (
        ("report", "report_page", "report_images", "report_evaluation", "curves", "curve_frame"),
        {"base", "run", "pictures", "evaluation", "metrics"},
    ),
    "eventfiles": (("eventfiles",), {"base", "run", "pictures", "report"}),
    "losses": (("losses",), set()),
    "recipe": (("recipe", "duel"), {"fields", "networks"}),
    "recipes": (("recipes.",), {"fields", "networks", "losses", "recipe"}),
    "catalogue": (("catalogue", "syntax"), {"base", "recipe"}),
    "engine": (
        ("engine.",),
        {
            "base",
            "fields",
            "recipe",
            "catalogue",
            "data",
            "run",
            "pictures",
            "report",
            "screen",
            "features",
            "evaluation",
            "metrics",
            "eventfiles",
        },
    ),
    "samples": (("samples",), {"base", "fields", "pictures"}),
    "model": (("model",), {"base", "fields", "recipe", "run", "samples", "engine"}),
    "api": (("api",), {"base", "run", "screen", "engine"}),
    "appraisal": (
        ("appraisal",),
        {"base", "fields", "data", "run", "evaluation", "metrics", "model"},
    ),
    "comparison": (
        ("comparison", "comparison_page", "comparison_result", "comparison_subject"),
        {
            "base",
            "fields",
            "data",
            "run",
            "pictures",
            "report",
            "evaluation",
            "metrics",
            "model",
            "samples",
            "appraisal",
        },
    ),
    "doctor": (("doctor",), {"base", "data", "engine"}),
    "checkup": (
        ("checkup", "checkup_page"),
        {"base", "fields", "data", "pictures", "report", "evaluation", "engine"},
    ),
    "cli": (
        ("cli", "cli."),
        {
            "base",
            "catalogue",
            "data",
            "run",
            "screen",
            "features",
            "evaluation",
            "engine",
            "model",
            "appraisal",
            "comparison",
            "checkup",
            "doctor",
        },
    ),
    "door": (("__main__",), {"cli"}),
}
PACKAGE = "mulligan"  # the package itself: a version, and the public names fetched when used

PURE = {"__future__", "collections", "dataclasses", "functools", "itertools", "math", "typing"}
"""What recipes and networks may import besides torch: nothing that draws, reads or writes."""

MACHINES = {"device", "cuda", "cpu", "rank", "world", "print", "open", "item", "tolist", "compile"}
"""Names that recipes and networks never use (rule 13)."""

MOST_LINES, MOST_FUNCTION_LINES, MOST_ARGUMENTS = 250, 40, 6
LONGER = {
    "networks.pairs.pair": "one keyword a property of the pair",
    "recipe.knob": "a thin form of pydantic's Field: one keyword a bound",
    "data.dataset.build": "one keyword an entry of the manifest",
    "cli.check.check": "one argument a flag",
    "cli.runs.sample": "one argument a flag",
    "cli.evaluate.evaluate": "one argument a flag",
    "cli.evaluate.compare": "one argument a flag",
}
"""Modules and functions beyond the limits, each with its reason. There is no other list."""


class Import(NamedTuple):
    """One import of a module. lazy: inside a function. typing: for the type checker alone."""

    target: str
    lazy: bool
    typing: bool


def module_name(path: Path) -> str:
    """errors, data.open, cli (for cli/__init__.py); "mulligan" for the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts) or PACKAGE


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def own(target: str) -> str:
    """mulligan.data.open to data.open; anything else as it is, with a leading =."""
    if target == PACKAGE:
        return PACKAGE
    return target.removeprefix(f"{PACKAGE}.") if target.startswith(f"{PACKAGE}.") else f"={target}"


def imports(node: ast.AST, lazy: bool = False, typing: bool = False) -> Iterator[Import]:
    """Every import below a node, wherever it stands."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(own(alias.name), lazy, typing) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports are absolute"
            module = str(child.module)
            for alias in child.names:
                inner = own(f"{module}.{alias.name}")
                yield Import(inner if inner in MODULES else own(module), lazy, typing)
        else:
            function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef))
            guarded = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            yield from imports(child, lazy or function, typing or guarded)


IMPORTS = {name: set(imports(tree)) for name, tree in TREES.items()}


def room_of(module: str) -> str:
    found = [
        room
        for room, (names, _) in ROOMS.items()
        if any(
            module == name or (name[-1] == "." and f"{module}.".startswith(name)) for name in names
        )
    ]
    assert len(found) == 1, f"{module} stands in {found or 'no room'}: place it in ROOMS"
    return found[0]


every_module = pytest.mark.parametrize("module", sorted(set(MODULES) - {PACKAGE}))
every_pure_module = pytest.mark.parametrize(
    "module", [name for name in MODULES if name.startswith(("recipes", "networks", "losses"))]
)


def test_the_table_of_rooms_is_downward() -> None:
    below: set[str] = set()
    for room, (_, allowed) in ROOMS.items():
        assert allowed <= below, f"{room} may import {allowed - below}, which do not stand below it"
        below.add(room)


@every_module
def test_imports_run_downward(module: str) -> None:
    room = room_of(module)
    for entry in IMPORTS[module]:
        if entry.target.startswith("=") or entry.target == PACKAGE:
            continue
        target = room_of(entry.target)
        assert target == room or target in ROOMS[room][1], (
            f"{module} ({room}) imports {entry.target} ({target})"
        )


def test_the_package_imports_nothing_of_its_own_until_a_name_is_used() -> None:
    targets = {entry.target for entry in IMPORTS[PACKAGE] if not entry.typing}
    assert all(target.startswith("=") for target in targets), targets


def test_no_two_modules_import_each_other_while_they_load() -> None:
    graph = {
        name: {entry.target for entry in found if not entry.lazy and not entry.typing}
        & set(MODULES)
        for name, found in IMPORTS.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError and names the cycle


@every_pure_module
def test_recipes_and_networks_import_nothing_but_mathematics(module: str) -> None:
    for entry in IMPORTS[module]:
        if entry.target.startswith("="):
            outside = entry.target[1:].partition(".")[0]
            assert outside == "torch" or outside in PURE, f"{module} imports {outside}"


@pytest.mark.parametrize("recipe", [name for name in MODULES if name.startswith("recipes.")])
def test_no_recipe_builds_on_another(recipe: str) -> None:
    assert not {entry.target for entry in IMPORTS[recipe] if entry.target.startswith("recipes")}


@every_pure_module
def test_recipes_and_networks_know_nothing_of_machines(module: str) -> None:
    for node in ast.walk(TREES[module]):
        words = {
            ast.Name: getattr(node, "id", None),
            ast.Attribute: getattr(node, "attr", None),
            ast.keyword: getattr(node, "arg", None),
            ast.arg: getattr(node, "arg", None),
        }
        word = words.get(type(node))
        assert word not in MACHINES, f"{module}, line {getattr(node, 'lineno', '?')}: {word}"


@every_module
def test_one_module_reads_the_environment(module: str) -> None:
    if module == "places":
        return
    for node in ast.walk(TREES[module]):
        name = getattr(node, "attr", None) or getattr(node, "id", None)
        names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else {name}
        assert not names & {"environ", "environb", "getenv", "getenvb"}, (
            f"{module}, line {getattr(node, 'lineno', '?')}: the environment is read in places.py"
        )


def functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """(module.Class.method, its definition) of every function below a node."""
    for child in ast.iter_child_nodes(node):
        name = prefix
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            name = f"{prefix}.{child.name}"
        if isinstance(child, ast.FunctionDef):
            yield name, child
        yield from functions(child, name)


FUNCTIONS = {
    name: entry for module, tree in TREES.items() for name, entry in functions(tree, module)
}


def lines(module: str) -> int:
    return len(MODULES[module].read_text(encoding="utf-8").splitlines())


def is_long(function: ast.FunctionDef) -> bool:
    given = function.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    counted = [entry for entry in arguments if entry.arg not in ("self", "cls")]
    length = (function.end_lineno or function.lineno) - function.lineno + 1
    return length > MOST_FUNCTION_LINES or len(counted) > MOST_ARGUMENTS


def test_files_and_functions_are_short() -> None:
    files = {module for module in MODULES if lines(module) > MOST_LINES}
    long = {name for name, function in FUNCTIONS.items() if is_long(function)}
    assert files | long <= set(LONGER), "too long: split it, or give the reason in LONGER"


def test_no_exception_has_become_needless() -> None:
    for name, reason in LONGER.items():
        assert len(reason.split()) > 3, name
        needed = is_long(FUNCTIONS[name]) if name in FUNCTIONS else lines(name) > MOST_LINES
        assert needed, f"{name} is short enough now: take it out of LONGER"


@pytest.mark.parametrize("name", ["lsgan", "vae"])
def test_a_system_is_one_file(name: str) -> None:
    """Nothing else in the package knows the system; automatic.py names what `auto` chooses."""
    elsewhere = [
        path.name
        for path in ROOT.rglob("*.py")
        if path.stem != name and re.search(rf"\b{name}\b", path.read_text().lower())
    ]
    assert elsewhere == []
