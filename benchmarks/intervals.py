"""Whether the 95 % intervals of figures hold what they name.

Features are Gaussian. Each case is drawn anew 200 times, each time with an interval; the share of
intervals that hold the quantity should be about 95 %, and anything from 90 to 99 % is accepted.
FD-infinity and the limit of KID are known in closed form; a mean over fresh samples, E[..._n], is
taken over 1000 other draws. "shifted" is a shift of 0.5 in one coordinate and a deviation of 1.2
in all, "equal" means equal distributions, "decaying" that the deviations of the features fall as
k^-0.75, as those of trained features do. The last rows show the percentile bootstrap, which is not
used. "length" is the mean length of the intervals over 3.92 standard deviations of the values: 1
would be right if the spread were known, 1.12 if 10 groups told it without bias. A run that was cut
off goes on from `--kept`; remove that file after a change of the arithmetic.

    python benchmarks/intervals.py        writes docs/results/intervals.md
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, stdev

import torch
from torch import Tensor

from mulligan.jsonl import append, read
from mulligan.metrics.coverage import density_coverage, precision_recall
from mulligan.metrics.distances import frechet_distance, kernel_distance, mind
from mulligan.metrics.groups import (
    CoverageGroups,
    FrechetGroups,
    Grouped,
    KernelGroups,
    RowGroups,
)
from mulligan.metrics.intervals import RowMean, jackknife
from mulligan.metrics.moments import Moments
from reporting import hardware, write_page

Bounds = tuple[float, float]
Figure = Callable[[Tensor, Tensor], float]
SHIFTED, EQUAL = (0.5, 1.2), (0.0, 1.0)


@dataclass(frozen=True)
class Pair:
    """Two Gaussians: `rows` of `width` features, deviations k^-decay; the second is changed."""

    rows: int
    width: int
    shift: float
    scale: float
    decay: float = 0.0

    @property
    def deviations(self) -> Tensor:
        return torch.arange(1, self.width + 1, dtype=torch.float64) ** -self.decay

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        size = (2, self.rows, self.width)
        real, fake = torch.randn(size, generator=generator, dtype=torch.float64) * self.deviations
        fake = fake * self.scale
        fake[:, 0] += self.shift
        return real, fake

    def frechet(self) -> float:
        """The Frechet distance of the two distributions."""
        gaps = (self.scale - 1) * self.deviations
        return self.shift**2 + float(gaps.square().sum())

    def kernel(self) -> float:
        """The squared MMD of the two distributions under the cubic kernel."""
        one, other = (0.0, 1.0), (self.shift, self.scale)
        return self._mean(one, one) + self._mean(other, other) - 2 * self._mean(one, other)

    def _mean(self, one: tuple[float, float], other: tuple[float, float]) -> float:
        """E (x.y/d + 1)^3 from the first three moments of x.y for independent Gaussians."""
        squares = self.deviations.square()
        S, T = squares * one[1] ** 2, squares * other[1] ** 2
        m, w = torch.zeros_like(S), torch.zeros_like(S)
        m[0], w[0] = one[0], other[0]
        dot = float(m @ w)
        given = float(S @ T + m.square() @ T)  # E x'Tx
        spread = float(w.square() @ S)
        second = given + spread + dot**2
        third = dot**3 + 3 * dot * spread + 3 * dot * given + 6 * float(m @ (S * T * w))
        d = self.width
        return third / d**3 + 3 * second / d**2 + 3 * dot / d + 1


def frechet(real: Tensor, fake: Tensor) -> float:
    return frechet_distance(Moments.of(real), Moments.of(fake), check=False)


def bootstrap(figure: Figure, real: Tensor, fake: Tensor, seed: int) -> Bounds:
    """The percentile bootstrap with 100 resamples, to show what is wrong with it."""
    generator = torch.Generator().manual_seed(seed)
    rows = (len(real),)
    values = [
        figure(
            real[torch.randint(len(real), rows, generator=generator)],
            fake[torch.randint(len(fake), rows, generator=generator)],
        )
        for _ in range(100)
    ]
    low, high = torch.tensor(values).quantile(torch.tensor([0.025, 0.975])).tolist()
    return low, high


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    name: str
    pair: Pair
    figure: Figure
    interval: Callable[[Tensor, Tensor], tuple[float, float, float]]  # value, low, high
    known: float | None = None  # else the mean over fresh draws


def by_jackknife(
    groups: Callable[[Tensor, Tensor], Grouped], limit: bool = False
) -> Callable[[Tensor, Tensor], tuple[float, float, float]]:
    def interval(real: Tensor, fake: Tensor) -> tuple[float, float, float]:
        found = jackknife(groups(real, fake))
        made = found.limit("FD") if limit else found.expectation("FD")
        return made.value, made.low, made.high

    return interval


def by_rows(part: str) -> Callable[[Tensor, Tensor], tuple[float, float, float]]:
    """For precision, recall, density and coverage."""

    def interval(real: Tensor, fake: Tensor) -> tuple[float, float, float]:
        found = RowMean(*CoverageGroups(real, fake).part(part))
        made = found.expectation(part) if part == "density" else found.share(part)
        return made.value, made.low, made.high

    return interval


def by_bootstrap(figure: Figure) -> Callable[[Tensor, Tensor], tuple[float, float, float]]:
    def interval(real: Tensor, fake: Tensor) -> tuple[float, float, float]:
        return figure(real, fake), *bootstrap(figure, real, fake, seed=0)

    return interval


def distance_cases() -> list[Case]:
    """FD, FD-infinity and KID."""
    moved = partial(FrechetGroups, check=False)
    cases = []
    for label, rows, decay in (("", 160, 0.0), (" decaying", 160, 0.75), (" n = 3 d", 48, 0.0)):
        for kind, change in (("shifted", SHIFTED), ("equal", EQUAL)):
            pair = Pair(rows, 16, *change, decay)
            title = f"{kind}{label}"
            cases += [
                Case(f"E[FD_n], {title}", pair, frechet, by_jackknife(moved)),
                Case(
                    f"FD-infinity, {title}",
                    pair,
                    frechet,
                    by_jackknife(moved, limit=True),
                    pair.frechet(),
                ),
            ]
    wide = Pair(640, 64, *SHIFTED)
    limit = by_jackknife(moved, limit=True)
    cases += [
        Case("E[FD_n], shifted", wide, frechet, by_jackknife(moved)),
        Case("FD-infinity, shifted", wide, frechet, limit, wide.frechet()),
    ]
    for kind, change in (("shifted", SHIFTED), ("equal", EQUAL)):
        pair = Pair(500, 16, *change)
        kernel = by_jackknife(KernelGroups)
        cases.append(Case(f"KID, {kind}", pair, kernel_distance, kernel, pair.kernel()))
    return cases


def other_cases() -> list[Case]:
    """MIND and the figures of nearest neighbours, and the bootstrap."""
    sliced: Figure = partial(mind, directions=100)
    figures: dict[str, Figure] = {
        "precision": lambda real, fake: precision_recall(real, fake)[0],
        "recall": lambda real, fake: precision_recall(real, fake)[1],
        "density": lambda real, fake: density_coverage(real, fake)[0],
        "coverage": lambda real, fake: density_coverage(real, fake)[1],
    }
    made = {name: (figure, by_rows(name)) for name, figure in figures.items()}
    made = {"MIND": (sliced, by_jackknife(partial(RowGroups, sliced)))} | made
    cases = [
        Case(f"E[{name}_n], {kind}", Pair(200, 8, *change), figure, interval)
        for name, (figure, interval) in made.items()
        for kind, change in (("shifted", SHIFTED), ("equal", EQUAL))
    ]
    pair = Pair(160, 16, *SHIFTED)
    coverage = figures["coverage"]
    worse = "percentile bootstrap"
    return [
        *cases,
        Case(f"E[FD_n], shifted, {worse}", pair, frechet, by_bootstrap(frechet)),
        Case(
            f"FD-infinity, shifted, {worse}", pair, frechet, by_bootstrap(frechet), pair.frechet()
        ),
        Case(
            f"E[coverage_n], equal, {worse}", Pair(200, 8, *EQUAL), coverage, by_bootstrap(coverage)
        ),
    ]


def measure(case: Case, repetitions: int) -> str:
    """One row: what is covered, n, d, the truth, the share that holds it, the length."""
    generator = torch.Generator().manual_seed(1)
    truth = case.known
    if truth is None:
        truth = fmean(case.figure(*case.pair.draw(generator)) for _ in range(1000))
    found = [case.interval(*case.pair.draw(generator)) for _ in range(repetitions)]
    share = fmean(low <= truth <= high for _, low, high in found)
    spread = stdev(value for value, _, _ in found)
    length = fmean(high - low for _, low, high in found) / (3.92 * spread)
    value = fmean(value for value, _, _ in found)
    return (
        f"| {case.name} | {case.pair.rows} | {case.pair.width} | {truth:.4f} | {value:.4f} | "
        f"**{100 * share:.1f} %** | {length:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--out", type=Path, default=Path("docs/results/intervals.md"))
    parser.add_argument("--kept", type=Path, default=Path("build/intervals.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.kept.parent.mkdir(parents=True, exist_ok=True)
    kept = {row["case"]: row["line"] for row in read(options.kept)}
    rows = []
    for case in (*distance_cases(), *other_cases()):
        if options.only not in case.name:
            continue
        key = f"{case.name} {case.pair} x {options.repetitions}"
        if key not in kept:
            kept[key] = measure(case, options.repetitions)
            append(options.kept, {"case": key, "line": kept[key]})
        rows.append(kept[key])
        print(rows[-1], flush=True)
    table = [
        "| covers, case | n of each | d | truth | mean value | held | length |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *rows,
    ]
    assert __doc__ is not None
    write_page(options.out, "Intervals of figures", __doc__, [*table, "", hardware()])


if __name__ == "__main__":
    main()
