"""Tables with a picture a row: entries are called by the number of their row.

Nothing but the columns of the pictures and of the classes is read, a group of rows at a time. A row
that holds a path and no bytes is skipped: paths in a table are never opened.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from threading import Lock
from typing import Any, BinaryIO, NamedTuple, Protocol

from mulligan.data.columns import Columns, arrow, classes
from mulligan.data.index import How
from mulligan.data.samples import as_list
from mulligan.data.sources import (
    MOST_ENTRIES,
    MOST_RATIO,
    Entry,
    Shared,
    Source,
    printable,
)
from mulligan.errors import DataError

MOST_ROWS = 1 << 32  # of a group; there are never more than MOST_ENTRIES
MOST_GROUP = 1 << 30  # bytes of the pictures of one group
RATIO_HERE = 1 << 26  # bytes that do no harm, however small the file is
MOST_HELD = 1 << 27  # bytes of the groups that are kept, if these are more than two
LEAST_HELD = 2  # threads stand in neighbouring groups

SIGNS = {
    b"\x89PNG": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"BM": ".bmp",
    b"RIFF": ".webp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}
"""By the first bytes of a picture, the suffix it would have as a file."""


class Table(Protocol):
    """A file of rows in groups.

    stamp: as of an `Entry`. most: bytes of pictures that a group may have. pieces: the rows of one
    group, in record batches with at least the wanted columns.
    """

    columns: Columns
    groups: int
    stamp: int
    most: int

    def pieces(self, group: int) -> Iterator[Any]: ...


Opener = tuple[str, Callable[[], Table]]
"""What a table is called, and how it is opened."""


class _Row(NamedTuple):
    """One row: its picture's suffix ("" if it has none) and size, where it is, its class."""

    suffix: str
    size: int
    how: How
    at: int
    stamp: int
    label: str | None
    reason: str


class Groups:
    """The pictures of the groups that were used last; threads may ask at once."""

    def __init__(self) -> None:
        self.held: OrderedDict[tuple[int, int], list[Any]] = OrderedDict()
        self.lock = Lock()

    def open(self, table: Table, name: str, size: int, at: int) -> BinaryIO:
        """The picture of one row: `at` is its group and place. Raises OSError if the table cannot
        be read any more."""
        group, place = divmod(at, MOST_ROWS)
        with self.lock:  # one thread reads a group, the others wait for it
            pieces = self._pieces(table, group)
            for piece in pieces:
                if place < len(piece):
                    return BytesIO(piece[place].as_buffer().to_pybytes())
                place -= len(piece)
        raise OSError("the table has changed while it was read")

    def _pieces(self, table: Table, group: int) -> list[Any]:
        key = (id(table), group)  # the entries keep the table alive
        if key in self.held:
            self.held.move_to_end(key)
            return self.held[key]
        while len(self.held) >= LEAST_HELD and self._bytes() > MOST_HELD:
            self.held.popitem(last=False)
        try:
            self.held[key] = [picture for picture, _ in _read(table, group)]
        except arrow().ArrowException as error:
            raise OSError(f"the table cannot be read: {error}") from error
        return self.held[key]

    def _bytes(self) -> int:
        return sum(piece.nbytes for pieces in self.held.values() for piece in pieces)


def most_of(size: int) -> int:
    """Bytes that a group of a file of this size may have when it is unpacked."""
    # a dictionary may repeat one picture in every row, and zeros pack well
    return min(MOST_GROUP, max(RATIO_HERE, MOST_RATIO * size))


def from_tables(tables: Sequence[Opener]) -> Source:
    """The rows of all tables, one table after another.

    A table that cannot be read is skipped with the reason. Raises DataError if none can be, or for
    too many rows.
    """
    source, groups = Source(), Groups()
    rows: list[_Row] = []
    known: Columns | None = None
    for name, find in tables:
        try:
            table = find()
            if known and table.columns.names != known.names:
                raise DataError("the classes have other names than in the table before")
            rows += list(_rows(table, groups, MOST_ENTRIES - len(rows)))
        except (arrow().ArrowException, OSError, ValueError, ArithmeticError) as error:
            source.skip(printable(name), getattr(error, "message", "") or _line(error))
            continue
        known = known or table.columns
    if known is None:
        raise DataError(
            f"not one of {len(tables)} tables can be read: {source.skipped[0]['reason']}",
            "a column with the bytes of the pictures is needed, in Parquet or Arrow",
        )
    _fill(source, rows, known)
    return source


def _rows(table: Table, groups: Groups, most: int) -> Iterator[_Row]:
    """Every row of a table, without its bytes."""
    how, words = partial(groups.open, table), dict[str | None, str | None]()
    for group in range(table.groups):
        place = 0
        for pictures, labels in _read(table, group):
            for picture, label in zip(pictures, labels, strict=True):
                buffer = picture.as_buffer()
                suffix = _suffix(buffer[:16].to_pybytes()) if buffer is not None else ""
                reason = "not a picture by its first bytes" if buffer is not None else "no bytes"
                size = buffer.size if buffer is not None else 0
                at = group * MOST_ROWS + place
                word = _word(label)
                word = words.setdefault(word, word)  # held once, however many rows have it
                yield _Row(suffix, size, how, at, table.stamp, word, reason)
                place, most = place + 1, most - 1
                if most < 0:
                    raise DataError(f"more than {MOST_ENTRIES} rows")


def _read(table: Table, group: int) -> Iterator[tuple[Any, list[Any]]]:
    """(pictures, classes) of one group, piece by piece. Raises DataError for too many bytes."""
    compute, columns, total = arrow("pyarrow.compute"), table.columns, 0
    for piece in table.pieces(group):
        pictures = piece.column(columns.picture)
        if columns.within:
            pictures = compute.struct_field(pictures, columns.within)
        total += pictures.nbytes
        if total > table.most:
            raise DataError(f"a group of rows has more than {table.most >> 20} MiB of pictures")
        label = columns.label
        yield pictures, classes(piece.column(label)) if label else [None] * len(pictures)


def _fill(source: Source, rows: Sequence[_Row], columns: Columns) -> None:
    """Put the rows into the source, and the list of their classes."""
    width, classes = len(str(max(0, len(rows) - 1))), {}
    for number, row in enumerate(rows):
        name = f"{number:0{width}d}{row.suffix}"
        if not row.suffix:
            source.skip(name, row.reason)
            continue
        source.add(Entry(name, row.size, Shared(row.how, name, row.size, row.at), row.stamp))
        if row.label is not None:
            classes[name] = row.label
    source.settle()
    if columns.label is None:
        return
    source.labels = as_list(f"the column {columns.label}", classes, columns.names)
    if columns.others:
        source.notes.append(
            f"the classes are those of the column {columns.label}; there is also "
            f"{', '.join(columns.others)}"
        )


def _word(label: Any) -> str | None:
    """A class as a word; None for none, which Hugging Face writes as -1."""
    if label is None or (isinstance(label, int) and label < 0):
        return None
    return str(label).strip()


def _suffix(start: bytes) -> str:
    found = next((suffix for sign, suffix in SIGNS.items() if start.startswith(sign)), "")
    return "" if found == ".webp" and start[8:12] != b"WEBP" else found


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
