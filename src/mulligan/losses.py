"""Formulas that two or more recipes need and that take more than three lines to write.

Penalties differentiate the sum of scores: one gradient a row, as long as the judge treats rows
independently. Norms are taken in float32 at least, at points that are fresh leaves, so the batch
itself is left as it was. Each penalty is a second-order loss: mark its turn `second_order`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

TINY = 1e-12
"""Added to a squared norm before its root: 1e-6 in a norm that is meant to be 1."""

AREA = 28 * 28
"""Pixels of the pictures that weights of penalties were found on."""

Judge = Callable[[Tensor], Tensor]
"""From points (N, ...) to raw scores (N,) or (N, ...)."""


def cross_entropy(scores: Tensor, target: float, noise: float = 0.0) -> Tensor:
    """Mean cross-entropy between sigmoid(scores) and a target probability of being real.

    scores: (N,), raw. target: 1 and 0 for reals and fakes; 0.9 for reals is one-sided smoothing,
    which must never be applied to fakes (Salimans et al. 2016, arXiv:1606.03498, section 3.4).
    noise: uniform noise from 0 to this is added to each row's target.
    """
    targets = torch.full_like(scores, target)
    if noise:
        targets = targets + noise * torch.rand_like(scores)
    return (targets * F.softplus(-scores) + (1 - targets) * F.softplus(scores)).mean()


def scored(judge: Judge, points: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of the given points, and the squared length of each one's gradient, (N,).

    points: (N, ...), any shape. The mean length is R1 on reals and R2 on fakes, both without
    their weight gamma / 2: Mescheder et al. 2018, arXiv:1801.04406, section 4.1. Both results can
    be differentiated by the judge's weights; one pass serves both.
    """
    points = points.detach().requires_grad_()
    scores = judge(points)
    (slopes,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
    slopes = slopes.flatten(1).to(torch.promote_types(slopes.dtype, torch.float32))
    return scores, slopes.square().sum(1)


def area(points: Tensor) -> float:
    """What R1's weight grows with: pixels of a picture over those of 28 x 28; 1 for points.

    points: (N, C, H, W), or (N, d). The same score of the same picture at twice the side has a
    quarter of the squared slope, summed over its pixels, so it takes four times the weight.
    """
    return points[0, 0].numel() / AREA if points.ndim == 4 else 1.0


def nearly_scored(judge: Judge, points: Tensor, deviation: float) -> tuple[Tensor, Tensor]:
    """`scored` to first order, without differentiating a gradient.

    (s(x) - s(x + deviation e))^2 / deviation^2 with e ~ N(0, I): two passes, one order.
    deviation: in units of the points; 0.01 for images. Lin et al. 2025, arXiv:2501.08316,
    section 4, whose weight lambda is gamma / (2 deviation^2).
    """
    scores = judge(points)
    moved = judge(points + deviation * torch.randn_like(points))
    return scores, ((scores - moved) / deviation).square()


def unit_gradient(judge: Judge, points: Tensor) -> Tensor:
    """Mean squared distance of the judge's gradient norm from 1: the two-sided penalty.

    Gulrajani et al. 2017, arXiv:1704.00028, equation 3, without its weight lambda.
    """
    _, squares = scored(judge, points)
    # the root's own slope is infinite at 0, where a judge that looks elsewhere is flat
    return ((squares + TINY).sqrt() - 1).square().mean()


def between(real: Tensor, fake: Tensor) -> Tensor:
    """A random point on the line from each fake to its real, with a share of its own for each row.

    real, fake: (N, ...) of equal shape. Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1.
    """
    share = torch.rand_like(real.flatten(1)[:, :1]).reshape(-1, *[1] * (real.ndim - 1))
    return share * real + (1 - share) * fake


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """Squared distance between the mean features of reals and of fakes.

    real, fake: (N, features) of one layer of the discriminator. Couples the rows of a batch.
    Salimans et al. 2016, arXiv:1606.03498, section 3.1.
    """
    return (real.mean(0) - fake.mean(0)).square().sum()
