"""The files of a folder or a zip as named entries that can be opened; nothing is extracted."""

from __future__ import annotations

import os
import stat
import zipfile
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from mulligan.data.index import MOST_BYTES, Entry, How, Index, Shared
from mulligan.data.packed import Skips
from mulligan.data.suffixes import ARCHIVES, SUFFIXES, other
from mulligan.errors import DataError
from mulligan.words import one_line

__all__ = ["ARCHIVES", "SUFFIXES", "Entry", "Index", "Shared", "Source"]

JUNK = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir"}
LABELS_FILES = ("dataset.json", "labels.csv", "metadata.csv", "labels.jsonl", "metadata.jsonl")
"""Files that list the classes; the first of them that there is counts."""

MOST_ENTRIES = 2_000_000
MOST_TOTAL = 1 << 38  # bytes of all members together
MOST_RATIO, RATIO_FROM = 200, 1 << 20  # flat pictures compress well; small ones do no harm
SECOND = "a second member of the same name"


@dataclass
class Source:
    """Pictures by name, the file that lists their classes, and what cannot be used and why.

    lists: all files that may be the list of classes; `settle` chooses one. unread: whether the
    system would not give the content of a picture, which it may do the next time. notes: what the
    user should know of how the source was read. twice: why the second of two pictures of one name
    is not used; empty where names cannot be the same.
    """

    pictures: Index = field(default_factory=Index)
    lists: list[Entry] = field(default_factory=list)
    labels: Entry | None = None
    skipped: Skips = field(default_factory=Skips)
    unread: bool = False
    notes: list[str] = field(default_factory=list)
    close: Callable[[], None] = lambda: None
    twice: str = ""

    def add(self, entry: Entry) -> None:
        """Take a file for what it is by its name: a picture, a list of classes, or neither."""
        base = entry.name.rpartition("/")[2]
        suffix = os.path.splitext(base)[1].lower()  # noqa: PTH122 - a million times
        if base in LABELS_FILES and len(PurePosixPath(entry.name).parts) <= 2:
            self.lists.append(entry)
        elif entry.size > MOST_BYTES:
            self.skip(entry.name, f"{entry.size} bytes, at most {MOST_BYTES} are read")
        elif suffix in SUFFIXES:
            self.pictures.append(entry)
        else:
            self.skip(entry.name, other(suffix))

    def skip(self, name: str, reason: str) -> None:
        """Note that a file is not used."""
        self.skipped.append(one_line(name), one_line(reason))

    def settle(self) -> None:
        """Once all files are there: pictures in order of name, and one list of classes.

        It lies at the root, or in the one folder that holds all; the other lists are skipped.
        """
        self.in_order()
        order = {name: place for place, name in enumerate(LABELS_FILES)}
        near = [e for e in self.lists if "/" not in e.name or self._hold_all(e.name.split("/")[0])]
        near.sort(key=lambda e: (e.name.count("/"), order[PurePosixPath(e.name).name]))
        self.labels = near[0] if near else None
        used = self.labels.name if self.labels else "none"
        for entry in self.lists:
            if entry is not self.labels:
                self.skip(entry.name, f"not the list of classes: {used}")

    def in_order(self) -> None:
        """Once all pictures are there: in order of name, and the first of each name if `twice`."""
        self.pictures.sort()
        if self.twice:
            self._leave_out_doubles()

    def _hold_all(self, top: str) -> bool:
        """Whether all pictures lie in this folder."""
        names = self.pictures.names()
        return len(self.pictures) > 0 and all(name.startswith(f"{top}/") for name in names)

    def _leave_out_doubles(self) -> None:
        """Of pictures of one name keep the first; in order they follow each other."""
        last, kept = None, array("i")
        for place, name in enumerate(self.pictures.names()):
            if name == last:
                self.skip(name, self.twice)
            else:
                kept.append(place)
            last = name
        if len(kept) < len(self.pictures):
            self.pictures = self.pictures.take(kept)


