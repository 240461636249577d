"""What a comparison found: a table, who is best, settings that differ; as text, JSON and a page.

A value is called the best only where its interval lies apart from the others'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL.Image import Image as Picture

from mulligan.disk import replace
from mulligan.errors import UsageError
from mulligan.evaluation.explained import better
from mulligan.evaluation.result import Evaluation, aligned, number
from mulligan.metrics.figure import Figure
from mulligan.report_evaluation import protocol
from mulligan.words import measured

SCHEMA = 1


@dataclass(frozen=True)
class Side:
    """One of those compared.

    picture: its samples of the seed, None where they cannot be drawn. settings: of a run, by name.
    rows: of a run's metrics.
    """

    name: str
    evaluation: Evaluation
    picture: Picture | None = field(default=None, repr=False)
    settings: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def figure(self, name: str) -> Figure | None:
        """The figure of this name, if there is one."""
        return next((one for one in self.evaluation.figures if one.name == name), None)


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. notes: sentences on what is not the same for all."""

    sides: tuple[Side, ...]
    notes: tuple[str, ...] = ()

    @property
    def figures(self) -> list[str]:
        """The names of all figures, in the order of the first side that has them."""
        return list(
            dict.fromkeys(one.name for side in self.sides for one in side.evaluation.figures)
        )

    @property
    def zero(self) -> dict[str, Figure]:
        """What training images would get in place of samples: what zero means."""
        return {one.name: one for one in self.sides[0].evaluation.baseline}

    @property
    def protocol(self) -> str:
        """How all were evaluated, in a line."""
        first = self.sides[0].evaluation
        return f"{rows_compared(first):,} rows of each {protocol(first.figures[0].stamp)}"

    def leaders(self, name: str) -> list[str]:
        """The side with the best value of this figure, and those it cannot be told apart from.

        Empty where neither way is better, or fewer than two sides have the figure.
        """
        found = {side.name: one for side in self.sides if (one := side.figure(name)) is not None}
        sign = {"lower": 1, "higher": -1, "": 0}[better(name)]
        if not sign or len(found) < 2:
            return []
        best = min(found.values(), key=lambda one: sign * one.value)
        return [
            side for side, one in found.items() if one.low <= best.high and best.low <= one.high
        ]

    def verdict(self, name: str) -> str:
        """Who is best in this figure, in words; "" where nobody can be."""
        leaders = self.leaders(name)
        having = sum(side.figure(name) is not None for side in self.sides)
        if len(leaders) < 2:
            return "".join(leaders)
        words = "no difference beyond noise"
        return words if len(leaders) == having else f"{', '.join(leaders)}: {words}"

    def table(self) -> list[list[str]]:
        """Rows of words: a figure each, with a column for each side."""
        rows = [["figure", *(side.name for side in self.sides), "training images", "best"]]
        for name in self.figures:
            found = [side.figure(name) for side in self.sides]
            cells = [measured(one.value, one.low, one.high) if one else "" for one in found]
            zero = self.zero.get(name)
            rows.append([name, *cells, number(zero.value) if zero else "", self.verdict(name)])
        return rows

    def differing(self) -> list[list[Any]]:
        """Settings that are not the same in all runs: the name, then the value of each side that
        is a run; None where a recipe has no such setting."""
        runs = [side.settings for side in self.sides if side.settings]
        names = dict.fromkeys(name for settings in runs for name in settings)
        lines = [[name, *(settings.get(name) for settings in runs)] for name in names]
        return [line for line in lines if any(value != line[1] for value in line[2:])]

    def remarks(self) -> list[str]:
        """Verdicts and notes of the sides, each once with the names of those it is said of, then
        the notes on the comparison."""
        said: dict[str, list[str]] = {}
        for side in self.sides:
            for words in (*side.evaluation.verdicts, *side.evaluation.notes):
                said.setdefault(words, []).append(side.name)
        lines = [f"{', '.join(names)}: {words}" for words, names in said.items()]
        return [*lines, *(f"note: {note}" for note in self.notes)]

    def __str__(self) -> str:
        runs = [side.name for side in self.sides if side.settings]
        lines = [self.protocol, "", *aligned(self.table())]
        if settings := self.differing():
            words = [["setting", *runs], *([_word(value) for value in row] for row in settings)]
            lines += ["", *aligned(words)]
        return "\n".join([*lines, "", *self.remarks()])

    def to_json(self) -> dict[str, Any]:
        """A plain object: the evaluations, who leads in each figure, the settings that differ."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol,
            "evaluations": {side.name: side.evaluation.to_json() for side in self.sides},
            "leaders": {name: self.leaders(name) for name in self.figures},
            "settings": {
                side.name: {row[0]: side.settings.get(row[0]) for row in self.differing()}
                for side in self.sides
                if side.settings
            },
            "notes": list(self.notes),
        }

    def save(self, out: str | Path, force: bool = False) -> Path:
        """Write the page to this .html in one step, and return its path.

        Raises UsageError if it exists without `force`, StorageError if it cannot be written.
        """
        from mulligan.comparison_page import comparison_page

        path = Path(out)
        if path.exists() and not force:
            raise UsageError(f"{path} exists", "choose another name, or add --force")
        content = comparison_page(self).encode("utf-8", "backslashreplace")
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, content)
        return path


def rows_compared(found: Evaluation) -> int:
    """How many rows of each side an evaluation took; some of its figures take fewer."""
    return max(one.generated_count for one in found.figures)


def _word(value: Any) -> str:
    """A setting as one would type it; - for none."""
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value in (None, "") else str(value)
