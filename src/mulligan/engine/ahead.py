"""Streamed pictures of the next batches, begun while the networks work on this one.

Which batches are read is up to the losses: a generator's turn reads none. So the next ones are
taken to lie as far apart as the last two that were read did. A wrong guess costs time only.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from mulligan.data.stream import AHEAD, Streamed


class Ahead:
    """The place of a run in its data, and what is decoded before it is asked for."""

    def __init__(self, streamed: Streamed | None) -> None:
        """streamed: None where all pictures are decoded already, and nothing is to be done."""
        self.streamed = streamed
        self._at, self._count = 0, 1
        self._rows: Callable[[int], Tensor] | None = None
        self._read_at: int | None = None
        self._told = 0

    def drawn(self, at: int, count: int, rows: Callable[[int], Tensor]) -> Tensor:
        """The rows at this position; note where the run stands. rows: those at any position."""
        self._at, self._count, self._rows = at, count, rows
        return rows(at)

    def read(self, mine: slice) -> None:
        """The batch at this position was read: begin with the next ones, this rank's part."""
        if self.streamed is None or self._rows is None or self._read_at == self._at:
            return  # large batches are read in pieces
        apart = self._count if self._read_at is None else self._at - self._read_at
        self._read_at = self._at
        if not 0 < apart <= 100 * self._count:  # another run's place, or a long pause
            apart = self._count
        steps = range(self._at + apart, self._at + apart * (AHEAD + 1), apart)
        self.streamed.expect([self._rows(step)[mine] for step in steps])

    def lost(self) -> list[tuple[str, str]]:
        """(file, reason) of what was lost since the last call."""
        if self.streamed is None or len(self.streamed.lost) == self._told:
            return []
        every = list(self.streamed.lost.items())
        new, self._told = every[self._told :], len(every)
        return [(self.streamed.entries[row].name, reason) for row, reason in new]
