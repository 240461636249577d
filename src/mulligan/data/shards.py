"""WebDataset shards: several tars that are one set of pictures.

The entries are called as their members are, so that the same pictures in one tar, in several or in
a folder are the same data. A shard that cannot be read is skipped with the reason.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mulligan.data.sources import (
    LABELS_FILES,
    MOST_ENTRIES,
    SECOND,
    Entry,
    Shared,
    Source,
    is_hidden,
    open_regular,
    printable,
)
from mulligan.data.tars import Holder, is_tar, on_disk, read_tar, settle
from mulligan.errors import DataError

Shard = tuple[str, Callable[[], Holder]]
"""What a shard is called, and how its bytes are found."""


class _Read(NamedTuple):
    """A shard that was read: what it is called, its members, and the classes its samples say."""

    name: str
    source: Source
    classes: dict[str, str]


def in_folder(folder: Path) -> list[tuple[str, Path]]:
    """The files of a folder, by name, if all are tars, but for a list of classes; else none.

    Hidden files do not count. Stops at the first file that is no tar.
    """
    found, tars = [], 0
    try:
        with os.scandir(folder) as below:
            for item in below:
                if is_hidden(item.name):
                    continue
                tar = is_tar(Path(item.name))
                if not item.is_file() or not (tar or item.name in LABELS_FILES):
                    return []
                found.append((item.name, Path(item.path)))
                tars += tar
    except OSError:  # it is said where the folder is read
        return []
    return sorted(found) if tars else []


def from_files(files: Sequence[tuple[str, Path]]) -> Source:
    """The members of these tars, (name, path); what is no tar is a list of classes beside them."""
    tars = [(name, partial(on_disk, path)) for name, path in files if is_tar(path)]
    beside = []
    for name, path in files:
        if not is_tar(path):
            found = path.stat()
            opener = partial(open_regular, path)
            beside.append(Entry(printable(name), found.st_size, opener, found.st_mtime_ns))
    return from_shards(tars, beside)


def from_shards(shards: Sequence[Shard], beside: Sequence[Entry] = ()) -> Source:
    """The members of all shards, in order of name.

    beside: a list of classes that lies outside of the shards. Two members of the same name get the
    shard's name before their own. Raises DataError if no shard can be read, or for too many
    members.
    """
    done: list[_Read] = []
    ends: list[Callable[[], None]] = []
    failures: list[DataError] = []
    source = Source(close=partial(_close, ends), twice=SECOND)
    try:
        for name, find in shards:
            try:
                done.append(_Read(name, *read_tar(find, name)))
                ends.append(done[-1].source.close)
            except DataError as error:
                failures.append(error)
                source.skip(printable(name), error.message)
            if sum(len(shard.source.pictures) for shard in done) > MOST_ENTRIES:
                raise DataError(f"the {len(shards)} tars have more than {MOST_ENTRIES} pictures")
        if not done:
            first = failures[0]
            raise DataError(
                f"not one of {len(shards)} tars can be read: {first.message}", first.suggestion
            )
        classes = _joined(done, source)
        for entry in beside:
            source.add(entry)
        settle(source, classes)
    except BaseException:
        source.close()
        raise
    return source


def _joined(shards: Sequence[_Read], source: Source) -> dict[str, str]:
    """Put the members of all shards into one source; the classes by their names there."""
    for shard in shards:
        shard.source.in_order()
    several = _in_several(shards)
    classes: dict[str, str] = {}
    seen: set[str] = set()
    for shard in shards:
        for entry in shard.source.pictures:
            name = entry.name
            if name in several:
                name = _apart(shard.name, entry.name)
                if name in seen:
                    source.skip(f"{shard.name}/{entry.name}", SECOND)
                    continue
                seen.add(name)
            source.add(_renamed(entry, name))
            if entry.name in shard.classes:
                classes.setdefault(name, shard.classes[entry.name])
        for entry in shard.source.lists:
            source.add(entry)
        for skip in shard.source.skipped:
            source.skip(f"{shard.name}/{skip['file']}", skip["reason"])
    return classes


def _in_several(shards: Sequence[_Read]) -> set[str]:
    """The names that pictures of more than one shard have."""

    def names() -> Iterator[str]:
        return (name for shard in shards for name in shard.source.pictures.names())

    # numbers first: all names at once, as strings, would take more memory than all else
    values, times = np.unique(np.fromiter(map(hash, names()), np.int64), return_counts=True)
    often = set(values[times > 1].tolist())
    counts = Counter(name for name in names() if hash(name) in often) if often else Counter[str]()
    return {name for name, count in counts.items() if count > 1}


def _renamed(entry: Entry, name: str) -> Entry:
    """The same member under this name."""
    way = entry.open
    if isinstance(way, Shared):  # which lies where it lies, whatever it is called
        way = replace(way, name=name)
    return Entry(name, entry.size, way, entry.stamp)


def _apart(shard: str, member: str) -> str:
    """cat/a.png of b/0001.tar as cat/b-0001-a.png: its folder, and so its class, stays."""
    path = PurePosixPath(member)
    folder, _, base = shard.rpartition("/")
    stem = "-".join([*folder.split("/"), base.partition(".")[0]]).strip("-")
    return str(path.with_name(f"{printable(stem)}-{path.name}"))


def _close(ends: Sequence[Callable[[], None]]) -> None:
    for end in ends:
        end()
