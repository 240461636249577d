"""What a data set offers and a recipe reads: fields with their shapes, names and scales.

A data set has `fields` such as {"real": Image(1, 28, 28), "label": Label(("0", "1", ...))}.
A recipe's `reads` names the kinds it can take: {"real": (Image, Points)}.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from mulligan.errors import UsageError


@dataclass(frozen=True)
class Field:
    """One entry of a batch. Subclasses say its shape and range."""

    kind: ClassVar[str] = "field"

    def to_json(self) -> dict[str, Any]:
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"kind": self.kind, **plain}


@dataclass(frozen=True)
class Image(Field):
    """uint8 (N, channels, height, width) in the data set, float in [-1, 1] in a batch."""

    kind: ClassVar[str] = "image"
    channels: int
    height: int
    width: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.height, self.width

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    def __str__(self) -> str:
        colours = {1: "grey", 3: "colour", 4: "colour with alpha"}[self.channels]
        return f"{colours} images of {self.height}x{self.width} pixels"


@dataclass(frozen=True)
class Points(Field):
    """float32 (N, dims). In data units in the data set and in samples; divided by `scale`
    in a batch, so that networks see numbers of about one whatever the units are."""

    kind: ClassVar[str] = "points"
    dims: int
    scale: float

    @property
    def shape(self) -> tuple[int]:
        return (self.dims,)

    def __str__(self) -> str:
        return f"points with {self.dims} coordinate{'s' if self.dims > 1 else ''}"


@dataclass(frozen=True)
class Label(Field):
    """int64 (N,): the class, a position in `names`."""

    kind: ClassVar[str] = "label"
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"labels of {len(self.names)} classes"


KINDS: dict[str, type[Field]] = {kind.kind: kind for kind in (Image, Points, Label)}
Fields = dict[str, Field]
Reads = dict[str, tuple[type[Field], ...]]


def class_count(fields: Fields) -> int:
    """The number of classes of the field "label". Raises UsageError if there is none."""
    label = fields.get("label")
    if not isinstance(label, Label):
        raise UsageError(
            "the data have no labels, and this recipe is to be told the class",
            "put each class in a sub-folder of its own, or choose a recipe without labels",
        )
    return len(label.names)


def fields_to_json(fields: Fields) -> dict[str, Any]:
    """The fields as plain JSON, for checkpoints."""
    return {name: field.to_json() for name, field in fields.items()}


def fields_from_json(plain: dict[str, Any]) -> Fields:
    """The fields that `fields_to_json` wrote."""
    fields: Fields = {}
    for name, entry in plain.items():
        values = {key: value for key, value in entry.items() if key != "kind"}
        if "names" in values:
            values["names"] = tuple(values["names"])
        fields[name] = KINDS[entry["kind"]](**values)
    return fields


def misfits(reads: Reads, fields: Fields) -> list[str]:
    """What a recipe reads and these fields do not offer, one sentence each; empty if all fits."""
    problems = []
    for name, kinds in reads.items():
        wanted = " or ".join(kind.kind for kind in kinds)
        if name not in fields:
            problems.append(f"the recipe reads {name!r} ({wanted}), the data have no such field")
        elif not isinstance(fields[name], kinds):
            problems.append(f"the recipe reads {name!r} as {wanted}, the data offer {fields[name]}")
    return problems
