"""A folder, an archive or a list of pictures as a data set: labels, size, channels, decoding."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from mulligan.data import store
from mulligan.data.behind import background_for
from mulligan.data.dataset import DataSet, begun_sha256, labels
from mulligan.data.decode import CENTRE, SMALLEST, quiet_decoders, why
from mulligan.data.describe import described
from mulligan.data.framing import Framing
from mulligan.data.headers import Headers, some_colour, surveyed
from mulligan.data.index import Index
from mulligan.data.kinds import Place, called, origin, source_of
from mulligan.data.labelling import class_of_each
from mulligan.data.room import too_large
from mulligan.data.shelf import Row, Shape
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
    framing = plan[2]
    with Workers(len(source.pictures)) as hands:
        if len(source.pictures) < store.LEAST:
            found = surveyed(source, hands)
            return _decoded(path, source, found, Reader(_row(plan, found), framing), hands)
        files = store.files_of(source, framing)
        found = _known(source, plan, store.own(files), hands)
        read = Reader(_row(plan, found), framing)
        key = store.key_of(files, read.shape)
        with store.alone(key):
            if kept := store.read(key):
                return _mapped(path, source, kept)
            again = streamed_again(path, source, key, framing)
            return again or _decoded(path, source, found, read, hands, key)


def _known(source: Source, plan: Plan, own: Row | None, hands: Workers) -> Headers:
    """The headers, read only if it depends on them which shape pictures get.

    own: the shape they get where nobody asks for another, if it is known.
    """
    size, channels, _ = plan
    if own is None and (size is None or (channels is None and not some_colour(source))):
        return surveyed(source, hands)
    return Headers(source.pictures, own)


def _row(plan: Plan, found: Headers) -> Row:
    """The shape of a picture: what is asked for, else their own."""
    size, channels, _ = plan
    own = found.own or (3, SMALLEST, SMALLEST)
    return (channels or own[0], *(size or own[1:]))


def _decoded(
    path: Place, source: Source, found: Headers, read: Reader, hands: Workers, key: str = ""
) -> DataSet:
    """The pictures, decoded now; packed into the store of this key where there is one.

    Where they fit neither there nor into memory they are streamed.
    """
    notes = [*source.notes]
    draft = _draft(key, (len(found.kept), *read.shape), notes)
    if draft is None and key and found.kept is source.pictures:
        found = surveyed(source, hands)  # what is not in order shall take no memory
    kept = found.kept
    shape = (len(kept), *read.shape)
    if draft is None and (reason := too_large(int(np.prod(shape)))):
        return streamed(path, source, found, read, [*notes, f"{STREAMED}: {reason}"], key)
    try:
        room = draft.pixels if draft else (pixels := _empty(shape))
        hands.fill(room, read.framing)
        good, sha256 = _decode_all(source, kept, room, hands)
        array = draft.compact(good) if draft else pixels if sha256 else pixels[good]
        data = described(path, source, kept.take(good), torch.from_numpy(array), notes, sha256)
    except BaseException:
        if draft:
            draft.drop()
        raise
    del array
    if draft and source.unread:  # a store would say so for ever
        draft.drop()
        return data  # its pixels are still mapped
    return _published(path, source, data, draft, found.own) if draft else data


def _draft(key: str, shape: Shape, notes: list[str]) -> store.Draft | None:
    """What becomes the store of this key, if there is one and the cache has room."""
    if key and shape[0]:
        try:
            return store.Draft(key, shape)
        except OSError as error:
            notes.append(f"not kept in the cache: {why(error)}")
    return None


def _published(
    path: Place, source: Source, data: DataSet, draft: store.Draft, own: Row | None
) -> DataSet:
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


def _decode_all(
    source: Source, kept: Index, pixels: NDArray[np.uint8], hands: Workers
) -> tuple[NDArray[np.int32], str]:
    """Decode the pictures, side by side: the positions of those that could be, and the sha256.

    The sha256 is that of the data set, made while others decode; "" if a picture is missing.
    """
    good, at, whole = np.ones(len(kept), dtype=bool), 0, True
    classes = class_of_each(source.labels, kept.names(), []) if len(kept) else None
    digest = begun_sha256(labels(classes[0]) if classes else None, pixels.shape)

    def work(start: int, stop: int) -> Failures:
        return hands.decode(start, kept[start:stop])

    with store.progress(len(kept)) as more:
        for failures in in_chunks(work, len(kept)):
            for position, reason, passing in failures:
                good[position] = False
                source.skip(kept[position].name, reason)
                source.unread = source.unread or passing
            whole = whole and not failures
            if whole:
                digest.update(pixels[at : at + CHUNK].reshape(-1).data)
            at += CHUNK
            more(CHUNK)
    return good.nonzero()[0].astype(np.int32), digest.hexdigest() if whole else ""
