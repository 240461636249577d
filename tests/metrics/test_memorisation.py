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
    """Held-out distances 1, 2, 3; generated ones 0, 2, 5."""
    training = torch.tensor([[0.0]])
    found = memorisation(
        torch.tensor([[0.0], [2.0], [-5.0]]), training, torch.tensor([[1.0], [-2.0], [3.0]])
    )
    assert found.ratios.tolist() == [0, 1, 2.5]
    assert found.ratio == 1
    assert found.copies == pytest.approx(1 / 3)
    assert found.nearer == pytest.approx(
        (1 + 0.5 + 0) / 3
    )  # nearer than all, than half of them, than none


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
