"""The members of a tar as named entries; a compressed one is unpacked into a temporary file.

Nothing is extracted under a member's own name, and links are never followed. The tar may lie
anywhere: a `Holder` says how its bytes are read.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from mulligan.data.index import MOST_BYTES
from mulligan.data.members import Member, is_sparse, members
from mulligan.data.samples import MOST_SIDE, Samples, as_list, is_side
from mulligan.data.sources import (
    LABELS_FILES,
    MOST_ENTRIES,
    MOST_RATIO,
    MOST_TOTAL,
    RATIO_FROM,
    SECOND,
    SUFFIXES,
    Entry,
    Shared,
    Source,
    is_hidden,
    open_regular,
    printable,
    refused_name,
)
from mulligan.data.window import Part
from mulligan.errors import DataError, MulliganError, StorageError

PIECE = 1 << 20
OPENERS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""By the first bytes of a compressed file."""

UNREADABLE = (
    *(OSError, EOFError, tarfile.TarError, lzma.LZMAError, ValueError, OverflowError),
    RecursionError,  # header upon header before one member
)
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Holder:
    """Where the bytes of a tar are.

    open: all of them, as a file that can seek. part: (start, size), some of them as such a file.
    stamp: changes when the content does.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    part: Callable[[int, int], BinaryIO]
    stamp: int = 0


def is_tar(path: Path) -> bool:
    """Whether the name says so: .tar, .tar.gz, .tgz and the like."""
    words = path.name.lower().split(".")
    return "tar" in words[-2:] or words[-1] in ("tgz", "tbz2", "txz")


def from_tar(path: Path) -> Source:
    """The members of a tar, plain or compressed, in order of name.

    Links, devices, sparse files, absolute names and names with '..' are skipped. Raises DataError
    for no tar, one that is cut off or damaged, too many members, or one that grows suspiciously;
    StorageError where there is no room to unpack it.
    """
    source, classes = read_tar(lambda: on_disk(path), str(path))
    settle(source, classes)
    return source


def settle(source: Source, classes: dict[str, str]) -> None:
    """Once all members are there: their order, and their classes if samples say any."""
    if classes:
        for entry in source.lists:
            source.skip(entry.name, "not the list of classes: the samples say theirs")
        source.lists.clear()
    source.settle()
    if classes:
        source.labels = as_list("the .cls and .json members", classes)


def on_disk(path: Path) -> Holder:
    """A tar that is a file."""
    found = path.stat()
    opener = partial(open_regular, path)
    return Holder(str(path), found.st_size, opener, partial(_part, path), found.st_mtime_ns)


def read_tar(find: Callable[[], Holder], name: str) -> tuple[Source, dict[str, str]]:
    """The members, not yet settled, and the classes that samples say. Raises as `from_tar`."""
    source, samples = Source(twice=SECOND), Samples()
    try:
        holder = find()
        with holder.open() as file:
            first = file.read(6)
        for sign, opener in OPENERS.items():
            if first.startswith(sign):
                unpacked = _unpacked(holder, opener)
                source.close = partial(unpacked.unlink, missing_ok=True)
                holder = replace(on_disk(unpacked), stamp=holder.stamp)
        _list(holder, source, samples)
        return source, samples.settle(source)
    except BaseException as error:
        source.close()
        if isinstance(error, UNREADABLE) and not isinstance(error, MulliganError):
            raise DataError(f"{name} is not a tar that can be read: {error}") from error
        raise


def _unpacked(holder: Holder, opener: Callable[[Any], Any]) -> Path:
    """A file with the tar inside; it is removed again if that is too long."""
    most = min(MOST_TOTAL, max(RATIO_FROM, MOST_RATIO * holder.size))
    handle, name = tempfile.mkstemp(prefix="mulligan-", suffix=".tar")
    try:
        with os.fdopen(handle, "wb") as out, holder.open() as packed, opener(packed) as stream:
            length = 0
            while piece := stream.read(PIECE):
                length += len(piece)
                if length > most:
                    raise DataError(f"{holder.name} grows to more than {most} bytes when unpacked")
                out.write(piece)
    except BaseException as error:
        Path(name).unlink()
        if isinstance(error, OSError) and error.errno in FULL:
            raise StorageError(
                f"no room to unpack {holder.name} in {Path(name).parent}",
                "free some space, or set TMPDIR to a folder with more",
            ) from error
        raise
    return Path(name)


def _list(holder: Holder, source: Source, samples: Samples) -> None:
    count, how = 0, partial(_open_member, holder)
    with holder.open() as file, tarfile.open(fileobj=file, mode="r:", tarinfo=Member) as archive:
        for member in members(archive):
            count += 1
            if count > MOST_ENTRIES:
                raise DataError(f"{holder.name} has more than {MOST_ENTRIES} members")
            raw = member.name.removeprefix("./")
            if member.isdir() or is_hidden(raw):
                continue
            name = printable(raw)
            if reason := refused_name(raw) or _kind(member):
                source.skip(name, reason)
                continue
            opener = Shared(how, name, member.size, member.offset_data)
            entry = Entry(name, member.size, opener, holder.stamp)
            if _is_own(entry):
                source.add(entry)
            elif name in samples.others:
                source.skip(name, SECOND)
            else:
                held = archive.extractfile(member) if _says_class(entry) else None
                samples.take(entry, held.read() if held else None)
        file.seek(archive.offset)
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):  # which Python takes for the end
            raise tarfile.ReadError(f"damaged after {count} members")


def _is_own(entry: Entry) -> bool:
    """Whether a member counts by itself, and not as a part of a sample."""
    base = entry.name.rpartition("/")[2]
    suffix = os.path.splitext(base)[1].lower()  # noqa: PTH122 - Python keeps the parts of a Path
    listed = base in LABELS_FILES and entry.name.count("/") <= 1
    return listed or suffix in SUFFIXES or entry.size > MOST_BYTES


def _says_class(entry: Entry) -> bool:
    return is_side(entry.name) and entry.size <= MOST_SIDE


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    if is_sparse(member):
        return "a sparse file"
    return "" if member.isreg() else "not a plain file"


def _open_member(holder: Holder, name: str, size: int, at: int) -> BinaryIO:
    return holder.part(at, size)


def _part(path: Path, start: int, size: int) -> BinaryIO:
    return io.BufferedReader(Part(path, start, size))
