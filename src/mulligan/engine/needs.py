"""How much memory a run needs: counted on a small copy of it, before the first step.

What autograd keeps for the backward pass grows with the batch; it is counted at two small batches,
tensor by tensor, and carried on in a straight line. Weights, gradients, the optimizers' moments and
the averaged weights come on top.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from mulligan.data.room import free_memory
from mulligan.engine import quickest
from mulligan.engine.calibrate import scratch
from mulligan.engine.job import Job
from mulligan.engine.layers import Value
from mulligan.engine.options import AUTO
from mulligan.engine.plan import Plan
from mulligan.engine.rounds import play_round
from mulligan.errors import UsageError
from mulligan.places import launched_ranks, ranks_here

LEAST_ROUNDS = 100
"""A run of fewer rounds is not worth the count."""

SMALL = (4, 8)
"""Batches that are counted."""

COPIES = 5
"""Times the weights: themselves, their averages, gradients, two moments of Adam."""

PASSING = 3
"""Over what is kept: gradients on their way back, and the scratch space of convolutions."""

MOST = 0.8
"""Share of the free memory that a run may take by its own choice."""

WRONG = 2
"""How far the estimate may be off before a run is refused for it."""

GIGA = 1e9
RUNTIME = 300 * 2**20
"""Bytes for what comes once: kernels, plots, samples of an evaluation."""


def settle_memory(plan: Plan) -> None:
    """Give `pieces` a value where the plan left it open: as few as the free memory allows.

    Raises UsageError where even single images do not fit, by far.
    """
    if plan["pieces"] != AUTO:
        return
    device, batch, images = plan["device"], int(plan["batch"]), plan["images"]
    free = bytes_free(device)
    pieces, reason = 1, "a batch at once"
    if free is not None and (images is None or images >= LEAST_ROUNDS * batch):
        # ranks on one machine take from the same memory; each has a GPU of its own
        ranks = ranks_here() if device == "cpu" else 1
        once, image = (ranks * bytes_ for bytes_ in bytes_needed(plan))
        takes = {n: once + image * math.ceil(batch / n / launched_ranks()[1]) for n in _cuts(batch)}
        pieces = next((n for n, bytes_ in takes.items() if bytes_ <= MOST * free), batch)
        if takes[pieces] > WRONG * free:
            raise UsageError(
                f"this run takes about {takes[pieces] / GIGA:.1f} GB on {device}, "
                f"{free / GIGA:.1f} GB are free",
                "a smaller --size or --width",
            )
        reason = f"a batch at once takes about {takes[1] / GIGA:.1f} GB"
        if pieces > 1:
            reason += f", {free / GIGA:.1f} GB are free"
    plan.values["pieces"] = Value(pieces, "default", reason)


def _cuts(batch: int) -> list[int]:
    """Numbers of pieces to try: powers of two, and single images."""
    return [*(2**power for power in range(batch.bit_length()) if 2**power < batch), batch]


def bytes_needed(plan: Plan) -> tuple[int, int]:
    """(bytes at any batch, bytes more for each image of a batch), on top of what is there now."""
    low, high = (_kept(plan, batch) for batch in SMALL)
    image = max(0, high - low) / (SMALL[1] - SMALL[0])
    once = max(0.0, low - SMALL[0] * image) + COPIES * _weights(plan) + RUNTIME
    return int(once), int(PASSING * image)


def bytes_free(device: str) -> int | None:
    """Bytes that a run may still take on this device; None where that cannot be told."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    return free_memory() if device == "cpu" else None


class Kept:
    """Bytes that autograd holds at once: those now, and the most there were."""

    def __init__(self, ignored: set[int]) -> None:
        self.ignored, self.owners = ignored, dict[int, int]()
        self.now, self.most = 0, 0

    def pack(self, tensor: Tensor) -> _Holder:
        return _Holder(tensor, self)

    def take(self, place: int, size: int) -> None:
        self.owners[place] = self.owners.get(place, 0) + 1
        if self.owners[place] == 1:
            self.now += size
            self.most = max(self.most, self.now)

    def drop(self, place: int, size: int) -> None:
        self.owners[place] -= 1
        if not self.owners[place]:
            del self.owners[place]
            self.now -= size


class _Holder:
    """A tensor that autograd keeps, counted for as long as it does."""

    def __init__(self, tensor: Tensor, kept: Kept) -> None:
        self.tensor, self.kept = tensor, kept
        storage = tensor.untyped_storage()
        self.place, self.size = storage.data_ptr(), storage.nbytes()
        self.counted = self.place not in kept.ignored
        if self.counted:
            kept.take(self.place, self.size)

    def __del__(self) -> None:
        if self.counted:
            self.kept.drop(self.place, self.size)


@contextmanager
def counting(job: Job) -> Iterator[Kept]:
    """Inside, what autograd keeps is counted; the job's own weights are not."""
    own: list[Any] = [*job.recipe.parameters(), *job.recipe.buffers()]
    kept = Kept({tensor.untyped_storage().data_ptr() for tensor in own})
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda holder: holder.tensor):
        yield kept


def _kept(plan: Plan, batch: int) -> int:
    """The most that autograd held in a round of this batch."""
    precision = plan["precision"] or ("bfloat16" if quickest.has_bfloat16() else "float32")
    threads = torch.get_num_threads()
    job = scratch(plan, batch=batch, pieces=1, threads=threads, precision=precision)
    with counting(job) as kept:
        play_round(job)
    return kept.most


def _weights(plan: Plan) -> int:
    with torch.device("meta"):
        recipe = plan.recipe(plan.settings, plan.data.fields)
    return sum(tensor.numel() * 4 for tensor in recipe.parameters())
