import gzip
import os
import struct

import numpy as np
import pytest
import torch

from mulligan.data.idx import read_idx
from mulligan.data.open import open_data
from mulligan.errors import DataError

needs_data = pytest.mark.skipif("MULLIGAN_DATA" not in os.environ, reason="needs the real sets")


def idx(array):
    header = struct.pack(f">{array.ndim + 1}I", 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


def write(folder, images, labels, prefix="train"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(labels)))


def random_images(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def test_an_array_comes_back_as_it_was_written(tmp_path):
    images = random_images(3)
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(idx(images)))
    assert (read_idx(path, 3) == images).all()


WRONG = {
    "trailing": (lambda raw: raw + b"\0", "holds more"),
    "short": (lambda raw: raw[:-1], "only 1567"),
    "header": (lambda raw: raw[:10], "inside its header"),
    "magic": (lambda raw: b"\0\0\x09\x03" + raw[4:], "0x00000903"),
    "dimensions": (lambda raw: b"\0\0\x08\x01" + raw[4:], "0x00000801"),
    "huge": (lambda raw: raw[:4] + b"\xff" * 12 + raw[16:], "claims"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_is_refused(tmp_path, wrong):
    change, message = WRONG[wrong]
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(change(idx(random_images(2)))))
    with pytest.raises(DataError, match=message):
        read_idx(path, 3)


@pytest.mark.parametrize("change", [lambda raw: raw[:-20], lambda raw: b"no gzip", lambda raw: b""])
def test_a_damaged_gzip_is_refused(tmp_path, change):
    path = tmp_path / "a.gz"
    path.write_bytes(change(gzip.compress(idx(random_images(2)))))
    with pytest.raises(DataError):
        read_idx(path, 3)


@pytest.mark.parametrize("variable", ["MULLIGAN_DATA", "MULLIGAN_CACHE"])
def test_sets_are_found_by_split_in_either_folder_and_altered_files_are_named(
    tmp_path, monkeypatch, variable
):
    monkeypatch.setenv("MULLIGAN_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv(variable, str(tmp_path))
    train, test = random_images(5, seed=1), random_images(4, seed=2)
    write(tmp_path / "kmnist", train, np.arange(5, dtype=np.uint8))
    write(tmp_path / "kmnist", test, np.arange(4, dtype=np.uint8), prefix="t10k")
    data = open_data("kmnist")
    assert (data.arrays["real"][:, 0].numpy() == train).all()
    assert data.arrays["label"].tolist() == [0, 1, 2, 3, 4]
    assert data.fields["label"].names[4] == "na"
    assert any("not the original file" in note for note in data.notes)
    assert (open_data("kmnist", split="test").arrays["real"][:, 0].numpy() == test).all()


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 10]])
def test_labels_must_fit_the_images(tmp_path, monkeypatch, labels):
    monkeypatch.setenv("MULLIGAN_DATA", str(tmp_path))
    write(tmp_path / "mnist", random_images(3), np.array(labels, dtype=np.uint8))
    with pytest.raises(DataError):
        open_data("mnist")


@needs_data
@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_fashion_mnist_is_the_original(split, count):
    data = open_data("fashion-mnist", split=split)
    assert torch.bincount(data.arrays["label"]).tolist() == [count // 10] * 10
    assert data.notes == ()  # the hashes of the table are those of the files


@needs_data
def test_mnist_has_its_published_mean():
    data = open_data("mnist")
    assert data.notes == ()
    assert data.arrays["real"].float().mean().item() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert data.arrays["label"][:5].tolist() == [5, 0, 4, 1, 9]
