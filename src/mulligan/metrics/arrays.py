"""What the figures share: checked float64 features, and distances in blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from mulligan.errors import DataError, UsageError

BLOCK = 1024
"""Rows of a block: a square of distances takes 8 MiB, whatever the number of rows. From 32 MiB on,
the C library gives each block back to the system, which cost as much again as the distances."""

ROUNDING = 1e-12
"""Share of the squared lengths by which a squared distance may be off; the product of two blocks
is exact to about 1e-14 of them."""


def as_features(features: Tensor) -> Tensor:
    """The features as float64, without a graph.

    features: (N, d), float or integer. Raises UsageError for another shape, DataError for values
    that are not finite.
    """
    if features.ndim != 2 or 0 in features.shape:
        raise UsageError(f"features have the shape {tuple(features.shape)}; it must be (N, d)")
    features = features.detach()
    if features.device.type == "mps":  # has no float64
        features = features.cpu()
    features = features.to(torch.float64)
    if not bool(features.isfinite().all()):
        rows = int((~features.isfinite()).any(dim=1).sum())
        raise DataError(f"{rows} of {len(features)} rows of features are not finite")
    return features


def as_pair(real: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
    """Two arrays of features as float64. Raises UsageError if their widths differ."""
    real, generated = as_features(real), as_features(generated)
    if real.shape[1] != generated.shape[1]:
        raise UsageError(
            f"real features have {real.shape[1]} columns and generated ones {generated.shape[1]}",
            "take both from one extractor",
        )
    return real, generated


def ranges(count: int, block: int = BLOCK) -> Iterator[slice]:
    """The rows of one block after another."""
    return (slice(start, min(start + block, count)) for start in range(0, count, block))


def squared_distances(rows: Tensor, columns: Tensor) -> Tensor:
    """Squared Euclidean distance of every row of one array to every row of the other.

    rows: (N, d), columns: (M, d), float64. Returns (N, M), >= 0, exact to `ROUNDING` of the squared
    lengths: shift both arrays to the origin first.
    """
    products = rows @ columns.T  # (N, M)
    products.mul_(-2).add_(rows.square().sum(dim=1)[:, None])
    return products.add_(columns.square().sum(dim=1)).clamp_(min=0)
