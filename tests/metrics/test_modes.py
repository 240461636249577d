"""Modes of points and labels, by hand and by closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from known import normal

from mulligan.errors import UsageError
from mulligan.metrics.modes import deviation_within, label_modes, point_modes

CENTRES = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def test_points_by_hand() -> None:
    """Two points in mode 0, one in mode 1, one 3.1 deviations away from mode 2."""
    points = torch.tensor([[0.0, 1.0], [0.0, -1.0], [10.0, 2.9], [0.0, 13.1]])
    found = point_modes(points, CENTRES, deviation=1.0)
    assert (found.modes, found.total, found.counts) == (2, 4, (2, 1, 0, 0))
    assert found.high_quality == 0.75
    expected = 2 / 3 * math.log(4 * 2 / 3) + 1 / 3 * math.log(4 / 3)
    assert found.reverse_kl == pytest.approx(expected)
    assert found.floor == pytest.approx(3 / 6)


def test_perfect_points_find_all_modes_evenly_and_as_wide_as_they_should() -> None:
    rows = CENTRES.repeat(2000, 1) + 0.5 * normal(8000, 2)
    found = point_modes(rows, CENTRES, deviation=0.5)
    assert found.modes == 4
    assert found.high_quality == pytest.approx(
        1 - math.exp(-4.5), abs=0.004
    )  # Rayleigh, 3 deviations
    assert found.reverse_kl == pytest.approx(0, abs=0.001)
    assert found.spread == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("within", [1.0, 3.0])
def test_the_spread_of_shrunk_modes_is_their_share(within: float) -> None:
    rows = CENTRES.repeat(2000, 1) + 0.5 * normal(8000, 2)
    whole = point_modes(rows, CENTRES, deviation=0.5, within=within).spread
    assert whole == pytest.approx(1, abs=0.03)
    shrunk = point_modes(CENTRES.repeat(2000, 1) + 0.05 * normal(8000, 2), CENTRES, deviation=0.5)
    assert shrunk.spread == pytest.approx(0.1 / 0.9744, rel=0.03)  # 0.9744: of the normal cut at 3


def test_points_of_one_mode_have_the_reverse_kl_of_its_share() -> None:
    found = point_modes(CENTRES[:1].repeat(10, 1), CENTRES, deviation=1.0)
    assert found.reverse_kl == pytest.approx(math.log(4))
    assert found.spread == 0.0


def test_points_far_from_everything_have_no_modes() -> None:
    found = point_modes(torch.full((5, 2), 5.0), CENTRES, deviation=1.0)
    assert (found.modes, found.high_quality) == (0, 0.0)
    assert found.reverse_kl is None
    assert found.spread is None


def test_labels_by_hand() -> None:
    found = label_modes(torch.tensor([0, 0, 0, 2]), classes=3)
    assert (found.modes, found.total, found.counts) == (2, 3, (3, 0, 1))
    assert found.reverse_kl == pytest.approx(0.75 * math.log(0.75 * 3) + 0.25 * math.log(0.25 * 3))
    target = torch.tensor([6.0, 1.0, 2.0])
    weighted = label_modes(torch.tensor([0, 0, 0, 2]), 3, target).reverse_kl
    assert weighted == pytest.approx(
        0.75 * math.log(0.75 / (6 / 9)) + 0.25 * math.log(0.25 / (2 / 9))
    )


def test_the_floor_is_what_perfect_labels_get() -> None:
    generator = torch.Generator().manual_seed(0)
    found = label_modes(torch.randint(100, (5000,), generator=generator), 100)
    assert found.reverse_kl == pytest.approx(found.floor, rel=0.3)


def test_deviation_within_classes_ignores_the_distance_between_them() -> None:
    labels = torch.arange(4000) % 4
    rows = 100 * normal(4, 3)[labels] + 0.7 * normal(4000, 3, seed=1)
    assert deviation_within(rows, labels, 4) == pytest.approx(0.7, rel=0.02)
    assert deviation_within(rows[labels.argsort()][::1000], torch.arange(4), 4) is None
    two = torch.tensor([[0.0], [2.0], [50.0]])
    assert deviation_within(two, torch.tensor([1, 1, 0]), 2) == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_labels_out_of_range_are_refused(labels: list[int]) -> None:
    with pytest.raises(UsageError, match="there are 3 classes"):
        label_modes(torch.tensor(labels), 3)


def test_other_requests_without_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="integers"):
        label_modes(torch.zeros(3), 3)
    with pytest.raises(UsageError, match="3 positive"):
        label_modes(torch.tensor([0]), 3, torch.tensor([1.0, 0.0, 1.0]))
    with pytest.raises(UsageError, match="must be positive"):
        point_modes(CENTRES, CENTRES, deviation=0.0)
    with pytest.raises(UsageError, match="have 2 labels"):
        deviation_within(normal(3, 2), torch.tensor([0, 1]), 2)
