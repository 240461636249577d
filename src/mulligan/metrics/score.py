"""The Inception-style score of a classifier's probabilities."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.special import xlogy

from mulligan.errors import UsageError
from mulligan.metrics.arrays import as_features

TOLERANCE = 1e-4
"""How far a row of probabilities, computed in float32, may be from adding up to 1."""


def inception_score(probabilities: Tensor, splits: int = 10, seed: int = 0) -> float:
    """exp of the mean KL divergence of p(y|x) from p(y), averaged over splits, in [1, classes].

    probabilities: (N, classes), rows that add up to 1. Rows are shuffled by a private generator, as
    samples often come class by class. It looks at no real data and at no variety within a class.
    Raises UsageError for rows that are no probabilities, or fewer rows than splits.
    Salimans et al. 2016, section 4.
    """
    rows = as_features(probabilities)
    if bool((rows < 0).any()) or bool(((rows.sum(dim=1) - 1).abs() > TOLERANCE).any()):
        raise UsageError("rows of probabilities must be >= 0 and add up to 1; take the softmax")
    if not 1 <= splits <= len(rows):
        raise UsageError(f"{len(rows)} rows cannot be split into {splits}")
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    scores = []
    for part in rows[order.to(rows.device)].chunk(splits):
        mean = part.mean(dim=0)
        divergence = (xlogy(part, part) - xlogy(part, mean)).sum(dim=1).mean()
        scores.append(divergence.exp())
    return float(torch.stack(scores).mean())
