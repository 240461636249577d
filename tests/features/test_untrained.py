"""`random`: the same everywhere, for any size, and it sees what was done to pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mulligan.data.open import open_data
from mulligan.errors import UsageError
from mulligan.features.extractor import Extractor
from mulligan.features.open import open_extractor
from mulligan.features.untrained import CHANNELS, RandomNet, open_untrained
from mulligan.metrics.measure import frechet_figures, kernel_figure
from mulligan.places import data_folder

ROWS = 1500
FOLDER = data_folder()


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def untrained() -> Extractor:
    return open_extractor("random")


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """Images and labels, 2 x ROWS of each."""
    arrays = open_data("digits").arrays
    return arrays["real"][: 2 * ROWS], arrays["label"][: 2 * ROWS]


def noisy(images: Tensor, deviation: float) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    added = deviation * torch.randn(images.shape, generator=generator)
    return (images + added).round().clamp(0, 255).byte()


def blurred(images: Tensor) -> Tensor:
    return F.avg_pool2d(images.float(), 3, stride=1, padding=1).round().byte()


def test_the_network_is_the_same_on_every_machine(untrained: Extractor) -> None:
    """The weights come from a hash and exact arithmetic: their own hash is known."""
    before = torch.get_rng_state()
    again = open_untrained("cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert again.digest == untrained.digest
    assert again.digest == "9a530688f3f889b8de0ea76852bd769ed8cdf37f6a6c8a6efd22f6d92e8a3000"
    assert "trained on nothing" in untrained.note


def test_weights_are_he_uniform_without_their_mean() -> None:
    """Variance 2 / fan-in, of which the mean of the n inputs takes 1/n; bounded by sqrt 6/n."""
    for layer in RandomNet().layers:
        weight = layer.weight.detach().flatten(1)
        inputs = weight.shape[1]
        assert float(weight.sum(dim=1).abs().max()) < 1e-5
        assert float(weight.var()) * inputs == pytest.approx(2 * (1 - 1 / inputs), rel=0.1)
        assert float(weight.abs().max()) < 1.5 * (6 / inputs) ** 0.5


def test_the_first_features_are_mean_and_deviation_of_the_colours(untrained: Extractor) -> None:
    images = torch.zeros(1, 3, 8, 10, dtype=torch.uint8)
    images[:, 0, :4] = 255
    images[:, 1] = 255
    assert untrained.features(images)[0, :6].tolist() == [0, 1, -1, 1, 0, 0]
    assert untrained.width == 2 * sum(CHANNELS) == 128


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (28, 28), (65, 40)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_any_size_from_8_pixels_up(
    untrained: Extractor, size: tuple[int, int], channels: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, channels, *size), generator=generator, dtype=torch.uint8)
    found = untrained.features(images)
    assert found.shape == (3, 128)
    assert bool(found.isfinite().all())
    assert not torch.allclose(found[0], found[1], atol=1e-3)


def test_smaller_images_are_refused(untrained: Extractor) -> None:
    with pytest.raises(UsageError, match="7x12 pixels are too small"):
        untrained.features(torch.zeros(1, 1, 7, 12))


@pytest.mark.parametrize(
    "change",
    [blurred, lambda images: noisy(images, 10), lambda images: images.roll(3, dims=2)],
    ids=["blur", "noise", "moved"],
)
def test_distances_see_what_was_done_to_digits(
    untrained: Extractor, digits: tuple[Tensor, Tensor], change: Callable[[Tensor], Tensor]
) -> None:
    images, _ = digits
    real = untrained.features(images[:ROWS])
    other = untrained.features(change(images[ROWS:]))
    assert kernel_figure(real, other, "KD", {}).low > 0
    assert frechet_figures(real, other, "FD", {})[1].low > 0


def test_distances_see_dropped_classes_and_not_other_digits(
    untrained: Extractor, digits: tuple[Tensor, Tensor]
) -> None:
    images, label = digits
    real, other = untrained.features(images[:ROWS]), untrained.features(images[ROWS:])
    same = frechet_figures(real, other, "FD", {})[1]
    assert same.low < 0 < same.high
    few = untrained.features(images[label > 3])
    assert frechet_figures(real, few[:ROWS], "FD", {})[1].low > 0


@pytest.mark.skipif(FOLDER is None, reason="MULLIGAN_DATA is not set")
def test_colours_of_photographs_are_seen(untrained: Extractor) -> None:
    assert FOLDER is not None
    cats = open_data(str(FOLDER / "cats-dogs" / "trainA"), size=(64, 64)).arrays["real"][:400]
    real = untrained.features(cats[:200])
    assert kernel_figure(real, untrained.features(cats[200:]), "KD", {}).low < 0
    assert kernel_figure(real, untrained.features(cats[200:].flip(1)), "KD", {}).low > 0
    assert kernel_figure(real, untrained.features(blurred(cats[200:])), "KD", {}).low > 0
