"""Which modes of the data samples show: by known centres for points, by class for images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mulligan.data.points import MIXTURES, modes
from mulligan.evaluation.figures import OneSide, share_figure
from mulligan.evaluation.lens import Lens, Rows
from mulligan.metrics.figure import Figure, Stamp
from mulligan.metrics.intervals import jackknife
from mulligan.metrics.modes import ModeCounts, PointModes, label_modes, point_modes

Found = tuple[list[Figure], str]
"""Figures, and a sentence."""


def point_figures(points: Tensor, data: str, stamp: Stamp, seed: int = 0) -> Found | None:
    """Modes of points, for the data sets whose modes are known; None for others.

    points: (N, dims) in data units. Figures: the share of points of high quality, the reverse KL
    among them, their deviation over the true one.
    """
    if data not in MIXTURES:
        return None
    centres, deviation = modes(data)

    def count(rows: Tensor) -> PointModes:
        return point_modes(rows, centres, deviation)

    whole = count(points)
    good = torch.zeros(len(points), dtype=torch.bool)
    good[: round(whole.high_quality * len(points))] = True  # a share needs the number alone
    figures = [share_figure("high quality", good, stamp)]
    parts: dict[str, Callable[[Tensor], float]] = {
        "reverse KL": lambda rows: float(count(rows).reverse_kl or 0.0),
        "spread within modes": lambda rows: float(count(rows).spread or 0.0),
    }
    if whole.reverse_kl is not None and whole.spread is not None:
        figures += [
            _jackknifed(name, figure, points.double(), stamp, seed)
            for name, figure in parts.items()
        ]
    return figures, _sentence(whole, "modes", whole.floor)


def class_modes(
    real: Rows, generated: Rows, lens: Lens, stamp: Stamp, seed: int = 0
) -> Found | None:
    """Classes by an extractor that tells them apart; None without, or if a class lacks reals.

    Figures: the reverse KL of the classes' shares from those among the real rows.
    """
    total = len(lens.classes)
    if not total:
        return None
    weights = torch.bincount(real.labels, minlength=total).double()
    if not bool((weights > 0).all()):
        return None

    def divergence(labels: Tensor) -> float:
        return float(label_modes(labels.flatten().long(), total, weights).reverse_kl or 0.0)

    labels = generated.labels
    name = f"reverse KL-{lens.name}"
    whole = label_modes(labels, total, weights)
    figure = _jackknifed(name, divergence, labels[:, None].double(), stamp, seed)
    # the target is itself counted on rows, whose chance adds to the floor
    return [figure], _sentence(whole, "classes", whole.floor * (1 + len(labels) / len(real)))


def _jackknifed(
    name: str, figure: Callable[[Tensor], float], rows: Tensor, stamp: Stamp, seed: int
) -> Figure:
    found = jackknife(OneSide(figure, rows, seed))
    return Figure.of(name, found.expectation(name), (0, len(rows)), stamp)


def _sentence(found: ModeCounts, word: str, floor: float) -> str:
    head = f"{found.modes} of {found.total} {word} found"
    if not floor:
        return head
    return f"{head}; perfect samples of this number have a reverse KL of about {floor:.2g}"
