"""DataSet: the fields that data offer, the arrays behind them, and where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from mulligan.data.packed import Skipped
from mulligan.data.stream import as_streamed
from mulligan.errors import DataError
from mulligan.fields import Fields, Label

CHUNK = 256  # streamed rows that are hashed at a time
MOST_SKIPPED = 10_000
"""Skipped files that a manifest lists; of more it gives the number."""


@dataclass(frozen=True)
class DataSet:
    """Data in memory, one row a sample.

    arrays: "real" is uint8 (N, C, H, W), or float32 (N, dims) in data units; "label" is int64 (N,)
    where there are labels. Pictures for which there is no room are a `Streamed`, which passes for a
    tensor: it has len, shape and dtype, and gives a tensor for rows, a slice or a split.
    manifest: plain JSON with "name", "count", "bytes" and "sha256" of the arrays, "files",
    "skipped" (a list of {"file", "reason"}, at most MOST_SKIPPED) and "source"; "skipped_count"
    where more are skipped than are listed.
    notes: sentences for the user.
    """

    name: str
    fields: Fields
    arrays: dict[str, Tensor]
    manifest: dict[str, Any]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.arrays["real"])


def content_sha256(arrays: dict[str, Tensor]) -> str:
    """The hexadecimal sha256 of the arrays' names, types, shapes and bytes, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(_head(name, array.dtype, array.shape))
        for part in array.split(CHUNK) if as_streamed(array) is not None else [array]:
            digest.update(part.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def begun_sha256(label: Tensor | None, shape: Sequence[int]) -> hashlib._Hash:
    """`content_sha256` of pictures of this shape and their labels, up to the pixels."""
    digest = hashlib.sha256()
    if label is not None:
        digest.update(_head("label", label.dtype, label.shape))
        digest.update(label.contiguous().view(torch.uint8).numpy().data)
    digest.update(_head("real", torch.uint8, shape))
    return digest


def _head(name: str, dtype: torch.dtype, shape: Sequence[int]) -> bytes:
    return f"{name} {dtype} {tuple(shape)}\n".encode()


def build(
    name: str,
    fields: Fields,
    arrays: dict[str, Tensor],
    *,
    source: str,
    files: Sequence[dict[str, Any]] | dict[str, Any] = (),
    skipped: Sequence[Skipped] = (),
    notes: Sequence[str] = (),
    sha256: str = "",
) -> DataSet:
    """A data set with its manifest.

    source: where the data come from, a sentence or a path. files: {"file", "bytes"} for each one
    that was read, or what an index says of very many. sha256: of the arrays, if it is known.
    """
    counts = {key: len(array) for key, array in arrays.items()}
    assert set(arrays) == set(fields), (set(arrays), set(fields))
    assert len(set(counts.values())) == 1, counts
    manifest = {
        "name": name,
        **_measures(arrays, sha256),
        "files": files if isinstance(files, dict) else list(files),
        "skipped": list(skipped[:MOST_SKIPPED]),
        "source": source,
    }
    if len(skipped) > MOST_SKIPPED:
        manifest["skipped_count"] = len(skipped)
    return DataSet(name, fields, arrays, manifest, tuple(notes))


def select_label(data: DataSet, wanted: str | int) -> DataSet:
    """The rows of one class; the label field keeps all its names.

    wanted: a class name, or the position of a class. Raises DataError for data without labels, for
    an unknown class, and for a class without rows.
    """
    field = data.fields.get("label")
    if not isinstance(field, Label):
        raise DataError(
            f"{data.name} has no labels, so there is no class {wanted!r} to select",
            "leave out --only-label, or put each class in a sub-folder of its own",
        )
    index = _class_index(str(wanted), field.names)
    if index is None:
        raise DataError(
            f"{data.name} has no class {wanted!r}; its classes are {_listing(field.names)}",
            "give one of these names, or its position counted from 0",
        )
    rows = (data.arrays["label"] == index).nonzero()[:, 0]
    if not len(rows):
        raise DataError(f"{data.name} has no rows of class {field.names[index]!r}")
    arrays = {key: some_rows(array, rows) for key, array in data.arrays.items()}
    manifest = {**data.manifest, **_measures(arrays), "only_label": field.names[index]}
    return replace(data, arrays=arrays, manifest=manifest)


def _class_index(wanted: str, names: tuple[str, ...]) -> int | None:
    if wanted in names:
        return names.index(wanted)
    if wanted.isascii() and wanted.isdigit() and int(wanted) < len(names):
        return int(wanted)
    return None


def _listing(names: tuple[str, ...], most: int = 40) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} in all)"


def _measures(arrays: dict[str, Tensor], sha256: str = "") -> dict[str, Any]:
    size = sum(array.nbytes for array in arrays.values())
    sha256 = sha256 or content_sha256(arrays)
    return {"count": len(arrays["real"]), "bytes": size, "sha256": sha256}


def some_rows(array: Tensor, rows: Tensor) -> Tensor:
    """These rows; of streamed pictures, without decoding them."""
    streamed = as_streamed(array)
    return array[rows] if streamed is None else cast(Tensor, streamed.take(rows))


def labels(values: Sequence[int]) -> Tensor:
    """int64 (N,) from class positions."""
    return torch.from_numpy(np.array(values, dtype=np.int64))
