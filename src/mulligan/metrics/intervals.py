"""Intervals: what a figure would be on average over fresh samples, and in the limit of many.

A bootstrap draws rows twice. That biases a Frechet distance upwards, and makes points neighbours of
themselves. A jackknife leaves rows out instead. Figures of nearest neighbours are means over rows,
and their intervals say so. docs/results/intervals.md has how often all of them hold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean

from torch import Tensor

from mulligan.metrics.groups import Grouped

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A value with the interval around it, how that was made, and what it is meant to hold."""

    value: float
    low: float
    high: float
    method: str
    covers: str


@dataclass(frozen=True)
class Jackknife:
    """A figure of all g groups, without each group in turn, and without each two neighbours."""

    full: float
    without: tuple[float, ...]
    without_two: tuple[float, ...]

    @property
    def groups(self) -> int:
        """The number of groups, g."""
        return len(self.without)

    @property
    def variance(self) -> float:
        """The variance of the figure over fresh samples of the same sizes, >= 0.

        Write the figure as a mean of terms of one group and of terms of two. The jackknife counts
        the second kind about twice, and between equal distributions there is no other kind. What
        two groups do together, beyond what each does alone, measures it (Efron and Stein 1981,
        section 4). Half of that surplus is taken off, and a quarter of the jackknife's estimate at
        most: with all of it off, intervals between different distributions, where figures are
        skewed, held too little (measured: 88 to 92 %).
        """
        g = self.groups
        jack = (g - 1) * _mean_square(self.without)
        together = _mean_square(
            g * self.full - (g - 1) * (one + other) + (g - 2) * both
            for one, other, both in zip(
                self.without, (*self.without[1:], self.without[0]), self.without_two, strict=True
            )
        )
        others = 2 * (g**2 - 3 * g + 1) / ((g - 1) ** 2 * (g - 2))  # terms with one of them or none
        pair = g / (g - 1) * together * g**2 / (4 + 4 * others)  # variance of a term of two groups
        counted, due = 4 * (g - 2) / (g * (g - 1) ** 2), 2 * (g - 1) / g**3
        surplus = min((counted - due) * pair, jack / 2)
        return jack - surplus / 2

    @property
    def half_width(self) -> float:
        """Half the length of the 95 % interval, by Student's t with g - 1 degrees of freedom."""
        return student(LEVEL, self.groups - 1) * math.sqrt(self.variance)

    def _method(self) -> str:
        return f"95 %, delete-group jackknife with {self.groups} groups, half corrected for pairs"

    def expectation(self, name: str) -> Interval:
        """The figure at the sizes given, with an interval for its mean over fresh samples."""
        low, high = self.full - self.half_width, self.full + self.half_width
        return Interval(self.full, low, high, self._method(), f"E[{name}_n]")

    def limit(self, name: str) -> Interval:
        """The figure for infinitely many samples, by a straight line in 1/n, and its interval.

        The line goes through the figure at n and its mean at n (g - 1)/g: the bias-corrected
        jackknife, which is Chong and Forsyth 2020 with the two sizes close together. Moving one
        group moves this value as it moves the figure, hence the same length.
        """
        value = self.groups * self.full - (self.groups - 1) * fmean(self.without)
        low, high = value - self.half_width, value + self.half_width
        method = f"{self._method()}, extrapolated in 1/n"
        return Interval(value, low, high, method, f"{name}-infinity")


def jackknife(figure: Grouped) -> Jackknife:
    """Evaluate a figure on all groups, without each, and without each two neighbours in a circle.

    Costs 2 g + 1 evaluations.
    """
    everything = range(figure.groups)
    without = [[k for k in everything if k != left] for left in everything]
    without_two = [
        [k for k in everything if k not in (left, (left + 1) % figure.groups)]
        for left in everything
    ]
    return Jackknife(
        figure.value(everything),
        tuple(figure.value(keep) for keep in without),
        tuple(figure.value(keep) for keep in without_two),
    )


