"""The files of a folder or a zip as named entries that can be opened; nothing is extracted."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from mulligan.data.dataset import Skipped
from mulligan.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".webp"}
SUFFIXES |= {".tif", ".tiff"}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}
JUNK = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir"}
LABELS_FILES = ("dataset.json", "labels.csv", "metadata.csv", "labels.jsonl", "metadata.jsonl")
"""Files that list the classes; the first of them that there is counts."""

MOST_ENTRIES = 2_000_000
MOST_TOTAL = 1 << 38  # bytes of all members together
MOST_BYTES = 1 << 28  # bytes of one file
MOST_RATIO, RATIO_FROM = 200, 1 << 20  # flat pictures compress well; small ones do no harm


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its name below the root with '/', its bytes, and how to open it.

    stamp: changes when the content does: its time in nanoseconds, or its checksum.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    stamp: int = 0

    def read(self) -> bytes:
        """The content. Raises OSError where it is longer than allowed."""
        with self.open() as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise OSError(f"more than {MOST_BYTES >> 20} MiB")
        return content


@dataclass
class Source:
    """Pictures by name, the file that lists their classes, and what cannot be used and why.

    lists: all files that may be the list of classes; `settle` chooses one. notes: what the user
    should know of how the source was read.
    """

    pictures: list[Entry] = field(default_factory=list)
    lists: list[Entry] = field(default_factory=list)
    labels: Entry | None = None
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    close: Callable[[], None] = lambda: None

    def add(self, entry: Entry) -> None:
        path = PurePosixPath(entry.name)
        suffix = path.suffix.lower()
        if path.name in LABELS_FILES and len(path.parts) <= 2:
            self.lists.append(entry)
        elif entry.size > MOST_BYTES:
            self.skip(entry.name, f"{entry.size} bytes, at most {MOST_BYTES} are read")
        elif suffix in SUFFIXES:
            self.pictures.append(entry)
        else:
            kind = "an archive inside the data" if suffix in ARCHIVES else "no picture by its name"
            self.skip(entry.name, kind)

    def skip(self, name: str, reason: str) -> None:
        self.skipped.append({"file": name, "reason": reason})

    def settle(self) -> None:
        """Once all files are there: pictures in order of name, and one list of classes.

        It lies at the root, or in the one folder that holds all; the other lists are skipped.
        """
        self.pictures.sort(key=lambda entry: entry.name)
        tops = {entry.name.split("/")[0] for entry in self.pictures}
        order = {name: place for place, name in enumerate(LABELS_FILES)}
        near = [e for e in self.lists if "/" not in e.name or tops == {e.name.split("/")[0]}]
        near.sort(key=lambda e: (e.name.count("/"), order[PurePosixPath(e.name).name]))
        self.labels = near[0] if near else None
        used = self.labels.name if self.labels else "none"
        for entry in self.lists:
            if entry is not self.labels:
                self.skip(entry.name, f"not the list of classes: {used}")


def from_folder(root: Path) -> Source:
    """The files below a folder, in order of name.

    Links to files and folders are followed, each real folder once; devices, pipes and sockets are
    skipped without being opened. Raises DataError where the folder cannot be listed.
    """
    source = Source()
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[Path, str]] = [(root, "")]
    while waiting:
        folder, prefix = waiting.pop()
        try:
            real = folder.stat()
            below = sorted(folder.iterdir(), key=os.fsencode)
        except OSError as error:
            if folder == root:
                raise DataError(f"{root} cannot be read: {error.strerror}") from error
            source.skip(prefix.rstrip("/"), f"cannot be listed: {error.strerror}")
            continue
        if (real.st_dev, real.st_ino) in seen:
            source.skip(prefix.rstrip("/"), "a link to a folder that is read already")
            continue
        seen.add((real.st_dev, real.st_ino))
        visits = [_visit(path, prefix, source) for path in below if not _is_junk(path.name)]
        waiting += [visit for visit in reversed(visits) if visit]
    source.settle()
    return source


def from_zip(path: Path) -> Source:
    """The members of a zip, in order of name.

    Links, encrypted members, archives, absolute names, names with '..' and members that grow
    suspiciously are skipped. Raises DataError for no zip, too many members, or too many bytes.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise DataError(f"{path} is not a zip that can be read: {error}") from error
    members = [member for member in archive.infolist() if not member.is_dir()]
    total = sum(member.file_size for member in members)
    if len(members) > MOST_ENTRIES or total > MOST_TOTAL:
        archive.close()
        raise DataError(
            f"{path} has {len(members)} members of {total} bytes in all; at most {MOST_ENTRIES} "
            f"and {MOST_TOTAL} are read",
            "unpack it and give the folder",
        )
    source = Source(close=archive.close)
    seen: set[str] = set()
    for member in members:
        if is_hidden(member.filename):
            continue
        if reason := _refusal(member, seen):
            source.skip(printable(member.filename), reason)
            continue
        seen.add(member.filename)
        opener = cast("Callable[[], BinaryIO]", partial(archive.open, member))
        name, size = printable(member.filename), member.file_size
        source.add(Entry(name, size, opener, member.CRC))
    source.settle()
    return source


def _visit(path: Path, prefix: str, source: Source) -> tuple[Path, str] | None:
    """Add a file to the source, or return a folder that is to be visited."""
    name = prefix + printable(path.name)
    try:
        found = path.stat()
    except OSError as error:
        source.skip(name, f"cannot be opened: {error.strerror}")
        return None
    if stat.S_ISDIR(found.st_mode):
        return path, name + "/"
    if stat.S_ISREG(found.st_mode):
        source.add(Entry(name, found.st_size, partial(open_regular, path), found.st_mtime_ns))
    else:
        source.skip(name, "not a plain file")
    return None


def open_regular(path: Path) -> BinaryIO:
    # the file may have been replaced by a pipe since it was listed: never wait for a writer
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("not a plain file")
    return os.fdopen(handle, "rb")


def _refusal(member: zipfile.ZipInfo, seen: set[str]) -> str:
    if reason := refused_name(member.filename, seen):
        return reason
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link"
    if member.flag_bits & 1:
        return "encrypted"
    if member.file_size > RATIO_FROM and member.file_size > MOST_RATIO * member.compress_size:
        return f"grows more than {MOST_RATIO} times when unpacked"
    return ""


def refused_name(name: str, seen: set[str]) -> str:
    """Why a member of an archive is not used because of its name; empty if it may be."""
    if name.startswith("/") or "\\" in name or ":" in name.split("/")[0]:
        return "an absolute name"
    if ".." in name.split("/"):
        return "a name with '..'"
    return "a second member of the same name" if name in seen else ""


def is_hidden(name: str) -> bool:
    """Whether a part of the name is what systems leave behind."""
    return any(map(_is_junk, name.split("/")))


def _is_junk(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in JUNK


def printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
