"""Memorisation: are generated rows copies of training rows, more than unseen real rows are?

A distance alone does not tell: blurred and simple pictures lie near to everything, and so do rows
that were never trained on, once they are blurred. A copy is much nearer to the one row that it
repeats than to the next ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.metrics.arrays import as_pair, ranges, squared_distances

COPY_QUANTILE = 0.01
"""A row counts as a copy if as close as only this share of the held-out reals."""

CROWD = 10
"""Training rows after the nearest one: few, as some rows lie near to everything, and more than a
picture usually has doubles."""

SAME = 1e-3
"""Distance to a training row, over the usual one, below which a row is a copy in any case."""


@dataclass(frozen=True)
class Nearest:
    """For every row the distance to its nearest training row, (N,), and that row's number, (N,).

    crowd: the mean distance to the next ten, (N,); NaN if there is only one training row.
    """

    distances: Tensor
    rows: Tensor
    crowd: Tensor

    @property
    def closeness(self) -> Tensor:
        """(N,) each distance over that to the next ten: about 1 amidst them, 0 for a copy."""
        return torch.where(self.distances > 0, self.distances / self.crowd, self.distances)


@dataclass(frozen=True)
class Memorisation:
    """Generated rows against held-out real ones, by the distance to the nearest training row.

    nearest: of the generated rows, for pictures of pairs. ratios: each distance over the median of
    the held-out reals', (N,). ratio: their median; about 1 is honest, 0 is a replay.
    copied: whether a generated row is as close to one training row, for what the next ten are, as
    only 1 % of the held-out ones are, (N,). copies: the share of those; 0.01 is honest.
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
    centre, few = training.mean(dim=0), min(CROWD + 1, len(training))
    best = torch.full((len(rows), few), torch.inf, dtype=rows.dtype, device=rows.device)
    found = torch.zeros((len(rows), few), dtype=torch.int64, device=rows.device)
    for part in ranges(len(rows)):
        for other in ranges(len(training)):
            squares = squared_distances(rows[part] - centre, training[other] - centre)
            lowest = squares.topk(min(few, squares.shape[1]), dim=1, largest=False)
            values = torch.cat([best[part], lowest.values], dim=1)
            kept = values.topk(few, dim=1, largest=False)
            numbers = torch.cat([found[part], lowest.indices + other.start], dim=1)
            best[part], found[part] = kept.values, numbers.gather(1, kept.indices)
    first = found[:, 0]
    distances = [(rows[part] - training[first[part]]).norm(dim=1) for part in ranges(len(rows))]
    crowd = best[:, 1:].clamp_min(0).sqrt().mean(dim=1)
    return Nearest(torch.cat(distances), first, crowd)


def memorisation(generated: Tensor, training: Tensor, held_out: Tensor) -> Memorisation:
    """Whether a generator replays its training rows.

    generated: (N, d), training: (M, d), held_out: (K, d) real rows that it never saw. All training
    rows must be given: a replay of rows that are left out goes unnoticed. Meehan et al. 2020.
    Raises UsageError for a single training row, or if half of the held-out rows are training rows.
    """
    if len(training) < 2:
        raise UsageError(f"{len(training)} training rows; memorisation needs 2 at least")
    ours, unseen = nearest(generated, training), nearest(held_out, training)
    theirs = unseen.distances
    usual = theirs.median()
    if not float(usual) > 0:
        raise UsageError(
            "half of the held-out rows are copies of training rows, so nothing is unseen",
            "split the data by content, without copies",
        )
    limit = unseen.closeness.quantile(COPY_QUANTILE)
    ratios = ours.distances / usual
    ordered = theirs.sort().values
    below = torch.searchsorted(ordered, ours.distances, right=False)
    upto = torch.searchsorted(ordered, ours.distances, right=True)
    farther = 1 - (below + upto).double() / (2 * len(ordered))  # share of held-out rows farther
    # closeness says nothing of a picture that the training rows hold more than ten times
    copied = (ours.closeness <= limit) | (ours.distances <= SAME * usual)
    return Memorisation(
        ours,
        ratios,
        float(ratios.median()),
        copied,
        float(copied.double().mean()),
        float(farther.mean()),
    )
