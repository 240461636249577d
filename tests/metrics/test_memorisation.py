"""A replay is called out, an honest generator is not."""

from __future__ import annotations

import pytest
import torch
from known import normal

from mulligan.errors import UsageError
from mulligan.metrics import arrays
from mulligan.metrics.memorisation import memorisation, nearest


def test_nearest_equals_the_slow_search_in_any_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, training = normal(40, 6), normal(70, 6, seed=1)
    table = torch.cdist(rows, training, compute_mode="donot_use_mm_for_euclid_dist")
    expected = table.min(dim=1)
    for block in (2048, 9):
        monkeypatch.setattr(arrays.ranges, "__defaults__", (block,))
        found = nearest(rows, training)
        assert torch.equal(found.rows, expected.indices)
        torch.testing.assert_close(found.distances, expected.values, rtol=1e-12, atol=0)


def test_a_copy_far_from_the_origin_has_the_distance_zero() -> None:
    training = normal(30, 4) + 1e6
    found = nearest(training[[7, 3]], training)
    assert found.rows.tolist() == [7, 3]
    assert found.distances.tolist() == [0, 0]


def test_by_hand() -> None:
    """Held-out distances 1, 2, 3 to the nearest and 9, 12, 7 to the next; generated ones 0, 2, 2
    to the nearest and 10, 12, 8 to the next."""
    training = torch.tensor([[0.0], [10.0]])
    found = memorisation(
        torch.tensor([[0.0], [12.0], [2.0]]), training, torch.tensor([[1.0], [-2.0], [3.0]])
    )
    assert found.nearest.crowd.tolist() == [10, 12, 8]
    assert found.ratios.tolist() == [0, 1, 1]
    assert found.ratio == 1
    limit = 1 / 9 + 0.02 * (1 / 6 - 1 / 9)  # a hundredth of the way through 1/9, 1/6, 3/7
    assert (found.nearest.closeness <= limit).tolist() == [True, False, False]
    assert found.copied.tolist() == [True, False, False]
    assert found.nearer == pytest.approx((1 + 0.5 + 0.5) / 3)


@pytest.mark.parametrize("doubles", [2, 5, 30])
def test_training_rows_that_are_doubled_do_not_hide_a_replay(doubles: int) -> None:
    training = normal(500, 8, seed=1).repeat(doubles, 1)
    training = training + 1e-6 * normal(len(training), 8, seed=4)
    found = memorisation(training[:300] + 1e-6, training, normal(400, 8, seed=2))
    assert found.copies == 1


def test_rows_that_lie_near_to_everything_are_no_copies() -> None:
    """Rows pulled to the middle, as blurred pictures are: near to all, to none in particular."""
    training, unseen = normal(1500, 40, seed=1), normal(800, 40, seed=2)
    pulled = 0.5 * normal(500, 40, seed=3)
    found = memorisation(pulled, training, unseen)
    assert found.ratio < 0.8
    assert found.nearer > 0.95
    assert found.copies < 0.02


def test_an_honest_generator_is_not_called_out() -> None:
    found = memorisation(normal(800, 8), normal(1500, 8, seed=1), normal(800, 8, seed=2))
    assert found.ratio == pytest.approx(1, abs=0.05)
    assert found.copies == pytest.approx(0.01, abs=0.015)
    assert found.nearer == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_replay_is_called_out(noise: float) -> None:
    training = normal(1500, 8, seed=1)
    replay = training[:500] + noise * normal(500, 8, seed=3)
    found = memorisation(replay, training, normal(800, 8, seed=2))
    assert found.ratio < 0.15
    assert found.copies > 0.98
    assert found.nearer > 0.99


def test_held_out_rows_that_were_trained_on_are_refused() -> None:
    training = normal(50, 3)
    with pytest.raises(UsageError, match="nothing is unseen"):
        memorisation(normal(5, 3), training, training[:20])
    with pytest.raises(UsageError, match="1 training rows"):
        memorisation(normal(5, 3), training[:1], normal(5, 3))
