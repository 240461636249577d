"""Pixels of pictures that are cut, padded, and put on a colour; the same through every door."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mulligan
from mulligan.checkup import check
from mulligan.data.decode import decode
from mulligan.data.framing import Framing
from mulligan.data.open import open_data
from mulligan.engine.plan import make_plan
from mulligan.errors import DataError, UsageError
from mulligan.evaluation.reals import real_rows

PAD = Framing("pad", (10, 20, 30))
RANDOM = Framing("random")


def encoded(pixels: np.ndarray) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def stripes(width: int = 64, height: int = 16) -> np.ndarray:
    """Each column has its own shade."""
    return np.tile(np.arange(width, dtype=np.uint8) * 4, (height, 1))


def test_padding_keeps_the_whole_picture_in_the_middle():
    wide = np.full((16, 32, 3), 200, dtype=np.uint8)
    pixels = decode(encoded(wide), (32, 32), 3, PAD)
    assert (pixels[:, 8:24] == 200).all()
    for rows in (pixels[:, :8], pixels[:, 24:]):
        assert (rows == np.array([10, 20, 30])[:, None, None]).all()
    high = decode(encoded(wide.transpose(1, 0, 2).copy()), (16, 16), 3, PAD)
    assert (high[:, :, 4:12] == 200).all()
    assert high[:, 0, 3].tolist() == high[:, 15, 12].tolist() == [10, 20, 30]


def test_padding_of_a_picture_with_alpha_is_transparent_and_of_a_grey_one_grey():
    wide = np.full((16, 32, 4), 200, dtype=np.uint8)
    assert decode(encoded(wide), (32, 32), 4, PAD)[:, 0, 0].tolist() == [10, 20, 30, 0]
    grey = decode(encoded(wide[..., 0].copy()), (32, 32), 1, Framing("pad", (90, 90, 90)))
    assert grey[0, 0, 0] == 90
    assert grey[0, 16, 16] == 200


def test_what_is_transparent_shows_the_background():
    clear = np.zeros((16, 16, 4), dtype=np.uint8)
    clear[..., 0] = 255  # hidden red
    clear[:8, :, 3] = 128
    pixels = decode(encoded(clear), (16, 16), 3, Framing("crop", (0, 0, 200)))
    assert pixels[:, 12, 3].tolist() == [0, 0, 200]
    assert pixels[:, 3, 3].tolist() == pytest.approx([128, 0, 100], abs=1)


def test_a_random_part_is_drawn_from_the_content_and_lies_anywhere():
    starts = set()
    for seed in range(40):
        rows = stripes()
        rows[0, 0] = seed  # another content, another place
        part = decode(encoded(rows), (16, 16), 1, RANDOM)
        assert (part == decode(encoded(rows), (16, 16), 1, RANDOM)).all()
        assert (np.diff(part[0, 8].astype(int)) >= 0).all()
        starts.add(int(part[0, 8, 0]) // 4)
    assert len(starts) > 15
    assert min(starts) < 10
    assert max(starts) > 38
    assert decode(encoded(stripes()), (16, 16), 1)[0, 8, 0] == pytest.approx(4 * 24, abs=4)


def test_a_picture_of_the_right_shape_is_left_alone():
    square = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    for framing in (Framing(), PAD, RANDOM):
        assert (decode(encoded(square), (16, 16), 3, framing).transpose(1, 2, 0) == square).all()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    root.mkdir()
    for number in range(60):
        rows = np.random.default_rng(number).integers(0, 200, (16, 32, 3), dtype=np.uint8)
        (root / f"{number:02}.png").write_bytes(encoded(rows))
    return root


def test_options_reach_the_pixels_and_a_resume_and_an_evaluation_use_them(photos, tmp_path):
    asked = {"fit": "pad", "background": "#FF0000", "size": 16, "runs_dir": tmp_path / "runs"}
    small = {"recipe": "dcgan", "width": 4, "batch": 8, "images": 64, "evaluate_every": 0}
    run = mulligan.train(str(photos), name="padded", log="none", **asked, **small)
    kept = json.loads((run.path / "data.json").read_text())
    assert kept["framing"] == {"fit": "pad", "background": "#ff0000"}
    direct = open_data(str(photos), size=(16, 16), framing=Framing("pad", (255, 0, 0)))
    assert direct.manifest["sha256"] == kept["sha256"]
    assert (direct.arrays["real"][:, :, 0, 0] == torch.tensor([255, 0, 0])).all()
    mulligan.resume(run, images="+8", log="none")
    assert mulligan.evaluate(run, extractor="random", split="train", count=60).figures


@pytest.mark.skipif("MULLIGAN_DATA" not in os.environ, reason="needs the real sets")
def test_the_test_split_of_a_named_set_is_framed_as_its_training_rows_are():
    data = open_data("mnist", size=(16, 32), framing=Framing("pad", (77, 77, 77)))
    reals = real_rows(data, "test", 0.0)
    assert (reals.values[:, 0, :, 0] == 77).all()
    assert (data.arrays["real"][:, 0, :, 0] == 77).all()


def test_only_another_framing_than_the_usual_one_is_noted(photos):
    assert "framing" not in open_data(str(photos), framing=Framing(background=None)).manifest
    assert "framing" not in open_data("digits", framing=Framing(background=None)).manifest
    assert make_plan("digits", {"images": 64})["background"] == "white"
    for framing in (PAD, RANDOM, Framing(background=(0, 0, 0))):
        assert open_data("digits", framing=framing).manifest["framing"] == framing.values()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("background", "purplish", "no colour"), ("background", "#12345", "no colour"),
     ("fit", "squeeze", "none of crop, random, pad")],
)  # fmt: skip
def test_wrong_words_are_refused(photos, option, value, words):
    with pytest.raises((UsageError, DataError), match=words):
        make_plan(str(photos), {option: value})


def test_the_doctor_says_how_much_a_crop_loses(photos):
    said = " ".join(check(photos, timed=False).remarks)
    assert "the crop cuts off 50% of the usual picture" in said
    for given in ({"fit": "pad"}, {"size": "16x32"}):
        assert "cuts off" not in " ".join(check(photos, given, timed=False).remarks)


def drawn(colour: tuple[int, int, int], seed: int) -> bytes:
    """A blob of this colour on transparent black."""
    pixels = np.zeros((16, 16, 4), dtype=np.uint8)
    pixels[4 : 9 + seed % 6, 3:12] = (*colour, 255)
    return encoded(pixels)


@pytest.mark.parametrize(
    ("share", "other", "expected"),
    [(0.05, (200, 30, 30), None), (0.5, (200, 30, 30), "#000000"), (0.5, (5, 5, 5), "#808080")],
)
def test_pale_pictures_are_put_on_another_colour_than_white(tmp_path, share, other, expected):
    for number in range(40):
        colour = (250, 250, 250) if number < share * 40 else other
        (tmp_path / f"{number:02}.png").write_bytes(drawn(colour, number))
    plan = make_plan(str(tmp_path), {"recipe": "dcgan", "images": 64})
    assert plan["background"] == (expected or "white")
    corner = plan.data.arrays["real"][:, :, 0, 0]
    behind = bytes.fromhex(expected[1:])[0] if expected else 255
    assert (corner == behind).all()
    if expected:
        assert "50% of the transparent pictures would vanish" in plan.values["background"].reason
    assert make_plan(str(tmp_path), {"background": "white", "images": 64})["background"] == "white"
    kept = open_data(str(tmp_path), channels=4, framing=Framing(background=None))
    assert (kept.arrays["real"][:, 3, 0, 0] == 0).all()


def test_a_run_whose_background_was_chosen_resumes(tmp_path):
    root = tmp_path / "pale"
    root.mkdir()
    for number in range(60):
        (root / f"{number:02}.png").write_bytes(drawn((250, 250, 250), number))
    small = {"recipe": "dcgan", "width": 4, "batch": 8, "images": 64, "evaluate_every": 0}
    run = mulligan.train(str(root), runs_dir=tmp_path / "runs", name="pale", log="none", **small)
    assert run.config()["background"]["value"] == "#000000"
    mulligan.resume(run, images="+8", log="none")
    assert run.info()["status"] == "done"