def from_folder(root: Path) -> Source:
    """The files below a folder, in order of name.

    Links to files and folders are followed, each real folder once; devices, pipes and sockets are
    skipped without being opened. Raises DataError where the folder cannot be listed.
    """
    source, how = Source(), partial(open_below, root)
    seen: set[tuple[int, int]] = set()
    waiting: list[tuple[Path, str]] = [(root, "")]
    while waiting:
        folder, prefix = waiting.pop()
        try:
            real = folder.stat()
            if (real.st_dev, real.st_ino) in seen:
                source.skip(prefix.rstrip("/"), "a link to a folder that is read already")
                continue
            seen.add((real.st_dev, real.st_ino))
            with os.scandir(folder) as below:
                plain = (found for found in below if not _is_junk(found.name))
                folders = [visit for f in plain if (visit := _visit(f, prefix, source, how))]
        except OSError as error:
            if folder == root:
                raise DataError(f"{root} cannot be read: {error.strerror}") from error
            source.skip(prefix.rstrip("/"), f"cannot be listed: {error.strerror}")
            continue
        waiting += sorted(folders, key=lambda visit: os.fsencode(visit[0]), reverse=True)
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
    count = sum(not member.is_dir() for member in archive.filelist)
    total = sum(member.file_size for member in archive.filelist)
    if count > MOST_ENTRIES or total > MOST_TOTAL:
        archive.close()
        raise DataError(
            f"{path} has {count} members of {total} bytes in all; at most {MOST_ENTRIES} "
            f"and {MOST_TOTAL} are read",
            "unpack it and give the folder",
        )
    source = Source(close=archive.close, twice=SECOND)
    how = partial(_open_member, archive)
    for place, member in enumerate(archive.filelist):
        if member.is_dir() or is_hidden(member.filename):
            continue
        name, size = printable(member.filename), member.file_size
        if reason := _refusal(member):
            source.skip(name, reason)
            continue
        source.add(Entry(name, size, Shared(how, name, size, place), member.CRC))
    source.settle()
    return source


def _open_member(archive: zipfile.ZipFile, name: str, size: int, place: int) -> BinaryIO:
    return cast("BinaryIO", archive.open(archive.filelist[place]))


def _visit(
    found: os.DirEntry[str], prefix: str, source: Source, how: How
) -> tuple[Path, str] | None:
    """Add a file to the source, or return a folder that is to be visited."""
    name = prefix + printable(found.name)
    try:
        facts = found.stat()
    except OSError as error:
        source.skip(name, f"cannot be opened: {error.strerror}")
        return None
    if stat.S_ISDIR(facts.st_mode):
        return Path(found.path), name + "/"
    if stat.S_ISREG(facts.st_mode):
        opener: Callable[[], BinaryIO] = Shared(how, name, facts.st_size)
        if printable(found.path) != found.path:  # the name alone does not lead back to it
            opener = partial(open_regular, Path(found.path))
        source.add(Entry(name, facts.st_size, opener, facts.st_mtime_ns))
    else:
        source.skip(name, "not a plain file")
    return None


def open_below(root: Path, name: str, size: int, at: int) -> BinaryIO:
    """Open a file by its name below a folder; size and at do not matter."""
    return open_regular(root / name)


def open_regular(path: Path) -> BinaryIO:
    # the file may have been replaced by a pipe since it was listed: never wait for a writer
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("not a plain file")
    return os.fdopen(handle, "rb")


def _refusal(member: zipfile.ZipInfo) -> str:
    if reason := refused_name(member.filename):
        return reason
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link"
    if member.flag_bits & 1:
        return "encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed in another way than deflate"  # 4 KB of bzip2 may unpack to 4 GB at once
    if member.file_size > RATIO_FROM and member.file_size > MOST_RATIO * member.compress_size:
        return f"grows more than {MOST_RATIO} times when unpacked"
    return ""


def refused_name(name: str) -> str:
    """Why a member of an archive is not used because of its name; empty if it may be."""
    if name.startswith("/") or "\\" in name or ":" in name.split("/")[0]:
        return "an absolute name"
    return "a name with '..'" if ".." in name.split("/") else ""


def is_hidden(name: str) -> bool:
    """Whether a part of the name is what systems leave behind."""
    return any(map(_is_junk, name.split("/")))


def _is_junk(name: str) -> bool:
    return (name.startswith(".") and name not in (".", "..")) or name.lower() in JUNK


def printable(name: str) -> str:
    """The name of a file or member as it is called from here on: UTF-8, and on one line."""
    return one_line(os.fsencode(name).decode("utf-8", "backslashreplace"))
