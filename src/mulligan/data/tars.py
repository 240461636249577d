"""The members of a tar as named entries; a compressed one is unpacked into a file without a name.

Nothing is extracted under a member's own name, and links are never followed.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from mulligan.data.sources import (
    MOST_ENTRIES,
    MOST_RATIO,
    MOST_TOTAL,
    RATIO_FROM,
    Entry,
    Shared,
    Source,
    is_hidden,
    printable,
    refused_name,
)
from mulligan.errors import DataError

PIECE = 1 << 20
OPENERS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""By the first bytes of a compressed file."""

UNREADABLE = (OSError, EOFError, tarfile.TarError, lzma.LZMAError, ValueError, OverflowError)


class Part(io.RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        super().__init__()
        self.file, self.start, self.size, self.at = path.open("rb"), start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence]
        self.at = max(0, base + offset)
        return self.at

    def readinto(self, buffer: Any) -> int:
        self.file.seek(self.start + self.at)
        wanted = max(0, min(len(buffer), self.size - self.at))
        count = self.file.readinto(memoryview(buffer)[:wanted])
        self.at += count
        return count

    def close(self) -> None:
        self.file.close()
        super().close()


def is_tar(path: Path) -> bool:
    """Whether the name says so: .tar, .tar.gz, .tgz and the like."""
    words = path.name.lower().split(".")
    return "tar" in words[-2:] or words[-1] in ("tgz", "tbz2", "txz")


def from_tar(path: Path) -> Source:
    """The members of a tar, plain or compressed, in order of name.

    Links, devices, sparse files, absolute names and names with '..' are skipped. Raises DataError
    for no tar, one that is cut off, too many members, or one that grows suspiciously.
    """
    source, plain = Source(twice="a second member of the same name"), path
    try:
        with path.open("rb") as file:
            first = file.read(6)
        for sign, opener in OPENERS.items():
            if first.startswith(sign):
                plain = _unpacked(path, opener)
                source.close = partial(plain.unlink, missing_ok=True)
        _list(plain, source, path.stat().st_mtime_ns)
    except UNREADABLE as error:
        source.close()
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} is not a tar that can be read: {error}") from error
    source.settle()
    return source


def _unpacked(path: Path, opener: Callable[[Any], Any]) -> Path:
    """A file with the tar inside; it is removed again if that is too long."""
    most = min(MOST_TOTAL, max(RATIO_FROM, MOST_RATIO * path.stat().st_size))
    handle, name = tempfile.mkstemp(prefix="mulligan-", suffix=".tar")
    try:
        with os.fdopen(handle, "wb") as out, opener(path) as stream:
            length = 0
            while piece := stream.read(PIECE):
                length += len(piece)
                if length > most:
                    raise DataError(f"{path} grows to more than {most} bytes when unpacked")
                out.write(piece)
    except BaseException:
        Path(name).unlink()
        raise
    return Path(name)


def _list(path: Path, source: Source, stamp: int) -> None:
    count, how = 0, partial(_part, path)
    with tarfile.open(path, "r:") as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined] # it keeps a kilobyte of each
            count += 1
            if count > MOST_ENTRIES:
                raise DataError(f"{path} has more than {MOST_ENTRIES} members")
            raw = member.name.removeprefix("./")
            if member.isdir() or is_hidden(raw):
                continue
            name = printable(raw)
            if reason := refused_name(raw) or _kind(member):
                source.skip(name, reason)
                continue
            opener = Shared(how, name, member.size, member.offset_data)
            source.add(Entry(name, member.size, opener, stamp))


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    if member.issparse():
        return "a sparse file"
    return "" if member.isreg() else "not a plain file"


def _part(path: Path, name: str, size: int, start: int) -> BinaryIO:
    return io.BufferedReader(Part(path, start, size))
