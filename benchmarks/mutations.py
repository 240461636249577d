"""Does every term of every recipe have a test that notices when it is wrong?

Rewrites one summand of one loss at a time (its sign, its factor, its presence, the numbers and
minus signs inside it), runs that recipe's own tests on the mutant and prints one table. A mutant
that survives is a term that nobody checks: exit status 1.

    python benchmarks/mutations.py [RECIPE ...]        writes docs/results/mutations.md
"""

from __future__ import annotations

import argparse
import ast
import copy
import io
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from reporting import hardware, write_page

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "src" / "mulligan" / "recipes"
TESTS = ROOT / "tests" / "recipes"


@dataclass(frozen=True)
class Mutant:
    """A recipe's syntax tree with one change in one term."""

    term: str
    change: str
    tree: ast.Module


def losses(tree: ast.Module) -> Iterator[tuple[str, ast.Dict]]:
    """(name of the method, dict literal of terms) of every loss in a recipe's syntax tree."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and _returns_terms(function):
            for node in ast.walk(function):
                if isinstance(node, (ast.Return, ast.Assign)) and isinstance(node.value, ast.Dict):
                    yield function.name, node.value


def _returns_terms(function: ast.FunctionDef) -> bool:
    return isinstance(function.returns, ast.Name) and function.returns.id == "Terms"


def _locals(tree: ast.Module) -> Iterator[tuple[str, ast.Assign]]:
    """(label, assignment) of every formula that a loss computes ahead of its terms."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef) and _returns_terms(function):
            for node in ast.walk(function):
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    yield f"{function.name}, {node.targets[0].id}", node


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a recipe's source."""
    tree = ast.parse(source)
    for at, (method, terms) in enumerate(losses(tree)):
        for index, key in enumerate(terms.keys):
            label = f"{method}, {ast.literal_eval(key) if key else '**'}"
            for change in ("negated", "doubled", "dropped"):
                mutant = copy.deepcopy(tree)
                _, changed = list(losses(mutant))[at]
                changed.values[index] = _whole(change, changed.values[index])
                yield Mutant(label, change, mutant)
            for number in range(len(_inner(terms.values[index]))):
                mutant = copy.deepcopy(tree)
                _, changed = list(losses(mutant))[at]
                yield Mutant(label, _damage(_inner(changed.values[index])[number]), mutant)
    for at, (label, assignment) in enumerate(_locals(tree)):
        for number in range(len(_inner(assignment.value))):
            mutant = copy.deepcopy(tree)
            _, line = list(_locals(mutant))[at]
            yield Mutant(label, _damage(_inner(line.value)[number]), mutant)


def _whole(change: str, value: ast.expr) -> ast.expr:
    factor = {"negated": -1.0, "doubled": 2.0, "dropped": 0.0}[change]
    return ast.BinOp(ast.Constant(factor), ast.Mult(), value)


def _inner(value: ast.expr) -> list[ast.expr]:
    """The minus signs, plus signs and numbers inside a term (axes are not among them)."""
    axes = {id(word.value) for word in ast.walk(value) if isinstance(word, ast.keyword)}
    axes |= {id(arg) for call in ast.walk(value) for arg in _method_arguments(call)}
    return [
        node
        for node in ast.walk(value)
        if isinstance(node, ast.expr)
        and id(node) not in axes
        and (
            (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub))
            or (isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)))
            or (isinstance(node, ast.Constant) and isinstance(node.value, (int, float)))
        )
        and not (isinstance(node, ast.Constant) and isinstance(node.value, bool))
    ]


def _method_arguments(node: ast.AST) -> list[ast.expr]:
    plain = ("flatten", "chunk", "sum", "mean", "get")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.args if node.func.attr in plain else []
    return []


def _damage(node: ast.expr) -> str:
    """Change the node in place; returns what was done, in words."""
    before = ast.unparse(node)
    if isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
    elif isinstance(node, ast.BinOp):
        node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
    elif isinstance(node, ast.Constant):
        assert isinstance(node.value, (int, float))
        node.value = 2 * node.value + 1
    return f"{before} -> {ast.unparse(node)}"


def survives(name: str, mutant: Mutant) -> bool:
    """Whether the recipe's tests pass on the mutant, in a child process of their own."""
    child = os.fork()  # torch is already imported here: a mutant costs its tests and no more
    if child == 0:
        os._exit(0 if _passes(name, mutant) else 1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def _passes(name: str, mutant: Mutant) -> bool:
    import pytest

    module = ModuleType(f"mulligan.recipes.{name}")
    sys.modules[module.__name__] = module
    code = compile(ast.fix_missing_locations(mutant.tree), f"{name}.py", "exec")
    exec(code, module.__dict__)
    with redirect_stdout(io.StringIO()):
        file = str(TESTS / f"test_{name}.py")
        return pytest.main(["-x", "-q", "-p", "no:cacheprovider", file]) == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="mutation test of every recipe's loss terms")
    parser.add_argument(
        "recipes", nargs="*", help="names; all that have tests of their own if none"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/mutations.md")
    options = parser.parse_args()
    names = options.recipes or sorted(
        path.stem for path in RECIPES.glob("*.py") if (TESTS / f"test_{path.stem}.py").exists()
    )
    import torch

    import mulligan.recipe  # noqa: F401  (imported once, before the forks)

    torch.set_num_threads(1)
    os.chdir(ROOT)
    survivors: list[str] = []
    lines = ["| recipe | terms | mutants | killed |", "| --- | --- | --- | --- |"]
    for name in names:
        source = (RECIPES / f"{name}.py").read_text(encoding="utf-8")
        made = list(mutants(source))
        alive = [mutant for mutant in made if survives(name, mutant)]
        survivors += [f"{name}: {mutant.term}: {mutant.change}" for mutant in alive]
        terms = sum(len(found.keys) for _, found in losses(ast.parse(source)))
        lines.append(f"| {name} | {terms} | {len(made)} | {len(made) - len(alive)} |")
        print(lines[-1], flush=True)
    for survivor in survivors:
        print(f"survived: {survivor}")
    write_page(options.out, "Mutations", __doc__ or "", [*lines, "", hardware()])
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
