"""Mean and covariance of a stream of features, in float64."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.metrics.arrays import as_features, ranges


@dataclass(frozen=True)
class Moments:
    """Count, mean (d,) and scatter (d, d) of the rows seen so far; scatter / (count - 1) is S.

    Kept about the mean, so that features far from the origin lose no digits, and merged pairwise:
    Chan, Golub and LeVeque 1983. Any order of batches and ranks gives the same up to rounding.
    """

    count: int
    mean: Tensor
    scatter: Tensor

    @classmethod
    def empty(cls, width: int) -> Moments:
        """No rows yet."""
        zeros = torch.zeros(width, dtype=torch.float64)
        return cls(0, zeros, torch.zeros(width, width, dtype=torch.float64))

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """The moments of (N, d) features. Raises UsageError or DataError as `as_features` does."""
        rows = as_features(features)
        mean = rows.mean(dim=0)
        scatter = torch.zeros(rows.shape[1], rows.shape[1], dtype=rows.dtype, device=rows.device)
        for part in ranges(len(rows)):
            centred = rows[part] - mean
            scatter += centred.T @ centred
        return cls(len(rows), mean, scatter)

    @property
    def width(self) -> int:
        """The number of features, d."""
        return len(self.mean)

    def with_batch(self, features: Tensor) -> Moments:
        """These moments and those of one more batch, (N, d)."""
        return self.merged(Moments.of(features))

    def merged(self, other: Moments) -> Moments:
        """The moments of both sets of rows together. Raises UsageError if the widths differ."""
        if self.width != other.width:
            raise UsageError(f"moments of {self.width} and of {other.width} features do not add up")
        if not self.count or not other.count:
            return self if self.count else other
        count = self.count + other.count
        gap = other.mean - self.mean.to(other.mean.device)
        between = torch.outer(gap, gap) * (self.count * other.count / count)
        mean = self.mean.to(gap.device) + gap * (other.count / count)
        return Moments(count, mean, self.scatter.to(gap.device) + other.scatter + between)

    def covariance(self) -> Tensor:
        """The sample covariance, (d, d), divided by count - 1. Raises UsageError below 2 rows."""
        if self.count < 2:
            raise UsageError(f"a covariance needs 2 rows or more; there are {self.count}")
        return self.scatter / (self.count - 1)
