"""What the documentation shows can be typed, run and followed."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclopts import CycloptsError

import mulligan
from helpers import TINY, play
from mulligan.catalogue import facts, is_path, load_recipe, recipe_names
from mulligan.cli import build_app
from mulligan.cli.tokens import VERBS, tidy
from mulligan.data.names import NAMES
from mulligan.engine.options import BY_NAME
from mulligan.engine.readers import number
from mulligan.syntax import KnobFacts, RecipeFacts

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

MISSING: set[str] = set()
"""Linked files that are not made yet. Empty this set when they are."""

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"^(?:\$ )?(?:torchrun .*-m |\S*/)?mulligan (.+)$")
PLACEHOLDER = re.compile(r"[A-Z]+|\.\.\.")
FILE_NAME = re.compile(r"# (\S+\.py)\n")
PAIR = re.compile(r"(--[a-z-]+)[= ](\S+)")

every_page = pytest.mark.parametrize("page", TEXTS)


def blocks(page: str, language: str) -> list[str]:
    return [code for kind, code in BLOCK.findall(TEXTS[page]) if kind == language]


def words_of(lines: list[str]) -> Iterator[list[str]]:
    """The words after `mulligan` of every line that is a command."""
    for line in lines:
        if found := COMMAND.match(line.strip()):
            yield shlex.split(found[1], comments=True)


def commands() -> Iterator[tuple[str, list[str]]]:
    """(file, words) of every command in the Makefile, in blocks and within a line."""
    yield from (("Makefile", words) for words in words_of(MAKEFILE.splitlines()))
    for page, text in TEXTS.items():
        for block in blocks(page, ""):
            yield from ((page, words) for words in words_of(block.splitlines()))
        for words in words_of(SPAN.findall(BLOCK.sub("", text))):
            if len(words) > 1 or words[0] not in VERBS:  # `mulligan sample` names the verb
                yield page, words


COMMANDS = list(commands())
MODULES = [(page, code) for page in TEXTS for code in blocks(page, "python")]
OWN_FILES = {
    Path(found[1]).name: code
    for _, code in MODULES
    if (found := FILE_NAME.match(code)) and not (ROOT / found[1]).exists()
}
"""Files that the documentation asks a user to write, by name."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The user's files, on the disk."""
    folder = tmp_path_factory.mktemp("own")
    for name, code in OWN_FILES.items():
        (folder / name).write_text(code, encoding="utf-8")
    return {name: folder / name for name in OWN_FILES}


def recipe_facts(recipe: str, written: dict[str, Path]) -> RecipeFacts:
    return facts(str(written[Path(recipe).name]) if is_path(recipe) else recipe)


def default_recipe(data: str) -> str:
    return "gan" if data.startswith(("1d:", "2d:")) else "dcgan"


def check_knob(knob: KnobFacts, value: str) -> None:
    if knob.choices:
        assert value in map(str, knob.choices), f"{knob.flag} {value}"
    elif knob.kind in ("int", "float"):
        given = number(value)
        low = given if knob.low is None else knob.low
        high = given if knob.high is None else knob.high
        assert low <= given <= high, f"{knob.flag} {value} is not {knob.bounds}"
        assert knob.above is None or given > knob.above, f"{knob.flag} {value}"
        assert knob.below is None or given < knob.below, f"{knob.flag} {value}"


def check_training(given: dict[str, Any], written: dict[str, Path]) -> None:
    """Every value can be read, the preset exists, and what is no option is a knob."""
    data, options = given.pop("data"), given.pop("knobs", {})
    known = PLACEHOLDER.fullmatch(data) or data in NAMES or "/" in data or data.endswith(".zip")
    assert known, f"there is no data set {data}"
    recipe = recipe_facts(given.get("recipe") or default_recipe(data), written)
    for name, value in given.items():
        if not PLACEHOLDER.fullmatch(str(value)):
            BY_NAME[name].parse(value)  # raises ValueError
    assert given.get("preset", "") in ["", *recipe.presets]
    knobs = {knob.name: knob for knob in recipe.knobs}
    for name, value in options.items():
        tidied = name.replace("-", "_")
        assert tidied in knobs, f"recipe {recipe.name} has no knob {name}"
        check_knob(knobs[tidied], value)


