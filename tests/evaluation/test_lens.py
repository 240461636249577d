"""Lenses: what samples are compared by, and that the wrong one is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from looking import digits, known_lens
from mulligan.data.open import open_data
from mulligan.errors import UsageError
from mulligan.evaluation import lens as lenses
from mulligan.evaluation.lens import choose, joined, open_lens
from mulligan.features.extractor import Extractor
from mulligan.fields import Image, Points

GREY = Image(1, 2, 2)
IMAGES = torch.tensor([0, 51, 204, 255] * 3, dtype=torch.uint8).reshape(3, 1, 2, 2)


def test_points_are_compared_by_their_coordinates_over_their_scale() -> None:
    lens = open_lens("points", Points(2, 4.0))
    rows = lens.rows(torch.tensor([[4.0, -2.0], [0.0, 8.0]]))
    assert rows.features.tolist() == [[1.0, -0.5], [0.0, 2.0]]
    assert (len(rows), rows.probabilities.shape) == (2, (2, 0))
    assert (lens.name, lens.classes, lens.resize, lens.digest) == ("points", (), "none", "scale 4")


def test_images_become_features_and_where_there_are_classes_probabilities() -> None:
    rows = known_lens().rows(IMAGES)
    assert torch.allclose(rows.features[0], torch.tensor([-1, -0.6, 0.6, 1.0]))
    assert torch.allclose(rows.probabilities.sum(dim=1), torch.ones(3))
    plain = known_lens(classes=False).rows(IMAGES)
    assert torch.equal(plain.features, rows.features)
    assert plain.probabilities.shape == (3, 0)


def test_labels_are_the_likeliest_classes() -> None:
    shades = torch.tensor([0, 255, 200, 20], dtype=torch.uint8)
    rows = known_lens().rows(shades[:, None, None, None].expand(4, 1, 2, 2))
    assert rows.labels.tolist() == [0, 1, 1, 0]
    assert rows.take(torch.tensor([2, 0])).labels.tolist() == [1, 0]
    assert rows.take(slice(1, 3)).labels.tolist() == [1, 1]


def test_parts_joined_are_the_whole() -> None:
    rows = known_lens().rows(IMAGES)
    again = joined([rows.take(slice(0, 1)), rows.take(slice(1, 3))])
    assert torch.equal(again.features, rows.features)
    assert torch.equal(again.probabilities, rows.probabilities)


@pytest.mark.parametrize(
    ("name", "field", "complaint"),
    [
        ("digits", Points(2, 1.0), "--extractor digits does not fit points"),
        ("points", GREY, "--extractor points does not fit grey images"),
        ("digist", GREY, "no extractor 'digist'"),
    ],
)
def test_the_wrong_extractor_is_refused(name: str, field: Image | Points, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        open_lens(name, field)
    assert caught.value.suggestion


@pytest.mark.parametrize(("name", "field"), [("random", GREY), ("points", Points(2, 1.0))])
def test_an_unknown_resize_is_refused_even_where_nothing_is_resized(
    name: str, field: Image | Points
) -> None:
    with pytest.raises(UsageError, match="--resize nearest is none of antialiased, tensorflow1"):
        open_lens(name, field, resize="nearest")


def test_an_extractor_is_opened_once_a_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[str] = []

    def opening(name: str, **others: object) -> Extractor:
        opened.append(name)
        found = known_lens().extractor
        assert found is not None
        return found

    monkeypatch.setattr(lenses, "open_extractor", opening)
    lenses._opened.cache_clear()
    weights = tmp_path / "weights"
    weights.write_bytes(b"old")
    try:
        for _ in range(3):
            open_lens("inception", GREY, weights=str(weights))
        assert opened == ["inception"]
        os.utime(weights, (1, 1))  # another file may lie there now
        open_lens("inception", GREY, weights=str(weights))
        assert len(opened) == 2
        open_lens("random", GREY)
        open_lens("random", GREY, resize="tensorflow1")
        open_lens("random", GREY)
        assert opened[2:] == ["random", "random"]
    finally:
        lenses._opened.cache_clear()


def test_what_suits_the_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MULLIGAN_DATA", str(tmp_path))
    assert choose(open_data("2d:ring"))[0] == "points"
    assert choose(digits())[0] == "digits"
    folder = replace(digits(), manifest={**digits().manifest, "source": str(tmp_path / "digits")})
    assert choose(folder)[0] == "random"  # a folder of that name may hold anything
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "squeezenet1_1_imagenet_features.npz").touch()
    assert choose(folder)[0] == "squeezenet"
    assert choose(folder, quick=True)[0] == "random"
    assert choose(digits(), quick=True)[0] == "digits"
