"""Means of what was logged since the last tick; on an accelerator they are read once a tick."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Tally:
    """Running sums by name, in double precision. Its state is part of a checkpoint: a stop between
    two ticks must not change the row that the next tick writes."""

    def __init__(self) -> None:
        self.sums: dict[str, float | Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, player: str, values: Mapping[str, Tensor | float]) -> None:
        """Count one update's values as player/name. On an accelerator nothing waits for them."""
        for name, value in values.items():
            full = f"{player}/{name}"
            part = value.to(torch.float64) if isinstance(value, Tensor) else value
            self.sums[full] = self.sums.get(full, 0.0) + part
            self.counts[full] = self.counts.get(full, 0) + 1

    def means(self) -> dict[str, float]:
        """The mean of each name; synchronises, and leaves the sums as they are."""
        return {name: float(total) / self.counts[name] for name, total in self.sums.items()}

    def clear(self) -> None:
        self.sums, self.counts = {}, {}

    def state(self) -> dict[str, list[float]]:
        """Sums and counts as JSON; floats survive exactly."""
        return {name: [float(total), self.counts[name]] for name, total in self.sums.items()}

    def restore(self, state: dict[str, list[float]]) -> None:
        """Go on from a state."""
        self.sums = {name: total for name, (total, _) in state.items()}
        self.counts = {name: int(count) for name, (_, count) in state.items()}
