"""The headers of a tar as Python's tarfile reads them, but for those that cost more than they say.

A sparse file's header may claim terabytes, or a map of millions of pieces; versions of tarfile
before the summer of 2024 take quadratic time and memory for some extended headers.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from typing import Any

EXTENDED = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
HEADERS = EXTENDED | {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
MOST_HEADER = 1 << 20  # bytes of one that stands before a member
MOST_DIGITS = 1000  # one after the other in such a header
MORE_AT = 504  # the byte of a sparse map that says whether another block of it follows

LENGTH = re.compile(rb"(\d{1,7}) ")
DIGITS = re.compile(rb"\d+")


class Member(tarfile.TarInfo):
    """A member whose header is refused, or left unread, before a gigabyte is taken for it."""

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        if self.type in HEADERS and self.size > MOST_HEADER:
            raise tarfile.ReadError(
                f"a header of {self.size} bytes, at most {MOST_HEADER} are read"
            )
        if self.type in EXTENDED and archive.fileobj is not None:
            start = archive.fileobj.tell()
            check_records(archive.fileobj.read(self._block(self.size)))  # type: ignore[attr-defined]
            archive.fileobj.seek(start)
        return super()._proc_member(archive)  # type: ignore[misc]

    def _proc_sparse(self, archive: Any) -> Member:
        """An old sparse file, whose map is passed over: it is not used."""
        more = self._sparse_structs[1]  # type: ignore[attr-defined]
        while more:
            block = archive.fileobj.read(tarfile.BLOCKSIZE)
            more = len(block) == tarfile.BLOCKSIZE and block[MORE_AT]
        self.sparse: Any = []
        self.offset_data = archive.fileobj.tell()
        archive.offset = self.offset_data + self._block(self.size)  # type: ignore[attr-defined]
        return self

    def _proc_gnusparse_10(self, member: Any, headers: Any, archive: Any) -> None:
        """A new sparse file, whose map lies before its content and is not read."""
        member.sparse = []


def members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members one after the other. Raises what tarfile does, ReadError where one leads back."""
    while (member := archive.next()) is not None:
        archive.members = []  # type: ignore[attr-defined] # it keeps a kilobyte of each
        if archive.offset <= member.offset:
            raise tarfile.ReadError(f"a member of {member.size} bytes")
        yield member


def is_sparse(member: tarfile.TarInfo) -> bool:
    """Whether it is a sparse file, or what stands before it says so: its size is then no size."""
    return member.issparse() or any(word.startswith("GNU.sparse.") for word in member.pax_headers)


def check_records(header: bytes) -> None:
    """Raise ReadError unless an extended header is "length word=value, newline" over and over."""
    content, at = header.rstrip(b"\0"), 0
    if any(len(found[0]) > MOST_DIGITS for found in DIGITS.finditer(content)):
        raise tarfile.ReadError(f"a header with more than {MOST_DIGITS} digits on end")
    while at < len(content):
        found = LENGTH.match(content, at)
        record = content[at : at + int(found[1])] if found else b""
        if not record.endswith(b"\n") or b"=" not in record:
            raise tarfile.ReadError("a header with a record that does not end where it says")
        at += len(record)
