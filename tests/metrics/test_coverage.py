"""Precision, recall, density and coverage against prdc, and which is which."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known import normal
from prdc import compute_prdc
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.metrics import arrays
from mulligan.metrics.coverage import _inside, coverage, density_coverage, precision_recall, radii


def assert_equals_prdc(real: Tensor, fake: Tensor, nearest: int) -> None:
    theirs = compute_prdc(real.numpy(), fake.numpy(), nearest)
    ours = coverage(real, fake, nearest, nearest)
    for name, value in theirs.items():
        assert getattr(ours, name) == pytest.approx(float(value), rel=1e-12), name


@settings(max_examples=8, deadline=None)
@given(st.integers(7, 40), st.integers(7, 40), st.integers(1, 5), st.integers(0, 1000))
def test_the_four_equal_prdc(n: int, m: int, nearest: int, seed: int) -> None:
    assert_equals_prdc(normal(n, 3, seed=seed), normal(m, 3, seed=seed + 1) * 1.3 + 0.3, nearest)


@settings(max_examples=8, deadline=None)
@given(st.integers(7, 30), st.integers(7, 30), st.integers(1, 5), st.integers(0, 1000))
def test_the_four_equal_prdc_with_ties_and_duplicates(
    n: int, m: int, nearest: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    real, fake = (torch.randint(0, 4, (k, 2), generator=generator).double() for k in (n, m))
    assert_equals_prdc(real, fake, nearest)


def test_precision_and_recall_are_not_swapped() -> None:
    """A generator of one mode out of two is precise and forgets half."""
    real = torch.cat([normal(100, 2), normal(100, 2, seed=1) + 100])
    fake = normal(200, 2, seed=2)
    precision, recall = precision_recall(real, fake)
    assert precision > 0.9
    assert 0.4 < recall <= 0.5
    assert precision_recall(fake, real) == (recall, precision)
    density, share = density_coverage(real, fake)
    assert density > 0.8
    assert 0.4 < share <= 0.5


def test_junk_costs_precision_and_not_recall() -> None:
    real = normal(200, 2)
    fake = torch.cat([normal(150, 2, seed=1), normal(50, 2, seed=2) * 0.1 + 100])
    precision, recall = precision_recall(real, fake)
    assert 0.65 < precision <= 0.75
    assert recall > 0.9


def test_density_is_1_and_coverage_097_for_equal_distributions() -> None:
    found = [
        density_coverage(normal(500, 6, seed=k), normal(500, 6, seed=k + 99)) for k in range(8)
    ]
    density, share = torch.tensor(found).mean(dim=0).tolist()
    assert density == pytest.approx(1, abs=0.04)
    assert share == pytest.approx(1 - 2**-5, abs=0.01)


def test_radii_by_hand() -> None:
    rows = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert radii(rows, 1).tolist() == pytest.approx([1, 1, 4, 16])
    assert radii(rows, 2).tolist() == pytest.approx([9, 4, 9, 36])


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_a_row_on_the_edge_of_a_ball_lies_outside_wherever_the_origin_is(shift: float) -> None:
    """Copies of each centre's third neighbour, as a replay of real rows brings them."""
    real = (10 * normal(60, 5)).round() + shift + 0.1  # 0.1 makes all products inexact
    order = torch.cdist(real, real, compute_mode="donot_use_mm_for_euclid_dist").argsort(dim=1)
    centre = real[:1]
    ball = torch.cat([centre, real[order[0, 1:4]]])
    squares = radii(ball, 3)[:1]
    edge, inner = real[order[:1, 3]], real[order[:1, 2]]
    middle = ball.mean(dim=0)
    for row, expected in ((edge, 0), (inner, 1)):
        assert _inside(centre - middle, squares, row - middle).rows.tolist() == [expected]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = normal(50, 3), normal(45, 3, seed=1)
    whole = coverage(real, fake)
    monkeypatch.setattr(arrays.ranges, "__defaults__", (7,))
    monkeypatch.setattr("mulligan.metrics.coverage.BLOCK", 20)
    assert coverage(real, fake) == whole


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="3 rows have no neighbour number 3"):
        precision_recall(normal(3, 2), normal(9, 2))
