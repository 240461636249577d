"""Ranks of one machine: their sums, their words, and what they do when one of them is gone."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.runner import context
from mulligan.engine import neighbours
from mulligan.engine.neighbours import CHUNK, MEMORY, Neighbours, meet
from mulligan.errors import MulliganError

pytestmark = pytest.mark.skipif(not MEMORY.is_dir(), reason="shared memory of Linux")

RANKS = 3
SIZES = (1, 7, CHUNK // 4, CHUNK // 4 + 1, 3 * CHUNK // 4 + 5)
"""float32 numbers: less than a part, one to the last byte, and several with a rest."""


def values(rank: int, size: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1000 * rank + size % 997)
    return torch.randn(size, generator=generator, dtype=dtype)


def work(rank: int, tell: Any, wait: Any, out: Any, job: Callable[..., Any], given: Any) -> None:
    """One rank of a group that meets without torch's own: what `job` returns is put out."""
    torch.set_num_threads(1)
    near = meet(rank, RANKS, lambda value: told(rank, value, tell), wait.wait, 60)
    assert near is not None
    out.put((rank, job(near, given)))
    near.close()


def told(rank: int, value: Any, queue: Any) -> Any:
    """The leading rank's value, through a queue."""
    if rank == 0:
        for _ in range(RANKS - 1):
            queue.put(value)
        return value
    return queue.get()


def play(job: Callable[..., Any], given: Any = None) -> dict[int, Any]:
    """What `job(neighbours, given)` returns in each of three processes."""
    forks = context()
    tell, out, wait = forks.Queue(), forks.Queue(), forks.Barrier(RANKS)
    children = [
        forks.Process(target=work, args=(rank, tell, wait, out, job, given))
        for rank in range(RANKS)
    ]
    for child in children:
        child.start()
    found = dict(out.get(timeout=60) for _ in range(given["answers"] if given else RANKS))
    for child in children:
        child.join(60)
    return found


def sums(near: Neighbours, given: Any) -> list[torch.Tensor]:
    found = []
    for size in SIZES:
        for dtype in (torch.float32, torch.float64):
            flat = values(near.rank, size, dtype)
            near.sum(flat)
            found.append(flat.numpy())
    return found


def test_every_rank_has_the_sum_in_equal_bits_and_nothing_is_left():
    before = set(MEMORY.glob("mulligan-*"))
    found = play(sums)
    expected = [
        values(0, size, dtype) + values(1, size, dtype) + values(2, size, dtype)
        for size in SIZES
        for dtype in (torch.float32, torch.float64)
    ]
    for rank in range(RANKS):
        for got, true in zip(found[rank], expected, strict=True):
            assert torch.equal(torch.from_numpy(got), true)
    assert set(MEMORY.glob("mulligan-*")) <= before


def many(near: Neighbours, given: Any) -> list[int]:
    """Sums one after another, this rank late by turns: who runs ahead must not overwrite."""
    found = []
    for turn in range(60):
        flat = torch.full((1000,), float(10**near.rank * (turn % 9)))
        if turn % RANKS == near.rank:
            time.sleep(0.002)
        near.sum(flat)
        assert flat.min() == flat.max()
        found.append(int(flat[0]))
    return found


def test_a_rank_that_runs_ahead_overwrites_nothing():
    expected = [111 * (turn % 9) for turn in range(60)]
    assert play(many) == dict.fromkeys(range(RANKS), expected)


def words(near: Neighbours, given: Any) -> list[list[int]]:
    return [near.swap(-5 * near.rank), near.swap(2**40 + near.rank)]


def test_each_rank_hears_every_value():
    found = play(words)
    for rank in range(RANKS):
        small, large = found[rank]
        assert small[0] == -5 * rank
        assert sorted(small) == [-10, -5, 0]
        assert sorted(large) == [2**40, 2**40 + 1, 2**40 + 2]


def dies(near: Neighbours, given: Any) -> tuple[str, str]:
    if near.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        while True:
            near.sum(torch.ones(10))
    except MulliganError as error:
        return error.message, error.suggestion


def test_a_rank_that_was_killed_ends_the_others_with_a_sentence():
    before = set(MEMORY.glob("mulligan-*"))
    found = play(dies, {"answers": RANKS - 1})
    assert set(found) == {0, 2}
    for message, suggestion in found.values():
        assert message == "another rank of this run has ended or was killed"
        assert "mulligan resume" in suggestion
    assert set(MEMORY.glob("mulligan-*")) <= before


def pair(patience: float) -> tuple[Neighbours, Neighbours]:
    """Two ranks within this process."""
    here, there = multiprocessing.Pipe()
    board = torch.zeros(2, 2, CHUNK, dtype=torch.uint8)
    return Neighbours(0, [here], board, patience), Neighbours(1, [there], board, patience)


def test_a_rank_that_says_nothing_is_not_waited_for_without_end():
    here, _there = pair(patience=0.05)
    with pytest.raises(MulliganError, match=r"has not answered for 0\.05 seconds"):
        here.swap(1)


def test_a_sum_waits_for_the_other_rank():
    here, there = pair(patience=30)
    mine, theirs = torch.tensor([1.0, 2.0]), torch.tensor([10.0, 20.0])
    other = threading.Thread(target=there.sum, args=(theirs,))
    timer = threading.Timer(0.05, other.start)
    timer.start()
    here.sum(mine)
    timer.join()
    other.join()
    assert mine.tolist() == theirs.tolist() == [11.0, 22.0]


def test_without_shared_memory_there_are_no_neighbours(monkeypatch, tmp_path):
    monkeypatch.setattr(neighbours, "MEMORY", tmp_path / "none")
    assert meet(0, 2, lambda value: value, lambda: None, 1) is None


def test_a_full_memory_leaves_nothing_and_no_neighbours(monkeypatch, tmp_path):
    monkeypatch.setattr(neighbours, "MEMORY", tmp_path)
    ranks = shutil.disk_usage(tmp_path).total // CHUNK  # twice what the disk holds
    assert meet(0, ranks, lambda value: value, lambda: None, 1) is None
    assert list(Path(tmp_path).iterdir()) == []
