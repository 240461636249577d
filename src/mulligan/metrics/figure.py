"""A figure with all that is needed to compare it honestly: interval, counts and protocol."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mulligan.errors import UsageError
from mulligan.metrics.intervals import Interval

Stamp = dict[str, str | int | float | bool | None]
"""Extractor, its hash, split, resize mode, seed: plain values, as JSON knows them."""


@dataclass(frozen=True)
class Figure:
    """One value of one metric.

    low, high: the interval. method: how it was made, in words. covers: what it is meant to hold,
    such as "E[FD_n]", the mean over fresh samples of these sizes, or "FD-infinity", the limit of
    many samples. real_count, generated_count: rows compared.
    Raises UsageError for numbers that are not finite, low > high, or a stamp that JSON changes.
    """

    name: str
    value: float
    low: float
    high: float
    method: str
    covers: str
    real_count: int
    generated_count: int
    stamp: Stamp = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.value, self.low, self.high))):
            raise UsageError(f"{self.name} is {self.value} in [{self.low}, {self.high}]: no number")
        if self.low > self.high:
            raise UsageError(f"{self.name}: the interval [{self.low}, {self.high}] is empty")
        if not _is_plain(self.stamp):
            raise UsageError(f"the stamp of {self.name} holds more than words, numbers and None")

    @classmethod
    def of(
        cls, name: str, interval: Interval, counts: tuple[int, int], stamp: Stamp | None = None
    ) -> Figure:
        """A figure from its interval; counts: real and generated rows."""
        return cls(name, **asdict(interval), real_count=counts[0], generated_count=counts[1],
                   stamp=dict(stamp or {}))  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """A plain object; json.dumps and json.loads give it back bit for bit."""
        return asdict(self)

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> Figure:
        """The figure of `to_json`. Raises UsageError for missing or unknown entries."""
        names = {known.name for known in fields(cls)}
        if set(entry) != names:
            raise UsageError(f"a figure has {sorted(names)}; this has {sorted(entry)}")
        return cls(**entry)


def _is_plain(stamp: Stamp) -> bool:
    """Whether JSON keeps it: strings for keys; strings, finite numbers, truths, None for values."""
    try:
        text = json.dumps(stamp, allow_nan=False)
    except (TypeError, ValueError):
        return False
    again = json.loads(text)
    flat = not any(isinstance(value, (dict, list, tuple)) for value in stamp.values())
    return bool(flat and again == stamp and all(isinstance(key, str) for key in stamp))
