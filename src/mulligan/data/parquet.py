"""Parquet files with a picture a row: one, a folder of them, a pattern; Hugging Face's layout."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from mulligan.data import tables
from mulligan.data.columns import arrow, find
from mulligan.data.labelling import SPLITS
from mulligan.data.sources import (
    ARCHIVES,
    MOST_ENTRIES,
    SUFFIXES,
    Source,
    is_hidden,
    open_regular,
)
from mulligan.errors import DataError

MOST_BATCH = 256  # rows that are decoded at once
MOST_PIECE = 1 << 28  # bytes of those, if each were as long as it can be
TRAIN = ("train", "training")


class ParquetTable:
    """A Parquet file. Raises what pyarrow does, OSError, or DataError for groups too large."""

    def __init__(self, path: Path) -> None:
        found = path.stat()
        self.path, self.stamp, self.most = path, found.st_mtime_ns, tables.most_of(found.st_size)
        self.metadata: Any = None
        with open_regular(path) as file:
            opened = self._open(file)
            self.metadata, schema = opened.metadata, opened.schema_arrow
        self.columns = find(schema)
        self.groups = self.metadata.num_row_groups
        largest = max(map(self._size, range(self.groups)), default=0)
        if largest > self.most:
            raise DataError(
                f"a row group unpacks to {largest >> 20} MiB, at most {self.most >> 20} are read"
            )
        if self.metadata.num_rows > MOST_ENTRIES:
            raise DataError(f"more than {MOST_ENTRIES} rows")

    def pieces(self, group: int) -> Iterator[Any]:
        """The rows of one group, few at a time."""
        # a dictionary may repeat a large picture in every row: so few that it would not matter
        rows = min(MOST_PIECE, self.most) // max(1, self._size(group))
        with open_regular(self.path) as file:
            if os.fstat(file.fileno()).st_mtime_ns != self.stamp:
                raise OSError("the table has changed since it was listed")
            yield from self._open(file).iter_batches(
                batch_size=max(1, min(MOST_BATCH, rows)),
                row_groups=[group],
                columns=self.columns.wanted,
                use_threads=False,
            )

    def _open(self, file: Any) -> Any:
        return arrow("pyarrow.parquet").ParquetFile(
            file, metadata=self.metadata, pre_buffer=False, arrow_extensions_enabled=False
        )

    def _size(self, group: int) -> int:
        """The bytes of a group, as the file says."""
        # not those of the wanted columns alone: pyarrow 26 ends the process where the description
        # of a column is damaged and asked for
        return int(self.metadata.row_group(group).total_byte_size)


def is_parquet(path: Path) -> bool:
    """Whether the name says so."""
    return path.suffix.lower() in (".parquet", ".pq")


def in_folder(folder: Path) -> list[tuple[str, Path]]:
    """The Parquet files below a folder, by name, if nothing below is a picture or an archive.

    As in folders of pictures, hidden files do not count, and links are followed, each real folder
    once. Stops at the first picture.
    """
    found: list[tuple[str, Path]] = []
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        with suppress(OSError):  # it is said where the folder is read
            real = place.stat()
            if (real.st_dev, real.st_ino) in seen:
                continue
            seen.add((real.st_dev, real.st_ino))
            for path in sorted(place.iterdir()):
                if is_hidden(path.name):
                    continue
                if path.is_dir():
                    waiting.append(path)
                elif path.suffix.lower() in SUFFIXES | ARCHIVES:
                    return []
                elif is_parquet(path):
                    found.append((path.relative_to(folder).as_posix(), path))
    return sorted(found)


def from_files(files: Sequence[tuple[str, Path]]) -> Source:
    """The rows of these files, (name, path), in order of name.

    Where names say that they are parts of a data set, those of the training part are used.
    Raises DataError if no file can be read.
    """
    used, note = _training(sorted(files))
    source = tables.from_tables([(name, partial(ParquetTable, path)) for name, path in used])
    source.notes += [note] if note else []
    return source


def _training(files: Sequence[tuple[str, Path]]) -> tuple[Sequence[tuple[str, Path]], str]:
    """The files of the training part, or all where there is none, and a sentence on the others."""
    parts = {name: _part(name) for name, _ in files}
    counts = Counter(part for part in parts.values() if part)
    train = [(name, path) for name, path in files if parts[name] in TRAIN]
    if not train or len(train) == len(files):
        several = f"the files are of the parts {', '.join(sorted(counts))}; all are used"
        return files, several if len(counts) > 1 else ""
    left = sorted({part for part in parts.values() if part not in TRAIN})
    words = ", ".join(part or "files of no part" for part in left)
    return train, f"the part train is used, {len(train)} of {len(files)} files; not {words}"


def _part(name: str) -> str:
    """train for data/train-00000-of-00002.parquet and for train/0000.parquet; "" for none."""
    path = PurePosixPath(name)
    words = [re.split(r"[-_.]", path.name.lower())[0], *(p.lower() for p in path.parts[:-1][::-1])]
    return next((word for word in words if word in SPLITS), "")
