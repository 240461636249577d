"""Replays of training digits are called out, honest digits are not, and the pairs are the nearest.

On real digits, through the extractor that evaluations of digits use.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from looking import DIGITS, STAMP, digits
from mulligan.errors import UsageError
from mulligan.evaluation.lens import Lens, open_lens
from mulligan.evaluation.memorised import PAIRS, Replay, pair_picture, replay
from mulligan.pictures import grid

TRAINING, UNSEEN, OTHER = slice(2000), slice(2000, 2500), slice(2500, 3000)


@pytest.fixture(scope="module")
def lens() -> Lens:
    return open_lens(DIGITS, digits().fields["real"])


@pytest.fixture(scope="module")
def rows(lens: Lens) -> dict[str, Tensor]:
    """Features of digits to train on, of others that are held out, and of yet others."""
    images = digits().arrays["real"]
    parts = {"training": TRAINING, "unseen": UNSEEN, "other": OTHER}
    return {name: lens.rows(images[part]).features for name, part in parts.items()}


def noised(part: slice, amount: float) -> Tensor:
    images = digits().arrays["real"][part].float()
    draw = torch.Generator().manual_seed(0)
    moved = images + amount * torch.randn(images.shape, generator=draw)
    return moved.round().clamp(0, 255).to(torch.uint8)


def judged(generated: Tensor, rows: dict[str, Tensor], unseen: Tensor | None = None) -> Replay:
    held_out = rows["unseen"] if unseen is None else unseen
    return replay(generated, rows["training"], held_out, "digits", STAMP)


def figures(found: Replay) -> tuple[float, float]:
    """(nearest ratio, copies)"""
    ratio, copies = found.figures
    assert (ratio.name, copies.name) == ("nearest ratio-digits", "copies-digits")
    return ratio.value, copies.value


def test_a_replay_of_training_digits_is_called_out(lens: Lens, rows: dict[str, Tensor]) -> None:
    again = lens.rows(digits().arrays["real"][700:1200]).features  # in other batches than before
    found = judged(again, rows)
    assert found.replays
    assert found.verdict.startswith("memorised: 100.0% of the samples")
    ratio, copies = figures(found)
    assert ratio == pytest.approx(0, abs=1e-4)
    assert copies == 1


def test_other_real_digits_are_not_called_out(rows: dict[str, Tensor]) -> None:
    found = judged(rows["other"], rows)
    assert not found.replays
    assert found.verdict.startswith("no sign of memorisation")
    ratio, copies = figures(found)
    assert ratio == pytest.approx(1, abs=0.1)
    assert copies < 0.05
    assert found.figures[0].low <= 1 <= found.figures[0].high


def test_other_real_digits_with_noise_are_not_called_out(
    lens: Lens, rows: dict[str, Tensor]
) -> None:
    assert not judged(lens.rows(noised(OTHER, 6)).features, rows).replays


def test_training_digits_with_noise_are_called_out(lens: Lens, rows: dict[str, Tensor]) -> None:
    assert judged(lens.rows(noised(slice(500), 6)).features, rows).replays


def blurred(part: slice) -> Tensor:
    """Digits out of focus, as poor samples are; nearer to everything."""
    images = digits().arrays["real"][part].float()
    return avg_pool2d(images, 5, stride=1, padding=2).round().to(torch.uint8)


def test_blurred_digits_that_were_never_trained_on_are_not_called_out(
    lens: Lens, rows: dict[str, Tensor]
) -> None:
    assert figures(judged(lens.rows(blurred(OTHER)).features, rows))[1] < 0.03


def test_half_a_replay_is_called_out(rows: dict[str, Tensor]) -> None:
    half = torch.cat((rows["training"][:250], rows["other"][:250]))
    found = judged(half, rows)
    assert found.replays
    assert figures(found)[1] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("copies", [1, 25, 300])
def test_copies_of_training_digits_among_the_unseen_do_not_hide_a_replay(
    lens: Lens, rows: dict[str, Tensor], copies: int
) -> None:
    mixed = torch.cat((rows["unseen"][copies:], rows["training"][:copies]))
    nearly = lens.rows(noised(slice(500), 6)).features
    assert judged(rows["training"][:500], rows, mixed).replays
    assert judged(nearly, rows, mixed).replays
    honest = judged(rows["other"], rows, mixed)
    assert not honest.replays
    assert honest.figures[1].real_count == 500 - copies


def test_unseen_rows_that_were_all_trained_on_are_refused(rows: dict[str, Tensor]) -> None:
    with pytest.raises(UsageError):
        judged(rows["other"], rows, rows["training"][:500])


def test_the_pairs_are_the_nearest(rows: dict[str, Tensor]) -> None:
    found = judged(rows["other"], rows)
    distances = torch.cdist(rows["other"].double(), rows["training"].double())
    nearest, which = distances.min(dim=1)
    expected = [(int(row), int(which[row])) for row in nearest.argsort()[:PAIRS]]
    assert list(found.pairs) == expected


def test_the_picture_shows_each_sample_beside_its_training_image(rows: dict[str, Tensor]) -> None:
    images = digits().arrays["real"]
    found = judged(torch.cat((rows["training"][30:40], rows["other"][10:])), rows)
    samples = torch.cat((images[30:40], images[OTHER][10:]))
    left, right = (int(number) for number in found.pairs[0])
    assert left + 30 == right  # a copy: its pair is itself
    drawn = np.asarray(pair_picture(samples, images[TRAINING], found))
    expected = [part for a, b in found.pairs for part in (samples[a], images[b])]
    assert np.array_equal(drawn, np.asarray(grid(torch.stack(expected).numpy(), columns=8)))
    assert torch.equal(expected[0], expected[1])
