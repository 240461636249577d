"""Means of what was logged since the last tick, kept on the device and read once a tick."""

from __future__ import annotations

import torch
from torch import Tensor


class Tally:
    """Running sums by name. Its state is part of a checkpoint: a stop between two ticks must not
    change the row that the next tick writes."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, player: str, values: dict[str, Tensor]) -> None:
        """Count one update's values as player/name."""
        for name, value in values.items():
            full = f"{player}/{name}"
            if full in self.sums:
                self.sums[full] += value
                self.counts[full] += 1
            else:
                self.sums[full] = value.to(torch.float64, copy=True)
                self.counts[full] = 1

    def means(self) -> dict[str, float]:
        """The mean of each name; synchronises, and leaves the sums as they are."""
        return {name: total.item() / self.counts[name] for name, total in self.sums.items()}

    def clear(self) -> None:
        self.sums, self.counts = {}, {}

    def state(self) -> dict[str, list[float]]:
        """Sums and counts as JSON; floats survive exactly."""
        return {name: [total.item(), self.counts[name]] for name, total in self.sums.items()}

    def restore(self, state: dict[str, list[float]], device: str) -> None:
        """Go on from a state, on the device where the values to add will lie."""
        self.sums = {
            name: torch.tensor(total, dtype=torch.float64, device=device)
            for name, (total, _) in state.items()
        }
        self.counts = {name: int(count) for name, (_, count) in state.items()}
