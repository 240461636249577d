"""Folders and files, safely: refusals with a path, replacement in one step, checked names."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mulligan.errors import StorageError, UsageError

LONGEST_NAME = 200  # bytes; file systems take 255, and temporary names are longer
TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


def storage_error(problem: OSError, path: Path) -> StorageError:
    """The error for the user: the path, what the system said, what to do."""
    hints = {
        errno.ENOSPC: "free some space, then resume the run",
        errno.EDQUOT: "free some of your quota, then resume the run",
        errno.EACCES: "check who owns it and its permissions, or use another --runs-dir",
        errno.EROFS: "the file system is read-only: use another --runs-dir",
    }
    hint = hints.get(problem.errno or 0, "check that the path is right and the disk is well")
    return StorageError(f"{path}: {problem.strerror or problem}", hint)


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turn what the operating system reports inside into a StorageError that names the path."""
    try:
        yield
    except StorageError:
        raise
    except OSError as problem:
        raise storage_error(problem, path) from problem


def replace(path: Path, content: bytes) -> None:
    """Give a file this content in one step: a reader sees the old one or the new one, whole.

    For the one writer. Raises StorageError; then the file is as it was.
    """
    new = path.with_name(f".{path.name}.new")
    with reporting(path):
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Put the names in a folder on the disk: syncing a file does not sync its name."""
    if os.name == "nt":  # Windows cannot open a folder and needs no such call
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def claim(folder: Path, name: Path) -> bool:
    """Whether this folder could be given this name; False if something has it already.

    The kernel decides between two that try at once. An empty folder of that name gives way.
    """
    try:
        folder.rename(name)
    except OSError as problem:
        if problem.errno in TAKEN:
            return False
        raise
    return True


def remove(folder: Path) -> None:
    """Remove a folder with all it holds, if it is there; best effort."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def check_name(name: str) -> str:
    """The name, if it can be a folder's on every system. Raises UsageError."""
    if not name or name != name.strip() or name[0] in ".-@~" or not name.isprintable():
        problem = "begins or ends with a character that it must not, or is empty"
    elif found := re.search(r'[/\\:*?"<>|]', name):
        problem = f"has the character {found[0]!r}"
    elif len(os.fsencode(name)) > LONGEST_NAME:
        problem = f"has more than {LONGEST_NAME} bytes"
    else:
        return name
    raise UsageError(f"the name {name!r} {problem}", "use letters, digits, and - _ . between them")


def tidy_name(text: str) -> str:
    """A name for a folder that is as close to this text as it can be."""
    plain = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in text)
    return plain[:60].strip("-.") or "run"
