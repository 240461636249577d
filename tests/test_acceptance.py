"""What a user does, and what can happen to him: real commands, files and processes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import mulligan
from acceptance_tools import (
    CLASSES,
    EACH,
    OWN_RECIPE,
    TIMES,
    call,
    damage,
    full_disk,
    listing,
    photographs,
    refusal,
    reseal,
    result,
    threads,
)
from mulligan import jsonl, pictures
from mulligan.engine import checkpoint, records
from mulligan.engine.feed import from_batch
from mulligan.engine.preview import GRID, watching
from mulligan.engine.randomness import generator
from mulligan.engine.storage import DISK
from mulligan.errors import MulliganError, UsageError
from mulligan.run import Run

SMALL = "--width 4 --latent 4 --batch 8 --tick 8 --save-every 2 --device cpu"
TINY = f"photos --recipe gan --rate 1e-3 --size 16 --images 256 {SMALL}"
"""32 rounds, saved at 0, 16 and 32."""
FILES = 6  # of its checkpoints: two of weights, two of optimizers, the state, the manifest
LONGEST = 60  # seconds for a process that takes ten
DATA = os.environ.get("MULLIGAN_DATA")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: photographs, a finished run called whole, and things in the way."""
    folder = tmp_path_factory.mktemp("user")
    photographs(folder / "photos")
    (folder / "junk").mkdir()
    (folder / "junk" / "notes.txt").write_text("no picture")
    (folder / "blocked").write_text("a file where a folder should be")
    (folder / "taken.png").write_bytes(b"kept")
    with contextlib.chdir(folder), threads(1):
        assert call(f"train {TINY} --name whole").code == 0
    shutil.copytree(folder / "runs/whole", folder / "runs/bare")
    shutil.rmtree(folder / "runs/bare/checkpoints")
    (folder / "runs/bare/checkpoints").mkdir()
    return folder


