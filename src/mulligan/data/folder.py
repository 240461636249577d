"""A folder, an archive or a list of pictures as a data set: labels, size, channels, decoding."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from mulligan.data import store
from mulligan.data.behind import background_for
from mulligan.data.dataset import DataSet
from mulligan.data.decode import (
    CENTRE,
    SMALLEST,
    UNREADABLE,
    is_passing,
    quiet_decoders,
    read_header,
    why,
)
from mulligan.data.describe import described
from mulligan.data.framing import Framing
from mulligan.data.index import Index
from mulligan.data.kinds import Place, called, origin, source_of
from mulligan.data.room import too_large
from mulligan.data.sources import Entry, Source
from mulligan.data.stream import as_streamed
from mulligan.data.streaming import STREAMED, Reader, streamed, streamed_again
from mulligan.data.threads import CHUNK, in_chunks
from mulligan.data.worker import Failures
from mulligan.data.workers import Workers
from mulligan.errors import DataError
from mulligan.fields import fields_from_json, fields_to_json

LARGEST_DEFAULT = 64
Plan = tuple[tuple[int, int] | None, int | None, Framing]
"""(height, width) and channels, where they are asked for, and how pictures get that shape."""


def open_pictures(
    path: Place,
    size: tuple[int, int] | None,
    channels: int | None,
    framing: Framing = CENTRE,
) -> DataSet:
    """The pictures of a folder, zip, tar, list (.txt), pattern, table or address, in order of name.

    size: None is a square whose side is the largest power of two that the median short side
    holds, at most 64. channels: None is 1 if every picture is grey, else 3. Another framing than
    the usual one stands in the manifest.
    Raises DataError if not one picture can be used.
    """
    source = source_of(path)
    with ExitStack() as stack, quiet_decoders():
        stack.callback(source.close)
        reason = ""
        if framing.background is None and channels != 4 and source.pictures:
            colour, reason = background_for(source.pictures)
            framing = replace(framing, background=colour)
        data = _opened(path, source, (size, channels, framing))
        if (streamed := as_streamed(data.arrays["real"])) is not None:
            stack.pop_all()  # its files are read as long as it is there
            streamed.entries.at_end(source.close)
    if framing.usual:
        return data
    return replace(data, manifest={**data.manifest, "framing": framing.values(reason)})


def _opened(path: Place, source: Source, plan: Plan) -> DataSet:
    """From the cache if these pictures are in it, else decoded now or later."""
    if len(source.pictures) < store.LEAST:
        return _decoded(path, source, plan)
    key = store.key_of(source, plan)
    with store.alone(key):
        if kept := store.read(key):
            return _mapped(path, source, kept)
        again = streamed_again(path, source, key, plan[2])
        return again or _decoded(path, source, plan, key)


def _decoded(path: Place, source: Source, plan: Plan, key: str = "") -> DataSet:
    """The pictures, decoded now; packed into the store of this key where there is one.

    Where they fit neither there nor into memory they are streamed.
    """
    size, channels, framing = plan
    kept, sides, grey = surveyed(source)
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
    if draft is None and (reason := too_large(int(np.prod(shape)))):
        read = Reader(shape[1:], framing)
        return streamed(path, source, kept, read, [*notes, f"{STREAMED}: {reason}"], key)
    try:
        room = draft.pixels if draft else (pixels := _empty(shape))
        good = _decode_all(source, kept, room, framing)
        whole = len(good) == len(kept)
        array = draft.compact(good) if draft else pixels if whole else pixels[good]
        data = described(path, source, kept.take(good), torch.from_numpy(array), notes)
    except BaseException:
        if draft:
            draft.drop()
        raise
    del array
    if draft and source.unread:  # a store would say so for ever
        draft.drop()
        return data  # its pixels are still mapped
    return _published(path, source, data, draft) if draft else data


def _published(path: Place, source: Source, data: DataSet, draft: store.Draft) -> DataSet:
    """The same data, from the store that they are put into; from memory if that fails."""
    label = data.arrays.get("label")
    facts = {
        "fields": fields_to_json(data.fields),
        "manifest": data.manifest,
        "notes": data.notes[len(source.notes) :],  # the next source may have others
    }
    kept = draft.publish(len(data), facts, label)
    return _mapped(path, source, kept) if kept else data  # its pixels are still mapped


def _mapped(path: Place, source: Source, kept: store.Kept) -> DataSet:
    """The data set of a store, called after this path."""
    facts = kept.facts
    arrays = {"real": kept.pixels}
    if kept.labels is not None:
        arrays["label"] = kept.labels
    own = {"name": called(path), "source": origin(path)}
    manifest = {**facts["manifest"], **own}
    fields = fields_from_json(facts["fields"])
    return DataSet(own["name"], fields, arrays, manifest, (*source.notes, *facts["notes"]))


def default_size(sides: Sequence[int] | NDArray[np.int32]) -> tuple[int, int]:
    """The square for pictures with these short sides: a power of two, at most 64, at least 8."""
    side = int(np.median(sides))
    power = 1 << (side.bit_length() - 1)
    return (max(SMALLEST, min(LARGEST_DEFAULT, power)),) * 2


def surveyed(source: Source) -> tuple[Index, NDArray[np.int32], bool]:
    """The pictures whose header is in order, their short sides, and whether all are grey."""
    kept, sides, every_grey = array("i"), array("i"), True

    def work(start: int, stop: int) -> list[tuple[int, bool] | str]:
        return [_header(source, entry) for entry in source.pictures[start:stop]]

    place = 0
    for found in in_chunks(work, len(source.pictures)):
        for one in found:
            if isinstance(one, str):
                source.skip(source.pictures[place].name, one)
            else:
                kept.append(place)
                sides.append(one[0])
                every_grey = every_grey and one[1]
            place += 1
    return source.pictures.take(kept), np.asarray(sides, dtype=np.int32), every_grey


def _header(source: Source, entry: Entry) -> tuple[int, bool] | str:
    """Short side and whether it is grey, or why it cannot be used."""
    try:
        with entry.open() as stream:
            return read_header(stream)
    except UNREADABLE as error:
        source.unread = source.unread or is_passing(error)
        return why(error)


def _empty(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    try:
        return np.empty(shape, dtype=np.uint8)
    except MemoryError as error:
        raise DataError(
            f"{shape[0]} pictures of {shape[2]}x{shape[3]} do not fit in memory",
            "choose a smaller --size",
        ) from error


def _decode_all(
    source: Source, kept: Index, pixels: NDArray[np.uint8], framing: Framing
) -> NDArray[np.int32]:
    """Fill `pixels` with the pictures, side by side; the positions of those that decode."""
    good = np.ones(len(kept), dtype=bool)
    with Workers(pixels, framing, len(kept)) as hands, store.progress(len(kept)) as more:

        def work(start: int, stop: int) -> Failures:
            return hands.decode(start, kept[start:stop])

        for failures in in_chunks(work, len(kept)):
            for position, reason, passing in failures:
                good[position] = False
                source.skip(kept[position].name, reason)
                source.unread = source.unread or passing
            more(CHUNK)
    return good.nonzero()[0].astype(np.int32)
