"""Made-up figures and evaluations, for tests of what is shown of them."""

from __future__ import annotations

from typing import Any

from mulligan.evaluation.result import Evaluation
from mulligan.metrics.figure import Figure

STAMP = {
    "extractor": "digits",
    "weights": "ab" * 32,
    "resize": "antialiased",
    "split": "held-out",
    "data": "digits",
    "data_sha256": "cd" * 32,
    "seed": 7,
}


def figure(name: str, value: float, half: float = 0.1, **stamp: Any) -> Figure:
    """A figure of 500 rows with an interval of `half` either way."""
    return Figure(
        name, value, value - half, value + half, "95 %", name, 500, 500, {**STAMP, **stamp}
    )


def evaluation(target: str, *figures: Figure, images: int | None = 640, **more: Any) -> Evaluation:
    """An evaluation of these figures."""
    return Evaluation(target, "digits", images, figures, **more)
