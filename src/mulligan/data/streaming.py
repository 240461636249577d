"""From a source to a data set of streamed pictures, by a first look that the cache remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mulligan.data import look, store
from mulligan.data.dataset import DataSet, labels
from mulligan.data.decode import decode
from mulligan.data.describe import described, nothing
from mulligan.data.framing import Framing
from mulligan.data.headers import Headers
from mulligan.data.index import Entry
from mulligan.data.kinds import Place, called, origin
from mulligan.data.labelling import class_of_each
from mulligan.data.room import too_large
from mulligan.data.sources import Source
from mulligan.data.stream import Streamed
from mulligan.fields import fields_from_json, fields_to_json

STREAMED = "streamed: pictures are decoded while training"


@dataclass(frozen=True)
class Reader:
    """Makes uint8 rows of this shape (C, H, W) from files."""

    shape: tuple[int, int, int]
    framing: Framing

    def __call__(self, entry: Entry) -> NDArray[np.uint8]:
        """Raises one of UNREADABLE."""
        return decode(entry.read(), self.shape[1:], self.shape[0], self.framing)


def streamed(
    path: Place, source: Source, found: Headers, read: Reader, notes: list[str], key: str
) -> DataSet:
    """The data set of pictures that are decoded when they are asked for.

    key: of what the cache remembers, if it may. Raises
    DataError if not one can be decoded.
    """
    kept = found.kept
    while True:  # once, and once more where some are broken: what is hashed begins with the count
        if not len(kept):
            raise nothing(path, source.skipped)
        classes = class_of_each(source.labels, kept.names(), [])
        label = labels(classes[0]) if classes else None
        seen = look.look_at(kept, read, (len(kept), *read.shape), label)
        if not seen.broken:
            break
        for place, reason in seen.broken.items():
            source.skip(kept[place].name, reason)
        kept = kept.take(np.delete(np.arange(len(kept)), list(seen.broken)))
    pixels = Streamed(kept, seen.hashes, read, read.shape, label)
    own = len(notes)  # those of this opening: the next one may have other reasons
    data = described(path, source, kept, cast(Tensor, pixels), notes, seen.sha256)
    if key and not source.unread:
        facts = {
            "shape": list(pixels.shape),
            "fields": fields_to_json(data.fields),
            "manifest": data.manifest,
            "notes": list(data.notes[own:]),
            "own": found.own,
        }
        look.write(key, look.Known(kept.places_in(source.pictures), seen.hashes, label, facts))
    return data


def streamed_again(path: Place, source: Source, key: str, framing: Framing) -> DataSet | None:
    """The same from what the cache remembers; None if it does not, or if there is room now."""
    known = look.recall(key)
    if known is None:
        return None
    _, channels, height, width = known.facts["shape"]
    read, size = Reader((channels, height, width), framing), int(np.prod(known.facts["shape"]))
    full, large = store.lacks_room(size), too_large(size)
    if not full or not large:
        return None
    facts, entries = known.facts, source.pictures.take(known.places)
    pixels = Streamed(entries, known.hashes, read, read.shape, known.labels)
    arrays = {"real": cast(Tensor, pixels)}
    if known.labels is not None:
        arrays["label"] = known.labels
    own = [*source.notes, f"not kept in the cache: {full}", f"{STREAMED}: {large}"]
    notes = (*own, *facts["notes"])
    fields = fields_from_json(facts["fields"])
    data = DataSet(called(path), fields, arrays, facts["manifest"], notes)
    here = {"name": data.name, "source": origin(path)}
    return replace(data, manifest={**data.manifest, **here})
