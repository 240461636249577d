import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mulligan.data.digits import FILE
from mulligan.data.open import open_data

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_digits.py"


def test_digits_are_ten_thousand_distinct_labelled_pictures_in_mixed_order():
    data = open_data("digits")
    images, label = data.arrays["real"], data.arrays["label"]
    assert images.shape == (10_000, 1, 28, 28)
    assert images.dtype == torch.uint8
    assert len({row.numpy().tobytes() for row in images}) == 10_000
    assert torch.bincount(label).tolist() == [
        1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978,
    ]  # fmt: skip
    # in a mixed order every stretch of 1,000 has all classes in about their shares
    assert torch.stack([torch.bincount(part) for part in label.split(1000)]).min() > 50
    assert FILE.stat().st_size < 2_000_000
    assert (FILE.parent / "DIGITS-LICENSE.txt").read_text().count("MIT License") == 1


@pytest.mark.skipif("MULLIGAN_DATA" not in os.environ, reason="needs the real MNIST")
def test_every_digit_with_its_label_is_in_the_training_set_of_mnist():
    def rows(data):
        images, labels = data.arrays["real"], data.arrays["label"].tolist()
        return {
            (image.tobytes(), label) for image, label in zip(images.numpy(), labels, strict=True)
        }

    missing = rows(open_data("digits")) - rows(open_data("mnist"))
    assert not missing


def make(package, out):
    subprocess.run([sys.executable, SCRIPT, package, "--out", out], check=True, capture_output=True)
    return out.read_bytes()


def test_the_script_gives_the_exact_pixels_back_and_the_same_bytes_twice(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "src" / "digits"
    folder.mkdir(parents=True)
    true = {}
    for digit in range(10):
        images = rng.integers(0, 256, size=(digit % 3 + 1, 784), dtype=np.uint8)
        true.update({image.tobytes(): digit for image in images})
        values = [round(value / 255, 3) for value in images.reshape(-1).tolist()]
        (folder / f"{digit}.json").write_text(json.dumps({"data": values}))
    first = make(tmp_path, tmp_path / "a.npz")
    assert first == make(tmp_path, tmp_path / "b.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as stored:
        pairs = zip(stored["images"], stored["labels"], strict=True)
        assert {image.tobytes(): int(label) for image, label in pairs} == true
