"""A folder, an archive or a list of pictures as a data set: labels, size, channels, decoding."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from mulligan.data import store
from mulligan.data.dataset import DataSet, Skipped, build, labels
from mulligan.data.decode import (
    SMALLEST,
    UNREADABLE,
    decode,
    quiet_decoders,
    read_header,
    why,
)
from mulligan.data.kinds import Place, called, origin, source_of
from mulligan.data.labelling import class_of_each
from mulligan.data.sources import Entry, Source
from mulligan.errors import DataError
from mulligan.fields import Fields, Image, Label, fields_from_json, fields_to_json

LARGEST_DEFAULT = 64
Plan = tuple[tuple[int, int] | None, int | None]
"""(height, width) and channels, where they are asked for."""

CHUNK = 64  # pictures a task of the pool: one task each would cost more than a tiny picture


def open_pictures(path: Place, size: tuple[int, int] | None, channels: int | None) -> DataSet:
    """The pictures of a folder, zip, tar, list (.txt), pattern, table or address, in order of name.

    size: None is a square whose side is the largest power of two that the median short side
    holds, at most 64. channels: None is 1 if every picture is grey, else 3.
    Raises DataError if not one picture can be used.
    """
    source = source_of(path)
    with closing(source), quiet_decoders():
        if len(source.pictures) < store.LEAST:
            return _decoded(path, source, (size, channels))
        key = store.key_of(source, size, channels)
        with store.alone(key):
            kept = store.read(key)
            return _mapped(path, kept) if kept else _decoded(path, source, (size, channels), key)


def _decoded(path: Place, source: Source, plan: Plan, key: str = "") -> DataSet:
    """The pictures, decoded now; packed into the store of this key where there is one."""
    size, channels = plan
    kept, sides, grey = _survey(source)
    if kept and size is None:
        size = default_size(sides)
    channels, notes = channels or (1 if grey else 3), [*source.notes]
    shape = (len(kept), channels, *(size or (SMALLEST, SMALLEST)))
    draft = None
    if key and kept:
        try:
            draft = store.Draft(key, shape)
        except OSError as error:
            notes.append(f"not kept in the cache: {why(error)}")
    try:
        good = _decode_all(source, kept, draft.pixels if draft else (pixels := _empty(shape)))
        whole = len(good) == len(kept)
        array = draft.compact(good) if draft else pixels if whole else pixels[good]
        data = _described(path, source, [kept[place] for place in good], array, notes)
    except BaseException:
        if draft:
            draft.drop()
        raise
    del array
    return _published(path, data, draft) if draft else data


def _described(
    path: Place,
    source: Source,
    entries: list[Entry],
    array: NDArray[np.uint8],
    notes: list[str],
) -> DataSet:
    """The data set of these entries and their pixels."""
    source.skipped.sort(key=lambda skip: skip["file"])
    if not entries:
        raise _nothing(path, source.skipped)
    if source.skipped:
        notes.append(_skip_note(source.skipped))
    found = class_of_each(source.labels, [entry.name for entry in entries], notes)
    fields: Fields = {"real": Image(array.shape[1], array.shape[2], array.shape[3])}
    arrays = {"real": torch.from_numpy(array)}
    if found:
        values, names = found
        fields["label"], arrays["label"] = Label(names), labels(values)
    return build(
        called(path),
        fields,
        arrays,
        source=origin(path),
        files=[{"file": entry.name, "bytes": entry.size} for entry in entries],
        skipped=source.skipped,
        notes=notes,
    )


def _published(path: Place, data: DataSet, draft: store.Draft) -> DataSet:
    """The same data, from the store that they are put into; from memory if that fails."""
    label = data.arrays.get("label")
    facts = {
        "fields": fields_to_json(data.fields),
        "labels": None if label is None else label.tolist(),
        "manifest": data.manifest,
        "notes": data.notes,
    }
    kept = draft.publish(len(data), facts)
    return _mapped(path, kept) if kept else data  # its pixels are still mapped


def _mapped(path: Place, kept: store.Kept) -> DataSet:
    """The data set of a store, called after this path."""
    facts = kept.facts
    arrays = {"real": kept.pixels}
    if facts["labels"] is not None:
        arrays["label"] = labels(facts["labels"])
    own = {"name": called(path), "source": origin(path)}
    manifest = {**facts["manifest"], **own}
    fields = fields_from_json(facts["fields"])
    return DataSet(own["name"], fields, arrays, manifest, tuple(facts["notes"]))


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


def _empty(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    try:
        return np.empty(shape, dtype=np.uint8)
    except MemoryError as error:
        raise DataError(
            f"{shape[0]} pictures of {shape[2]}x{shape[3]} do not fit in memory",
            "choose a smaller --size",
        ) from error


def _decode_all(source: Source, kept: list[Entry], array: NDArray[np.uint8]) -> list[int]:
    """Fill `array` with the pictures, in threads; the positions of those that decode."""
    channels, size = array.shape[1], (array.shape[2], array.shape[3])

    def work(start: int) -> list[tuple[int, str]]:
        failures = []
        for position in range(start, min(start + CHUNK, len(kept))):
            try:
                array[position] = decode(kept[position].read(), size, channels)
            except UNREADABLE as error:
                failures.append((position, why(error)))
        return failures

    failed: dict[int, str] = {}
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool, store.progress(len(kept)) as more:
        for failures in pool.map(work, range(0, len(kept), CHUNK)):
            failed |= dict(failures)
            more(CHUNK)
    for position, reason in failed.items():
        source.skip(kept[position].name, reason)
    return [position for position in range(len(kept)) if position not in failed]


def _nothing(path: Place, skipped: list[Skipped]) -> DataError:
    reasons = f"; {_skip_note(skipped)}" if skipped else ""
    return DataError(
        f"{path} holds no picture that can be used{reasons}",
        "give a folder, zip or tar with JPEG, PNG, GIF, BMP, WebP or TIFF pictures",
    )


def _skip_note(skipped: list[Skipped]) -> str:
    first = skipped[0]
    count = "1 file skipped:" if len(skipped) == 1 else f"{len(skipped)} files skipped, such as"
    return f"{count} {first['file']} ({first['reason']})"
