"""Files by the million: names in a block of bytes, numbers in arrays, entries made when asked for.

As Python objects a file takes 600 bytes and more; here it takes 45 and its name. The folder of a
name is held once for the files of it that follow each other.
"""

from __future__ import annotations

import hashlib
import weakref
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, overload

import numpy as np
from numpy.typing import NDArray

from mulligan.data.packed import Words, in_order, within

MOST_BYTES = 1 << 28  # bytes of one file
MOST_LISTED = 10_000
"""Files that a manifest names one by one; of more it holds the first ones and a hash of all."""

FIRST = 10

How = Callable[[str, int, int], BinaryIO]
"""From a file's name, size and place to its bytes: the same for all files of a folder or archive.
"""


@dataclass(frozen=True, slots=True)
class Shared:
    """Opens one of many files that are opened alike; an index keeps `how` once, and `at`.

    at: where the file lies in an archive, or what else tells it from the others; 64 bits.
    """

    how: How
    name: str
    size: int
    at: int = 0

    def __call__(self) -> BinaryIO:
        return self.how(self.name, self.size, self.at)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its name below the root with '/', its bytes, and how to open it.

    open: a `Shared` of this name and size takes no memory in an index; any other is kept as it is.
    stamp: changes when the content does: its time in nanoseconds, or its checksum.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    stamp: int = 0

    def read(self) -> bytes:
        """The content. Raises OSError where it is longer than allowed."""
        with self.open() as stream:
            # asked for all that is allowed, it would map that much memory for every file
            content = stream.read(min(self.size, MOST_BYTES) + 1)
            if len(content) > self.size:  # it has grown
                content += stream.read(MOST_BYTES + 1 - len(content))
        if len(content) > MOST_BYTES:
            raise OSError(f"more than {MOST_BYTES >> 20} MiB")
        return content


class Files:
    """What is known of each file, in the order in which they were found."""

    def __init__(self) -> None:
        self.sizes, self.stamps, self.at = array("q"), array("q"), array("q")
        self._folders, self._folder, self._names = Words(), array("i"), Words()
        self._hows: list[How] = []
        self._how = array("i")  # -1: an opener of its own
        self._own: dict[int, Callable[[], BinaryIO]] = {}
        self._last = ""

    def append(self, entry: Entry) -> None:
        """Add one at the end."""
        name = entry.name.rpartition("/")[2]
        folder = entry.name[: len(entry.name) - len(name)]
        if folder != self._last or not len(self._folders):
            self._folders.append(folder)
            self._last = folder
        self._folder.append(len(self._folders) - 1)
        self._names.append(name)
        self._keep(entry)
        self.sizes.append(entry.size)
        self.stamps.append((entry.stamp + (1 << 63)) % (1 << 64) - (1 << 63))

    def _keep(self, entry: Entry) -> None:
        """What it takes to open it."""
        way = entry.open
        if not isinstance(way, Shared) or (way.name, way.size) != (entry.name, entry.size):
            self._own[len(self.sizes)] = way
            self._how.append(-1)
            self.at.append(0)
            return
        if not self._hows or way.how is not self._hows[-1]:
            self._hows.append(way.how)
        self._how.append(len(self._hows) - 1)
        self.at.append(way.at)

    def name(self, place: int) -> str:
        """The whole name of one."""
        return self._folders[self._folder[place]] + self._names[place]

    def entry(self, place: int) -> Entry:
        """One of them, made anew."""
        name, size, how = self.name(place), self.sizes[place], self._how[place]
        way = self._own[place] if how < 0 else Shared(self._hows[how], name, size, self.at[place])
        return Entry(name, size, way, self.stamps[place])


class Index(Sequence[Entry]):
    """Entries in some order: as they were appended, then sorted by name, then some of those."""

    def __init__(self, files: Files | None = None, rows: NDArray[np.int32] | None = None) -> None:
        """rows: which of the files these are; None is all, as they were found."""
        self._files, self._rows = Files() if files is None else files, rows

    def append(self, entry: Entry) -> None:
        """Add one at the end, before they are sorted."""
        assert self._rows is None
        self._files.append(entry)

    def sort(self) -> None:
        """Bring all files in order of name; those of one name stay as they were found."""
        self._rows = in_order(len(self._files.sizes), self._files.name)

    def take(self, places: Sequence[int] | NDArray[Any]) -> Index:
        """The entries at these places; what is known of them is not copied."""
        chosen = np.asarray(places, dtype=np.int32)
        return Index(self._files, chosen if self._rows is None else self._rows[chosen])

    def places_in(self, whole: Index) -> NDArray[np.int32]:
        """Where each of these lies in another index of the same files, which holds all of them."""
        places = np.full(len(self._files.sizes), -1, dtype=np.int32)
        places[whole._every_row()] = np.arange(len(whole), dtype=np.int32)
        return places[self._every_row()]

    def _every_row(self) -> NDArray[np.int32]:
        return np.arange(len(self), dtype=np.int32) if self._rows is None else self._rows

    def at_end(self, close: Callable[[], None]) -> None:
        """Call this when the last index of these files is gone, or the program ends."""
        weakref.finalize(self._files, close)

    def names(self) -> Iterator[str]:
        """The names in order, one at a time."""
        return (self._files.name(self._row(place)) for place in range(len(self)))

    def listed(self) -> list[dict[str, Any]] | dict[str, Any]:
        """For a manifest: {"file", "bytes"} of each; of very many, count, bytes, sha256 and first.

        sha256: of the lines "name, zero byte, size" of all of them.
        """
        if len(self) <= MOST_LISTED:
            return _named(self)
        digest, total = hashlib.sha256(), 0
        for entry in self:
            digest.update(f"{entry.name}\0{entry.size}\n".encode("utf-8", "surrogatepass"))
            total += entry.size
        facts = {"count": len(self), "bytes": total, "sha256": digest.hexdigest()}
        return {**facts, "first": _named(self[:FIRST])}

    def __len__(self) -> int:
        return len(self._files.sizes) if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> Index: ...
    def __getitem__(self, place: int | slice) -> Entry | Index:
        if isinstance(place, slice):
            return self.take(np.arange(*place.indices(len(self)), dtype=np.int32))
        return self._files.entry(self._row(within(place, len(self))))

    def __iter__(self) -> Iterator[Entry]:
        return (self._files.entry(self._row(place)) for place in range(len(self)))

    def _row(self, place: int) -> int:
        return place if self._rows is None else int(self._rows[place])


def _named(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [{"file": entry.name, "bytes": entry.size} for entry in entries]
