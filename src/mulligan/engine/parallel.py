"""Ranks: who works on which rows, and how gradients are averaged by hand.

DistributedDataParallel is not used: it does not support `autograd.grad`, and it is silently wrong
for a loss that consists of a penalty only. torchrun starts the ranks; one flat all-reduce an
update, through shared memory where all ranks are of one machine and the numbers are not on a GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from mulligan.engine.neighbours import Neighbours, meet
from mulligan.places import launched_ranks, ranks_here

TIMEOUT = timedelta(seconds=300)


@dataclass(frozen=True)
class World:
    """This process's rank, the number of ranks, and its place on this machine.

    near: the other ranks, where all of them are on this machine.
    """

    rank: int = 0
    size: int = 1
    local: int = 0
    near: Neighbours | None = field(default=None, compare=False, repr=False)

    @property
    def leads(self) -> bool:
        """Whether this rank writes the run folder and talks to the user."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This rank's rows of a global batch of `count` rows."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def sum(self, tensors: list[Tensor]) -> None:
        """Sum each tensor over the ranks, in place, in one collective."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        if self.near is not None and flat.is_cpu:
            self.near.sum(flat)
        else:
            dist.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def agree(self, value: int) -> int:
        """The largest value over the ranks: a stop asked of one rank stops all of them."""
        if self.size == 1:
            return value
        if self.near is not None:
            return max(self.near.swap(value))
        box = torch.tensor([value])
        dist.all_reduce(box, op=dist.ReduceOp.MAX)
        return int(box.item())

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value on the leading rank, an empty list elsewhere."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.gather_object(value, values if self.leads else None)
        return values if self.leads else []

    def tell(self, value: Any) -> Any:
        """The leading rank's value on every rank."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box)
        return box[0]


@contextmanager
def joined() -> Iterator[World]:
    """The world that torchrun started, or a world of one; left again at the end."""
    rank, size, local = launched_ranks()
    if size == 1:
        yield World()
        return
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, timeout=TIMEOUT)
    world = World(rank, size, local)
    try:
        if ranks_here() == size:
            near = meet(rank, size, world.tell, dist.barrier, TIMEOUT.total_seconds())
            world = replace(world, near=near)
        yield world
        dist.barrier()  # one that left early was seen to abort, and the launcher then ends all
    finally:
        if world.near is not None:
            world.near.close()
        dist.destroy_process_group()
