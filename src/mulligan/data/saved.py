"""Folders that Hugging Face's datasets wrote with save_to_disk; pyarrow alone reads them."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mulligan.data import tables
from mulligan.data.columns import arrow, find
from mulligan.data.sources import Source
from mulligan.errors import DataError

STATE, PARTS = "state.json", "dataset_dict.json"
# numbers of fields and kinds in Arrow's Message.fbs
MESSAGE_KIND, MESSAGE_HEADER, DICTIONARY_DATA, RECORDS_COMPRESSION = 1, 2, 1, 3
DICTIONARY, RECORDS = 2, 3
MOST_STATE = 1 << 24  # bytes of either


class ArrowTable:
    """An Arrow stream, mapped into memory: its bytes are read when a picture is asked for.

    Raises what pyarrow does, OSError, or DataError for a stream that is compressed, as it would
    have to be held unpacked.
    """

    def __init__(self, path: Path) -> None:
        found, ipc = path.stat(), arrow("pyarrow.ipc")
        self.stamp, self.batches = found.st_mtime_ns, []
        self.most = tables.MOST_GROUP
        source = arrow().memory_map(str(path))
        if any(is_packed(message.metadata) for message in ipc.MessageReader.open_stream(source)):
            raise DataError("compressed streams are not read", "save it uncompressed")
        source.seek(0)
        self.columns = find(ipc.open_stream(source).schema)
        source.seek(0)
        for batch in ipc.open_stream(source, options=self._options(source)):
            batch.validate(full=True)  # offsets that point elsewhere would be followed
            self.batches.append(batch)
        self.groups = len(self.batches)

    def pieces(self, group: int) -> Iterator[Any]:
        """The rows of one batch."""
        yield self.batches[group]

    def _options(self, source: Any) -> Any:
        """Only the wanted columns are read."""
        ipc = arrow("pyarrow.ipc")
        schema = ipc.open_stream(source).schema
        source.seek(0)
        names = [self.columns.picture, *([self.columns.label] if self.columns.label else [])]
        return ipc.IpcReadOptions(included_fields=[schema.get_field_index(name) for name in names])


def is_packed(message: Any) -> bool:
    """Whether the buffers of a message of Arrow's format are compressed, as its flatbuffer says.

    pyarrow says so of none, and would unpack gigabytes to find out.
    """
    data = bytes(message)
    try:
        (root,) = struct.unpack_from("<I", data)
        kind = _field(data, root, MESSAGE_KIND)
        batch = _table(data, root, MESSAGE_HEADER)
        if not kind or not batch or data[kind] not in (DICTIONARY, RECORDS):
            return False
        batch = _table(data, batch, DICTIONARY_DATA) if data[kind] == DICTIONARY else batch
        return bool(batch and _field(data, batch, RECORDS_COMPRESSION))
    except (struct.error, IndexError) as error:
        raise DataError("a message of the stream is damaged") from error


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field of a table of a flatbuffer stands; 0 if it is left out."""
    (back,) = struct.unpack_from("<i", data, table)
    names = table - back
    (length,) = struct.unpack_from("<H", data, names)
    at = 4 + 2 * number
    (offset,) = struct.unpack_from("<H", data, names + at) if at < length else (0,)
    return table + int(offset) if offset else 0


def _table(data: bytes, table: int, number: int) -> int:
    """Where the table that a field holds stands; 0 if it is left out."""
    at = _field(data, table, number)
    return at + int(struct.unpack_from("<I", data, at)[0]) if at else 0


def is_saved(folder: Path) -> bool:
    """Whether save_to_disk wrote this folder."""
    return (folder / PARTS).is_file() or (folder / STATE).is_file()


def from_saved(folder: Path) -> Source:
    """The rows of a saved data set, or of the training part of several.

    Raises DataError for a folder that is not as save_to_disk leaves it.
    """
    note = ""
    if (folder / PARTS).is_file():
        parts = _strings(_json(folder / PARTS).get("splits"), folder / PARTS)
        part, note = chosen(parts)
        folder = folder / part
    listed = _json(folder / STATE).get("_data_files")
    rows = listed if isinstance(listed, list) else []
    names = [row.get("filename") if isinstance(row, dict) else None for row in rows]
    files = [folder / name for name in _strings(names, folder / STATE)]
    source = from_streams(files)
    source.notes += [note] if note else []
    return source


def from_streams(files: Sequence[Path]) -> Source:
    """The rows of these Arrow streams, one after another. Raises DataError if none can be read."""
    return tables.from_tables([(path.name, partial(ArrowTable, path)) for path in files])


def chosen(parts: Sequence[str]) -> tuple[str, str]:
    """The part to use, train if there is one, and a sentence about the others."""
    part = "train" if "train" in parts else parts[0]
    others = [name for name in parts if name != part]
    return part, f"the part {part} is used; not {', '.join(others)}" if others else ""


def _json(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MOST_STATE))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return found if isinstance(found, dict) else {}


def _strings(names: Any, path: Path) -> list[str]:
    """Names of files or folders that lie beside `path`, and nowhere else."""
    right = isinstance(names, list) and names and all(isinstance(name, str) for name in names)
    if not right or any(name in ("", ".", "..") or Path(name).name != name for name in names):
        raise DataError(
            f"{path} does not say which files beside it hold the data",
            "write the folder again with save_to_disk",
        )
    return list(names)
