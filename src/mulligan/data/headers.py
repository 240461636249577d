"""What the headers of pictures say: which are in order, how large they are, if all are grey."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mulligan.data.decode import SMALLEST
from mulligan.data.index import Index
from mulligan.data.packed import evenly
from mulligan.data.shelf import Row
from mulligan.data.sources import Source
from mulligan.data.threads import in_chunks
from mulligan.data.worker import Header, headers
from mulligan.data.workers import Workers

LARGEST_DEFAULT = 64
LOOKED_AT = 16
"""Headers that are read first: one in colour among them spares reading them all."""


class Headers(NamedTuple):
    """kept: the pictures whose header is in order. own: the shape that pictures get where nobody
    asks for another; None where nobody looked."""

    kept: Index
    own: Row | None


def default_size(sides: Sequence[int] | NDArray[np.int32]) -> tuple[int, int]:
    """The square for pictures with these short sides: a power of two, at most 64, at least 8."""
    side = int(np.median(sides))
    power = 1 << (side.bit_length() - 1)
    return (max(SMALLEST, min(LARGEST_DEFAULT, power)),) * 2


def surveyed(source: Source, hands: Workers) -> Headers:
    """The headers of all pictures of a source, which is told of those that are not in order."""
    kept, sides, every_grey = array("i"), array("i"), True

    def work(start: int, stop: int) -> list[Header]:
        return hands.headers(source.pictures[start:stop])

    place = 0
    for found in in_chunks(work, len(source.pictures)):
        for said, flag in found:
            if isinstance(said, str):
                source.skip(source.pictures[place].name, said)
                source.unread = source.unread or flag
            else:
                kept.append(place)
                sides.append(said)
                every_grey = every_grey and flag
            place += 1
    size = default_size(np.asarray(sides, dtype=np.int32)) if sides else (SMALLEST, SMALLEST)
    return Headers(source.pictures.take(kept), (1 if every_grey else 3, *size))


def some_colour(source: Source) -> bool:
    """Whether a few of the headers say already that not all pictures are grey."""
    places = evenly(len(source.pictures), LOOKED_AT)
    found = headers(source.pictures.take(places))
    return any(isinstance(side, int) and not grey for side, grey in found)