@dataclass(frozen=True)
class RowMean:
    """A mean over rows, each of which has its value from the balls around it: recall and the like.

    rows: (N,) values. without: for each side that has a part in the balls, (groups, N) values of
    the same rows, without each group of that side in turn.

    Whether a row lies in a ball hangs on both of them together, and on several balls at once. A
    jackknife counts what two rows do together twice and what m do m times: leaving groups out of
    both sides it found 1.3 to 3.5 times the variance (measured). But given the balls, rows are
    independent, and by the law of total variance the two kinds of chance add up:

    - the rows', given the balls: known from the rows themselves;
    - the balls', in the mean over endlessly many rows: by leaving groups out of the balls alone.
      What the mean over N rows moves by holds noise of those rows, which is taken off.

    The real rows of coverage are the centres of the balls, and also help to set their radii. They
    are taken as the first kind and as the second, as if different rows did either.
    """

    rows: Tensor
    without: tuple[Tensor, ...]

    @property
    def full(self) -> float:
        """The mean."""
        return float(self.rows.mean())

    @property
    def groups(self) -> int:
        """The number of groups of each side."""
        return len(self.without[0])

    @property
    def own(self) -> float:
        """The variance of the mean over fresh rows, given the balls. Unbiased."""
        return float(self.rows.var()) / len(self.rows)

    @property
    def others(self) -> float:
        """The variance over fresh balls of the mean over endlessly many rows, >= 0."""
        return sum(max(0.0, _moved(values)) for values in self.without)

    def expectation(self, name: str) -> Interval:
        """The mean, with an interval for its own mean over fresh samples."""
        half = _normal() * math.sqrt(self.own)
        return self._interval(name, (self.full - half, self.full + half), "normal")

    def share(self, name: str) -> Interval:
        """As `expectation`, for values of 0 and 1; within 0 and 1.

        The rows' part is Wilson's interval of a share (Wilson 1927), which has a length even where
        all rows agree; the balls' part is added to it on either side as squares are (Zou and Donner
        2008).
        """
        found = self._interval(name, wilson(self.full, len(self.rows)), "Wilson's")
        return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))

    def _interval(self, name: str, rows: tuple[float, float], kind: str) -> Interval:
        """The interval of the rows' part alone, widened by the balls' part."""
        balls = student(LEVEL, self.groups - 1) * math.sqrt(self.others)
        low, high = (math.hypot(self.full - bound, balls) for bound in rows)
        method = (
            f"95 %, {kind} for rows, delete-group jackknife with {self.groups} groups for balls"
        )
        return Interval(self.full, self.full - low, self.full + high, method, f"E[{name}_n]")


def _moved(values: Tensor) -> float:
    """The jackknife's variance of what (groups, N) values would be on average over all rows.

    The square of a mean over N rows is too large by the variance of that mean.
    """
    groups, count = values.shape
    moves = values - values.mean(dim=0)
    squares = moves.mean(dim=1).square() - moves.var(dim=1) / count
    return float((groups - 1) / groups * squares.sum())


def _mean_square(values: Iterable[float]) -> float:
    """Mean squared deviation from the mean."""
    every = list(values)
    centre = fmean(every)
    return fmean((value - centre) ** 2 for value in every)


def _normal(level: float = LEVEL) -> float:
    """The bound that a standard normal stays within, in absolute value."""
    return NormalDist().inv_cdf((1 + level) / 2)


def student(level: float, freedom: int) -> float:
    """The bound that Student's t stays within, in absolute value, with the probability `level`.

    Within 0.5 % from 3 degrees of freedom on. Abramowitz and Stegun 1964, 26.7.5.
    """
    z = _normal(level)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(sum(term / freedom**power for power, term in enumerate(terms)))


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `count` independent rows."""
    z = _normal()
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = share * (1 - share) / count + z**2 / (4 * count**2)
    half = z / (1 + z**2 / count) * math.sqrt(spread)
    return max(0.0, centre - half), min(1.0, centre + half)
