"""Strings by the million in one block of bytes, and their order; a Python object each takes more.

A name as a `str` in a list takes 49 bytes more than its letters, and 8 more in the list.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import overload

import numpy as np
from numpy.typing import NDArray

Skipped = dict[str, str]
"""{"file": name, "reason": why it is not used}"""

BLOCK = 1 << 16
"""Names that are sorted at a time: only so many are strings at once."""


class Words(Sequence[str]):
    """Strings one after the other; `append` adds one."""

    def __init__(self) -> None:
        self._bytes, self._ends = bytearray(), array("q", [0])

    def append(self, word: str) -> None:
        """Add a string at the end."""
        self._bytes += word.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[k] for k in range(*place.indices(len(self)))]
        place = within(place, len(self))
        content = self._bytes[self._ends[place] : self._ends[place + 1]]
        return content.decode("utf-8", "surrogatepass")


class Skips(Sequence[Skipped]):
    """Files that are not used, and why; a reason that many share is held once."""

    def __init__(self) -> None:
        self._files, self._reasons, self._reason = Words(), list[str](), array("i")
        self._known: dict[str, int] = {}
        self._rows: NDArray[np.int32] | None = None

    def append(self, file: str, reason: str) -> None:
        """Add one at the end."""
        self._files.append(file)
        if reason not in self._known:
            self._known[reason] = len(self._reasons)
            self._reasons.append(reason)
        self._reason.append(self._known[reason])
        self._rows = None

    def sort(self) -> None:
        """All in order of the files' names."""
        self._rows = in_order(len(self._files), self._files.__getitem__)

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, place: int) -> Skipped: ...
    @overload
    def __getitem__(self, place: slice) -> list[Skipped]: ...
    def __getitem__(self, place: int | slice) -> Skipped | list[Skipped]:
        if isinstance(place, slice):
            return [self[k] for k in range(*place.indices(len(self)))]
        row = within(place, len(self)) if self._rows is None else int(self._rows[place])
        return {"file": self._files[row], "reason": self._reasons[self._reason[row]]}


def in_order(count: int, name: Callable[[int], str]) -> NDArray[np.int32]:
    """(count,) the places 0..count-1 in order of their names; those of one name stay as they are.

    Blocks are sorted on their own and merged, which an index that lies in order is spared.
    """
    runs = [
        np.array(sorted(range(start, min(start + BLOCK, count)), key=name), dtype=np.int32)
        for start in range(0, count, BLOCK)
    ]
    if all(name(int(one[-1])) <= name(int(other[0])) for one, other in pairwise(runs)):
        return np.concatenate([np.empty(0, dtype=np.int32), *runs])
    return np.fromiter(heapq.merge(*map(_steps, runs), key=name), np.int32, count)


def _steps(run: NDArray[np.int32]) -> map[int]:
    """The numbers of an array as Python's own, made one at a time."""
    return map(int, run)


def evenly(count: int, most: int) -> list[int]:
    """At most `most` of the places 0..count-1, evenly spread from the first to the last."""
    return [round(place) for place in np.linspace(0, count - 1, min(most, count)).tolist()]


def within(place: int, count: int) -> int:
    """A position from the front. Raises IndexError beyond the ends."""
    if not -count <= place < count:
        raise IndexError(f"{place} of {count}")
    return place % count
