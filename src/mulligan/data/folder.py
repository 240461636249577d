"""A folder, an archive or a list of pictures as a data set: labels, size, channels, decoding."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from mulligan.data.dataset import DataSet, Skipped, build, labels
from mulligan.data.decode import (
    SMALLEST,
    UNREADABLE,
    decode,
    quiet_decoders,
    read_header,
    why,
)
from mulligan.data.labelling import class_of_each
from mulligan.data.lists import fixed_part, from_list, from_pattern, is_pattern
from mulligan.data.sources import Entry, Source, from_folder, from_zip
from mulligan.data.tars import from_tar, is_tar
from mulligan.errors import DataError
from mulligan.fields import Fields, Image, Label

LARGEST_DEFAULT = 64
CHUNK = 64  # pictures a task of the pool: one task each would cost more than a tiny picture


def open_pictures(path: Path, size: tuple[int, int] | None, channels: int | None) -> DataSet:
    """The pictures of a folder, zip, tar, list (.txt) or pattern, in order of name.

    size: None is a square whose side is the largest power of two that the median short side
    holds, at most 64. channels: None is 1 if every picture is grey, else 3.
    Raises DataError if not one picture can be used.
    """
    source = source_of(path)
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
        found = class_of_each(source.labels, [entry.name for entry in entries], notes)
    fields: Fields = {"real": Image(channels, array.shape[2], array.shape[3])}
    arrays = {"real": torch.from_numpy(array)}
    if found:
        values, names = found
        fields["label"], arrays["label"] = Label(names), labels(values)
    return build(
        _called(path),
        fields,
        arrays,
        source=str(path.resolve()),
        files=[{"file": entry.name, "bytes": entry.size} for entry in entries],
        skipped=source.skipped,
        notes=notes,
    )


def source_of(path: Path) -> Source:
    """The files of a folder, an archive, a list or a pattern."""
    if is_pattern(str(path)) and not path.exists():
        return from_pattern(str(path))
    if path.is_dir():
        return from_folder(path)
    if path.suffix.lower() == ".txt":
        return from_list(path)
    return from_tar(path) if is_tar(path) else from_zip(path)


def _called(path: Path) -> str:
    """What the data are called: the folder's name, or the file's without its kind."""
    if is_pattern(str(path)) and not path.exists():
        path = fixed_part(path)
    if path.is_dir():
        return path.resolve().name
    return Path(path.stem).stem if path.stem.endswith(".tar") else path.stem


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
            source.skip(entry.name, why(error))
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
                failures.append((position, why(error)))
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


def _nothing(path: Path, skipped: list[Skipped]) -> DataError:
    reasons = f"; {_skip_note(skipped)}" if skipped else ""
    return DataError(
        f"{path} holds no picture that can be used{reasons}",
        "give a folder, zip or tar with JPEG, PNG, GIF, BMP, WebP or TIFF pictures",
    )


def _skip_note(skipped: list[Skipped]) -> str:
    first = skipped[0]
    count = "1 file skipped:" if len(skipped) == 1 else f"{len(skipped)} files skipped, such as"
    return f"{count} {first['file']} ({first['reason']})"
