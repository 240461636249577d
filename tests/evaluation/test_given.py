"""Samples from files: folders and arrays in the form of the real rows, or one clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from looking import digits
from mulligan.data.open import open_data
from mulligan.errors import DataError
from mulligan.evaluation.given import read_samples

IMAGES = np.arange(60 * 28 * 28, dtype=np.uint8).reshape(60, 28, 28, 1)
POINTS = np.linspace(-1, 1, 120, dtype=np.float32).reshape(60, 2)
RING = open_data("2d:ring").fields


def test_arrays_of_images_come_with_channels_first(tmp_path: Path) -> None:
    labels = np.arange(60, dtype=np.int32) % 10
    np.savez(tmp_path / "x.npz", images=IMAGES, labels=labels)
    values, given = read_samples(tmp_path / "x.npz", digits().fields)
    assert torch.equal(values, torch.from_numpy(IMAGES).permute(0, 3, 1, 2))
    assert given is not None
    assert given.dtype == torch.int64
    assert given.tolist() == labels.tolist()


def test_points_come_as_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", points=POINTS)
    values, labels = read_samples(tmp_path / "x.npz", RING)
    assert torch.equal(values, torch.from_numpy(POINTS))
    assert labels is None


def folder(home: Path, classes: int) -> Path:
    for index, image in enumerate(IMAGES[:20]):
        place = home / str(index % classes)
        place.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(image[..., 0]).save(place / f"{index:02d}.png")
    return home


def test_a_folder_has_the_labels_of_the_data_or_none(tmp_path: Path) -> None:
    values, labels = read_samples(folder(tmp_path / "ten", 10), digits().fields)
    assert labels is not None
    assert labels.tolist() == [index // 2 for index in range(20)]
    assert torch.equal(values[0], torch.from_numpy(IMAGES[0]).permute(2, 0, 1))
    assert read_samples(folder(tmp_path / "two", 2), digits().fields)[1] is None


def test_a_folder_that_bears_the_name_of_a_data_set_is_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "digits", 2)
    monkeypatch.chdir(tmp_path)
    assert len(read_samples(Path("./digits"), digits().fields)[0]) == 20


WRONG: dict[str, tuple[dict[str, Any] | bytes, bool, str]] = {
    "points for images": ({"points": POINTS}, True, "no samples of grey images"),
    "images for points": ({"images": IMAGES}, False, "no samples of points"),
    "another size": ({"images": IMAGES[:, :20]}, True, r"uint8 \(60, 20, 28, 1\)"),
    "channels first": ({"images": IMAGES.reshape(60, 1, 28, 28)}, True, r"\(60, 1, 28, 28\)"),
    "floats": ({"images": IMAGES / np.float32(255)}, True, "float32"),
    "a single number": ({"images": np.uint8(3)}, True, r"uint8 \(\)"),
    "three coordinates": ({"points": POINTS.reshape(40, 3)}, False, r"\(40, 3\)"),
    "too few labels": ({"images": IMAGES, "labels": np.arange(9)}, True, "labels of"),
    "labels in words": ({"images": IMAGES, "labels": np.array(["a"] * 60)}, True, "labels of"),
    "objects": ({"images": np.array([{}, 1], dtype=object)}, True, "allow_pickle"),
    "nothing": (b"", True, "no samples"),
    "text": (b"digits", True, "no samples"),
    "a torn zip": (b"PK\x03\x04" + b"\0" * 50, True, "no samples"),
}


@pytest.mark.parametrize("what", WRONG)
def test_files_of_another_form_are_refused(tmp_path: Path, what: str) -> None:
    content, images, complaint = WRONG[what]
    path = tmp_path / "x.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.savez(path, **content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_samples(path, digits().fields if images else RING)
    assert caught.value.suggestion
    assert "\n" not in caught.value.message


def test_a_plain_array_under_a_wrong_name_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "x.npz").open("wb") as file:
        np.save(file, POINTS)
    with pytest.raises(DataError, match="no samples"):
        read_samples(tmp_path / "x.npz", RING)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_torn_arrays_are_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, images=IMAGES)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match="no samples"):
        read_samples(path, digits().fields)


def test_damaged_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1),
                                                                      dtype=np.uint8))  # fmt: skip
    whole = path.read_bytes()
    for place in (0, 2000, 20_000, len(whole) - 5):
        changed = bytearray(whole)
        changed[place] ^= 255
        path.write_bytes(changed)
        with pytest.raises(DataError, match="no samples"):
            read_samples(path, digits().fields)


def test_pictures_are_refused_where_points_are_compared(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no points with 2 coordinates"):
        read_samples(folder(tmp_path / "some", 2), RING)
