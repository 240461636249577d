"""The class as a condition, from the command line to the evaluation: real runs, tiny networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import mulligan
from mulligan import plots
from mulligan.cli import main
from mulligan.data.open import open_data
from mulligan.data.order import hold_out
from mulligan.engine.feed import MOST_CLASSES, Feed
from mulligan.errors import UsageError
from mulligan.evaluation.reals import some

SMALL = {"width": 4, "latent": 4, "batch": 8, "log": "none", "device": "cpu", "held_out": 0.05}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(home: Path) -> mulligan.run.Run:
    options = {**SMALL, "images": 32, "evaluate_every": 0}
    return mulligan.train("digits", recipe="cgan", runs_dir=str(home), name="told", **options)


def test_a_preview_has_a_row_a_class(run) -> None:
    grid = Picture.open(sorted(run.samples.glob("*.png"))[-1])
    step = 2 * 28 + 2  # 10 rows of 28 pixels fit twice into the grid's side
    assert grid.height == 10 * step + 2
    assert grid.width > 8 * step + 2  # the names stand to the left of the 8 columns
    left = np.asarray(grid.convert("L"))[:, : grid.width - 8 * step - 2]
    for row in range(10):
        assert (left[row * step : (row + 1) * step] < 200).any(), f"no name before row {row}"


def test_a_class_can_be_asked_for_by_name_and_by_number(run) -> None:
    model = mulligan.load(run)
    seven = model.sample(3, seed=1, label="7")
    assert seven.labels is not None
    assert seven.labels.tolist() == [7, 7, 7]
    assert np.array_equal(model.sample(3, seed=1, label=7).images, seven.images)
    assert not np.array_equal(model.sample(3, seed=1, label=2).images, seven.images)
    with pytest.raises(UsageError, match="--label x is no class"):
        model.sample(1, label="x")


def test_without_a_class_all_take_turns_and_samples_do_not_depend_on_the_count(run) -> None:
    model = mulligan.load(run)
    many = model.sample(70, seed=3)
    assert many.labels is not None
    assert many.labels.tolist() == [k % 10 for k in range(70)]
    assert np.array_equal(model.sample(5, seed=3).images, many.images[:5])


def test_samples_can_have_a_class_each(run) -> None:
    model = mulligan.load(run)
    asked = np.array([3, 1, 4, 1, 5])
    mixed = model.sample(5, seed=2, label=asked)
    assert np.array_equal(mixed.images[2], model.sample(5, seed=2, label=4).images[2])
    assert mixed.labels is not None
    assert mixed.labels.tolist() == asked.tolist()


def test_a_sample_sheet_has_a_row_a_class(run, tmp_path: Path) -> None:
    samples = mulligan.load(run).sample(30, seed=0)
    sheet = np.asarray(Picture.open(samples.save(tmp_path / "sheet.png")).convert("L"))
    step = 2 * 28 + 2
    assert sheet.shape[0] == 10 * step + 2
    first = sheet[2 : 2 + 56, -(3 * step) : -(2 * step) - 2]  # the first zero, twice as large
    assert np.array_equal(first[::2, ::2], samples.images[0, :, :, 0])
    below = sheet[2 + step : 2 + step + 56, -(3 * step) : -(2 * step) - 2]
    assert np.array_equal(below[::2, ::2], samples.images[1, :, :, 0])


def test_the_command_line_takes_a_label(run, home: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "x.npz"
    words = ["sample", "told", "--runs-dir", str(home), "--count", "4", "--out", str(out)]
    assert main([*words, "--label", "9"]) == 0
    assert np.load(out)["labels"].tolist() == [9] * 4
    assert main([*words, "--label", "cat", "--force"]) == 2
    assert "--label cat is no class of this run" in capsys.readouterr().err


def test_a_run_on_one_class_samples_that_class(home: Path) -> None:
    options = {**SMALL, "images": 16, "evaluate_every": 0, "only_label": "4"}
    made = mulligan.train("digits", recipe="acgan", runs_dir=str(home), name="four", **options)
    samples = mulligan.load(made).sample(6)
    assert samples.labels is not None
    assert samples.labels.tolist() == [4] * 6


def test_an_evaluation_asks_for_the_classes_of_the_real_rows(run, monkeypatch) -> None:
    found = {}
    from mulligan import appraisal

    def look(samples, reals, lens, asked):
        found["asked"], found["real"] = samples.labels, reals.labels
        raise UsageError("seen", "")

    monkeypatch.setattr(appraisal, "appraise", look)
    with pytest.raises(UsageError, match="seen"):
        mulligan.evaluate(run, count=60)
    places = some(60, len(found["real"]), 0)
    assert torch.equal(found["asked"], found["real"][places])


class Plain:
    """What a feed asks of a recipe."""

    def noise(self, count: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(count, 3, generator=generator)


def feed(data, share: float = 0.05) -> Feed:
    return Feed(data, Plain(), share, "cpu", torch.float32)  # type: ignore[arg-type]


def test_the_batch_by_class_repeats_its_noise_and_holds_rows_of_each_class() -> None:
    data = open_data("digits")
    batch = feed(data).by_class(4, 5)
    assert batch["label"].tolist() == [k // 4 for k in range(40)]
    noise = batch["noise"].unflatten(0, (10, 4))
    assert torch.equal(noise, noise[:1].expand_as(noise))
    assert len(noise[0].unique(dim=0)) == 4
    _, held_out = hold_out(data.arrays["real"], 0.05)
    kept = {image.numpy().tobytes() for image in data.arrays["real"][held_out]}
    shown = ((batch["real"] + 1) * 127.5).round().to(torch.uint8)
    assert all(image.contiguous().numpy().tobytes() in kept for image in shown)


def test_of_many_classes_evenly_many_are_shown() -> None:
    labels = feed(open_data("2d:grid")).by_class(2, 5)["label"]
    shown = labels.unique().tolist()
    assert len(shown) == MOST_CLASSES
    assert (shown[0], shown[-1]) == (0, 24)


def hues(picture: Picture.Image) -> set[tuple[bool, ...]]:
    """Which of red, green and blue stand out, over all strongly coloured pixels."""
    pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
    strong = pixels[pixels.max(1) - pixels.min(1) > 90]
    return {tuple(row) for row in (strong > strong.mean(1, keepdims=True)).tolist()}


def test_points_are_coloured_by_the_class_asked_for() -> None:
    corners = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
    many = np.repeat(corners, 20, axis=0)
    alike = hues(plots.scatter(corners, many))
    apart = hues(plots.scatter(corners, many, labels=np.repeat(np.arange(4), 20)))
    assert len(alike) == 1
    assert len(apart) >= 3
