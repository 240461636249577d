"""Figures of some groups of rows: what the jackknife of `intervals` asks for, many times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.metrics.arrays import as_features, as_pair
from mulligan.metrics.coverage import Coverage, coverage
from mulligan.metrics.distances import KernelSums, check_counts, frechet_distance
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


class CoverageGroups:
    """Precision, recall, density and coverage, computed together; `part` picks one of them."""

    def __init__(
        self, real: Tensor, generated: Tensor, groups: int = GROUPS, seed: int = 0
    ) -> None:
        self.groups = groups
        self._sides = _split_sides(real, generated, groups, seed)
        self._found: dict[tuple[int, ...], Coverage] = {}

    def all(self, keep: Sequence[int]) -> Coverage:
        """The four figures of the kept groups, remembered."""
        place = tuple(keep)
        if place not in self._found:
            self._found[place] = coverage(*_kept(self._sides, keep))
        return self._found[place]

    def part(self, name: str) -> Grouped:
        """One of the four by its name in Coverage."""
        return _Part(self, name)


class _Part:
    """One entry of what CoverageGroups computes."""

    def __init__(self, whole: CoverageGroups, name: str) -> None:
        self.groups, self._whole, self._name = whole.groups, whole, name

    def value(self, keep: Sequence[int]) -> float:
        return float(getattr(self._whole.all(keep), self._name))


def _split_sides(real: Tensor, generated: Tensor, groups: int, seed: int) -> list[list[Tensor]]:
    """Groups of both sides, each side in an order of its own."""
    pair = as_pair(real, generated)
    return [split_rows(side, groups, seed + place) for place, side in enumerate(pair)]


def _kept(sides: list[list[Tensor]], keep: Sequence[int]) -> tuple[Tensor, Tensor]:
    real, generated = (torch.cat([side[group] for group in keep]) for side in sides)
    return real, generated
