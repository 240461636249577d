"""Memorisation: are generated rows nearer to training rows than unseen real rows are?"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.metrics.arrays import as_pair, ranges, squared_distances

COPY_QUANTILE = 0.01
"""A row counts as a copy if as near as only this share of the held-out reals."""


@dataclass(frozen=True)
class Nearest:
    """For every row the distance to its nearest training row, (N,), and that row's number, (N,)."""

    distances: Tensor
    rows: Tensor


@dataclass(frozen=True)
class Memorisation:
    """Generated rows against held-out real ones, by the distance to the nearest training row.

    nearest: of the generated rows, for pictures of pairs. ratios: each distance over the median of
    the held-out reals', (N,). ratio: their median; about 1 is honest, 0 is a replay.
    copied: whether a generated row is as near as only 1 % of the held-out ones are, (N,).
    copies: the share of those; 0.01 is honest.
    nearer: chance that a generated row is nearer than a held-out one, ties half; 0.5 is honest.
    Blurred samples are near to everything: `nearer` above 0.5 without copies proves nothing.
    """

    nearest: Nearest
    ratios: Tensor
    ratio: float
    copied: Tensor
    copies: float
    nearer: float


def nearest(rows: Tensor, training: Tensor) -> Nearest:
    """The nearest training row of every row. A copy has the distance 0 exactly.

    rows: (N, d), training: (M, d). Found in blocks by products, then measured directly.
    """
    rows, training = as_pair(rows, training)
    centre = training.mean(dim=0)
    best = torch.full((len(rows),), torch.inf, dtype=rows.dtype, device=rows.device)
    found = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    for part in ranges(len(rows)):
        for other in ranges(len(training)):
            squares = squared_distances(rows[part] - centre, training[other] - centre)
            lowest = squares.min(dim=1)
            better = lowest.values < best[part]
            best[part] = torch.where(better, lowest.values, best[part])
            found[part] = torch.where(better, lowest.indices + other.start, found[part])
    distances = [(rows[part] - training[found[part]]).norm(dim=1) for part in ranges(len(rows))]
    return Nearest(torch.cat(distances), found)


def memorisation(generated: Tensor, training: Tensor, held_out: Tensor) -> Memorisation:
    """Whether a generator replays its training rows.

    generated: (N, d), training: (M, d), held_out: (K, d) real rows that it never saw. All training
    rows must be given: a replay of rows that are left out goes unnoticed. Meehan et al. 2020.
    Raises UsageError if half of the held-out rows are training rows.
    """
    ours, theirs = nearest(generated, training), nearest(held_out, training).distances
    usual = theirs.median()
    if not float(usual) > 0:
        raise UsageError(
            "half of the held-out rows are copies of training rows, so nothing is unseen",
            "split the data by content, without copies",
        )
    limit = theirs.quantile(COPY_QUANTILE)
    ratios = ours.distances / usual
    ordered = theirs.sort().values
    below = torch.searchsorted(ordered, ours.distances, right=False)
    upto = torch.searchsorted(ordered, ours.distances, right=True)
    farther = 1 - (below + upto).double() / (2 * len(ordered))  # share of held-out rows farther
    copied = ours.distances <= limit  # both are 0 where held-out rows repeat training rows
    return Memorisation(
        ours,
        ratios,
        float(ratios.median()),
        copied,
        float(copied.double().mean()),
        float(farther.mean()),
    )
