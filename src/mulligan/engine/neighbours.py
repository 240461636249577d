"""Ranks of one machine: they add through memory that all of them map, and wait for a message.

Gloo moves what neighbours add through the loopback network, by a thread of its own on each rank's
core: 3 ms for 300,000 numbers on two cores, where this takes 1. docs/results/ranks.md has a round
of both.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mulligan.errors import MulliganError

MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory; elsewhere there are no neighbours."""

CHUNK = 2**21
"""Bytes that a rank lays down at once: two for each of 16 ranks fit the 64 MB of a container."""


@dataclass
class Neighbours:
    """The other ranks, all on this machine.

    others: a line to each. board: uint8 (2, ranks, CHUNK), a rank writes its own rows only.
    patience: seconds that another rank may keep silent. turn: how often rows were laid down.
    """

    rank: int
    others: list[Connection]
    board: Tensor
    patience: float
    turn: int = 0

    def swap(self, value: int) -> list[int]:
        """Every rank's value, its own first, once all ranks have called.

        Raises MulliganError if a rank has gone, or says nothing for `patience` seconds.
        """
        said = value.to_bytes(8, "little", signed=True)
        try:
            for other in self.others:
                other.send_bytes(said)
            heard = [self._hear(other) for other in self.others]
        except (EOFError, OSError) as error:
            raise MulliganError(
                "another rank of this run has ended or was killed",
                "look at what it said last; mulligan resume goes on from the last checkpoint",
            ) from error
        return [value, *(int.from_bytes(one, "little", signed=True) for one in heard)]

    def sum(self, flat: Tensor) -> None:
        """Sum a vector over the ranks, in place; in the order of ranks, so all have equal bits.

        flat: (N,) of any type, on the CPU, equally long and of the same type on every rank.
        Raises as `swap` does.
        """
        for part in flat.split(CHUNK // flat.element_size()):
            # two halves take turns: who is ahead writes where nobody can be reading still
            half = self.board[self.turn % 2, :, : part.nbytes].view(flat.dtype)
            self.turn += 1
            half[self.rank].copy_(part)
            self.swap(0)
            torch.add(half[0], half[1], out=part)
            for row in half[2:]:
                part += row

    def close(self) -> None:
        """Let go of the lines."""
        for other in self.others:
            other.close()

    def _hear(self, other: Connection) -> bytes:
        if not other.poll(self.patience):
            raise MulliganError(
                f"another rank of this run has not answered for {self.patience:g} seconds",
                "look at what it said last; mulligan resume goes on from the last checkpoint",
            )
        return other.recv_bytes(8)


def meet(
    rank: int, size: int, tell: Callable[[Any], Any], wait: Callable[[], Any], patience: float
) -> Neighbours | None:
    """The neighbours of this rank; None where the machine has no memory to share with them.

    tell: gives every rank the value of the leading one. wait: until all ranks have called it.
    patience: seconds that another rank may keep silent later.
    Nothing is left in the file system, however the ranks end after this.
    """
    folder = tell(_folder(size) if rank == 0 else None)
    if folder is None:
        return None
    with Listener(str(folder / str(rank)), "AF_UNIX", backlog=size) as door:
        wait()
        lines = {other: Client(str(folder / str(other)), "AF_UNIX") for other in range(rank)}
        for line in lines.values():
            line.send(rank)
        for _ in range(size - 1 - rank):
            line = door.accept()
            lines[line.recv()] = line
        count = 2 * size * CHUNK
        board = torch.from_file(str(folder / "board"), shared=True, size=count, dtype=torch.uint8)
    wait()  # a door that closes takes its own file away
    if rank == 0:
        shutil.rmtree(folder)
    others = [lines[other] for other in sorted(lines)]
    return Neighbours(rank, others, board.view(2, size, CHUNK), patience)


def _folder(size: int) -> Path | None:
    """A folder of the user's own with the board in it, all of its memory taken."""
    if not MEMORY.is_dir():
        return None
    try:
        folder = Path(tempfile.mkdtemp(prefix="mulligan-", dir=MEMORY))
    except OSError:  # gloo does it as well
        return None
    try:
        with (folder / "board").open("xb") as board:  # else a full memory kills who writes
            os.posix_fallocate(board.fileno(), 0, 2 * size * CHUNK)
    except OSError:
        shutil.rmtree(folder)
        return None
    return folder
