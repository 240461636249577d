"""A folder or a zip of pictures as a data set: labels, size, channels, and decoding in threads."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mulligan.data.dataset import DataSet, Skipped, build, labels
from mulligan.data.decode import (
    BROKEN,
    SMALLEST,
    UnusableError,
    decode,
    quiet_decoders,
    read_header,
)
from mulligan.data.sources import Entry, Source, from_folder, from_zip
from mulligan.errors import DataError
from mulligan.fields import Fields, Image, Label

LARGEST_DEFAULT = 64
CHUNK = 64  # pictures a task of the pool: one task each would cost more than a tiny picture
MOST_CLASSES = 100_000

# a damaged zip raises these besides what Pillow raises on its content
UNREADABLE = (*BROKEN, zipfile.BadZipFile, NotImplementedError, RuntimeError, UnusableError)


def open_pictures(path: Path, size: tuple[int, int] | None, channels: int | None) -> DataSet:
    """The pictures of a folder or zip, in order of name.

    size: None is a square whose side is the largest power of two that the median short side
    holds, at most 64. channels: None is 1 if every picture is grey, else 3.
    Raises DataError if not one picture can be used.
    """
    source = from_folder(path) if path.is_dir() else from_zip(path)
    with closing(source), quiet_decoders():
        kept, sides, grey = _survey(source)
        if kept and size is None:
            size = default_size(sides)
        channels = channels or (1 if grey else 3)
        entries, array = _decode_all(source, kept, size or (SMALLEST, SMALLEST), channels)
        source.skipped.sort(key=lambda skip: skip["file"])
        if not entries:
            raise _nothing(path, source.skipped)
        notes = [_skip_note(source.skipped)] if source.skipped else []
        found = _labels(source, [entry.name for entry in entries], notes)
    fields: Fields = {"real": Image(channels, array.shape[2], array.shape[3])}
    arrays = {"real": torch.from_numpy(array)}
    if found:
        values, names = found
        fields["label"], arrays["label"] = Label(names), labels(values)
    return build(
        path.resolve().name if path.is_dir() else path.stem,
        fields,
        arrays,
        source=str(path.resolve()),
        files=[{"file": entry.name, "bytes": entry.size} for entry in entries],
        skipped=source.skipped,
        notes=notes,
    )


def default_size(sides: Sequence[int]) -> tuple[int, int]:
    """The square for pictures with these short sides: a power of two, at most 64, at least 8."""
    side = int(median(sides))
    power = 1 << (side.bit_length() - 1)
    return (max(SMALLEST, min(LARGEST_DEFAULT, power)),) * 2


def _survey(source: Source) -> tuple[list[Entry], list[int], bool]:
    """The pictures whose header is in order, their short sides, and whether all are grey."""
    kept, sides, grey = [], [], True
    for entry in source.pictures:
        try:
            with entry.open() as stream:
                side, is_grey = read_header(stream)
        except UNREADABLE as error:
            source.skip(entry.name, _reason(error))
            continue
        kept.append(entry)
        sides.append(side)
        grey = grey and is_grey
    return kept, sides, grey


def _decode_all(
    source: Source, kept: list[Entry], size: tuple[int, int], channels: int
) -> tuple[list[Entry], NDArray[np.uint8]]:
    """The pictures that decode and their pixels, (N, channels, height, width)."""
    try:
        array = np.empty((len(kept), channels, *size), dtype=np.uint8)
    except MemoryError as error:
        raise DataError(
            f"{len(kept)} pictures of {size[0]}x{size[1]} do not fit in memory",
            "choose a smaller --size",
        ) from error

    def work(start: int) -> list[tuple[int, str]]:
        failures = []
        for position in range(start, min(start + CHUNK, len(kept))):
            try:
                array[position] = decode(kept[position].read(), size, channels)
            except UNREADABLE as error:
                failures.append((position, _reason(error)))
        return failures

    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        tasks = pool.map(work, range(0, len(kept), CHUNK))
        failed = dict(failure for failures in tasks for failure in failures)
    if not failed:
        return kept, array
    for position, reason in failed.items():
        source.skip(kept[position].name, reason)
    good = [position for position in range(len(kept)) if position not in failed]
    return [kept[position] for position in good], array[good]


def _labels(
    source: Source, files: list[str], notes: list[str]
) -> tuple[list[int], tuple[str, ...]] | None:
    """The class of each file and the names of the classes, or None without labels."""
    if source.labels is not None:
        return _listed_labels(source.labels, files, notes)
    tops = _top_folders(files)
    names = tuple(sorted(set(tops)))
    if len(names) < 2:
        return None
    if "" in names:
        notes.append("no labels: some pictures lie in sub-folders, others beside them")
        return None
    position = {name: index for index, name in enumerate(names)}
    return [position[top] for top in tops], names


def _top_folders(files: list[str]) -> list[str]:
    """The first folder of each name, below the folders that all names share; "" for none."""
    folders = [file.split("/")[:-1] for file in files]
    levels = takewhile(lambda level: len(set(level)) == 1, zip(*folders, strict=False))
    shared = sum(1 for _ in levels)
    return [folder[shared] if len(folder) > shared else "" for folder in folders]


def _listed_labels(
    entry: Entry, files: list[str], notes: list[str]
) -> tuple[list[int], tuple[str, ...]] | None:
    try:
        content = json.loads(entry.read())
        pairs = content["labels"] if isinstance(content, dict) else None
        given = content.get("classes") if isinstance(content, dict) else None
    except (*UNREADABLE, RecursionError) as error:
        raise DataError(f"{entry.name} cannot be read: {_reason(error)}") from error
    if pairs is None:
        return None
    table = _table(pairs, entry.name)
    if missing := [file for file in files if file not in table]:
        notes.append(
            f"no labels: {entry.name} lists no class for {len(missing)} pictures, such as "
            f"{missing[0]}"
        )
        return None
    values = [table[file] for file in files]
    names = _names(given, max(values), entry.name)
    return values, names


def _table(pairs: Any, file: str) -> dict[str, int]:
    rows = list(pairs.items()) if isinstance(pairs, dict) else pairs
    table: dict[str, int] = {}
    right = isinstance(rows, list)
    for row in rows if right else []:
        right = right and isinstance(row, (list, tuple)) and len(row) == 2
        right = right and isinstance(row[0], str) and type(row[1]) is int
        if not right or not 0 <= row[1] < MOST_CLASSES:
            raise DataError(f"{file} has the label {row!r}; [file name, class index] is right")
        table[row[0]] = row[1]
    if not right:
        raise DataError(f"{file} has labels that are neither a list nor a table")
    return table


def _names(given: Any, highest: int, file: str) -> tuple[str, ...]:
    if given is None:
        return tuple(str(index) for index in range(highest + 1))
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise DataError(f"{file} has classes that are not a list of names")
    if len(set(given)) != len(given) or highest >= len(given):
        raise DataError(
            f"{file} names {len(set(given))} different classes, its labels go up to {highest}"
        )
    return tuple(given)


def _nothing(path: Path, skipped: list[Skipped]) -> DataError:
    reasons = f"; {_skip_note(skipped)}" if skipped else ""
    return DataError(
        f"{path} holds no picture that can be used{reasons}",
        "give a folder or zip with JPEG, PNG, GIF, BMP, WebP or TIFF pictures",
    )


def _skip_note(skipped: list[Skipped]) -> str:
    first = skipped[0]
    count = "1 file skipped:" if len(skipped) == 1 else f"{len(skipped)} files skipped, such as"
    return f"{count} {first['file']} ({first['reason']})"


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
