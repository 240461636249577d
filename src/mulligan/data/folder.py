"""A folder, an archive or a list of pictures as a data set: labels, size, channels, decoding."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from mulligan.data import store
from mulligan.data.behind import background_for
from mulligan.data.dataset import DataSet
from mulligan.data.decode import CENTRE, quiet_decoders, why
from mulligan.data.describe import described
from mulligan.data.framing import Framing
from mulligan.data.headers import Headers, surveyed
from mulligan.data.index import Index
from mulligan.data.kinds import Place, called, origin, source_of
from mulligan.data.room import too_large
from mulligan.data.shelf import Row
from mulligan.data.sources import Source
from mulligan.data.stream import as_streamed
from mulligan.data.streaming import STREAMED, Reader, streamed, streamed_again
from mulligan.data.threads import CHUNK, in_chunks
from mulligan.data.worker import Failures
from mulligan.data.workers import Workers
from mulligan.errors import DataError
from mulligan.fields import fields_from_json, fields_to_json

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
    with Workers(len(source.pictures)) as hands:
        if len(source.pictures) < store.LEAST:
            return _decoded(path, source, surveyed(source, hands), plan, hands)
        files, found = store.files_of(source, plan[2]), None
        own = store.own(files)
        if own is None and None in plan[:2]:
            found = surveyed(source, hands)
            own = found.own
        row = _row(plan, own)
        key = store.key_of(files, row)
        with store.alone(key):
            if kept := store.read(key):
                return _mapped(path, source, kept)
            if again := streamed_again(path, source, key, plan[2]):
                return again
            found = found or surveyed(source, hands)
            return _decoded(path, source, found, plan, hands, key)


def _row(plan: Plan, own: Row | None) -> Row:
    """The shape of a picture: what is asked for, else their own."""
    size, channels, _ = plan
    if size is None or channels is None:
        assert own is not None
        size, channels = size or own[1:], channels or own[0]
    return (channels, *size)


def _decoded(
    path: Place, source: Source, found: Headers, plan: Plan, hands: Workers, key: str = ""
) -> DataSet:
    """The pictures, decoded now; packed into the store of this key where there is one.

    Where they fit neither there nor into memory they are streamed.
    """
    kept, framing, notes = found.kept, plan[2], [*source.notes]
    shape = (len(kept), *_row(plan, found.own))
    draft = None
    if key and kept:
        try:
            draft = store.Draft(key, shape)
        except OSError as error:
            notes.append(f"not kept in the cache: {why(error)}")
    if draft is None and (reason := too_large(int(np.prod(shape)))):
        read = Reader(shape[1:], framing)
        return streamed(path, source, found, read, [*notes, f"{STREAMED}: {reason}"], key)
    try:
        room = draft.pixels if draft else (pixels := _empty(shape))
        hands.fill(room, framing)
        good = _decode_all(source, kept, hands)
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
    return _published(path, source, data, draft, found.own) if draft else data


def _published(path: Place, source: Source, data: DataSet, draft: store.Draft, own: Row) -> DataSet:
    """The same data, from the store that they are put into; from memory if that fails."""
    label = data.arrays.get("label")
    facts = {
        "fields": fields_to_json(data.fields),
        "manifest": data.manifest,
        "notes": data.notes[len(source.notes) :],  # the next source may have others
        "own": own,
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


def _empty(shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    try:
        return np.empty(shape, dtype=np.uint8)
    except MemoryError as error:
        raise DataError(
            f"{shape[0]} pictures of {shape[2]}x{shape[3]} do not fit in memory",
            "choose a smaller --size",
        ) from error


def _decode_all(source: Source, kept: Index, hands: Workers) -> NDArray[np.int32]:
    """Decode the pictures, side by side; the positions of those that could be."""
    good = np.ones(len(kept), dtype=bool)

    def work(start: int, stop: int) -> Failures:
        return hands.decode(start, kept[start:stop])

    with store.progress(len(kept)) as more:
        for failures in in_chunks(work, len(kept)):
            for position, reason, passing in failures:
                good[position] = False
                source.skip(kept[position].name, reason)
                source.unread = source.unread or passing
            more(CHUNK)
    return good.nonzero()[0].astype(np.int32)
