"""How much memory is free, within a container too; and what does not fit into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mulligan.data import room
from mulligan.data.open import open_data
from mulligan.errors import DataError

MEGA = 1 << 20


def container(home: Path, most: str, taken: int, files: int) -> None:
    (home / "memory.max").write_text(f"{most}\n")
    (home / "memory.current").write_text(f"{taken}\n")
    stat = f"anon {taken - files}\ninactive_file {files // 2}\nactive_file {files // 2}\nslab 7\n"
    (home / "memory.stat").write_text(stat)


def test_copies_of_files_count_as_free_in_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container that has read many pictures is full of them, and has room all the same."""
    monkeypatch.setattr(room, "GROUP", tmp_path)
    container(tmp_path, str(10 * MEGA), 9 * MEGA, 0)
    assert room.free_memory() == MEGA
    container(tmp_path, str(10 * MEGA), 9 * MEGA, 6 * MEGA)
    assert room.free_memory() == 7 * MEGA
    container(tmp_path, "max", 9 * MEGA, 0)
    assert room.free_memory() != MEGA


def test_a_named_set_that_would_not_fit_is_refused_before_memory_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "free_memory", lambda: 100 * MEGA)
    assert len(open_data("digits", size=(32, 32))) == 10_000
    with pytest.raises(DataError, match=r"10000 rows of digits as .* do not fit") as told:
        open_data("digits", size=(128, 128))
    assert "--size" in told.value.suggestion
