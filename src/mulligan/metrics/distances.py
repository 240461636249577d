"""Distances between real and generated features: Frechet (FD), kernel (KID) and sliced (MIND).

Only features of the 2015 Inception network may be called FID or KID; the caller names the figure.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.metrics.arrays import as_pair, ranges
from mulligan.metrics.moments import Moments

DIRECTIONS = 1000
"""Directions of MIND, as its authors take."""

ENOUGH = 10
"""Rows for each feature below which a Frechet distance is warned about."""


class TooFewSamples(UsageError):
    """A Frechet distance from no more samples than the features have dimensions."""


class FewSamples(UserWarning):
    """A Frechet distance whose bias is large, as there are few samples for each dimension."""


def frechet_distance(real: Moments, generated: Moments, check: bool = True) -> float:
    """FD = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), >= 0. Heusel et al. 2017, equation 6.

    real, generated: moments of (N, d) features. With S = A A', the trace of the root is the sum of
    the singular values of A1' A2, the roots of the eigenvalues of A1' S2 A1: it is real, needs no
    inverse, and holds for singular covariances. Biased upwards by about 1/N: compare at equal N.
    check: refuse N <= d with TooFewSamples, and warn (FewSamples) below 10 d.
    Raises UsageError if the widths differ or there are fewer than 2 rows.
    """
    if real.width != generated.width:
        raise UsageError(f"real features have {real.width} columns, generated {generated.width}")
    if check:
        check_counts(min(real.count, generated.count), real.width)
    gap = (real.mean - generated.mean).square().sum()
    covariances = real.covariance(), generated.covariance()
    traces = sum((entry.trace() for entry in covariances), torch.zeros_like(gap))
    first, second = (_factor(entry) for entry in covariances)
    root = torch.linalg.svdvals(first.T @ second).sum()
    return max(0.0, float(gap + traces - 2 * root))


def check_counts(count: int, width: int) -> None:
    """Refuse a Frechet distance of too few rows, or warn of its bias.

    Raises TooFewSamples for count <= width. Warns with FewSamples below 10 rows a feature.
    """
    instead = "use KID or MIND, which need no covariance"
    if count <= width:
        raise TooFewSamples(
            f"a Frechet distance over {width} features needs more than {width} samples, real and "
            f"generated; there are {count}",
            instead,
        )
    if count < ENOUGH * width:
        text = f"{count} samples are few for {width} features: the distance is mostly bias"
        warnings.warn(f"{text}; take {ENOUGH * width}, or {instead}", FewSamples, stacklevel=3)


def _factor(covariance: Tensor) -> Tensor:
    """A with A A' = S, (d, rank). Eigenvalues that rounding cannot tell from 0 are left out."""
    values, vectors = torch.linalg.eigh(covariance)
    tiny = torch.finfo(values.dtype).eps * len(values) * values[-1]
    kept = values > tiny
    factor: Tensor = vectors[:, kept] * values[kept].sqrt()
    return factor


def kernel_distance(real: Tensor, generated: Tensor) -> float:
    """KID: the unbiased squared MMD under k(x, y) = (x.y / d + 1)^3; it may be negative.

    real: (N, d), generated: (M, d), N and M at least 2. All pairs of different rows count, not a
    mean over subsets. Binkowski et al. 2018, equation 4 and section 4.
    """
    return KernelSums([real], [generated]).distance([0])


class KernelSums:
    """Sums of the cubic kernel over pairs of groups of rows, from which KID of any groups follows.

    real, generated: g groups of (n, d) features each. Costs as much as KID itself.
    """

    def __init__(self, real: list[Tensor], generated: list[Tensor]) -> None:
        pairs = [as_pair(one, other) for one, other in zip(real, generated, strict=True)]
        reals, fakes = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        self.counts = [torch.tensor([len(group) for group in side]) for side in (reals, fakes)]
        self.within = [_symmetric_sums(side) for side in (reals, fakes)]
        rows = [[_kernel_sum(one, other) for other in fakes] for one in reals]
        self.across = torch.tensor(rows, dtype=torch.float64)  # (g, g)

    def distance(self, keep: list[int]) -> float:
        """KID of the kept groups. Raises UsageError below 2 rows."""
        real, fake = (int(count[keep].sum()) for count in self.counts)
        if min(real, fake) < 2:
            raise UsageError(f"KID needs 2 rows or more of each; there are {real} and {fake}")
        same = [float(sums[keep][:, keep].sum()) for sums in self.within]
        across = float(self.across[keep][:, keep].sum())
        return (
            same[0] / (real * (real - 1))
            + same[1] / (fake * (fake - 1))
            - 2 * across / (real * fake)
        )


def _kernel(products: Tensor, width: int) -> Tensor:
    """(x.y / d + 1)^3 of products x.y."""
    kernel: Tensor = products.div(width).add_(1).pow_(3)
    return kernel


def _kernel_sum(rows: Tensor, columns: Tensor) -> float:
    """The kernel summed over all pairs, a block at a time."""
    total = torch.zeros((), dtype=rows.dtype, device=rows.device)
    for part in ranges(len(rows)):
        for other in ranges(len(columns)):
            total += _kernel(rows[part] @ columns[other].T, rows.shape[1]).sum()
    return float(total)


def _symmetric_sums(groups: list[Tensor]) -> Tensor:
    """(g, g) sums of the kernel over pairs of different rows; each pair of groups is done once."""
    sums = torch.zeros(len(groups), len(groups), dtype=torch.float64)
    for i, rows in enumerate(groups):
        itself = _kernel(rows.square().sum(dim=1), rows.shape[1]).sum()
        sums[i, i] = _kernel_sum(rows, rows) - float(itself)
        for j in range(i):
            sums[i, j] = sums[j, i] = _kernel_sum(rows, groups[j])
    return sums


def mind(real: Tensor, generated: Tensor, seed: int = 0, directions: int = DIRECTIONS) -> float:
    """MIND: 3 d times the mean squared gap of sorted projections on random directions, >= 0.

    real, generated: (N, d) each, equal N: the floor of two equal distributions falls as 1/N. The
    directions are uniform on the sphere and depend on seed and d only; torch's own generators are
    left alone. Berthet et al. 2026, arXiv:2605.06797. Raises UsageError if N differs.
    """
    real, generated = as_pair(real, generated)
    if len(real) != len(generated):
        raise UsageError(
            f"MIND compares equally many rows; there are {len(real)} and {len(generated)}",
            f"take {min(len(real), len(generated))} of each",
        )
    width = real.shape[1]
    axes = unit_directions(directions, width, seed).to(real.device)
    total = 0.0
    for part in ranges(directions, 64):  # 64 columns of 50,000 rows are 26 MB
        sorted_real = (real @ axes[part].T).sort(dim=0).values
        gaps = sorted_real - (generated @ axes[part].T).sort(dim=0).values  # (N, 64)
        total += float(gaps.square().mean(dim=0).sum())
    return 3 * width * total / directions


def unit_directions(count: int, width: int, seed: int) -> Tensor:
    """(count, width) directions, uniform on the sphere, from a private generator."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, width, generator=generator, dtype=torch.float64)
    lengths: Tensor = normal.norm(dim=1, keepdim=True)
    return normal / lengths
