"""Which column of a table holds the pictures, which one the classes, and what these are called."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from mulligan.data.labelling import CLASS_COLUMNS
from mulligan.errors import DataError

IMAGE_COLUMNS = (
    *("image", "images", "img", "picture", "photo", "pixels"),
    *("png", "jpg", "jpeg", "webp", "image_bytes", "bytes", "content", "data"),
)

MOST_WORD = 1 << 16  # bytes of a class in words


@dataclass(frozen=True)
class Columns:
    """The columns that are read.

    within: the field of the picture's column that holds its bytes, "" if the column itself does.
    names: what whole numbers stand for, where the table says so. others: columns that could be the
    classes as well.
    """

    picture: str
    within: str
    label: str | None
    names: tuple[str, ...] | None
    others: tuple[str, ...] = ()

    @property
    def wanted(self) -> list[str]:
        """The parts of a file to be read; nothing else is."""
        picture = f"{self.picture}.{self.within}" if self.within else self.picture
        return [picture] if self.label is None else [picture, self.label]


def arrow(module: str = "pyarrow") -> Any:
    """The library that reads tables, or a part of it. Raises DataError if it is not there."""
    try:
        return import_module(module)
    except ImportError as problem:
        raise DataError(
            f"tables of pictures need the package pyarrow: {problem}",
            "pip install 'mulligan[parquet]'",
        ) from problem


def find(schema: Any) -> Columns:
    """The columns of a pyarrow schema. Raises DataError if no column, or more than one, fits."""
    types = arrow().types
    features = _features(schema.metadata)
    fits = {field.name: within for field in schema if (within := _bytes_in(field.type)) is not None}
    picture = _picture(fits, features, schema)
    classes = [
        field.name
        for field in schema
        if types.is_integer(_plain(field.type)) or _is_text(_plain(field.type))
    ]
    named = [name for name in classes if _kind(features, name) == "ClassLabel"]
    order = [name for wanted in CLASS_COLUMNS for name in classes if name.lower() == wanted]
    found = [*(name for name in order if name in named), *named, *order]
    label = found[0] if found else None
    others = tuple(dict.fromkeys(name for name in found if name != label))
    return Columns(picture, fits[picture], label, _names(features, label), others)


def classes(column: Any) -> list[Any]:
    """The classes in some rows; a word that many rows share is held once.

    Raises DataError for a word too long for a class: a dictionary may repeat it in every row.
    """
    types = arrow().types
    if types.is_dictionary(column.type):
        names = classes(column.dictionary)
        return [None if place is None else names[place] for place in column.indices.to_pylist()]
    if _is_text(column.type):
        # no words are made before it is known how long they are
        longest = max((word.as_buffer().size for word in column if word.is_valid), default=0)
        if longest > MOST_WORD:
            raise DataError(f"a class of {longest} bytes, at most {MOST_WORD} are read")
    return list(column.to_pylist())


def _picture(fits: dict[str, str], features: dict[str, Any], schema: Any) -> str:
    """The column with the pictures: the only one, one that says so, or one of a usual name."""
    said = [name for name in fits if _kind(features, name) == "Image"]
    usual = [name for wanted in IMAGE_COLUMNS for name in fits if name.lower() == wanted]
    if len(said) == 1 or len(fits) == 1:
        return next(iter(said or fits))
    if usual:
        return next((name for name in usual if name in said), usual[0])
    columns = ", ".join(str(name) for name in schema.names[:20]) or "none"
    raise DataError(
        f"{'no column holds' if not fits else 'several columns may hold'} pictures; the columns "
        f"are {columns}",
        "a column `image` with the bytes of the files, or with {bytes, path}, is right",
    )


def _bytes_in(kind: Any) -> str | None:
    """Where in a column of this type the bytes are: "" for itself, None for nowhere."""
    types = arrow().types
    if _is_binary(kind):
        return ""
    if types.is_struct(kind):
        inner = {kind.field(place).name: kind.field(place).type for place in range(kind.num_fields)}
        return "bytes" if "bytes" in inner and _is_binary(inner["bytes"]) else None
    return None


def _is_binary(kind: Any) -> bool:
    types = arrow().types
    return bool(types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind))


def _is_text(kind: Any) -> bool:
    types = arrow().types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _plain(kind: Any) -> Any:
    return kind.value_type if arrow().types.is_dictionary(kind) else kind


def _features(metadata: Any) -> dict[str, Any]:
    """What Hugging Face's libraries write about the columns; empty where it says nothing usable."""
    try:
        found = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _kind(features: dict[str, Any], name: str) -> Any:
    one = features.get(name)
    return one.get("_type") if isinstance(one, dict) else None


def _names(features: dict[str, Any], label: str | None) -> tuple[str, ...] | None:
    names: Sequence[Any] | None = (
        features[label].get("names") if label and _kind(features, label) == "ClassLabel" else None
    )
    right = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if names and right and len(set(names)) == len(names) else None
