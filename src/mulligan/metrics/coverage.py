"""Precision, recall, density and coverage: who lies in whose balls of nearest neighbours.

A ball has a real (or generated) row as its centre, and the distance to its k-th nearest fellow row
as its radius; the row itself is no fellow. A row lies in a ball if it is nearer than the radius by
more than rounding: at exactly the radius, as copies of real rows are, it lies outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.metrics.arrays import BLOCK, ROUNDING, as_features, as_pair, ranges, squared_distances

NEAREST_PRECISION, NEAREST_COVERAGE = 3, 5
"""k as the papers take it, for precision and recall, and for density and coverage."""


@dataclass(frozen=True)
class Coverage:
    """The four figures.

    precision: share of generated rows in a ball of a real one, recall: share of real rows in a ball
    of a generated one, coverage: share of balls of real rows with a generated row, all in [0, 1].
    density: mean number of balls of real rows around a generated one, over k, >= 0.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(
    real: Tensor, generated: Tensor, nearest: int = NEAREST_PRECISION
) -> tuple[float, float]:
    """(precision, recall). Kynkaanniemi et al. 2019, equations 1 and 2.

    real: (N, d), generated: (M, d), more than `nearest` rows each; compare at equal N = M. A few
    outliers inflate their balls. Raises UsageError.
    """
    real, generated = _centred(real, generated)
    precision = _inside(real, radii(real, nearest), generated).rows
    recall = _inside(generated, radii(generated, nearest), real).rows
    return _share(precision > 0), _share(recall > 0)


def density_coverage(
    real: Tensor, generated: Tensor, nearest: int = NEAREST_COVERAGE
) -> tuple[float, float]:
    """(density, coverage). Naeem et al. 2020, equations 3 and 4; shapes as for precision.

    For equal distributions and equal N density is 1 on average and coverage about 1 - 2^-nearest.
    """
    real, generated = _centred(real, generated)
    counts = _inside(real, radii(real, nearest), generated)
    return float(counts.rows.double().mean()) / nearest, _share(counts.balls > 0)


def coverage(
    real: Tensor,
    generated: Tensor,
    nearest_precision: int = NEAREST_PRECISION,
    nearest_coverage: int = NEAREST_COVERAGE,
) -> Coverage:
    """All four figures."""
    return Coverage(
        *precision_recall(real, generated, nearest_precision),
        *density_coverage(real, generated, nearest_coverage),
    )


@dataclass(frozen=True)
class RowValues:
    """What each row has of the four figures, which are the means of these.

    precision, density: (M,) of generated rows. recall, coverage: (N,) of real rows.
    """

    precision: Tensor
    recall: Tensor
    density: Tensor
    coverage: Tensor


@dataclass(frozen=True)
class Distances:
    """Squared distances among real rows (N, N), generated ones (M, M) and between them (N, M), of
    few enough rows to be held at once; shares: the squared lengths that rounding is a part of.

    For the figures without some rows, many times: nothing is measured again.
    """

    real: Tensor
    generated: Tensor
    between_them: Tensor
    real_lengths: Tensor
    generated_lengths: Tensor

    @classmethod
    def between(cls, real: Tensor, generated: Tensor) -> Distances:
        """The distances of (N, d) and (M, d) rows."""
        real, generated = _centred(real, generated)
        own, other = (squared_distances(side, side) for side in (real, generated))
        lengths = [side.square().sum(dim=1) for side in (real, generated)]
        return cls(
            own.fill_diagonal_(torch.inf),
            other.fill_diagonal_(torch.inf),
            squared_distances(real, generated),
            lengths[0],
            lengths[1],
        )

    def rows(self, real: Tensor | None = None, generated: Tensor | None = None) -> RowValues:
        """The values of all rows, from those others that are named by their numbers; None: all.

        real, generated: the rows that balls have as their centres and count as fellows. For
        coverage all real rows are centres; those named make the radii, and the generated rows named
        are looked for.
        """
        everything = slice(None)
        kept = everything if real is None else real
        made = everything if generated is None else generated
        own, other = self.real[:, kept], self.generated[:, made]
        few, more = (own.kthvalue(k, dim=1).values for k in (NEAREST_PRECISION, NEAREST_COVERAGE))
        fakes = other.kthvalue(NEAREST_PRECISION, dim=1).values
        near = self.between_them < _limits(few, self.real_lengths)[:, None]
        far = self.between_them < _limits(more, self.real_lengths)[:, None]
        back = self.between_them < _limits(fakes, self.generated_lengths)
        return RowValues(
            near[kept].any(dim=0).double(),
            back[:, made].any(dim=1).double(),
            far[kept].sum(dim=0).double() / NEAREST_COVERAGE,
            far[:, made].any(dim=1).double(),
        )


def _limits(squares: Tensor, lengths: Tensor) -> Tensor:
    """Squared radii, less what rounding may add to the distance of a row at the radius."""
    return squares - ROUNDING * (3 * lengths + 2 * squares)


def radii(features: Tensor, nearest: int) -> Tensor:
    """Squared distance of every row to its nearest-th nearest other row, (N,).

    Raises UsageError unless N > nearest >= 1.
    """
    rows = as_features(features)
    if not 1 <= nearest < len(rows):
        raise UsageError(
            f"{len(rows)} rows have no neighbour number {nearest}; take more than {nearest} rows"
        )
    parts = []
    rows = rows - rows.mean(dim=0)
    for part in ranges(len(rows), max(1, BLOCK**2 // len(rows))):
        distances = squared_distances(rows[part], rows)  # (block, N)
        own = torch.arange(len(rows), device=rows.device)[part]
        distances[torch.arange(len(own), device=rows.device), own] = torch.inf
        parts.append(distances.kthvalue(nearest, dim=1).values)
    return torch.cat(parts)


@dataclass(frozen=True)
class _Counts:
    """balls: rows in each ball, (N,). rows: balls around each row, (M,)."""

    balls: Tensor
    rows: Tensor


def _inside(centres: Tensor, squares: Tensor, rows: Tensor) -> _Counts:
    """How many rows lie in each ball, and in how many balls each row lies."""
    limits = _limits(squares, centres.square().sum(dim=1))
    balls = torch.zeros(len(centres), dtype=torch.int64, device=rows.device)
    around = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
    for part in ranges(len(centres)):
        for other in ranges(len(rows)):
            inside = squared_distances(centres[part], rows[other]) < limits[part][:, None]
            balls[part] += inside.sum(dim=1)
            around[other] += inside.sum(dim=0)
    return _Counts(balls, around)


def _centred(real: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
    """Both arrays as float64, moved so that the real rows lie around the origin."""
    real, generated = as_pair(real, generated)
    centre = real.mean(dim=0)
    return real - centre, generated - centre


def _share(truths: Tensor) -> float:
    return float(truths.double().mean())