@pytest.fixture(autouse=True)
def there(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every command is typed in that folder and computed by one thread.

    No test but those of the fixtures' runs needs a report, which takes longer than these runs do.
    """
    monkeypatch.setattr(records, "write_report", lambda run: None)
    with contextlib.chdir(place), threads(1):
        yield


@pytest.fixture
def copy(place: Path, tmp_path: Path) -> Path:
    """A copy of the finished run that a test may spoil."""
    return Path(shutil.copytree(place / "runs/whole", tmp_path / "copy"))


@pytest.fixture(scope="module")
def own(place: Path) -> Path:
    """A run of a recipe of the user's own, which lies beside the folder of runs."""
    (place / "mine").mkdir()
    (place / "mine/my_gan.py").write_text(OWN_RECIPE)
    with contextlib.chdir(place / "mine"), threads(1):
        answer = call(
            "train digits --recipe ./my_gan.py --slack 0.5 --body mlp --width 4 --latent 4 "
            "--images 512 --batch 16 --tick 8 --device cpu --name own"
        )
        assert answer.code == 0, answer.err
    return place / "mine/runs/own"


@pytest.fixture(scope="module")
def conv(place: Path) -> Path:
    """A run of convolutions with batch norm on the photographs."""
    with contextlib.chdir(place), threads(1):
        answer = call(f"train photos --recipe dcgan --size 16 --images 64 {SMALL} --name conv")
    assert answer.code == 0, answer.err
    assert answer.err.startswith("note: 1 file skipped: dog/broken.jpg (")
    return place / "runs/conv"


# A recipe of one's own


def test_a_recipe_of_ones_own_is_trained_resumed_and_sampled(own: Path, tmp_path: Path) -> None:
    kept = Run(own).config()
    assert (kept["slack"]["value"], kept["slack"]["origin"]) == (0.5, "flag")
    assert Run(own).info()["images"] == 512
    answer = call(f"resume {own} --images +256")
    assert answer.code == 0
    assert "exact resume: yes" in answer.out
    assert Run(own).info()["images"] == 768
    assert "my_gan" in (own / "report.html").read_text()
    assert [row["images"] for row in Run(own).rows()] == [128, 256, 384, 512, 640, 768]
    for out in ("grid.png", "x.npz"):
        assert call(f"sample {own} --count 3 --out {tmp_path / out}").code == 0
    images = np.load(tmp_path / "x.npz")["images"]
    assert (images.shape, images.dtype) == ((3, 28, 28, 1), np.uint8)
    with Image.open(tmp_path / "grid.png") as grid:
        grid.load()


@pytest.mark.parametrize("change", ["edited", "gone"])
def test_a_changed_recipe_file_is_refused(own: Path, change: str) -> None:
    file = own.parents[1] / "my_gan.py"
    before = listing(own)
    try:
        file.unlink()
        if change == "edited":
            file.write_text(OWN_RECIPE + "# a word more\n")
        for line in (f"resume {own} --images +64", f"sample {own}"):
            answer = call(line)
            assert answer.code == 2
            said, hint = refusal(answer)
            assert f"the recipe file {file}" in said
            assert "put it back" in hint or "put the old version back" in hint
            assert listing(own) == before
    finally:
        file.write_text(OWN_RECIPE)
    assert not Path("samples.png").exists()


@pytest.mark.parametrize(
    ("mistake", "line", "said"),
    [("class Mine(Duel)", 8, "NameError: .*"), ('batch["real"]', 13, "KeyError: 'real.*'")],
)
def test_a_mistake_in_ones_own_recipe_is_told_with_its_line(
    tmp_path: Path, mistake: str, line: int, said: str
) -> None:
    file = tmp_path / "mistaken.py"
    file.write_text(OWN_RECIPE.replace(mistake, re.sub(r"(real|Duel)", r"\1ity", mistake)))
    answer = call(f"train photos --recipe {file} --images 8 {SMALL} --runs-dir {tmp_path}")
    assert answer.code == 2
    assert re.fullmatch(rf"{file}, line {line}: {said}", refusal(answer)[0])


@pytest.mark.parametrize("where", ["outside", "inside the run", "relative", "through a link"])
def test_a_recipe_that_came_with_a_run_is_not_executed(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    run = Path(shutil.copytree(own, tmp_path / "runs" / "gift"))
    (tmp_path / "link").symlink_to(run)
    canary = tmp_path / "canary"
    recorded = {
        "outside": tmp_path / "my_gan.py",  # where the user's own file would lie: it may run
        "inside the run": run / "my_gan.py",
        "relative": Path("my_gan.py"),
        "through a link": tmp_path / "link" / "my_gan.py",
    }[where]
    monkeypatch.chdir(run)
    content = f"open({str(canary)!r}, 'w').close()\n{OWN_RECIPE}"
    recorded.write_text(content)
    digest = hashlib.sha256(content.encode()).hexdigest()

    def point(state: dict[str, Any]) -> None:
        state["recipe"]["file"] = {"path": str(recorded), "sha256": digest}

    steps = list((run / "checkpoints").iterdir())
    for step in steps:
        reseal(step, point)
    if where == "outside":
        assert call("sample . --out x.png").code == 0
        assert canary.exists()
        return
    before = listing(tmp_path)
    for line in ("resume . --images +64", "sample . --out x.png", f"sample {steps[0]} --out x.png"):
        answer = call(line)
        assert answer.code == 2
        assert "recipe file" in refusal(answer)[0]
    with pytest.raises(UsageError, match="recipe file"):
        mulligan.load(run)
    assert listing(tmp_path) == before
    assert not canary.exists()


# Wrong invocations: the line, the exit code, what is said, what is suggested, and the same in
# Python where it can be said there


def train(data: str = "photos", **options: Any) -> Callable[[], object]:
    return lambda: mulligan.train(data, log="none", **options)


WRONG: dict[str, tuple[str, int, str, str, Callable[[], object] | None]] = {
    "unknown recipe": (
        "train photos --recipe dcgn", 2, "unknown recipe 'dcgn'; there are .*",
        "did you mean dcg.*",        train(recipe="dcgn"),
    ),
    "unknown flag": (
        "train photos --recipe gan --bacth 3", 2, "unknown option --bacth: recipe gan has no.*",
        "did you mean --batch.*", train(recipe="gan", bacth=3),
    ),
    "knob out of bounds": (
        "train photos --recipe gan --rate 7", 2, "--rate 7 is too high: it must be at most 1",
        "rate: Adam's learning rate.*", train(recipe="gan", rate=7),
    ),
    "missing folder": (
        "train ./no/such", 4, "there is no data set, folder or archive './no/such'", "the named .*",
        train("./no/such"),
    ),
    "misspelt data": (
        "train digts", 4, "there is no data set.* 'digts'", "did you mean digits.*",
        train("digts"),
    ),
    "empty name": (
        "train ''",
        4,
        "there is no data set, folder or archive ''",
        "the named .*",
        train(""),
    ),
    "no usable picture": (
        "train junk", 4, "junk holds no picture that can be used; 1 file skipped: notes.txt .*",
        "give a folder, zip or tar with JPEG.*", train("junk"),
    ),
    "two lengths": (
        "train photos --images 64 --time 9s", 2, "--images 64 and --time 9s both say how long",
        "give one of the two", train(images=64, time="9s"),
    ),
    "batch larger than the data": (
        "train photos --batch 100", 2, "--batch 100 is more than the 23 training rows of the data",
        "--batch 23 at most", train(batch=100),
    ),
    "name taken": (
        f"train {TINY} --name whole", 2, "run runs/whole exists",
        "go on with it: mulligan resume runs/whole; or replace it: add --force",
        train(recipe="gan", name="whole"),
    ),
    "runs folder is a file": (
        "train photos --runs-dir blocked", 74, "blocked: File exists", ".*",
        train(runs_dir="blocked"),
    ),
    "changed setting": (
        "resume whole --rate 0.5", 2, "a resumed run keeps its settings: rate is 0.001 in this run",
        "start a new run: mulligan train /.*/photos --config .*config.toml --rate 0.5", None,
    ),
    "another machine's device": (
        "resume whole --device cuda:99",
        2,
        "--device cuda:99: this machine has .* usable CUDA GPUs",
        "--device cpu",
        None,
    ),
    "fewer images": (
        "resume whole --images 64", 2, "--images 64 is less than the 256 images seen",
        ".*\\+100k", lambda: mulligan.resume("whole", images=64, log="none"),
    ),
    "unknown run": (
        "resume hole", 2, "no run 'hole' in runs", "the nearest name is whole.*",
        lambda: mulligan.resume("hole", log="none"),
    ),
    "output exists": (
        "sample whole --out taken.png", 2, "taken.png exists", "choose another name .*--force",
        lambda: mulligan.load("whole").sample(1).save("taken.png"),
    ),
    "label of a recipe without": (
        "sample whole --label 3", 2, "--label 3: the recipe gan has no labels", ".*",
        lambda: mulligan.load("whole").sample(1, label=3),
    ),
    "sample without a checkpoint": (
        "sample bare", 5, "runs/bare/checkpoints holds no checkpoint", "train the run from .*",
        lambda: mulligan.load("bare"),
    ),
    "resume without a checkpoint": (
        "resume bare", 5, "runs/bare/checkpoints holds no checkpoint", "train the run from .*",
        lambda: mulligan.resume("bare", log="none"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_invocation_leaves_everything_as_it_was(place: Path, case: str) -> None:
    line, code, wrong, suggestion, python = WRONG[case]
    before = listing(place)
    answer = call(line)
    assert answer.code == code
    said, hint = refusal(answer)
    assert re.fullmatch(wrong, said), said
    assert re.fullmatch(suggestion, hint), hint
    if python is not None:
        with pytest.raises(MulliganError) as caught:
            python()
        assert (caught.value.message, caught.value.exit_code) == (said, code)
    assert listing(place) == before


def test_an_edited_config_is_refused(copy: Path) -> None:
    config = copy / "config.toml"
    config.write_text(re.sub(r"(?m)^rate = 0.001$", "rate = 0.5", config.read_text()))
    before = listing(copy)
    answer = call(f"resume {copy} --images +64")
    assert answer.code == 2
    said, hint = refusal(answer)
    assert "config.toml says rate = 0.5, this run was trained with 0.001" in said
    assert "put 0.001 back" in hint
    assert listing(copy) == before


# Damaged checkpoints and full disks


def test_when_every_checkpoint_is_damaged_nothing_is_touched(copy: Path) -> None:
    for step in (copy / "checkpoints").iterdir():
        damage(step)
    before = listing(copy)
    for line in (f"resume {copy}", f"sample {copy}"):
        answer = call(line)
        assert answer.code == 5
        said, _ = refusal(answer)
        assert re.search("none of 3 checkpoints in .* can be used: .*recipe.safetensors was", said)
        assert listing(copy) == before
    (step, *_) = (copy / "checkpoints").iterdir()
    answer = call(f"sample {step}")
    assert answer.code == 5
    assert "was changed" in refusal(answer)[0]
    assert not Path("samples.png").exists()


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(
    place: Path, copy: Path, tmp_path: Path
) -> None:
    damage(copy / "checkpoints/step-0000032")
    answer = call(f"sample {copy} --out {tmp_path / 'x.png'}")
    assert answer.code == 0
    assert re.fullmatch(r"warning: .*step-0000032/recipe.safetensors was changed.*\n", answer.err)
    with pytest.warns(UserWarning, match="recipe.safetensors was changed"):
        mulligan.load(copy)
    answer = call(f"resume {copy}")
    assert answer.code == 0
    assert re.search("warning .*step-0000032/recipe.safetensors was changed", answer.out)
    assert result(copy) == result(place / "runs/whole")


@pytest.mark.parametrize("writes", [2 * FILES - 1, 2 * FILES])
def test_a_full_disk_costs_no_checkpoint(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    with monkeypatch.context() as disk:
        disk.setattr(records, "RETRY_SAVE_AFTER", (0, 0))
        disk.setattr(DISK, "write", full_disk(DISK.write, writes))
        answer = call(f"train {TINY} --name full --runs-dir {tmp_path}")
    run = Run(tmp_path / "full")
    assert answer.code == 74
    said, hint = refusal(answer)
    assert "was not saved" in said
    assert "No space left on device" in said
    assert hint == "free some space, then resume the run"
    assert answer.out.count("event save failed") == 2
    assert [event["event"] for event in run.events()].count("save failed") == 2
    assert run.info()["status"] == "crashed"
    assert checkpoint.load_newest(run.checkpoints, pytest.fail).round == 16 * (writes // FILES - 1)
    assert list(run.checkpoints.glob(".*")) == []
    assert call(f"resume {run.path}").code == 0
    assert result(run.path) == result(place / "runs/whole")


def test_a_disk_that_is_full_from_the_start_leaves_a_run_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "RETRY_SAVE_AFTER", (0, 0))
    with monkeypatch.context() as disk:
        disk.setattr(DISK, "write", full_disk(DISK.write, 2))
        answer = call(f"train {TINY} --name full --runs-dir {tmp_path}")
    assert answer.code == 74
    said, hint = refusal(answer)
    assert "No space left on device" in said
    assert "train" in hint  # there is nothing to resume
    assert Run(tmp_path / "full").info()["status"] == "crashed"
    assert call(f"resume {tmp_path / 'full'}").code == 5


@pytest.mark.parametrize(
    ("module", "name", "match", "good"),
    [
        (jsonl, "append", "metrics.jsonl", 2),
        (jsonl, "append", "events.jsonl", 2),
        (Image.Image, "save", f"samples{os.sep}0", 3),
    ],
    ids=["metrics", "events", "previews"],
)
def test_a_disk_that_is_full_for_a_log_or_a_picture_ends_the_run_in_one_line(
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    name: str,
    match: str,
    good: int,
) -> None:
    with monkeypatch.context() as disk:
        disk.setattr(module, name, full_disk(getattr(module, name), good, match))
        answer = call(f"train {TINY} --name full --runs-dir {tmp_path}")
    run = Run(tmp_path / "full")
    assert answer.code == 74
    said, hint = refusal(answer)
    assert said.startswith(str(run.path))
    assert said.endswith("No space left on device")
    assert hint == "free some space, then resume the run"
    assert run.info()["status"] == "crashed"
    assert call(f"resume {run.path}").code == 0
    assert result(run.path) == result(place / "runs/whole")


def test_python_is_told_of_a_full_disk_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image.Image, "save", full_disk(Image.Image.save, 0, "first_batch"))
    answer = call(f"train {TINY} --name full --runs-dir {tmp_path} --force")
    with pytest.raises(MulliganError) as caught:
        train(recipe="gan", size=16, images=64, name="full", runs_dir=tmp_path, force=True)()
    assert refusal(answer) == (caught.value.message, caught.value.suggestion)
    assert (answer.code, caught.value.exit_code) == (74, 74)


# Other data, other threads


def test_a_resume_refuses_other_pictures_and_finds_its_own_from_anywhere(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(place / "photos", tmp_path / "animals"))
    short = f"--recipe gan --size 16 --images 16 {SMALL}"
    assert call(f"train {folder} {short} --name x --runs-dir {tmp_path}").code == 0
    picture = folder / "cat" / "4.jpg"
    kept = picture.read_bytes()
    shutil.copy(folder / "dog" / "4.jpg", picture)
    before = listing(tmp_path)
    answer = call(f"resume {tmp_path / 'x'} --images +16")
    assert answer.code == 4
    said, hint = refusal(answer)
    assert f"the data in {folder} are not those this run was trained on" in said
    assert "put the old data back" in hint
    assert listing(tmp_path) == before
    picture.write_bytes(kept)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert call("resume ../x --images +16").code == 0


def test_a_folder_that_bears_the_name_of_a_data_set_is_not_mistaken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert call(f"train digits --recipe gan --images 16 {SMALL} --name x").code == 0
    assert call("resume x --images +16").code == 0


def test_a_resume_keeps_the_threads_and_says_what_else_has_changed(
    place: Path, tmp_path: Path
) -> None:
    short = f"photos --recipe gan --size 16 --images 16 {SMALL}"
    with threads(2):
        assert call(f"train {short} --name x --runs-dir {tmp_path}").code == 0
    assert "exact resume: yes" in call(f"resume {tmp_path / 'x'} --images +16").out
    run = Run(tmp_path / "x")
    run.write_json("env.json", {**run.read_json("env.json"), "torch": "1.0"})
    answer = call(f"resume {run.path} --images +16")
    assert answer.code == 0
    changed = f"no (torch 1.0 -> {torch.__version__})"
    assert f"exact resume: {changed}" in answer.out
    resumes = [event for event in run.events() if event["event"] == "resume"]
    assert [event["exact"] for event in resumes] == ["yes", changed]


# Photographs, sizes and channels


def test_a_folder_and_a_zip_of_photographs_are_the_same_data(place: Path, conv: Path) -> None:
    with zipfile.ZipFile(place / "photos.zip", "w") as archive:
        for path in sorted((place / "photos").rglob("*.*")):
            archive.write(path, path.relative_to(place / "photos"))
    words = f"--recipe dcgan --size 16 --images 16 {SMALL} --name zipped"
    assert call(f"train photos.zip {words}").code == 0
    found = [json.loads((run / "data.json").read_text()) for run in (conv, Path("runs/zipped"))]
    assert found[0]["sha256"] == found[1]["sha256"]
    for manifest in found:
        assert manifest["count"] == len(manifest["files"]) == len(CLASSES) * EACH
        (skipped,) = manifest["skipped"]
        assert skipped["file"] == "dog/broken.jpg"
        assert "truncated" in skipped["reason"].lower()
    assert mulligan.load(conv).recipe.fields["label"].names == CLASSES
    assert call("resume zipped --images +16").code == 0


def test_a_renamed_class_is_noticed(place: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(place / "photos", photos)
    words = f"--recipe dcgan --size 16 --images 16 {SMALL} --runs-dir {tmp_path} --name named"
    assert call(f"train {photos} {words}").code == 0
    (photos / "dog").rename(photos / "wolf")
    before = listing(tmp_path / "named")
    answer = call(f"resume {tmp_path / 'named'} --images +16")
    assert answer.code == 4
    assert "the classes or the shape" in refusal(answer)[0]
    assert {k: v for k, v in listing(tmp_path / "named").items() if k in before} == before


@pytest.mark.skipif(not DATA, reason="MULLIGAN_DATA is not set")
@pytest.mark.parametrize(("name", "count"), [("cats-dogs/trainA", 500), ("tinyhero", 3200)])
def test_real_pictures_train(tmp_path: Path, name: str, count: int) -> None:
    folder = Path(str(DATA)) / name
    found = next(iter(folder.glob("*.zip")), folder)
    words = f"--recipe dcgan --size 32 --images 32 {SMALL} --runs-dir {tmp_path} --name real"
    answer = call(f"train {found} {words}")
    assert answer.code == 0, answer.err
    manifest = Run(tmp_path / "real").read_json("data.json")
    assert (manifest["count"], manifest["skipped"]) == (count, [])
    images = mulligan.load(tmp_path / "real").sample(2).images
    assert images.shape == (2, 32, 32, 3)


@pytest.mark.parametrize(("size", "channels"), [("16x24", 1), ("24x16", 3), ("20x28", 4)])
def test_sizes_and_channels(tmp_path: Path, size: str, channels: int) -> None:
    words = f"photos --recipe dcgan --size {size} --channels {channels} --images 16 {SMALL}"
    words += f" --runs-dir {tmp_path} --name shaped"
    answer = call(f"train {words} --dry-run")
    assert answer.code == 0
    height, _, width = size.partition("x")
    assert re.search(rf"(?m)^size +{size} +flag +given$", answer.out)
    assert re.search(rf"(?m)^channels +{channels} +flag +given$", answer.out)
    assert list(tmp_path.iterdir()) == []
    assert call(f"train {words}").code == 0
    images = mulligan.load(tmp_path / "shaped").sample(2).images
    assert images.shape == (2, int(height), int(width), channels)


# What programs and Python read


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    words = f"{TINY} --log json --runs-dir {tmp_path} --name x"
    plan = call(f"train {words} --dry-run")
    (line,) = plan.out.splitlines()
    values = json.loads(line)["values"]
    assert values["images"] == {"value": 256, "origin": "flag", "reason": "given"}
    assert list(tmp_path.iterdir()) == []
    shown = [json.loads(line) for line in call(f"train {words}").out.splitlines()]
    assert [entry.pop("type") for entry in shown] == ["start", *["row"] * 4, "finish"]
    assert shown[1:-1] == Run(tmp_path / "x").rows()
    resumed = call(f"resume {tmp_path / 'x'} --images +64 --log json").out.splitlines()
    event = json.loads(resumed[0])
    assert (event["type"], event["event"], event["exact resume"]) == ("event", "resume", "yes")
    assert [json.loads(line)["type"] for line in resumed[1:]] == ["start", "row", "finish"]


def test_a_dry_run_in_python_points_to_the_plan(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="make_plan"):
        train(recipe="gan", images=8, dry_run=True, runs_dir=tmp_path / "x")()
    assert list(tmp_path.iterdir()) == []


# Samples


def test_a_sample_depends_on_its_seed_and_place_alone(place: Path, conv: Path) -> None:
    model = mulligan.load(conv)
    many = model.sample(70, seed=3).images
    for count in (1, 5, 65):
        assert np.array_equal(model.sample(count, seed=3).images, many[:count])
    assert not np.array_equal(model.sample(5, seed=4).images, many[:5])
    assert len(np.unique(many, axis=0)) == 70


def test_a_loaded_run_draws_what_its_last_preview_showed(
    place: Path, conv: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for run in (place / "runs/whole", conv, own):
        model = mulligan.load(run)
        batch = {"noise": model.recipe.noise(GRID, generator(0, 0, "preview"))}
        with watching(model.recipe, 1):
            images = from_batch(model.recipe.generate(batch), model.field).numpy()
        with Image.open(max((run / "samples").glob("*.png"))) as drawn:
            assert np.array_equal(np.asarray(pictures.grid(images)), np.asarray(drawn))


# Two ranks


def launch(words: str, folder: Path) -> subprocess.Popen[str]:
    """Start two ranks by torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    return subprocess.Popen(
        [*command, "2", "-m", "mulligan", *words.split()],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run that two ranks trained, and what they printed."""
    folder = tmp_path_factory.mktemp("ranks")
    ranks = launch(f"train digits --recipe gan --images 256 {SMALL} --name two", folder)
    out, err = ranks.communicate(timeout=LONGEST)
    assert ranks.returncode == 0, err
    assert [path.name for path in (folder / "runs").iterdir()] == ["two"]
    return folder / "runs/two", out


def test_two_ranks_train_one_run_and_speak_with_one_voice(
    two: tuple[Path, str], tmp_path: Path
) -> None:
    words = f"train digits --recipe gan --images 256 {SMALL} --name one --runs-dir {tmp_path}"
    alone = call(words)
    texts = two[1].replace("runs/two", "RUN"), alone.out.replace(str(tmp_path / "one"), "RUN")
    lines = [[line.split("%")[0] for line in text.splitlines()] for text in texts]  # no speeds
    assert lines[0] == lines[1]
    rows = [Run(path).rows() for path in (two[0], tmp_path / "one")]
    for joint, single in zip(*rows, strict=True):
        for name in joint.keys() - set(TIMES):
            assert joint[name] == pytest.approx(single[name], rel=1e-3, abs=1e-5)


@pytest.fixture(scope="module")
def busy(two: tuple[Path, str]) -> Iterator[tuple[subprocess.Popen[str], Run]]:
    """The same run while two ranks go on with it."""
    run = Run(two[0])
    before = len(run.rows())
    ranks = launch("resume two --images 100m", run.path.parents[1])
    try:
        wait_for(lambda: len(run.rows()) > before)
        yield ranks, run
    finally:
        if ranks.poll() is None:
            ranks.terminate()  # killed, it would leave its ranks behind
            ranks.communicate(timeout=LONGEST)


def test_a_second_writer_is_refused_and_changes_nothing(
    busy: tuple[subprocess.Popen[str], Run], tmp_path: Path
) -> None:
    run, runs = busy[1], busy[1].path.parent
    pid = run.info()["writer"]["pid"]
    assert pid != os.getpid()
    os.kill(pid, signal.SIGSTOP)  # so that every change is the second writer's
    try:
        time.sleep(0.2)
        before = listing(runs)
        for line in (
            f"resume two --runs-dir {runs}",
            f"train {TINY} --runs-dir {runs} --name two --force",
        ):
            answer = call(line)
            assert answer.code == 2
            said, _ = refusal(answer)
            assert said == f"run two is being written by process {pid} on {socket.gethostname()}"
        with pytest.raises(UsageError) as caught:
            mulligan.resume(run, log="none")
        assert caught.value.message == said
        assert call(f"sample {run.path} --out {tmp_path / 'x.png'}").code == 0  # a reader may
        assert listing(runs) == before
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_signal_to_the_launcher_ends_both_ranks_with_a_checkpoint(
    busy: tuple[subprocess.Popen[str], Run],
) -> None:
    ranks, run = busy
    began = time.monotonic()
    ranks.send_signal(signal.SIGTERM)
    _, err = ranks.communicate(timeout=LONGEST)  # its end: both ranks have left the pipe
    assert time.monotonic() - began < 30
    assert ranks.returncode != 0
    assert "stopped by SIGTERM, checkpoint written" in err
    assert run.info()["status"] == "stopped"
    last = checkpoint.load_newest(run.checkpoints, pytest.fail)
    assert last.state["counters"]["seen"] == run.info()["images"] > 256
    assert last.state["ranks"] == 2
    with run.lock():  # it is free
        pass


def wait_for(fact: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + LONGEST
    while not fact():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
