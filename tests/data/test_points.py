import math

import pytest
import torch

from mulligan.data.open import open_data
from mulligan.data.points import SPIRAL_DEVIATION, modes
from mulligan.errors import DataError

NAMES = ["1d:gauss", "2d:ring", "2d:grid", "2d:spiral"]


def nearest(points, centres):
    distance = torch.cdist(points, centres)
    return distance.min(dim=1)


def test_gauss_has_its_mean_and_deviation():
    data = open_data("1d:gauss")
    real = data.arrays["real"]
    assert real.shape == (100_000, 1)
    assert real.mean().item() == pytest.approx(4, abs=0.02)
    assert real.std().item() == pytest.approx(1.25, abs=0.02)
    assert set(data.fields) == {"real"}


@pytest.mark.parametrize(
    ("name", "count", "deviation"), [("2d:ring", 8, 0.01), ("2d:grid", 25, 0.05)]
)
def test_mixtures_follow_pacgan(name, count, deviation):
    data = open_data(name)
    real, label = data.arrays["real"], data.arrays["label"]
    centres, known = modes(name)
    assert known == deviation
    assert len(real) == 100_000
    assert len(centres) == len(data.fields["label"].names) == count
    assert torch.bincount(label).tolist() == [100_000 // count] * count
    distance, mode = nearest(real, centres)
    assert torch.equal(mode, label)
    # the distance of a 2-D normal is below 3 deviations with probability 1 - exp(-9/2)
    share = (distance < 3 * deviation).float().mean().item()
    assert share == pytest.approx(1 - math.exp(-4.5), abs=0.001)
    assert (real - centres[label]).std().item() == pytest.approx(deviation, rel=0.01)


def test_centres_lie_where_the_paper_puts_them():
    ring, grid = modes("2d:ring")[0], modes("2d:grid")[0]
    assert ring.norm(dim=1).tolist() == pytest.approx([1.0] * 8)
    assert ring[2].tolist() == pytest.approx([0, 1], abs=1e-6)
    assert sorted(set(grid.flatten().tolist())) == [-4, -2, 0, 2, 4]
    assert open_data("2d:grid").fields["label"].names[1] == "(-4, -2)"
    assert grid[1].tolist() == [-4, -2]


def test_each_arm_of_the_spiral_is_the_other_turned_by_half():
    data = open_data("2d:spiral")
    real, label = data.arrays["real"], data.arrays["label"]
    first, second = real[label == 0], -real[label == 1]
    # 200 turned points of one arm each lie within the noise of a point of the other
    distance, _ = nearest(second[:200], first)
    assert distance.max().item() < 5 * SPIRAL_DEVIATION
    distance, _ = nearest(-second[:200], first)
    assert distance.median().item() > 5 * SPIRAL_DEVIATION
    with pytest.raises(DataError, match="no modes"):
        modes("2d:spiral")


@pytest.mark.parametrize("name", NAMES)
def test_points_are_the_same_whatever_torch_was_doing_and_leave_it_alone(name):
    torch.manual_seed(1)
    first = open_data(name)
    state = torch.get_rng_state()
    second = open_data(name)
    assert torch.equal(state, torch.get_rng_state())
    assert first.manifest["sha256"] == second.manifest["sha256"]
    other = open_data(name, split="test")
    same = torch.isclose(other.arrays["real"], first.arrays["real"]).all(dim=1)
    assert same.float().mean().item() < 0.001


@pytest.mark.parametrize("name", NAMES)
def test_coordinates_over_scale_are_of_about_one(name):
    data = open_data(name)
    size = (data.arrays["real"] / data.fields["real"].scale).abs()
    assert 0.3 < size.mean().item() < 1.2
    assert size.max().item() < 2.5


def test_points_have_no_size():
    with pytest.raises(DataError, match="neither size nor channels"):
        open_data("2d:ring", size=(8, 8))


def test_the_spiral_is_as_wide_as_its_noise():
    along = torch.linspace(0, 1, 4000)
    radius, angle = 0.2 + 1.8 * along, 2.5 * math.pi * along
    curve = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    data = open_data("2d:spiral")
    first = data.arrays["real"][data.arrays["label"] == 0][:1000]
    distance, _ = nearest(first, curve)
    # only the part of the noise across the curve counts as distance
    assert distance.square().mean().sqrt().item() == pytest.approx(SPIRAL_DEVIATION, rel=0.1)
    assert SPIRAL_DEVIATION == 0.02
