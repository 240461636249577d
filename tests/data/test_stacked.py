"""Stacked-MNIST: three digits a picture, a thousand classes, and the extractor that reads them."""

from __future__ import annotations

import pytest
import torch

from mulligan.data.digits import open_digits
from mulligan.data.open import open_data
from mulligan.data.stacked import open_stacked
from mulligan.errors import DataError
from mulligan.evaluation.lens import open_lens
from mulligan.features.classifier import open_classifier


@pytest.fixture(scope="module")
def stacked():
    return open_stacked("stacked-digits", "train")


def test_each_channel_is_a_digit_and_the_class_reads_them_in_order(stacked) -> None:
    digits = open_digits()
    known = {
        image.numpy().tobytes(): int(label)
        for image, label in zip(digits.arrays["real"][:, 0], digits.arrays["label"], strict=True)
    }
    for row in range(50):
        image, label = stacked.arrays["real"][row], int(stacked.arrays["label"][row])
        read = [known[image[channel].numpy().tobytes()] for channel in range(3)]
        assert stacked.fields["label"].names[label] == "".join(map(str, read))


def test_all_classes_are_about_equally_frequent(stacked) -> None:
    counts = torch.bincount(stacked.arrays["label"], minlength=1000)
    shares = torch.bincount(open_digits().arrays["label"]).double() / len(open_digits())
    expected = torch.einsum("a,b,c->abc", shares, shares, shares).flatten() * len(stacked)
    assert counts.sum() == 128_000
    assert ((counts - expected).abs() < 6 * expected.sqrt()).all()


def test_the_images_are_always_the_same(stacked) -> None:
    again = open_data("stacked-digits")
    assert again.manifest["sha256"] == stacked.manifest["sha256"]


def test_the_embedded_one_has_no_test_split() -> None:
    with pytest.raises(DataError, match="no test split"):
        open_data("stacked-digits", split="test")


def test_the_extractor_reads_each_channel_as_the_classifier_of_digits_does(stacked) -> None:
    images = stacked.arrays["real"][:200]
    lens = open_lens("stacked", stacked.fields["real"])
    rows = lens.rows(images)
    digits = open_classifier("digits")
    features, shares = digits.judged(images[:, 1:2])
    torch.testing.assert_close(rows.features[:, 64:128], features)
    cube = rows.probabilities.reshape(-1, 10, 10, 10)
    torch.testing.assert_close(cube.sum((1, 3)), shares, atol=1e-5, rtol=1e-4)
    assert (rows.labels == stacked.arrays["label"][:200]).double().mean() > 0.97
