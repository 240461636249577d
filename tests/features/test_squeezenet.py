"""SqueezeNet: its layers by hand from the raw arrays, what it tells apart, what is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mulligan.data.open import open_data
from mulligan.errors import UsageError
from mulligan.features.extractor import Extractor
from mulligan.features.open import open_extractor
from mulligan.features.squeezenet import FILE, SqueezeNet
from mulligan.metrics.measure import kernel_figure
from mulligan.places import data_folder

FOLDER = data_folder()
WEIGHTS = (FOLDER or Path("nowhere")) / "weights" / FILE

needs_weights = pytest.mark.skipif(not WEIGHTS.exists(), reason="MULLIGAN_DATA has no weights")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def squeezenet() -> Extractor:
    return open_extractor("squeezenet")


def images(rows: int, size: int = 128, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (rows, 3, size, size), generator=generator, dtype=torch.uint8)


def fire(arrays: dict[str, Tensor], position: int, maps: Tensor) -> Tensor:
    """A fire module written out."""

    def layer(part: str, maps: Tensor, padding: int = 0) -> Tensor:
        name = f"features.{position}.{part}"
        weight, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
        return F.relu(F.conv2d(maps, weight, bias, padding=padding))

    maps = layer("squeeze", maps)
    return torch.cat([layer("expand1x1", maps), layer("expand3x3", maps, padding=1)], dim=1)


@needs_weights
def test_the_network_is_the_papers_written_out(squeezenet: Extractor) -> None:
    """Blue first, 0-255 less the means; pooling before the fire modules 3, 6 and 9 (by place)."""
    with np.load(WEIGHTS, allow_pickle=False) as stored:
        arrays = {name: torch.from_numpy(stored[name]) for name in stored}
    assert len(arrays) == 50
    pictures = images(2)
    maps = pictures.float()[:, [2, 1, 0]] - torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    weight, bias = arrays["features.0.weight"], arrays["features.0.bias"]
    maps = F.relu(F.conv2d(maps, weight, bias, stride=2))
    sides = [maps.shape[-1]]
    for group in ((3, 4), (6, 7), (9, 10, 11, 12)):
        maps = F.max_pool2d(maps, 3, 2)
        for position in group:
            maps = fire(arrays, position, maps)
        sides.append(maps.shape[-1])
    assert sides == [63, 31, 15, 7]
    assert torch.allclose(squeezenet.features(pictures), maps.mean((2, 3)) / 5, atol=1e-4)
    assert squeezenet.digest == hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert "not FID" in squeezenet.note


@pytest.mark.parametrize(
    ("position", "inputs", "squeezed", "outputs"),
    [
        (3, 64, 16, 128),
        (4, 128, 16, 128),
        (6, 128, 32, 256),
        (7, 256, 32, 256),
        (9, 256, 48, 384),
        (10, 384, 48, 384),
        (11, 384, 64, 512),
        (12, 512, 64, 512),
    ],
)
def test_fire_modules_have_the_sizes_of_version_1_1(
    position: int, inputs: int, squeezed: int, outputs: int
) -> None:
    module = SqueezeNet().features[str(position)]
    assert module.squeeze.weight.shape == (squeezed, inputs, 1, 1)
    assert module.expand1x1.weight.shape == (outputs // 2, squeezed, 1, 1)
    assert module.expand3x3.weight.shape == (outputs // 2, squeezed, 3, 3)


def test_it_has_as_many_weights_as_version_1_1_without_its_classifier() -> None:
    """1,235,496 in all, less the classifier's 1000 x 512 and 1000 biases."""
    count = sum(weight.numel() for weight in SqueezeNet().parameters())
    assert count == 1_235_496 - 513_000


@needs_weights
def test_cats_are_nearer_to_cats_than_to_dogs(squeezenet: Extractor) -> None:
    assert FOLDER is not None
    cats, dogs = (
        squeezenet.features(open_data(str(FOLDER / "cats-dogs" / name)).arrays["real"][:120])
        for name in ("trainA", "trainB")
    )
    apart = kernel_figure(cats[:60], dogs[:60], "KD", {})
    alike = kernel_figure(cats[:60], cats[60:], "KD", {})
    assert alike.low < 0
    assert apart.low > 0
    assert apart.value > 5 * alike.value


@needs_weights
def test_channels_matter_and_grey_is_repeated(squeezenet: Extractor) -> None:
    pictures = images(4, size=32)
    pictures[:, 0] //= 4
    plain = squeezenet.features(pictures)
    assert not torch.allclose(plain, squeezenet.features(pictures.flip(1)), atol=0.1)
    grey = pictures[:, :1]
    assert torch.equal(squeezenet.features(grey), squeezenet.features(grey.expand(-1, 3, -1, -1)))


@needs_weights
def test_opening_leaves_torchs_generator_alone() -> None:
    before = torch.get_rng_state()
    open_extractor("squeezenet")
    assert torch.equal(torch.get_rng_state(), before)


def test_without_weights_it_says_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MULLIGAN_DATA", raising=False)
    with pytest.raises(UsageError, match=rf"(?s)no file is named.*{FILE} by --weights"):
        open_extractor("squeezenet")
    with pytest.raises(UsageError, match="there is no file"):
        open_extractor("squeezenet", weights=tmp_path / "nothing.npz")


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    good = {name: entry.numpy() for name, entry in SqueezeNet().state_dict().items()}
    name = "features.3.squeeze.weight"
    for arrays, words in (
        ({k: v for k, v in good.items() if k != name}, f"lacks {name}$"),
        ({**good, "extra": np.zeros(1)}, "has extra, which"),
        ({**good, name: good[name][:8]}, rf"{name} in the shape \(8, 64, 1, 1\) instead of \(16,"),
        ({**good, name: np.array([{}])}, "no .npz file"),  # an object, which would be executed
        ({**good, name: np.full_like(good[name], np.nan)}, f"{name} that are not finite"),
    ):
        np.savez(tmp_path / "weights.npz", **arrays)
        with pytest.raises(UsageError, match=f"(?m){words}"):
            open_extractor("squeezenet", weights=tmp_path / "weights.npz")
    for content in (b"", b"PK\x03\x04 cut off", b"\x93NUMPY"):
        (tmp_path / "weights.npz").write_bytes(content)
        with pytest.raises(UsageError, match=r"no \.npz file") as caught:
            open_extractor("squeezenet", weights=tmp_path / "weights.npz")
        assert "\n" not in caught.value.message
    np.savez(tmp_path / "weights.npz", **good)
    assert open_extractor("squeezenet", weights=tmp_path / "weights.npz").width == 512
