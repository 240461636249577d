"""Processes decode what threads would, row for row; whatever becomes of them, nothing is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from data.test_folder import lay, pack, png
from mulligan.data import folder, shelf, store, workers
from mulligan.data.dataset import DataSet
from mulligan.data.framing import Framing
from mulligan.data.open import open_data
from mulligan.data.workers import Workers

COUNT = 200


@pytest.fixture(autouse=True)
def few_pay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stores and processes for few pictures already, on any machine."""
    monkeypatch.setenv("MULLIGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "LEAST", 10)
    monkeypatch.setattr(workers, "LEAST", 10)
    monkeypatch.setattr(workers, "workers", lambda: 2)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first rows of the chunks that processes have answered; -1 where headers were asked."""
    kept, rows = Workers._asked, []

    def spied(self: Workers, entries: Any, more: dict[str, int]) -> Any:
        found = kept(self, entries, more)
        if found is not None:
            rows.append(more.get("start", -1))
        return found

    monkeypatch.setattr(Workers, "_asked", spied)
    return rows


def pictures(root: Path) -> str:
    files = {f"{'ab'[k % 2]}/{k:03}.png": png(k) for k in range(COUNT)}
    return lay(root, {**files, "a/broken.png": png(1)[:60], "b/empty.jpg": b""})


def same(one: DataSet, other: DataSet) -> bool:
    arrays = all(torch.equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    return arrays and one.manifest["skipped"] == other.manifest["skipped"]


def by_threads(path: str, patch: pytest.MonkeyPatch, **given: Any) -> DataSet:
    with patch.context() as inner:
        inner.setattr(store, "LEAST", 10**9)
        inner.setattr(workers, "LEAST", 10**9)
        return open_data(path, **given)


HEADERS, ROWS = [-1, -1, -1, -1], [0, 64, 128, 192]


@pytest.mark.parametrize("framing", [Framing(), Framing("pad", (1, 2, 3)), Framing("random")])
@pytest.mark.parametrize(("size", "expected"), [(None, HEADERS + ROWS), ((8, 20), ROWS)])
def test_rows_and_skips_are_those_of_threads(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[int],
    framing: Framing,
    size: Any,
    expected: list[int],
) -> None:
    path = pictures(tmp_path / "set")
    given: dict[str, Any] = {"size": size, "framing": framing}
    assert same(open_data(path, **given), by_threads(path, monkeypatch, **given))
    assert sorted(asked) == expected
    assert len(shelf.stores()) == 1


def test_processes_that_are_killed_are_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int]
) -> None:
    path, kept = pictures(tmp_path / "set"), Workers._ready

    def killing(self: Workers, root: Path) -> bool:
        ready = kept(self, root)
        for child in self.started:
            os.kill(child.pid, signal.SIGKILL)
        return ready

    monkeypatch.setattr(Workers, "_ready", killing)
    assert same(open_data(path), by_threads(path, monkeypatch))
    assert len(asked) < 8


def test_none_is_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    kept = Workers.__exit__

    def leaving(self: Workers, *error: object) -> None:
        kept(self, *error)
        seen.extend(self.started)

    monkeypatch.setattr(Workers, "__exit__", leaving)
    open_data(pictures(tmp_path / "set"))
    assert len(seen) == 2
    assert all(child.poll() is not None for child in seen)


def test_archives_and_memory_are_left_to_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int]
) -> None:
    path = pictures(tmp_path / "set")
    zipped = pack(tmp_path / "set.zip", {f"{k}.png": png(k) for k in range(40)})
    assert len(open_data(zipped)) == 40
    assert asked == []
    monkeypatch.setattr(store, "LEAST", 10**9)
    assert len(open_data(path)) == COUNT
    assert set(asked) == {-1}
    assert folder.CHUNK == 64
