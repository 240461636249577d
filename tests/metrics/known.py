"""Gaussian features whose distances are known, and the bootstrap that intervals must beat."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mulligan.metrics.distances import frechet_distance
from mulligan.metrics.moments import Moments

SHIFT, SCALE = 0.5, 1.2


def normal(*size: int, seed: int = 0) -> Tensor:
    """float64 normals from a private generator."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(rows: int, width: int, seed: int, equal: bool = False) -> tuple[Tensor, Tensor]:
    """Standard normals, and normals of deviation 1.2 shifted by 0.5 in one coordinate."""
    real, fake = normal(2, rows, width, seed=seed)
    if not equal:
        fake = fake * SCALE
        fake[:, 0] += SHIFT
    return real, fake


def true_frechet(width: int) -> float:
    """FD-infinity of `pair`."""
    return SHIFT**2 + width * (SCALE - 1) ** 2


def frechet(real: Tensor, fake: Tensor) -> float:
    return frechet_distance(Moments.of(real), Moments.of(fake), check=False)


def bootstrap(
    figure: Callable[[Tensor, Tensor], float], real: Tensor, fake: Tensor, seed: int
) -> tuple[float, float]:
    """The percentile bootstrap: (low, high) of the figure over resamples with replacement."""
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(40):
        rows = [
            torch.randint(len(side), (len(side),), generator=generator) for side in (real, fake)
        ]
        values.append(figure(real[rows[0]], fake[rows[1]]))
    low, high = torch.tensor(values).quantile(torch.tensor([0.025, 0.975])).tolist()
    return low, high