def test_there_are_commands_to_check() -> None:
    assert {words[0] for _, words in COMMANDS} >= {"train", "resume", "sample", "runs", "recipes"}


@pytest.mark.parametrize(
    ("page", "words"), COMMANDS, ids=[f"{page}: {' '.join(words)}" for page, words in COMMANDS]
)
def test_every_command_parses(page: str, words: list[str], written: dict[str, Path]) -> None:
    if words[0].startswith("--"):
        assert words in (["--help"], ["--version"])
        return
    assert words[0] in VERBS, f"{page}: there is no verb {words[0]}"
    app = build_app()
    if "--help" in words:
        for flag, value in PAIR.findall(" ".join(words)):
            assert flag == "--recipe"
            assert PLACEHOLDER.fullmatch(value) or recipe_facts(value, written)
        return
    try:
        _, bound, _ = app.parse_args(tidy(words), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        pytest.fail(f"{page}: {error}")
    given = dict(bound.arguments)
    if words[0] == "train":
        check_training(given, written)
    elif words[0] == "recipes" and not PLACEHOLDER.fullmatch(given.get("name", "NAME")):
        recipe_facts(given["name"], written)
    assert not given.get("others"), f"{page}: {words[0]} has no option {given.get('others')}"


@every_page
def test_every_link_leads_to_a_file(page: str) -> None:
    for target in LINK.findall(BLOCK.sub("", TEXTS[page])):
        if re.match(r"[a-z]+:|#", target):
            continue
        path = ((ROOT / page).parent / target.partition("#")[0]).resolve()
        assert path.is_relative_to(ROOT), f"{target} leads out of the project"
        assert path.exists() or str(path.relative_to(ROOT)) in MISSING, f"{target} is missing"


@every_page
def test_every_make_target_and_test_file_exists(page: str) -> None:
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([\w-]+)", TEXTS[page], re.MULTILINE)) <= targets
    for file in re.findall(r"`(tests/[\w/]+\.py)`", TEXTS[page]):
        assert (ROOT / file).exists() or "NAME" in file, file


@pytest.mark.parametrize(("page", "code"), MODULES)
def test_python_is_python_and_uses_public_names(page: str, code: str) -> None:
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Attribute) or ast.unparse(node.value) != "mulligan":
            continue
        assert node.attr in mulligan.__all__, f"{page}: mulligan.{node.attr}"


def test_quoted_files_are_quoted_whole() -> None:
    found = [(match[1], code) for _, code in MODULES if (match := FILE_NAME.match(code))]
    quoted = [(file, code) for file, code in found if (ROOT / file).exists()]
    assert quoted
    for file, code in quoted:
        assert code.partition("\n")[2] == (ROOT / file).read_text("utf-8"), file


@pytest.mark.parametrize("file", OWN_FILES)
@pytest.mark.parametrize("kind", ["16x16 grey", "8x12 colour", "2-D points"])
def test_a_users_file_keeps_the_contract(file: str, kind: str, written: dict[str, Path]) -> None:
    import torch

    path = written[file]
    read, cls = facts(str(path)), load_recipe(str(path))
    assert {"Paper", "Departs"} < set(read.sections)
    assert all(knob.sentence for knob in read.knobs)
    torch.manual_seed(0)
    recipe = cls(cls.Settings.model_validate({"width": 4, "latent": 6}), {"real": TINY[kind]})
    noise = recipe.noise(6, torch.Generator().manual_seed(0))
    batch = {"noise": noise, "real": recipe.generate({"noise": noise}).detach().clamp(-0.5, 0.5)}
    assert len(read.sections) == 2 + len(recipe.optimizers())
    for turn in recipe.turns():
        assert all(term.isfinite() for term in play(recipe, turn, batch).values())
        for weight in (p for p in recipe.parameters() if p.requires_grad):
            assert weight.grad is not None


def test_the_readme_lists_every_recipe_and_every_data_set() -> None:
    text = TEXTS["README.md"]
    for name in recipe_names():
        assert f"| `{name}` |" in text
        assert f"(docs/recipes/{name}.md)" in text
    for name in NAMES:
        assert f"| `{name}` |" in text
