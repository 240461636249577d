"""Augmentation: what it may do to a picture, how often, and when the chance moves."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from mulligan.networks.augment import LEAST, MOST, Augment, cutout, recoloured, shifted


def pictures(count: int = 400, channels: int = 3, height: int = 16, width: int = 24):
    torch.manual_seed(0)
    return torch.rand(count, channels, height, width) * 2 - 1


def test_a_shift_moves_the_whole_by_at_most_an_eighth_and_fills_with_zeros() -> None:
    images = pictures() + 3  # no number is 0
    moved = shifted(images)
    offsets = set()
    for old, new in zip(images, moved, strict=True):
        found = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-3, 4)
            if torch.equal(new, rolled(old, down, right))
        ]
        assert len(found) == 1
        offsets.add(found[0])
    assert len(offsets) == 5 * 7  # every offset occurs among 400


def rolled(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """By hand: moved, with zeros coming in."""
    made = torch.zeros_like(image)
    height, width = image.shape[1:]
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                made[:, row, column] = image[:, row - down, column - right]
    return made


def test_a_hole_is_half_of_each_side_and_lies_anywhere() -> None:
    holes = 1 - cutout(pictures(4000))
    rows, columns = holes.amax(3).sum((1, 2)), holes.amax(2).sum((1, 2))
    assert torch.equal(holes.sum((1, 2, 3)), rows * columns)  # a rectangle
    assert (rows.max(), columns.max()) == (8, 12)
    assert (rows.min(), columns.min()) == (4, 6)  # at a border half of it is outside
    middle = holes.mean((0, 1))
    assert middle[8, 12] == pytest.approx(8 / 17 * 12 / 25, abs=0.03)


def test_colours_keep_what_they_should() -> None:
    images = pictures()
    made = recoloured(images)
    # brightness moves all, saturation keeps the mean over colours, contrast the overall level
    level = made.mean((1, 2, 3)) - images.mean((1, 2, 3))
    assert level.abs().max() < 0.5
    assert level.std() == pytest.approx(12**-0.5, abs=0.03)
    grey, plain = made.mean(1), images.mean(1)
    spread = grey.flatten(1).std(1) / plain.flatten(1).std(1)
    assert spread.min() > 0.5
    assert spread.max() < 1.5
    colour = (made - grey[:, None]).flatten(1).std(1) / (images - plain[:, None]).flatten(1).std(1)
    assert colour.min() < 0.1
    assert 2 < colour.max() < 3


def test_alpha_and_grey_are_not_recoloured() -> None:
    images = pictures(channels=4)
    assert torch.equal(recoloured(images)[:, 3], images[:, 3])
    grey = pictures(channels=1)
    torch.manual_seed(1)
    one = recoloured(grey)
    torch.manual_seed(1)
    three = recoloured(grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(one.expand(-1, 3, -1, -1), three)


def test_it_can_be_differentiated_twice() -> None:
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64, requires_grad=True)

    def changed(values: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(5)
        return Augment(adaptive=False, pace=1.0)(values) ** 2

    assert gradcheck(changed, images)
    assert gradgradcheck(changed, images)


def test_nothing_changes_when_watching_or_at_a_chance_of_0() -> None:
    images = pictures()
    assert torch.equal(Augment(False, 1.0).eval()(images), images)
    assert torch.equal(Augment(True, 1.0)(images), images)


def test_each_change_has_the_chance_and_a_choice_of_its_own() -> None:
    images, augment = pictures(2000) + 3, Augment(True, 1.0)
    augment.chance.fill_(0.3)
    same = (augment(images) == images).flatten(1).all(1).float().mean()
    assert float(same) == pytest.approx(0.7**3, abs=0.05)


def test_the_chance_rises_where_reals_are_known_by_heart_and_falls_elsewhere() -> None:
    augment = Augment(True, pace=2000.0)
    sure, unsure = torch.full((LEAST,), 2.0), torch.tensor([2.0, -1.0]).repeat(LEAST // 2)
    for _ in range(3):
        augment.note(sure, 0.0)
        augment.adapt()
    assert float(augment.chance) == pytest.approx(3 * LEAST / 2000)
    augment.note(unsure, 0.0)
    augment.adapt()
    assert float(augment.chance) == pytest.approx(2 * LEAST / 2000)
    for _ in range(30):
        augment.note(sure, 1.0)
        augment.adapt()
    assert float(augment.chance) == pytest.approx(MOST)


def test_it_waits_for_enough_reals_and_knows_where_the_judge_is_undecided() -> None:
    augment = Augment(True, pace=2000.0)
    for _ in range(3):
        augment.note(torch.full((LEAST // 4,), 0.4), 0.5)  # below: taken for fakes
        augment.adapt()
        assert float(augment.chance) == 0
        assert float(augment.gauge[1]) > 0
    augment.chance.fill_(0.5)
    augment.note(torch.full((LEAST // 4,), 0.4), 0.5)
    augment.adapt()
    assert float(augment.chance) == pytest.approx(0.5 - LEAST / 2000)
    assert augment.gauge.tolist() == [0, 0]
