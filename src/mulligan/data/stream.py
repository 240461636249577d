"""Pictures that are decoded when they are asked for, because nowhere is room for all of them.

A `Streamed` stands in the place of the uint8 tensor that other data have. A row's pixels are known
by their hash from the first look on, so a file that has changed since is noticed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mulligan.data.decode import UNREADABLE, why
from mulligan.data.index import Entry, Index
from mulligan.data.threads import workers
from mulligan.errors import DataError

Read = Callable[[Entry], NDArray[np.uint8]]
"""From a file to uint8 (C, H, W); raises one of UNREADABLE."""

CHUNK = 64  # rows of a large request that are in memory besides the result
AHEAD = 3
"""Batches that are decoded before they are asked for."""

MOST_LOST = 0.01
"""Share of the rows that may be lost before a run ends."""


def as_streamed(array: object) -> Streamed | None:
    """The array if it is streamed; to the type checker all arrays of a data set are tensors."""
    return array if isinstance(array, Streamed) else None


def row_hash(pixels: bytes) -> int:
    """64 bits of a row's content."""
    return int.from_bytes(blake2b(pixels, digest_size=8).digest(), "big")


class Streamed:
    """uint8 rows (N, C, H, W) behind files; indexing by rows or a slice gives a tensor.

    lost: rows whose files cannot be used any more, and why. Another row of the same class, and of
    the same side of training, stands in for each: always the same one for the same losses.
    """

    dtype, device = torch.uint8, torch.device("cpu")

    def __init__(
        self,
        entries: Index,
        hashes: NDArray[np.uint64],
        read: Read,
        shape: tuple[int, int, int],
        labels: Tensor | None = None,
    ) -> None:
        """hashes: (N,) by `row_hash`. shape: (C, H, W). labels: (N,), the class of each row."""
        assert len(entries) == len(hashes)
        self.entries, self.hashes, self.read, self.labels = entries, hashes, read, labels
        self.shape = torch.Size((len(entries), *shape))
        self.lost: dict[int, str] = {}
        self.held = torch.zeros(len(entries), dtype=torch.bool)
        self._waiting: dict[int, Future[NDArray[np.uint8] | str]] = {}
        self._pool = ThreadPoolExecutor(workers(), "decode")
        # here and not around each use: this setting belongs to the process, and threads read ahead
        warnings.filterwarnings("ignore", module=r"PIL\.")

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows, if they were decoded at once."""
        return self.shape.numel()

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """uint8 (n, C, H, W). Raises DataError where too many files are lost."""
        chosen = range(*rows.indices(len(self))) if isinstance(rows, slice) else rows.tolist()
        made = np.empty((len(chosen), *self.shape[1:]), dtype=np.uint8)
        for start in range(0, len(chosen), CHUNK):
            part = [self._present(row) for row in chosen[start : start + CHUNK]]
            tasks = [self._task(row) for row in part]
            for place, (row, task) in enumerate(zip(part, tasks, strict=True), start):
                made[place] = self._found(row, task.result())
        return torch.from_numpy(made)

    def index_select(self, dim: int, rows: Tensor) -> Tensor:
        """As a tensor's, of which the feed's gather is made."""
        assert dim == 0
        return self[rows]

    def split(self, size: int) -> Iterator[Tensor]:
        """All rows, so many at a time."""
        return (self[start : start + size] for start in range(0, len(self), size))

    def take(self, rows: Tensor) -> Streamed:
        """Some of the rows, still behind their files."""
        chosen = rows.numpy()
        labels = None if self.labels is None else self.labels[rows]
        shape = (self.shape[1], self.shape[2], self.shape[3])
        return Streamed(self.entries.take(chosen), self.hashes[chosen], self.read, shape, labels)

    def expect(self, batches: list[Tensor]) -> None:
        """Begin to decode the rows of the next batches.

        What was expected before, and was not asked for, is dropped beyond a batch's rows: the rest
        of the present batch may be among it.
        """
        wanted = {row: None for rows in batches for row in rows.tolist() if row not in self.lost}
        old = [row for row in self._waiting if row not in wanted]
        for row in old[: max(0, len(old) - len(batches[0]))]:
            self._waiting.pop(row).cancel()
        for row in wanted:
            if row not in self._waiting:
                self._waiting[row] = self._pool.submit(self._decoded, row)

    def _task(self, row: int) -> Future[NDArray[np.uint8] | str]:
        if row in self._waiting:
            return self._waiting.pop(row)
        return self._pool.submit(self._decoded, row)

    def _decoded(self, row: int) -> NDArray[np.uint8] | str:
        """The pixels of a row, or why they cannot be had."""
        try:
            pixels = self.read(self.entries[row])
        except UNREADABLE as error:
            return why(error)
        same = row_hash(pixels.tobytes()) == int(self.hashes[row])
        return pixels if same else "it is another picture than it was"

    def _found(self, row: int, pixels: NDArray[np.uint8] | str) -> NDArray[np.uint8]:
        """These pixels, or those of a row that stands in."""
        while isinstance(pixels, str):
            self.lost[row] = pixels
            if len(self.lost) > MOST_LOST * len(self):
                raise self._too_many()
            row = self._present(row)
            pixels = self._decoded(row)
        return pixels

    def _present(self, row: int) -> int:
        """The row itself, or the next one in its place: of its class, if one is left."""
        if row not in self.lost:
            return row
        here = torch.ones(len(self), dtype=torch.bool)
        here[list(self.lost)] = False
        here &= self.held == self.held[row]
        if self.labels is not None and bool(
            (alike := here & (self.labels == self.labels[row])).any()
        ):
            here = alike
        if not bool(here.any()):
            raise self._too_many()
        others = here.nonzero().flatten()
        return int(others[torch.searchsorted(others, row) % len(others)])

    def _too_many(self) -> DataError:
        row, reason = next(iter(self.lost.items()))
        return DataError(
            f"{len(self.lost)} of {len(self)} pictures cannot be read any more, such as "
            f"{self.entries[row].name} ({reason})",
            "put the files back as they were, then resume the run",
        )
