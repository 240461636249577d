"""Figures of some groups of rows: what the jackknife of `intervals` asks for, many times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.metrics.arrays import as_features, as_pair
from mulligan.metrics.coverage import Distances
from mulligan.metrics.distances import (
    DIRECTIONS,
    KernelSums,
    check_counts,
    frechet_distance,
    unit_directions,
)
from mulligan.metrics.moments import Moments

GROUPS = 10
"""Groups of rows by default: 21 evaluations of the figure."""

KERNEL_GROUPS = 20
"""Groups for KID, whose values of any groups cost nothing after the first."""


class Grouped(Protocol):
    """A figure whose rows lie in `groups` groups of equal size, real and generated alike."""

    groups: int

    def value(self, keep: Sequence[int]) -> float:
        """The figure of the rows in the groups named."""
        ...


def split_rows(features: Tensor, groups: int = GROUPS, seed: int = 0) -> list[Tensor]:
    """(N, d) features as groups of random rows, whose sizes differ by at most 1.

    The order depends on seed and N only. Raises UsageError for less than 4 groups, and for less
    than 2 rows a group.
    """
    rows = as_features(features)
    if groups < 4 or len(rows) < 2 * groups:
        raise UsageError(
            f"{len(rows)} rows in {groups} groups: an interval needs 4 groups or more of 2 rows "
            "or more"
        )
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    return list(rows[order.to(rows.device)].tensor_split(groups))


class FrechetGroups:
    """The Frechet distance. Moments of groups are merged, so that no row is read twice."""

    def __init__(
        self,
        real: Tensor,
        generated: Tensor,
        groups: int = GROUPS,
        seed: int = 0,
        check: bool = True,
    ) -> None:
        """Raises and warns as `distances.check_counts` does, unless check is off."""
        real, generated = as_pair(real, generated)
        if check:
            check_counts(min(len(real), len(generated)), real.shape[1])
        self.groups = groups
        self._moments = [
            [Moments.of(rows) for rows in side]
            for side in _split_sides(real, generated, groups, seed)
        ]

    def value(self, keep: Sequence[int]) -> float:
        real, generated = (
            reduce(Moments.merged, (side[group] for group in keep)) for side in self._moments
        )
        return frechet_distance(real, generated, check=False)


class KernelGroups:
    """KID. Kernels are summed over pairs of groups once; the rest is addition."""

    def __init__(
        self, real: Tensor, generated: Tensor, groups: int = KERNEL_GROUPS, seed: int = 0
    ) -> None:
        self.groups = groups
        self._sums = KernelSums(*_split_sides(real, generated, groups, seed))

    def value(self, keep: Sequence[int]) -> float:
        return self._sums.distance(list(keep))


class RowGroups:
    """Any figure of real and generated rows, computed anew each time. No row counts twice."""

    def __init__(
        self,
        figure: Callable[[Tensor, Tensor], float],
        real: Tensor,
        generated: Tensor,
        groups: int = GROUPS,
        seed: int = 0,
    ) -> None:
        self.groups = groups
        self._figure = figure
        self._sides = _split_sides(real, generated, groups, seed)

    def value(self, keep: Sequence[int]) -> float:
        return self._figure(*_kept(self._sides, keep))


class MindGroups:
    """MIND. All rows are sorted along each direction once; a part of them is then in order, too."""

    def __init__(
        self,
        real: Tensor,
        generated: Tensor,
        directions: int = DIRECTIONS,
        groups: int = GROUPS,
        seed: int = 0,
    ) -> None:
        """real, generated: (N, d) each. Holds 20 bytes a row and direction on each side."""
        self.groups = groups
        sides = _split_sides(real, generated, groups, seed)
        self._width = sides[0][0].shape[1]
        axes = unit_directions(directions, self._width, seed).to(sides[0][0].device)
        self._sorted = [_sorted_along(axes, side) for side in sides]

    def value(self, keep: Sequence[int]) -> float:
        kept = torch.zeros(self.groups, dtype=torch.bool)
        kept[list(keep)] = True
        real, made = (
            values[kept.to(values.device)[owners]].reshape(len(values), -1)
            for values, owners in self._sorted
        )
        if real.shape != made.shape:
            raise UsageError(
                f"MIND compares equally many rows; there are {real.shape[1]} and {made.shape[1]}"
            )
        return 3 * self._width * float((real - made).square().mean())


def _sorted_along(axes: Tensor, side: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Projections in order and the group of each, both (directions, N)."""
    owners = torch.cat([torch.full((len(rows),), k) for k, rows in enumerate(side)])
    found = (axes @ torch.cat(side).T).sort(dim=1)
    return found.values, owners.to(found.indices.device)[found.indices]


class CoverageGroups:
    """Precision, recall, density and coverage, computed together; `part` picks one of them.

    The distances are measured once: 3 N^2 numbers are held.
    """

    def __init__(
        self, real: Tensor, generated: Tensor, groups: int = GROUPS, seed: int = 0
    ) -> None:
        sides = _split_sides(real, generated, groups, seed)
        whole = Distances.between(*(torch.cat(side) for side in sides))
        reals, fakes = (_rows_without_each(side) for side in sides)
        self._all = whole.rows()
        self._without = (
            [whole.rows(real=keep) for keep in reals],
            [whole.rows(generated=keep) for keep in fakes],
        )

    def part(self, name: str) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One of the four by its name in RowValues.

        Returns the (N,) values of its rows, and the (groups, N) values of the same rows when each
        group of real, or of generated rows is left out of what makes their balls.
        """
        real, generated = (
            torch.stack([getattr(found, name) for found in side]) for side in self._without
        )
        return getattr(self._all, name), (real, generated)


def _split_sides(real: Tensor, generated: Tensor, groups: int, seed: int) -> list[list[Tensor]]:
    """Groups of both sides, each side in an order of its own."""
    pair = as_pair(real, generated)
    return [split_rows(side, groups, seed + place) for place, side in enumerate(pair)]


def _rows_without_each(side: list[Tensor]) -> list[Tensor]:
    """For each group the numbers of all rows but its own, as they stand when groups are joined."""
    owners = torch.cat([torch.full((len(rows),), k) for k, rows in enumerate(side)])
    return [(owners != left).nonzero().flatten() for left in range(len(side))]


def _kept(sides: list[list[Tensor]], keep: Sequence[int]) -> tuple[Tensor, Tensor]:
    real, generated = (torch.cat([side[group] for group in keep]) for side in sides)
    return real, generated
