"""Figures with their intervals, from features. The caller says what the extractor allows to call
them: "FID" for the 2015 Inception network only, else "FD-digits" and the like."""

from __future__ import annotations

from torch import Tensor

from mulligan.metrics.distances import DIRECTIONS
from mulligan.metrics.figure import Figure, Stamp
from mulligan.metrics.groups import CoverageGroups, FrechetGroups, KernelGroups, MindGroups
from mulligan.metrics.intervals import RowMean, jackknife


def frechet_figures(
    real: Tensor, generated: Tensor, name: str, stamp: Stamp, seed: int = 0
) -> tuple[Figure, Figure]:
    """The Frechet distance at these sizes, and its limit of infinitely many samples.

    real: (N, d), generated: (M, d). Refuses and warns as `distances.frechet_distance` does. The
    limit may be negative.
    """
    found = jackknife(FrechetGroups(real, generated, seed=seed))
    counts = len(real), len(generated)
    limit = found.limit(name)
    return (
        Figure.of(name, found.expectation(name), counts, stamp),
        Figure.of(limit.covers, limit, counts, stamp),
    )


def kernel_figure(
    real: Tensor, generated: Tensor, name: str, stamp: Stamp, seed: int = 0
) -> Figure:
    """KID over all pairs. As it is unbiased, its interval is one for the limit of many, too."""
    found = jackknife(KernelGroups(real, generated, seed=seed))
    return Figure.of(name, found.expectation(name), (len(real), len(generated)), stamp)


def mind_figure(
    real: Tensor,
    generated: Tensor,
    name: str,
    stamp: Stamp,
    seed: int = 0,
    directions: int = DIRECTIONS,
) -> Figure:
    """MIND at these sizes, which must be equal; seed: of the directions and of the groups."""
    found = jackknife(MindGroups(real, generated, directions, seed=seed))
    return Figure.of(name, found.expectation(name), (len(real), len(generated)), stamp)


def coverage_figures(
    real: Tensor, generated: Tensor, extractor: str, stamp: Stamp, seed: int = 0
) -> tuple[Figure, ...]:
    """Precision, recall, density and coverage, named `precision-<extractor>` and so on.

    Compare at equal N. Costs up to 21 times what the figures alone cost.
    """
    groups = CoverageGroups(real, generated, seed=seed)
    counts = len(real), len(generated)
    figures = []
    for part in ("precision", "recall", "density", "coverage"):
        name = f"{part}-{extractor}"
        found = RowMean(*groups.part(part))
        interval = found.expectation(name) if part == "density" else found.share(name)
        figures.append(Figure.of(name, interval, counts, stamp))
    return tuple(figures)
