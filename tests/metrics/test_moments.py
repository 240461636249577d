"""Moments of a stream equal those of the whole, and survive a large mean."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known import normal

from mulligan.errors import DataError, UsageError
from mulligan.metrics.moments import Moments


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 59), max_size=5), seed=st.integers(0, 1000))
def test_any_batches_and_any_order_of_merging_give_the_covariance_of_all(
    cuts: list[int], seed: int
) -> None:
    rows = normal(60, 4, seed=seed) * 3 + 1000
    parts = [part for part in rows.tensor_split(sorted(cuts)) if len(part)]
    stream = Moments.empty(4)
    for part in parts:
        stream = stream.with_batch(part)
    ranks = Moments.empty(4)
    for part in reversed(parts):
        ranks = Moments.of(part).merged(ranks)
    for found in (stream, ranks):
        assert found.count == 60
        torch.testing.assert_close(found.mean, rows.mean(dim=0), rtol=1e-14, atol=0)
        torch.testing.assert_close(found.covariance(), torch.cov(rows.T), rtol=1e-11, atol=1e-11)


def test_rows_far_from_the_origin_lose_no_digits() -> None:
    rows = torch.tensor([[1e8], [1e8 + 1], [1e8 + 2]], dtype=torch.float64)
    whole = Moments.of(rows[:1]).with_batch(rows[1:])
    assert whole.covariance().item() == 1.0  # a sum of squares would give 0 or 2


def test_float32_features_are_summed_in_float64() -> None:
    rows = torch.full((100_000, 1), 0.1)
    assert abs(Moments.of(rows).mean.item() - float(rows[0])) < 1e-15


def test_a_covariance_of_one_row_and_moments_of_other_widths_are_refused() -> None:
    with pytest.raises(UsageError, match="there are 1"):
        Moments.of(normal(1, 3)).covariance()
    with pytest.raises(UsageError, match="3 and of 4"):
        Moments.of(normal(2, 3)).merged(Moments.of(normal(2, 4)))


@pytest.mark.parametrize("size", [(3,), (2, 3, 4), (0, 3)])
def test_other_shapes_are_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="must be"):
        Moments.of(torch.zeros(size))


def test_features_that_are_not_finite_are_counted_and_refused() -> None:
    rows = torch.zeros(4, 2)
    rows[1, 0], rows[3, 1] = torch.nan, torch.inf
    with pytest.raises(DataError, match="2 of 4 rows"):
        Moments.of(rows)
