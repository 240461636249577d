"""Intervals: what a figure would be on average over fresh samples, and in the limit of many.

A bootstrap draws rows twice. That biases a Frechet distance upwards, and makes points neighbours of
themselves. A jackknife leaves rows out instead. docs/results/intervals.md has its coverage.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean

from mulligan.metrics.groups import Grouped

LEVEL = 0.95
HALF, WHOLE = 0.5, 1.0


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

    def variance(self, share: float = HALF) -> float:
        """The variance of the figure over fresh samples of the same sizes, >= 0.

        Write the figure as a mean of terms of one group and of terms of two. The jackknife counts
        the second kind about twice, and between equal distributions there is no other kind. What
        two groups do together, beyond what each does alone, measures it (Efron and Stein 1981,
        section 4). This share of the surplus is taken off, of half of the jackknife's estimate at
        most. For distances between different distributions, which are skewed, half: with all of it
        off intervals held too little (measured: 88 to 92 %). For shares of rows in balls of
        neighbours all of it: with half, intervals of 95 % held 98 to 100 %.
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
        return jack - share * surplus

    def half_width(self, share: float = HALF) -> float:
        """Half the length of the 95 % interval, by Student's t with g - 1 degrees of freedom."""
        return student(LEVEL, self.groups - 1) * math.sqrt(self.variance(share))

    def _method(self, share: float = HALF) -> str:
        corrected = "half corrected" if share == HALF else "corrected"
        return f"95 %, delete-group jackknife with {self.groups} groups, {corrected} for pairs"

    def expectation(self, name: str, share: float = HALF) -> Interval:
        """The figure at the sizes given, with an interval for its mean over fresh samples."""
        half = self.half_width(share)
        return Interval(
            self.full, self.full - half, self.full + half, self._method(share), f"E[{name}_n]"
        )

    def share(self, name: str, count: int) -> Interval:
        """As `expectation`, for a share of `count` rows: within 0 and 1.

        Where all rows agree nothing is left to vary, yet fresh rows might: then it is Wilson's
        interval (Wilson 1927). Elsewhere that would be too long: whether a row lies in some ball
        varies less than a coin with the same chance (measured: it held 100 % instead of 95 %).
        """
        plain = self.expectation(name, WHOLE)
        if 0 < self.full < 1 and plain.low < plain.high:
            return replace(plain, low=max(0.0, plain.low), high=min(1.0, plain.high))
        low, high = wilson(self.full, count)
        low, high = min(self.full, low), max(self.full, high)  # rounding
        return Interval(self.full, low, high, "95 %, Wilson's, as all rows agree", plain.covers)

    def limit(self, name: str) -> Interval:
        """The figure for infinitely many samples, by a straight line in 1/n, and its interval.

        The line goes through the figure at n and its mean at n (g - 1)/g: the bias-corrected
        jackknife, which is Chong and Forsyth 2020 with the two sizes close together. Moving one
        group moves this value as it moves the figure, hence the same length.
        """
        value = self.groups * self.full - (self.groups - 1) * fmean(self.without)
        half = self.half_width()
        low, high = value - half, value + half
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


def _mean_square(values: Iterable[float]) -> float:
    """Mean squared deviation from the mean."""
    every = list(values)
    centre = fmean(every)
    return fmean((value - centre) ** 2 for value in every)


def student(level: float, freedom: int) -> float:
    """The bound that Student's t stays within, in absolute value, with the probability `level`.

    Within 0.5 % from 3 degrees of freedom on. Abramowitz and Stegun 1964, 26.7.5.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
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
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    spread = share * (1 - share) / count + z**2 / (4 * count**2)
    half = z / (1 + z**2 / count) * math.sqrt(spread)
    return max(0.0, centre - half), min(1.0, centre + half)
