"""What a recipe file says about itself, read from its syntax tree: header, knobs, presets.

Running a recipe imports torch, which takes a second or more; reading it takes a millisecond.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECTION = re.compile(r"^([A-Za-z]\S*(?: \S+)?)\s{2,}(\S.*)$")
BASES = ("Recipe", "Duel")
NUMBERS = ("low", "high", "above", "below")


@dataclass(frozen=True)
class KnobFacts:
    """One setting of a recipe: low and high are inclusive bounds, above and below exclusive."""

    name: str
    kind: str
    default: Any
    sentence: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    role: str | None = None
    choices: tuple[Any, ...] = ()

    @property
    def flag(self) -> str:
        """As typed on the command line: critic_steps is --critic-steps."""
        return "--" + self.name.replace("_", "-")

    @property
    def bounds(self) -> str:
        """What values are allowed, in words; empty if anything of its kind is."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        words = {"low": "at least", "above": "above", "high": "at most", "below": "below"}
        parts = [
            f"{word} {getattr(self, name):g}"
            for name, word in words.items()
            if getattr(self, name) is not None
        ]
        return " and ".join(parts)


@dataclass(frozen=True)
class RecipeFacts:
    """A recipe's header and settings.

    claim: the header's first paragraph. sections: its left-column words
    ("Paper", "D", "G", "Departs") with their text. presets: name -> where it comes from.
    """

    name: str
    path: Path
    claim: str
    header: str
    sections: dict[str, str]
    knobs: tuple[KnobFacts, ...]
    presets: dict[str, str] = field(default_factory=dict)


def read_recipe(path: Path, contract: Sequence[Path]) -> RecipeFacts:
    """The facts of one recipe file.

    contract: the files of Recipe and Duel, whose knobs are inherited.
    Raises SyntaxError for a file that is not Python.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    header = ast.get_docstring(tree) or ""
    recipe = next((cls for cls in _classes(tree) if set(_bases(cls)) & set(BASES)), None)
    above = ast.Module([], [])
    for file in contract:
        above.body += ast.parse(file.read_text(encoding="utf-8")).body
    parents, names = {cls.name: cls for cls in _classes(above)}, _aliases(above)
    knobs: dict[str, KnobFacts] = {}
    presets: dict[str, str] = {}
    if recipe is not None:
        for cls in [*_lineage(recipe, parents), recipe]:
            knobs.update({knob.name: knob for knob in _knobs(cls, knobs, names)})
        presets = _presets(recipe)
    claim = header.split("\n\n")[0].replace("\n", " ") if header else ""
    return RecipeFacts(
        path.stem, path, claim, header, _sections(header), tuple(knobs.values()), presets
    )


def _sections(header: str) -> dict[str, str]:
    """The left-column words of a header, each with its text; a continuation is indented."""
    sections: dict[str, str] = {}
    word = None
    for line in header.splitlines():
        start = SECTION.match(line)
        if start:
            word = start[1]
            sections[word] = start[2].strip()
        elif word and line.startswith(" "):
            sections[word] += "\n" + line.strip()
        else:
            word = None
    return sections


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in tree.body if isinstance(node, ast.ClassDef)]


def _aliases(tree: ast.Module) -> dict[str, ast.expr]:
    """Names given to types at the top of a module: Body = Literal[...]."""
    return {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _bases(cls: ast.ClassDef) -> list[str]:
    """The last word of each base: mulligan.Duel and Duel are the same."""
    return [ast.unparse(base).rsplit(".", 1)[-1] for base in cls.bases]


def _lineage(cls: ast.ClassDef, known: dict[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """The known classes above this one, the topmost first."""
    above: list[ast.ClassDef] = []
    for name in _bases(cls):
        if name in known:
            above += [*_lineage(known[name], known), known[name]]
    return above


def _knobs(
    cls: ast.ClassDef, inherited: dict[str, KnobFacts], names: dict[str, ast.expr]
) -> Iterator[KnobFacts]:
    settings = [
        node for node in cls.body if isinstance(node, ast.ClassDef) and node.name == "Settings"
    ]
    for node in (line for block in settings for line in block.body):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        if node.target.id == "model_config" or "ClassVar" in ast.unparse(node.annotation):
            continue
        annotation = names.get(ast.unparse(node.annotation), node.annotation)
        yield _knob(node.target.id, annotation, node.value, inherited)


def _knob(
    name: str, annotation: ast.expr, value: ast.expr | None, inherited: dict[str, KnobFacts]
) -> KnobFacts:
    kind, choices = ast.unparse(annotation), _choices(annotation)
    if not (isinstance(value, ast.Call) and ast.unparse(value.func).endswith("knob")):
        # `latent: int = 100` in a subclass replaces the whole field, bounds and all
        older = inherited.get(name)
        sentence = older.sentence if older else ""
        return KnobFacts(name, kind, _value(value), sentence, choices=choices)
    words = {entry.arg: _value(entry.value) for entry in value.keywords if entry.arg}
    given = [_value(entry) for entry in value.args]
    default = given[0] if given else words.get("default")
    sentence = given[1] if len(given) > 1 else words.get("sentence", "")
    bounds = {word: words.get(word) for word in NUMBERS}
    return KnobFacts(
        name, kind, default, str(sentence), role=words.get("role"), choices=choices, **bounds
    )


def _choices(annotation: ast.expr) -> tuple[Any, ...]:
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("Literal"):
        inner = annotation.slice
        entries = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        return tuple(_value(entry) for entry in entries)
    return ()


def _presets(cls: ast.ClassDef) -> dict[str, str]:
    for node in cls.body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if ast.unparse(target) == "presets" and isinstance(node.value, ast.Dict):
            pairs = zip(node.value.keys, node.value.values, strict=True)
            return {str(_value(key)): _note(value) for key, value in pairs}
    return {}


def _note(preset: ast.expr) -> str:
    if not isinstance(preset, ast.Call):
        return ""
    words = {entry.arg: entry.value for entry in preset.keywords}
    note = preset.args[0] if preset.args else words.get("note")
    return str(_value(note)) if note is not None else ""


def _value(node: ast.expr | None) -> Any:
    """The literal, or the source text of an expression that is not one."""
    if node is None:
        return None
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
