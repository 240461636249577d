import os
import subprocess
import sys

import pytest
import torch

from mulligan.data import names
from mulligan.data.cifar import LAYOUTS
from mulligan.data.idx import CLASSES
from mulligan.data.open import open_data
from mulligan.data.points import MIXTURES
from mulligan.data.remote import REMOTE
from mulligan.errors import DataError


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("digit", "digits"), ("MNIST", "mnist"), ("fashion_mnist", "fashion-mnist"),
     ("cifar-10", "cifar10"), ("2d:rings", "2d:ring"), ("1d:gaus", "1d:gauss")],
)  # fmt: skip
def test_a_wrong_name_is_answered_with_the_nearest(typed, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        open_data(typed)
    assert caught.value.suggestion == f"did you mean {meant}?"


@pytest.mark.parametrize("name", ["no/such/folder", "", "x" * 5000, "a\0b", "~nobody-here/x"])
def test_what_is_no_name_and_no_path_is_a_data_error(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError):
        open_data(name)


def test_a_file_that_is_no_zip_and_a_pipe_are_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"hello")
    with pytest.raises(DataError, match="not a zip"):
        open_data(str(tmp_path / "a.zip"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="neither a folder nor a file"):
        open_data(str(tmp_path / "pipe"))


@pytest.mark.parametrize("size", [(7, 64), (64, 7), (0, 0), (64, 4097)])
def test_sizes_out_of_range_are_refused(size):
    with pytest.raises(DataError, match="out of range"):
        open_data("digits", size=size)


def test_wrong_channels_and_splits_are_refused(tmp_path):
    with pytest.raises(DataError, match="2 channels"):
        open_data("digits", channels=2)
    with pytest.raises(DataError, match="no split 'valid'"):
        open_data("digits", split="valid")
    for name in ("digits", str(tmp_path)):
        with pytest.raises(DataError, match="no test split"):
            open_data(name, split="test")


def test_a_named_set_takes_another_size_and_other_channels():
    own = open_data("digits")
    data = open_data("digits", size=(14, 14), channels=3)
    images = data.arrays["real"]
    assert images.shape == (10_000, 3, 14, 14)
    assert torch.equal(images[:, 0], images[:, 2])
    blocks = torch.nn.functional.avg_pool2d(own.arrays["real"].float(), 2)
    # a Lanczos filter sharpens a little, but stays near the mean of each 2x2 block
    assert (images[:, :1].float() - blocks).abs().mean().item() < 12
    assert data.fields["label"] == own.fields["label"]
    assert data.manifest["sha256"] != own.manifest["sha256"]
    assert open_data("digits", size=(28, 28)).manifest == own.manifest


def test_one_label_of_a_named_set():
    data = open_data("digits", only_label="7")
    assert len(data) == 1070
    assert set(data.arrays["label"].tolist()) == {7}


def test_every_name_has_a_reader_and_every_reader_a_name():
    stacked = {"stacked-mnist", "stacked-digits"}
    assert set(names.NAMES) == {"digits", "2d:spiral", *stacked, *MIXTURES, *CLASSES, *LAYOUTS}
    assert set(REMOTE) == {*CLASSES, *LAYOUTS}


def test_the_names_are_listed_without_importing_anything_heavy():
    code = (
        "import sys, mulligan.data.names; "
        "print([m for m in ('torch', 'numpy', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
