"""Modes: how many are found, how evenly, how tightly. For points around centres, and for labels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.special import gammainc, xlogy

from mulligan.errors import UsageError
from mulligan.metrics.arrays import as_pair, ranges, squared_distances

WITHIN = 3.0
"""Standard deviations within which a point is of high quality."""


@dataclass(frozen=True)
class ModeCounts:
    """Which modes n samples found.

    modes: modes with at least one sample, of total. counts: samples in each mode.
    reverse_kl: KL divergence of the histogram from the target, in nats; None without samples.
    floor: what reverse_kl is about for perfect samples, (total - 1) / (2 n); 0 without samples.
    """

    modes: int
    total: int
    counts: tuple[int, ...]
    reverse_kl: float | None
    floor: float


@dataclass(frozen=True)
class PointModes(ModeCounts):
    """Modes of points. Only points of high quality count, in the reverse KL too.

    high_quality: their share of all points, in [0, 1]. spread: their deviation around the mean of
    their mode over that of perfect samples; 1 is right, below it modes have shrunk; None where no
    mode has 2 of them.
    """

    high_quality: float
    spread: float | None


def label_modes(labels: Tensor, classes: int, target: Tensor | None = None) -> ModeCounts:
    """Modes of labels, each class one mode.

    labels: (N,), integers in [0, classes). target: (classes,) positive weights of the classes,
    equal ones if None. Raises UsageError for other values.
    """
    _check_labels(labels, classes)
    if target is not None and (target.shape != (classes,) or not bool((target > 0).all())):
        raise UsageError(f"the target must be {classes} positive numbers")
    counts = torch.bincount(labels.detach().cpu().long(), minlength=classes)
    return ModeCounts(*_histogram(counts, target))


def point_modes(
    points: Tensor, centres: Tensor, deviation: float, within: float = WITHIN
) -> PointModes:
    """Modes of points around known centres, each with the same normal deviation.

    points: (N, d), centres: (modes, d), deviation > 0. A point belongs to its nearest centre and
    is of high quality if `within` deviations or nearer; modes overlap no further than that.
    PacGAN, Lin et al. 2018, table 1, by the authors' code.
    """
    points, centres = as_pair(points, centres)
    if not deviation > 0 or not within > 0:
        raise UsageError(f"deviation {deviation} and within {within} must be positive")
    found = [squared_distances(points[part], centres).min(dim=1) for part in ranges(len(points))]
    squares = torch.cat([entry.values for entry in found])
    good = squares <= (within * deviation) ** 2
    modes = torch.cat([entry.indices for entry in found])[good]
    counts = torch.bincount(modes, minlength=len(centres))
    spread = _deviation_within(points[good], modes, counts)
    expected = deviation * _truncated(points.shape[1], within)
    return PointModes(
        *_histogram(counts.cpu(), None),
        high_quality=float(good.double().mean()),
        spread=None if spread is None else spread / expected,
    )


def deviation_within(features: Tensor, labels: Tensor, classes: int) -> float | None:
    """Root mean squared deviation of a coordinate around the mean of the row's class, >= 0.

    features: (N, d), labels: (N,) in [0, classes). None where no class has 2 rows. Compare with the
    same number of real rows: a class that shrank to one picture gives 0, counted though it is.
    """
    features, _ = as_pair(features, features)
    _check_labels(labels, classes)
    if len(labels) != len(features):
        raise UsageError(f"{len(features)} rows have {len(labels)} labels")
    labels = labels.detach().to(features.device).long()
    return _deviation_within(features, labels, torch.bincount(labels, minlength=classes))


def _deviation_within(rows: Tensor, modes: Tensor, counts: Tensor) -> float | None:
    freedom = float((counts - 1).clamp(min=0).sum()) * rows.shape[1]
    if not freedom:
        return None
    sums = torch.zeros(len(counts), rows.shape[1], dtype=rows.dtype, device=rows.device)
    sums.index_add_(0, modes, rows)
    means = sums / counts.clamp(min=1)[:, None]
    return float(((rows - means[modes]).square().sum() / freedom).sqrt())


def _truncated(width: int, within: float) -> float:
    """Deviation of a coordinate of a unit normal in d dimensions, given that its length <= within.

    E[r^2 | r <= R] = d P(d/2 + 1, R^2/2) / P(d/2, R^2/2), P the regularised gamma function.
    """
    half, square = torch.tensor([width / 2, within**2 / 2], dtype=torch.float64)
    return float((gammainc(half + 1, square) / gammainc(half, square)).sqrt())


def _histogram(
    counts: Tensor, target: Tensor | None
) -> tuple[int, int, tuple[int, ...], float | None, float]:
    """The first five entries of ModeCounts."""
    total, samples = len(counts), int(counts.sum())
    tuple_of = tuple(int(count) for count in counts)
    modes = sum(count > 0 for count in tuple_of)
    if not samples:
        return modes, total, tuple_of, None, 0.0
    weights = torch.ones(total) if target is None else target.detach().cpu()
    wanted = weights.double() / weights.double().sum()
    share = counts.double() / samples
    divergence = float((xlogy(share, share) - xlogy(share, wanted)).sum())
    return modes, total, tuple_of, max(0.0, divergence), (total - 1) / (2 * samples)


def _check_labels(labels: Tensor, classes: int) -> None:
    if labels.ndim != 1 or labels.is_floating_point() or not len(labels):
        raise UsageError(
            f"labels must be (N,) integers; they are {tuple(labels.shape)} of {labels.dtype}"
        )
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise UsageError(
            f"labels lie in [{int(labels.min())}, {int(labels.max())}]; there are {classes} classes"
        )
