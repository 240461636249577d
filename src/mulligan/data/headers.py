"""What the headers of pictures say: which are in order, how large they are, if all are grey."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mulligan.data.decode import SMALLEST
from mulligan.data.index import Index
from mulligan.data.shelf import Row
from mulligan.data.sources import Source
from mulligan.data.threads import in_chunks
from mulligan.data.worker import Header
from mulligan.data.workers import Workers

LARGEST_DEFAULT = 64


class Headers(NamedTuple):
    """kept: the pictures whose header is in order. sides: their short sides. grey: whether all
    are."""

    kept: Index
    sides: NDArray[np.int32]
    grey: bool

    @property
    def own(self) -> Row:
        """The channels, height and width that they get where nobody asks for others."""
        size = default_size(self.sides) if len(self.sides) else (SMALLEST, SMALLEST)
        return (1 if self.grey else 3, *size)


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
    return Headers(source.pictures.take(kept), np.asarray(sides, dtype=np.int32), every_grey)
