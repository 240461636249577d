"""Evaluating runs and files of samples: what is printed, what is kept, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from errno import EACCES
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import mulligan
from acceptance_tools import call, damage, listing, refusal
from looking import DIGITS, TESTS, TRAINING, digits, quiet, small_mnist
from mulligan.appraisal import evaluate, kept
from mulligan.data.open import open_data
from mulligan.engine import checkpoint
from mulligan.errors import UsageError
from mulligan.evaluation.result import Evaluation
from mulligan.run import Run

FRESH = slice(TRAINING + TESTS, TRAINING + TESTS + 200)
"""Digits that are neither trained on nor test images of the small mnist."""

OWN = slice(2000, 2300)
"""Digits of a folder of one's own; 60 of them are held out."""

SMALL: dict[str, Any] = {
    "recipe": "gan", "batch": 16, "images": 320, "tick": 10, "save_every": 1, "width": 4,
    "latent": 4, "device": "cpu", "log": "none", "evaluate_every": 0,
}  # fmt: skip
COUNT = "--count 100"


def write(folder: Path, images: torch.Tensor) -> Path:
    """Grey pictures as PNG files."""
    folder.mkdir(parents=True)
    for index, image in enumerate(images[:, 0].numpy()):
        Picture.fromarray(image).save(folder / f"{index:04d}.png")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with three runs, samples in files, and a small MNIST; it is the current folder."""
    home = tmp_path_factory.mktemp("appraisal")
    images = digits().arrays["real"]
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        torch.set_num_threads(1)
        patch.setenv("MULLIGAN_DATA", str(small_mnist(home / "sets")))
        quiet(patch)
        patch.chdir(home)
        write(home / "fresh", images[FRESH])
        write(home / "own", images[OWN])
        write(home / "digits", images[:60])  # bears the name of a data set
        mulligan.train("mnist", name="mnist", **SMALL)
        mulligan.train("2d:ring", name="ring", **SMALL)
        mulligan.train("own", name="own", held_out=0.2, **SMALL)
        yield home
        torch.set_num_threads(before)


@pytest.fixture
def copy(place: Path, tmp_path: Path) -> Path:
    """A copy of the runs that a test may change."""
    return shutil.copytree(place / "runs", tmp_path / "runs")


def overlap(found: Evaluation) -> bool:
    """Whether every figure agrees with that of training images, within the intervals."""
    zero = {figure.name: figure for figure in found.baseline}
    pairs = [(one, zero[one.name]) for one in found.figures if one.name in zero]
    assert len(pairs) == len(zero) > 6
    return all(one.low <= other.high and other.low <= one.high for one, other in pairs)


# Runs


def test_a_run_is_evaluated_against_the_test_rows_of_its_data(place: Path) -> None:
    answer = call("evaluate mnist --seed 3")
    assert answer.code == 0
    assert answer.err == ""
    lines = answer.out.splitlines()
    assert lines[0] == "mnist after 320 images against mnist, split test"
    assert lines[3].split() == ["figure", "value", "95", "%", "interval", "training", "images",
                                "real", "generated"]  # fmt: skip
    assert f"KD-{DIGITS}" in answer.out
    assert "memorisation" in answer.out
    run = Run(place / "runs/mnist")
    [found] = kept(run)
    assert str(found) == answer.out.rstrip("\n")
    assert {figure.real_count for figure in found.baseline} <= {0, TESTS}
    stamp = found.figures[0].stamp
    assert (stamp["split"], stamp["seed"], stamp["extractor"]) == ("test", 3, DIGITS)
    pictures = list(run.evaluations.glob("*-nearest.png"))
    assert len(pictures) == 1
    with Picture.open(pictures[0]) as picture:
        assert picture.size[0] > 8 * 28


def test_points_are_evaluated_and_their_modes_counted(place: Path) -> None:
    answer = call(f"evaluate ring {COUNT}")
    assert answer.code == 0
    assert "of 8 modes found" in answer.out
    assert "MIND-points" in answer.out
    assert "high quality" in answer.out


def test_evaluating_touches_no_other_file_of_the_run(copy: Path) -> None:
    run = Run(copy / "own")
    before = listing(run.path)
    first = evaluate(run, count=60)
    second = evaluate(run, split="train", count=60)
    after = listing(run.path)
    assert {name: after[name] for name in before} == before
    new = sorted(after.keys() - before.keys())
    assert new == [
        "evaluations",
        f"evaluations/{first.images:09d}-{first.extractor}-own-held-out-nearest.png",
        f"evaluations/{first.images:09d}-{first.extractor}-own-held-out.json",
        f"evaluations/{second.images:09d}-{second.extractor}-own-train.json",
    ]
    assert kept(run) == [first, second]
    again = evaluate(run, count=60)
    assert again.figures == first.figures
    assert len(kept(run)) == 2  # the one before was replaced


def test_a_run_is_evaluated_while_its_trainer_holds_the_lock(copy: Path) -> None:
    run = Run(copy / "ring")
    with run.lock():
        assert call(f"evaluate {run.path} {COUNT}").code == 0
    assert len(kept(run)) == 1


def test_the_best_checkpoint_is_evaluated_unless_another_is_named(copy: Path) -> None:
    run = Run(copy / "ring")
    assert checkpoint.published(run.checkpoints) == [0, 10, 20]
    run.update(best={"round": 10, "images": 160, "value": 1.0, "low": 0.0, "high": 2.0})
    for words, images in (("", 160), ("--checkpoint last", 320), ("--checkpoint 0", 0)):
        answer = call(f"evaluate {run.path} {COUNT} {words}")
        assert answer.out.startswith(f"ring after {images} images")
    assert [found.images for found in kept(run)] == [0, 160, 320]


def test_a_damaged_best_checkpoint_is_told_in_one_line(copy: Path) -> None:
    run = Run(copy / "ring")
    run.update(best={"round": 10, "images": 160, "value": 1.0, "low": 0.0, "high": 2.0})
    damage(run.checkpoints / "step-0000010")
    answer = call(f"evaluate {run.path} {COUNT}")
    assert answer.code == 0
    assert answer.out.startswith("ring after 320 images")
    assert len(answer.err.splitlines()) == 1
    assert answer.err.startswith("warning: the best checkpoint cannot be used, the newest is")


def test_evaluations_against_other_data_are_kept_beside_each_other(copy: Path) -> None:
    run = Run(copy / "mnist")
    shutil.rmtree(run.evaluations, ignore_errors=True)
    evaluate(run, count=60, split="train")
    evaluate(run, "fresh", count=60, split="train")
    assert sorted(found.data for found in kept(run)) == ["fresh", "mnist"]


@pytest.mark.parametrize("words", ["own", "{place}/own", "./own"])
def test_own_data_by_any_path_keep_their_held_out_rows(place: Path, words: str) -> None:
    found = evaluate("own", words.format(place=place), count=60)
    assert found.figures[0].stamp["split"] == "held-out"
    assert found.figures[0].real_count == 60


def test_other_data_are_compared_as_a_whole(place: Path) -> None:
    found = evaluate("own", "fresh")
    assert found.figures[0].stamp["split"] == "train"
    assert found.figures[0].real_count == 200
    assert "copies of them look perfect" in found.notes[-1]


def test_a_run_on_one_class_is_compared_with_that_class(place: Path, tmp_path: Path) -> None:
    run = mulligan.train("mnist", name="ones", runs_dir=tmp_path, only_label="1", **SMALL)
    found = evaluate(run, count=1000)
    label = digits().arrays["label"][TRAINING : TRAINING + TESTS]
    assert found.figures[0].real_count == int((label == 1).sum())
    assert evaluate(run, "digits", split="train", count=60).data == "digits"
    assert evaluate(run, "fresh", count=60).data == "fresh"  # has no classes


def test_a_model_is_evaluated_and_nothing_is_kept(copy: Path) -> None:
    before = listing(copy)
    model = mulligan.load(copy / "ring")
    found = evaluate(model, count=100)
    assert found.target == "step-0000020"
    assert listing(copy) == before
    assert found.figures == evaluate(Run(copy / "ring"), count=100).figures


def test_a_damaged_evaluation_is_left_out(copy: Path) -> None:
    run = Run(copy / "ring")
    evaluate(run, count=100)
    (run.evaluations / "000000999-points-test.json").write_text("{}")
    (run.evaluations / "000000998-points-test.json").write_text("not JSON")
    assert [found.images for found in kept(run)] == [320]
    shutil.rmtree(run.evaluations)
    assert kept(run) == []


def test_a_run_that_may_only_be_read_is_evaluated_too(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object, **named: object) -> None:
        raise PermissionError(EACCES, os.strerror(EACCES), "evaluations")

    before = listing(copy)
    monkeypatch.setattr(Path, "mkdir", refuse)
    answer = call(f"evaluate {copy}/ring {COUNT}")
    assert answer.code == 0
    assert "MIND-points" in answer.out
    assert answer.err.startswith("warning: the evaluation was not kept in the run: ")
    assert len(answer.err.splitlines()) == 1
    assert listing(copy) == before


def test_a_fresh_critic_is_trained_where_it_is_asked_for(copy: Path) -> None:
    found = evaluate(copy / "ring", count=200, probe=True)
    [figure] = [figure for figure in found.figures if "probe" in figure.name.lower()]
    assert 0.5 <= figure.value <= 1
    assert figure.stamp["split"] == "test"
    assert kept(Run(copy / "ring"))[-1] == found


def test_a_name_of_a_run_comes_before_a_folder(place: Path) -> None:
    assert evaluate("own", count=60).target == "own"  # ./own is a folder of pictures
    assert evaluate("./fresh", "mnist", count=60).target == "fresh"


# Files of samples


def test_real_images_in_a_folder_score_as_training_images_do(place: Path) -> None:
    found = evaluate("fresh", "mnist")
    assert found.images is None
    assert overlap(found)
    assert found[f"KD-{DIGITS}"].low <= 0 <= found[f"KD-{DIGITS}"].high
    assert {figure.generated_count for figure in found.figures} == {200}
    assert not any(line.startswith("memorised") for line in found.verdicts)


def test_a_zip_and_arrays_of_the_same_images_have_the_same_figures(
    place: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "fresh.zip", "w") as archive:
        for path in sorted((place / "fresh").iterdir()):
            archive.write(path, path.name)
    images = digits().arrays["real"][FRESH].permute(0, 2, 3, 1).numpy()
    np.savez(tmp_path / "fresh.npz", images=images)
    expected = evaluate("fresh", "mnist", count=80).figures
    for name in ("fresh.zip", "fresh.npz"):
        assert evaluate(tmp_path / name, "mnist", count=80).figures == expected


def test_a_folder_of_training_images_is_called_out(place: Path, tmp_path: Path) -> None:
    folder = write(tmp_path / "replay", digits().arrays["real"][:120])
    found = evaluate(folder, "mnist", count=120)
    assert any(line.startswith("memorised: 100.0%") for line in found.verdicts)


def test_samples_that_were_saved_are_evaluated_as_the_run_is(place: Path, tmp_path: Path) -> None:
    assert call(f"sample ring --count 100 --out {tmp_path}/ring.npz").code == 0
    found, run = evaluate(tmp_path / "ring.npz", "2d:ring", count=100), evaluate("ring", count=100)
    for figure in found.figures:
        if "copies" not in figure.name and "nearest" not in figure.name:
            assert figure == run[figure.name]  # the run's held-out rows are no training rows


def test_true_points_in_arrays_score_as_training_points_do(place: Path, tmp_path: Path) -> None:
    rows = open_data("2d:ring").arrays["real"][:200]
    rows = rows + 0.0005 * torch.randn(rows.shape, generator=torch.Generator().manual_seed(0))
    np.savez(tmp_path / "true.npz", points=rows.numpy())
    found = evaluate(tmp_path / "true.npz", "2d:ring", count=200)
    assert overlap(found)
    assert any(line.startswith("8 of 8 modes") for line in found.verdicts)


def test_a_folder_that_bears_the_name_of_a_data_set_is_that_folder(place: Path) -> None:
    found = evaluate("./digits", "mnist")
    assert found.figures[0].generated_count == 60
    assert any(line.startswith("memorised") for line in found.verdicts)


def test_figures_are_written_where_they_are_asked_for(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "figures.json"
    assert call(f"evaluate ring {COUNT} --out {out}").code == 0
    found = Evaluation.from_json(json.loads(out.read_text()))
    assert found.target == "ring"
    out.write_text("old")
    assert call(f"evaluate ring {COUNT} --out {out}").code == 2
    assert out.read_text() == "old"
    assert call(f"evaluate ring {COUNT} --out {out} --force").code == 0
    assert Evaluation.from_json(json.loads(out.read_text())).figures == found.figures


# What is refused

WRONG = [
    ("evaluate ring --checkpoint 7", 2, "has those of the rounds 0, 10, 20", "best or last"),
    ("evaluate ring --checkpoint newest", 2, "--checkpoint newest", "best or last"),
    ("evaluate ring --checkpoint ²", 2, "--checkpoint ²", "best or last"),
    ("evaluate runs/ring/checkpoints/step-0000010", 2, "is a checkpoint", "--checkpoint 0000010"),
    ("evaluate ring --split tests", 2, "none of auto, test, held-out, train", "--split auto"),
    ("evaluate ring --count 49", 2, "49 rows to compare, and figures need 50", "--count 1000"),
    ("evaluate ring --probe --count 199", 2, "199 rows to compare, and the probe needs 200", ""),
    ("evaluate ring --count 0", 2, "--count 0 is too low", ""),
    ("evaluate ring --seed -1", 2, "--seed -1 is too low", ""),
    ("evaluate ring --out samples", 2, "must end in .json", "--out samples.json"),
    ("evaluate ring --out taken.json", 2, "taken.json exists", "--force"),
    ("evaluate ring --device cuda:9", 2, "usable CUDA GPUs", "--device cpu"),
    ("evaluate ring --device tpu", 2, "--device tpu is none of", ""),
    ("evaluate ring --resize nearest", 2, "none of antialiased, tensorflow1", "leave it out"),
    ("evaluate ring --extractor digits", 2, "does not fit points", "--extractor points"),
    ("evaluate own --extractor points", 2, "does not fit grey images", ""),
    ("evaluate own --extractor digist", 2, "no extractor 'digist'", "digits"),
    ("evaluate own --extractor inception", 2, "inception", ""),
    ("evaluate own --split test", 4, "own has no test split", ""),
    ("evaluate mnist --split held-out --count 60", 2, "45 rows of the split held-out", "train"),
    ("evaluate fresh", 2, "fresh is no run", "mulligan evaluate fresh DATA"),
    ("evaluate fresh nowhere", 4, "'nowhere'", ""),
    ("evaluate fresh 2d:ring", 4, "holds no points with 2 coordinates", ".npz"),
    ("evaluate nothing", 2, "no run 'nothing'", ""),
    ("evaluate ring mnist", 4, "mnist holds grey images of 28x28 pixels, and the samples are "
     "points with 2 coordinates", "same kind"),
    ("evaluate ring 1d:gauss", 4, "1d:gauss holds points with 1 coordinate,", "same kind"),
    ("evaluate own 2d:ring", 4, "2d:ring holds points with 2 coordinates, and the samples are "
     "grey images", "same kind"),
    ("evaluate empty.npz mnist", 4, "empty.npz holds no samples of grey images", "mulligan sample"),
    ("evaluate few.npz mnist", 2, "20 rows to compare", ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "code", "complaint", "hint"), WRONG)
def test_a_wrong_invocation_is_one_clear_line_and_leaves_nothing(
    place: Path, line: str, code: int, complaint: str, hint: str
) -> None:
    (place / "taken.json").write_text("{}")
    (place / "empty.npz").touch()
    np.savez(place / "few.npz", images=np.zeros((20, 28, 28, 1), dtype=np.uint8))
    before = listing(place)
    answer = call(line)
    assert answer.code == code, answer.err
    assert answer.out == ""
    said, suggested = refusal(answer)
    assert complaint in said
    assert hint in suggested
    assert listing(place) == before


def test_a_run_whose_data_are_gone_or_changed_is_refused(
    place: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, hidden = place / "own", place / "hidden"
    own.rename(hidden)
    try:
        before = listing(copy)
        answer = call(f"evaluate {copy}/own")
        assert answer.code == 4
        assert str(own) in refusal(answer)[0]
        write(own, digits().arrays["real"][OWN][1:])
        answer = call(f"evaluate {copy}/own")
        assert answer.code == 4
        assert "are not those this run was trained on" in refusal(answer)[0]
        assert "mulligan evaluate RUN DATA" in refusal(answer)[1]
        assert listing(copy) == before
        assert call(f"evaluate {copy}/own {own} {COUNT}").code == 0
    finally:
        shutil.rmtree(own, ignore_errors=True)
        hidden.rename(own)


def test_a_run_without_a_sound_checkpoint_is_refused(copy: Path) -> None:
    run = Run(copy / "ring")
    for round in checkpoint.published(run.checkpoints):
        damage(run.checkpoints / f"step-{round:07d}")
    answer = call(f"evaluate {run.path}")
    assert answer.code == 5
    assert "can be used" in refusal(answer)[0]


def test_python_is_told_of_an_unknown_wish(place: Path) -> None:
    with pytest.raises(UsageError, match="evaluate takes no cuont"):
        evaluate("ring", cuont=5)
