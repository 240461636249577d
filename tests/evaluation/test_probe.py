"""The probe tells what is different, holds 0.5 for what is not, and leaves no traces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mulligan.data.open import open_data
from mulligan.errors import DataError, UsageError
from mulligan.evaluation.probe import probe, split

ROWS = 500


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Two sets of different digits."""
    real = open_data("digits").arrays["real"]
    return real[:ROWS], real[ROWS : 2 * ROWS]


def noise(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def blurred(images: Tensor) -> Tensor:
    """uint8 images (N, 1, H, W), the mean of 3x3 pixels."""
    return F.avg_pool2d(images.float(), 3, stride=1, padding=1).round().byte()


def test_fresh_eyes_cannot_tell_digits_from_digits(digits: tuple[Tensor, Tensor]) -> None:
    found = probe(*digits)
    assert found.name == "probe AUC"
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.15
    assert "DeLong" in found.method
    assert "this critic" in found.covers


def test_fresh_eyes_tell_noise_and_blur_from_digits(digits: tuple[Tensor, Tensor]) -> None:
    real, other = digits
    found = probe(real, noise(tuple(real.shape)))
    assert found.value > 0.99
    assert 0.95 < found.low < 1 == found.high  # no certainty, even where all rows are told apart
    assert probe(real, blurred(other)).low > 0.9


def test_points_of_a_ring() -> None:
    ring = open_data("2d:ring").arrays["real"][:ROWS]
    other = open_data("2d:ring", split="test").arrays["real"][:ROWS]
    generator = torch.Generator().manual_seed(0)
    blob = 0.7 * torch.randn(ROWS, 2, generator=generator)  # the deviation of the ring
    found = probe(ring, other)
    assert found.low < 0.5 < found.high
    assert probe(ring, blob).low > 0.9
    assert probe(1e4 * ring + 1e6, 1e4 * blob + 1e6).low > 0.9  # in whatever unit


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_and_alpha(channels: int) -> None:
    """Red on blue against blue on red: everything else is the same."""
    images = noise((ROWS, channels, 8, 12)) // 2
    images[:, 0] += 80
    images[:, 2, :, 6:] += 80
    swapped = noise((ROWS, channels, 8, 12), seed=1) // 2
    swapped[:, 2] += 80
    swapped[:, 0, :, 6:] += 80
    assert probe(images, swapped).value > 0.99


def test_the_answer_depends_on_the_seed_alone_and_leaves_torch_alone() -> None:
    real, other = noise((300, 1, 8, 8)), noise((300, 1, 8, 8), seed=1) // 2 + 64
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = probe(real, other, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    with torch.no_grad():
        assert probe(real, other, seed=3) == first
    assert probe(real, other, seed=4) != first


def test_the_parts_share_no_row_and_are_equally_large() -> None:
    real = torch.arange(700.0)[:, None]
    parts = split(real, -1 - real[:300], torch.Generator().manual_seed(0))
    rows = torch.cat([torch.cat(sides) for sides in parts])
    assert len(rows.unique(dim=0)) == len(rows) == 600
    for one, other in parts:
        assert len(one) == len(other)
        assert (one >= 0).all() and (other < 0).all()  # noqa: PT018
    assert [len(one) for one, _ in parts] == [150, 45, 105]


def test_copies_lie_in_the_part_of_their_originals() -> None:
    real = torch.arange(400.0)[:, None]
    for one, other in split(real, real.flip(0), torch.Generator().manual_seed(0)):
        assert torch.equal(one.sort(dim=0).values, other.sort(dim=0).values)


def test_copies_of_the_real_rows_cannot_be_told(digits: tuple[Tensor, Tensor]) -> None:
    """Were they in other parts than their originals, the AUC would be below 0.5."""
    found = probe(digits[0], digits[0].flip(0))
    assert found.low < 0.5 < found.high


def test_one_copy_all_over_is_told(digits: tuple[Tensor, Tensor]) -> None:
    real, _ = digits
    assert probe(real, real[:1].expand(ROWS, -1, -1, -1)).value > 0.99


def test_what_cannot_be_compared_is_refused() -> None:
    images = noise((200, 1, 8, 8))
    with pytest.raises(UsageError, match="200 rows of each or more; there are 200 real and 199"):
        probe(images, images[:199])
    with pytest.raises(UsageError, match=r"\(1, 8, 8\) and generated ones \(1, 8, 4\)"):
        probe(images, images[..., :4])
    for bad in (images.float(), images.flatten(1), images[0]):
        with pytest.raises(UsageError, match="uint8 images"):
            probe(bad, bad)
    points = torch.zeros(200, 2)
    with pytest.raises(DataError, match="1 of 200 rows"):
        probe(points, points.index_fill(0, torch.tensor([3]), torch.nan))
