"""From a source to a data set of streamed pictures, by a first look that the cache remembers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mulligan.data import look, store
from mulligan.data.dataset import DataSet, labels
from mulligan.data.decode import decode
from mulligan.data.describe import called, described, nothing
from mulligan.data.index import Entry, Index
from mulligan.data.labelling import class_of_each
from mulligan.data.room import too_large
from mulligan.data.sources import Source
from mulligan.data.stream import Read, Streamed
from mulligan.fields import fields_from_json, fields_to_json

STREAMED = "streamed: pictures are decoded while training"


def streamed(
    path: Path, source: Source, kept: Index, shape: store.Shape, notes: list[str], key: str
) -> DataSet:
    """The data set of pictures that are decoded when they are asked for.

    kept: those whose header is in order. shape: uint8 (N, C, H, W). key: of what the cache
    remembers, if it may. Raises DataError if not one can be decoded.
    """
    read = reader(shape)
    while True:  # once, and once more where some are broken: what is hashed begins with the count
        if not len(kept):
            raise nothing(path, source.skipped)
        found = class_of_each(source.labels, kept.names(), [])
        label = labels(found[0]) if found else None
        seen = look.look_at(kept, read, (len(kept), *shape[1:]), label)
        if not seen.broken:
            break
        for place, reason in seen.broken.items():
            source.skip(kept[place].name, reason)
        kept = kept.take(np.delete(np.arange(len(kept)), list(seen.broken)))
    pixels = Streamed(kept, seen.hashes, read, shape[1:], label)
    own = len(notes)  # those of this opening: the next one may have other reasons
    data = described(path, source, kept, cast(Tensor, pixels), notes, seen.sha256)
    if key:
        facts = {
            "shape": list(pixels.shape),
            "fields": fields_to_json(data.fields),
            "manifest": data.manifest,
            "notes": list(data.notes[own:]),
        }
        look.write(key, look.Known(kept.places_in(source.pictures), seen.hashes, label, facts))
    return data


def streamed_again(path: Path, source: Source, key: str) -> DataSet | None:
    """The same from what the cache remembers; None if it does not, or if there is room now."""
    known = look.recall(key)
    if known is None:
        return None
    shape = known.facts["shape"]
    size = int(np.prod(shape))
    full, large = store.lacks_room(size), too_large(size)
    if not full or not large:
        return None
    facts, entries = known.facts, source.pictures.take(known.places)
    pixels = Streamed(entries, known.hashes, reader(shape), shape[1:], known.labels)
    arrays = {"real": cast(Tensor, pixels)}
    if known.labels is not None:
        arrays["label"] = known.labels
    notes = (f"not kept in the cache: {full}", f"{STREAMED}: {large}", *facts["notes"])
    fields = fields_from_json(facts["fields"])
    data = DataSet(called(path), fields, arrays, facts["manifest"], notes)
    own = {"name": data.name, "source": str(path.resolve())}
    return replace(data, manifest={**data.manifest, **own})


def reader(shape: store.Shape | list[int]) -> Read:
    """What makes uint8 rows of this (N, C, H, W) from files."""
    return partial(_pixels, size=(shape[2], shape[3]), channels=shape[1])


def _pixels(entry: Entry, size: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    return decode(entry.read(), size, channels)
