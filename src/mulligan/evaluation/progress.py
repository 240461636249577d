"""The one number of progress: how far samples are from real rows, with its interval.

KD of images: unbiased, so it may be measured on a few hundred rows, and 0 is the goal. Its kernel
sees three moments, and a ring that lost every other mode keeps those: points are measured by MIND.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mulligan.evaluation.lens import Lens, Rows
from mulligan.features.names import figure_name
from mulligan.metrics.figure import Figure, Stamp
from mulligan.metrics.measure import kernel_figure, mind_figure

DIRECTIONS = 100
"""Of MIND on points: in two dimensions more add nothing."""


def figure_of(extractor: str) -> str:
    """The name of the figure of progress through this extractor."""
    return figure_name("MIND" if extractor == "points" else "KD", extractor)


def progress_figure(real: Rows, made: Rows, lens: Lens, stamp: Stamp) -> Figure:
    """The figure of progress; lower is better. real, made: equally many rows for points."""
    name, pair = figure_of(lens.name), (real.features, made.features)
    if lens.extractor is None:
        return mind_figure(*pair, name, stamp, directions=DIRECTIONS)
    return kernel_figure(*pair, name, stamp)


@dataclass(frozen=True)
class Mark:
    """One evaluation of a run: where it was taken, and what it found."""

    round: int
    images: int
    value: float
    low: float
    high: float

    @classmethod
    def of(cls, figure: Figure, round: int, images: int) -> Mark:
        """The mark of a figure."""
        return cls(round, images, figure.value, figure.low, figure.high)

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g}) at {self.images:,} images"


@dataclass
class Standing:
    """The best evaluation of a run, and how long nothing was gained.

    best: the lowest value. gained: the last one that was lower than the gain before it by more than
    noise: below that one's interval. without: evaluations since. Comparing with the last gain, and
    not with the last value, counts many small steps as one once together they exceed the noise.
    """

    best: Mark | None = None
    gained: Mark | None = None
    without: int = 0

    def take(self, mark: Mark) -> bool:
        """Count one evaluation; whether it is the best so far."""
        if self.gained is None or mark.value < self.gained.low:
            self.gained, self.without = mark, 0
        else:
            self.without += 1
        if self.best is not None and mark.value >= self.best.value:
            return False
        self.best = mark
        return True

    def state(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Standing:
        """What `state` gave."""
        best, gained = (Mark(**state[k]) if state[k] else None for k in ("best", "gained"))
        return cls(best, gained, int(state["without"]))
