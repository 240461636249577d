"""Event files: read back by TensorBoard's own reader, they say what the logs say."""

import sys
from datetime import datetime

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from judged import evaluation, figure
from mulligan import eventfiles
from mulligan.appraisal import keep
from mulligan.errors import UsageError
from mulligan.eventfiles import write_events
from mulligan.run import Run
from test_report import fill, grid


@pytest.fixture
def run(tmp_path):
    made = Run.create(tmp_path, "digits-gan-001", "x")
    fill(made, ticks=3, suffixes=("", "-codes"))
    return made


def read(run):
    found = EventAccumulator(str(run.path / "tensorboard"), {"scalars": 0, "images": 0})
    found.Reload()
    return found


def test_every_value_of_the_logs_is_a_scalar_at_its_images(run):
    run.log({"round": 4, "images": 256, "seconds": 9.0, "progress/KD-digits": 0.5,
             "progress/low": 0.25, "progress/high": 0.75})  # fmt: skip
    keep(run, evaluation("x", figure("FD-digits", 3.5), images=192), None)
    assert write_events(run) == run.path / "tensorboard"
    found = read(run)
    begun = datetime.fromisoformat(run.info()["created"]).timestamp()
    scores = found.Scalars("generator/score")
    assert [(one.step, one.value) for one in scores] == [
        (64, 1.0),
        (128, 0.5),
        (192, float(np.float32(1 / 3))),
    ]
    assert [one.wall_time - begun for one in scores] == pytest.approx([1, 2, 3], abs=1e-3)
    assert set(found.Tags()["scalars"]) == {
        "generator/score",
        "rate/images_per_second",
        "progress/KD-digits",
        "progress/low",
        "progress/high",
        "evaluation-held-out/FD-digits",
    }
    (mark,) = found.Scalars("progress/KD-digits")
    (asked,) = found.Scalars("evaluation-held-out/FD-digits")
    assert (mark.step, mark.value, asked.step, asked.value) == (256, 0.5, 192, 3.5)


def test_the_grids_are_there_byte_for_byte_and_a_torn_one_is_not(run):
    torn = run.samples / "000000128-codes.png"
    torn.write_bytes(torn.read_bytes()[:-5])
    write_events(run)
    found = read(run)
    assert set(found.Tags()["images"]) == {"samples/generated", "samples/codes"}
    assert [one.step for one in found.Images("samples/codes")] == [64, 192]
    grids = found.Images("samples/generated")
    for one in grids:
        path = run.samples / f"{one.step:09d}.png"
        assert one.encoded_image_string == path.read_bytes()
        assert (one.width, one.height) == grid().size
    assert [one.step for one in grids] == [64, 128, 192]


def test_of_many_grids_sixty_are_kept_with_the_first_and_the_last(run):
    content = (run.samples / "000000064.png").read_bytes()
    for place in range(2, 150):
        (run.samples / f"{64 * place:09d}.png").write_bytes(content)
    write_events(run)
    steps = [one.step for one in read(run).Images("samples/generated")]
    assert len(steps) == 60
    assert (steps[0], steps[-1]) == (64, 64 * 149)
    assert steps == sorted(steps)


def test_what_a_resume_took_back_is_gone(run, monkeypatch):
    write_events(run)
    run.event("resume", round=1)
    run.log({"round": 2, "images": 128, "seconds": 2.0, "generator/score": 7.0})
    monkeypatch.setattr(eventfiles.time, "time", lambda: 4_000_000_000.5)
    write_events(run)
    names = [path.name for path in (run.path / "tensorboard").iterdir()]
    assert names == ["events.out.tfevents.4000000000.mulligan"]
    found = [(one.step, one.value) for one in read(run).Scalars("generator/score")]
    assert found == [(64, 1.0), (128, 7.0)]


def test_the_same_logs_make_the_same_file(run, monkeypatch):
    contents = []
    for clock in (4_000_000_000, 4_000_000_009):
        monkeypatch.setattr(eventfiles.time, "time", lambda clock=clock: clock)
        (path,) = write_events(run).iterdir()
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_a_run_that_has_just_begun_can_be_written(tmp_path):
    run = Run.create(tmp_path, "x", "x")
    write_events(run)
    assert read(run).Tags()["scalars"] == []


def test_without_the_package_the_user_is_told_what_to_install(run, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match="need the package tensorboard") as refusal:
        write_events(run)
    assert refusal.value.suggestion == "pip install mulligan[tensorboard]"
    assert not (run.path / "tensorboard").exists()
