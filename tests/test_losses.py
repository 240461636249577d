"""Shared formulas against hand-computed values and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mulligan.losses import (
    area,
    between,
    cross_entropy,
    feature_matching,
    nearly_scored,
    scored,
    unit_gradient,
)


def softplus(score: float) -> float:
    return math.log(1 + math.exp(score))


def linear(points: Tensor) -> Tensor:
    """A judge whose gradient has the length 10 everywhere."""
    return points.flatten(1) @ torch.tensor([6.0, 8.0]).to(points.dtype)


def bowl(points: Tensor) -> Tensor:
    """A judge whose gradient at x is x."""
    return points.flatten(1).square().sum(1) / 2


POINTS = torch.tensor([[3.0, 4.0], [0.0, 1.0], [-6.0, 8.0]])


def test_a_penalty_with_its_area_is_the_same_at_twice_the_side() -> None:
    """The judge is a function of the picture, however many pixels it is drawn with."""

    def brightness(images: Tensor) -> Tensor:
        return 3 * images.mean(dim=(1, 2, 3))

    small = torch.rand(2, 1, 28, 28)
    large = small.repeat_interleave(2, 2).repeat_interleave(2, 3)
    slopes = [scored(brightness, images)[1] for images in (small, large)]
    assert area(small) == 1
    assert area(large) == 4
    assert area(torch.zeros(5, 2)) == 1
    torch.testing.assert_close(4 * slopes[1], slopes[0])


def test_cross_entropy_by_hand() -> None:
    scores = torch.tensor([2.0, -1.0])
    assert cross_entropy(scores, 1).item() == pytest.approx((softplus(-2) + softplus(1)) / 2)
    assert cross_entropy(scores, 0).item() == pytest.approx((softplus(2) + softplus(-1)) / 2)
    smooth = (0.9 * softplus(-2) + 0.1 * softplus(2) + 0.9 * softplus(1) + 0.1 * softplus(-1)) / 2
    assert cross_entropy(scores, 0.9).item() == pytest.approx(smooth)


def test_cross_entropy_keeps_the_gradient_of_scores_that_are_far_on_the_right_side() -> None:
    for sign, target in ((1, 1), (-1, 0)):
        scores = torch.tensor([30.0 * sign], requires_grad=True)
        cross_entropy(scores, target).backward()
        assert scores.grad is not None
        assert abs(scores.grad.item()) == pytest.approx(math.exp(-30), rel=1e-3)


def test_noise_moves_each_target_upwards_by_a_number_of_its_own() -> None:
    scores = torch.tensor([2.0, -1.0])
    torch.manual_seed(3)
    noisy = cross_entropy(scores, 0, noise=0.4)
    torch.manual_seed(3)
    first, second = (0.4 * torch.rand(2)).tolist()
    by_hand = [(1 - first) * softplus(2) + first * softplus(-2)]
    by_hand.append((1 - second) * softplus(-1) + second * softplus(1))
    assert noisy.item() == pytest.approx(sum(by_hand) / 2)


def test_scored_gives_each_rows_score_and_squared_gradient() -> None:
    scores, squares = scored(linear, POINTS)
    assert scores.tolist() == pytest.approx([50.0, 8.0, 28.0])
    assert squares.tolist() == pytest.approx([100.0] * 3)
    scores, squares = scored(bowl, POINTS)
    assert scores.tolist() == pytest.approx([12.5, 0.5, 50.0])
    assert squares.tolist() == pytest.approx([25.0, 1.0, 100.0])


def test_scored_takes_images_and_leaves_the_batch_as_it_was() -> None:
    images = torch.randn(4, 3, 2, 2)
    _, squares = scored(bowl, images)
    assert squares.tolist() == pytest.approx(images.flatten(1).square().sum(1).tolist())
    assert not images.requires_grad
    assert images.grad is None


def test_the_penalty_can_be_differentiated_by_the_weights() -> None:
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[6.0, 8.0]]))
    _, squares = scored(lambda points: layer(points)[:, 0], POINTS)
    squares.mean().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.tolist() == [pytest.approx([12.0, 16.0])]  # d |w|^2 = 2 w


def test_several_scores_a_row_are_summed() -> None:
    _, squares = scored(lambda points: torch.stack([points, points], 1), POINTS)
    assert squares.tolist() == pytest.approx([8.0] * 3)  # 2 coordinates of gradient 2 each


def test_unit_gradient_by_hand() -> None:
    assert unit_gradient(linear, POINTS).item() == pytest.approx(81.0)
    by_hand = ((5 - 1) ** 2 + 0 + (10 - 1) ** 2) / 3
    assert unit_gradient(bowl, POINTS).item() == pytest.approx(by_hand, rel=1e-5)


def test_unit_gradient_of_a_flat_judge_is_finite_in_value_and_gradient() -> None:
    layer = nn.Linear(2, 1)
    nn.init.zeros_(layer.weight)
    penalty = unit_gradient(lambda points: layer(points)[:, 0], POINTS)
    penalty.backward()
    assert penalty.item() == pytest.approx(1.0, abs=1e-5)
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()


def test_the_approximate_penalty_is_the_exact_one_on_average() -> None:
    torch.manual_seed(0)
    points = POINTS[:1].double().expand(200_000, 2)
    exact = scored(bowl, points[:1])[1].item()
    scores, squares = nearly_scored(bowl, points, 1e-3)
    assert squares.mean().item() == pytest.approx(exact, rel=0.02)
    assert scores[0].item() == pytest.approx(12.5)
    _, squares = nearly_scored(linear, points, 0.5)
    assert squares.mean().item() == pytest.approx(100, rel=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40), st.sampled_from([(2,), (3, 4, 5)]))
def test_between_lies_on_the_line_with_one_share_a_row(rows: int, shape: tuple[int, ...]) -> None:
    real, fake = torch.randn(2, rows, *shape, dtype=torch.float64)
    shares = ((between(real, fake) - fake) / (real - fake)).flatten(1)
    assert (shares >= 0).all()
    assert (shares <= 1).all()
    torch.testing.assert_close(shares, shares[:, :1].expand_as(shares))
    if rows > 1:
        assert len(set(shares[:, 0].tolist())) > 1


def test_feature_matching_by_hand() -> None:
    real, fake = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 0.0], [2.0, 2.0]])
    assert feature_matching(real, fake).item() == pytest.approx((2 - 1) ** 2 + (3 - 1) ** 2)
