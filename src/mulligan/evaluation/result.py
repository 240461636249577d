"""What an evaluation found: figures, what zero means, verdicts; as JSON and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mulligan.errors import UsageError
from mulligan.metrics.figure import Figure

SCHEMA = 1


@dataclass(frozen=True)
class Evaluation:
    """The figures of one generator, or folder of images, against real data.

    target: what was evaluated. data: what it was compared with. images: images seen in training,
    None for a folder. figures: of the generated samples. baseline: the same figures of as many
    training images in their place, so that a reader knows what zero means; empty where there are
    no other real rows. notes: what was left out or is doubtful. verdicts: sentences.
    seconds: what it took.
    """

    target: str
    data: str
    images: int | None
    figures: tuple[Figure, ...]
    baseline: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    verdicts: tuple[str, ...] = ()
    seconds: float = 0.0
    schema: int = field(default=SCHEMA)

    def __getitem__(self, name: str) -> Figure:
        """The figure of this name. Raises KeyError with the names that there are."""
        for figure in self.figures:
            if figure.name == name:
                return figure
        raise KeyError(f"{name!r} is none of {', '.join(figure.name for figure in self.figures)}")

    @property
    def extractor(self) -> str:
        """The extractor's name."""
        return str(self.figures[0].stamp.get("extractor", ""))

    def to_json(self) -> dict[str, Any]:
        """A plain object."""
        return {
            "schema": self.schema,
            "target": self.target,
            "data": self.data,
            "images": self.images,
            "figures": [figure.to_json() for figure in self.figures],
            "baseline": [figure.to_json() for figure in self.baseline],
            "notes": list(self.notes),
            "verdicts": list(self.verdicts),
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, entry: Any) -> Evaluation:
        """What `to_json` gave. Raises UsageError for anything else."""
        schema = entry.get("schema") if isinstance(entry, dict) else None
        if schema != SCHEMA:
            raise UsageError(f"this is no evaluation of schema {SCHEMA}; its schema is {schema}")
        try:
            figures, baseline = (
                tuple(Figure.from_json(one) for one in _list(entry[name]))
                for name in ("figures", "baseline")
            )
            notes, verdicts = (tuple(map(str, _list(entry[n]))) for n in ("notes", "verdicts"))
            images = None if entry["images"] is None else int(entry["images"])
            if not figures:
                raise ValueError("it has no figures")
            return cls(
                str(entry["target"]), str(entry["data"]), images, figures, baseline,
                notes, verdicts, float(entry["seconds"]),
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as problem:
            raise UsageError(f"this is no evaluation: {problem!r}") from problem

    def table(self) -> list[list[str]]:
        """Rows of words: figure, value, 95 % interval, the same for real data, rows compared."""
        zero = {figure.name: figure for figure in self.baseline}
        rows = [["figure", "value", "95 % interval", "training images", "real", "generated"]]
        for one in self.figures:
            real = zero.get(one.name)
            rows.append(
                [
                    one.name,
                    number(one.value),
                    f"{number(one.low)} to {number(one.high)}",
                    "" if real is None else number(real.value),
                    f"{one.real_count:,}" if one.real_count else "",
                    f"{one.generated_count:,}",
                ]
            )
        return rows

    def __str__(self) -> str:
        stamp = self.figures[0].stamp
        seen = "" if self.images is None else f" after {self.images:,} images"
        head = [
            f"{self.target}{seen} against {self.data}, split {stamp.get('split')}",
            f"extractor {stamp.get('extractor')} ({str(stamp.get('weights'))[:12]}), resize "
            f"{stamp.get('resize')}, seed {stamp.get('seed')}",
            "",
        ]
        tail = ["", *self.verdicts, *(f"note: {note}" for note in self.notes)]
        return "\n".join([*head, *aligned(self.table()), *(tail if any(tail) else [])])


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def number(value: float) -> str:
    """Four significant digits, without an exponent where it can be read."""
    if 9999.5 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.2e}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table of words as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            word.ljust(width) if place == 0 else word.rjust(width)
            for place, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
