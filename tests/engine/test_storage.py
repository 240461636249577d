"""The disk layer: what is written is synced, what is refused is refused with numbers."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest

from mulligan.engine.storage import BLOCK, DISK, Storage, on_disk, require_space
from mulligan.errors import StorageError


def test_a_write_is_synced_before_it_returns_and_never_replaces(tmp_path, monkeypatch):
    synced = []
    real_sync = os.fsync

    def fsync(handle):
        synced.append(os.fstat(handle).st_size)
        real_sync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    DISK.write(tmp_path / "file", b"12345")
    assert synced == [5]
    DISK.sync_folder(tmp_path)
    assert len(synced) == 2
    with pytest.raises(FileExistsError):
        DISK.write(tmp_path / "file", b"other")
    assert DISK.read(tmp_path / "file") == b"12345"


def test_too_little_space_is_refused_with_both_numbers(tmp_path):
    class Small(Storage):
        def free_bytes(self, path):
            return 9_999

    require_space(tmp_path, 9_999, Small())
    with pytest.raises(StorageError, match="needs 10,000 bytes, only 9,999 are free") as caught:
        require_space(tmp_path, 10_000, Small())
    assert caught.value.exit_code == 74


def test_free_space_can_be_asked_before_the_folder_is_there(tmp_path):
    assert DISK.free_bytes(tmp_path / "not" / "yet") > 0


def test_a_disk_that_cannot_be_asked_is_named(tmp_path):
    class Broken(Storage):
        def free_bytes(self, path):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(StorageError, match=f"{tmp_path}: Input/output error"):
        require_space(tmp_path, 1, Broken())


def test_sizes_are_counted_in_blocks_and_cover_what_a_disk_uses(tmp_path):
    sizes = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 100_000]
    for number, size in enumerate(sizes):
        DISK.write(tmp_path / str(number), b"x" * size)
    used = int(subprocess.check_output(["du", "-s", "-B1", tmp_path]).split()[0])
    assert used <= on_disk(sizes) <= used + BLOCK * (len(sizes) + 2)
