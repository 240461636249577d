"""The few things a save asks of a disk, in one small class, so that tests can make each one fail.

Nothing here decides anything: the protocol is in `checkpoint.py`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mulligan import disk
from mulligan.disk import reporting
from mulligan.errors import StorageError

BLOCK = 4096
"""Bytes that the smallest file takes on common file systems."""


class Storage:
    """A real disk. Every method raises OSError as the operating system reports it."""

    def mkdir(self, path: Path) -> None:
        """Make a folder, and its parents where they are missing; it must not exist yet."""
        path.mkdir(parents=True)

    def write(self, path: Path, content: bytes) -> None:
        """Make a new file that is on the disk, not only in memory, when this returns."""
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def sync_folder(self, path: Path) -> None:
        """Put the names in a folder on the disk: syncing a file does not sync its name."""
        disk.sync_folder(path)

    def rename(self, source: Path, target: Path) -> None:
        """Rename in one step; both lie on the same file system."""
        source.rename(target)

    def remove_tree(self, path: Path) -> None:
        """Remove a folder with all it holds."""
        shutil.rmtree(path)

    def read(self, path: Path) -> bytes:
        """The content of a file."""
        return path.read_bytes()

    def free_bytes(self, path: Path) -> int:
        """Bytes that this user may still write where `path` is, or will be made."""
        while not path.exists() and path != path.parent:
            path = path.parent
        return shutil.disk_usage(path).free


DISK = Storage()


def require_space(path: Path, size: int, storage: Storage = DISK) -> None:
    """Refuse before anything is written where the disk is too full.

    path: where the files will lie; it need not exist yet. size: bytes to be written.
    Raises StorageError with both numbers.
    """
    with reporting(path):
        free = storage.free_bytes(path)
    if free < size:
        raise StorageError(
            f"{path}: a checkpoint needs {size:,} bytes, only {free:,} are free",
            "free some space, then resume the run",
        )


def on_disk(sizes: list[int]) -> int:
    """Bytes that files of these sizes take together with their folder, rounded up to blocks."""
    return sum((size // BLOCK + 1) * BLOCK for size in sizes) + 2 * BLOCK
