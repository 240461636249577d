"""Which rows come when: order and held-out rows as pure functions of seed and content.

The order is keyed for the global batch, so every world size sees the same samples. The position
is one counter, `drawn`; seeking costs one permutation, whatever the position.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mulligan.data.stream import as_streamed, row_hash

MOST_HELD_OUT = 5_000


class Order:
    """An endless sequence of some rows: a fresh permutation of them each epoch."""

    def __init__(self, among: Tensor, permutation_seed: Callable[[int], int]) -> None:
        """among: (N,) int64, at least one row. permutation_seed: from an epoch to a seed."""
        assert len(among) > 0
        self.among, self.count = among, len(among)
        self.permutation_seed = permutation_seed
        self._epochs: dict[int, Tensor] = {}

    def rows(self, drawn: int, count: int) -> Tensor:
        """(count,) int64: the rows at positions drawn .. drawn + count - 1."""
        parts = []
        while count > 0:
            epoch, position = divmod(drawn, self.count)
            part = self._epoch(epoch)[position : position + count]
            parts.append(part)
            drawn, count = drawn + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _epoch(self, epoch: int) -> Tensor:
        if epoch not in self._epochs:
            while len(self._epochs) > 1:  # a batch straddles two epochs at most
                del self._epochs[min(self._epochs)]
            draw = torch.Generator().manual_seed(self.permutation_seed(epoch))
            # looked up for the whole epoch: one batch at a time, memory is read at random
            self._epochs[epoch] = self.among[torch.randperm(self.count, generator=draw)]
        return self._epochs[epoch]


def hold_out(real: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """(training rows, held-out rows), both sorted int64.

    Chosen by the content of each row alone: no seed moves a picture from one side to the other,
    and copies of one picture stay on one side. At least one row is left on the training side.
    real: (N, ...) uint8 or float32. share: in [0, 1), of at most MOST_HELD_OUT rows.
    """
    count = len(real)
    wanted = min(int(share * count), MOST_HELD_OUT, count - 1)
    if wanted <= 0:
        return torch.arange(count), torch.arange(0)
    hashes = _hashes(real)
    held = torch.from_numpy(hashes <= np.sort(hashes)[wanted - 1])
    if bool(held.all()):  # every row is the same picture
        return torch.arange(count), torch.arange(0)
    return (~held).nonzero().flatten(), held.nonzero().flatten()


def _hashes(real: Tensor) -> NDArray[np.uint64]:
    """(N,) 64 bits of each row's content."""
    if (streamed := as_streamed(real)) is not None:
        return streamed.hashes
    flat = real.reshape(len(real), -1).contiguous().numpy()
    return np.fromiter((row_hash(row.tobytes()) for row in flat), np.uint64, len(flat))
