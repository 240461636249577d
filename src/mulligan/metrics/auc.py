"""AUC: how often the score of a real row is above that of a generated one, and its interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import torch
from torch import Tensor

from mulligan.errors import DataError, UsageError
from mulligan.metrics.intervals import LEVEL, Interval

METHOD = "95 %, DeLong 1988; at least Newcombe's score interval (2006, method 5)"
COVERS = "AUC of this critic over fresh rows"


def auc(real: Tensor, generated: Tensor) -> float:
    """P(score of a real row > score of a generated row), ties counted one half, in [0, 1].

    real: (N,), generated: (M,), scores. 1/2 tells nothing apart. Raises UsageError for another
    shape, DataError for values that are not finite.
    """
    return float(placements(real, generated)[0].mean())


def placements(real: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
    """For each real score the share of generated ones below it, and for each generated score the
    share of real ones above it; ties count one half.

    real: (N,), generated: (M,). Returns float64 (N,) and (M,) in [0, 1]; the mean of either is the
    AUC. DeLong, DeLong and Clarke-Pearson 1988, equation 4 (V10 and V01). Raises as `auc` does.
    """
    real, generated = _scores(real), _scores(generated)
    return _share_below(real, generated), 1 - _share_below(generated, real)


def auc_interval(real: Tensor, generated: Tensor) -> Interval:
    """The AUC with its 95 % interval, within [0, 1], for this critic over fresh rows.

    DeLong's variance is 0 where every real score is above every generated one, and near it far too
    small; hence the interval reaches at least as far as `score_bounds`, which assumes the shape of
    the scores and not that they are apart. real: (N,), generated: (M,), at least 2 each; raises
    UsageError for fewer, and as `auc` does.
    """
    if min(len(real), len(generated)) < 2:
        raise UsageError(
            f"an interval needs 2 rows or more of each; there are {len(real)} and {len(generated)}"
        )
    above, below = placements(real, generated)
    value = float(above.mean())
    variance = float(above.var() / len(above) + below.var() / len(below))
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt(variance)
    bottom, top = score_bounds(value, len(above), len(below))
    low, high = max(0.0, min(value - half, bottom)), min(1.0, max(value + half, top))
    return Interval(value, low, high, METHOD, COVERS)


def score_bounds(value: float, real_count: int, generated_count: int) -> tuple[float, float]:
    """Wilson's idea for an AUC: all values that the one seen does not contradict, at 95 %.

    The bounds t solve |value - t| = z sd(t), with Hanley and McNeil's variance at t itself
    (exponential scores). Newcombe 2006, "Confidence intervals for an effect size measure based on
    the Mann-Whitney statistic, part 2", method 5. Within [0, 1], never empty.
    """
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)

    def outside(truth: float) -> bool:
        variance = _exponential_variance(truth, real_count, generated_count)
        return abs(value - truth) > z * math.sqrt(variance)

    return _border(outside, 0.0, value), _border(outside, 1.0, value)


def _exponential_variance(truth: float, real_count: int, generated_count: int) -> float:
    """The variance of an AUC around its truth, both counts in the sum replaced by their mean."""
    others = (real_count + generated_count) / 2 - 1
    pairs = 1 + others * (1 - truth) / (2 - truth) + others * truth / (1 + truth)
    return truth * (1 - truth) * pairs / (real_count * generated_count)


def _border(outside: Callable[[float], bool], far: float, near: float) -> float:
    """Where `outside` changes between two places; `far` itself if it is not outside."""
    if not outside(far):
        return far
    for _ in range(60):  # halves 1 down to float64's rounding
        middle = (far + near) / 2
        far, near = (middle, near) if outside(middle) else (far, middle)
    return near


def _scores(scores: Tensor) -> Tensor:
    """(N,) scores as float64 on the CPU, without a graph."""
    if scores.ndim != 1 or not len(scores):
        raise UsageError(f"scores have the shape {tuple(scores.shape)}; it must be (N,)")
    scores = scores.detach().cpu().to(torch.float64).contiguous()
    if not bool(scores.isfinite().all()):
        raise DataError(f"{int((~scores.isfinite()).sum())} of {len(scores)} scores are not finite")
    return scores


def _share_below(scores: Tensor, others: Tensor) -> Tensor:
    """For each score the share of the others below it, ties one half; N log M, not N M."""
    others = others.sort().values
    below = torch.searchsorted(others, scores, right=False)
    not_above = torch.searchsorted(others, scores, right=True)
    return (below + not_above).double() / (2 * len(others))
