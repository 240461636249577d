"""Training on streamed pictures: as from memory, to the last bit, and what lost files do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import mulligan
from data.test_folder import lay
from mulligan.data import shelf, store
from mulligan.engine.checkpoint import load
from mulligan.errors import DataError
from mulligan.run import Run
from streams import no_room, pictures, spoil

SMALL = {
    "recipe": "dcgan", "size": "16", "width": 4, "latent": 4, "batch": 16, "images": 640,
    "tick": 10, "device": "cpu", "trace": True, "log": "none", "augment": "off", "save_every": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULLIGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "LEAST", 10)


def train(path: str, name: str, **options: Any) -> Run:
    runs = Path(path).parent / "runs"
    return mulligan.train(path, name=name, runs_dir=str(runs), **{**SMALL, **options})


def trace(run: Run) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in run.trace.read_text().splitlines()]
    return [row for row in rows if "event" not in row]


def events(run: Run, kind: str) -> list[dict[str, Any]]:
    return [event for event in run.events() if event["event"] == kind]


def newest(run: Run) -> dict[str, Any]:
    path = max(run.checkpoints.glob("step-*"))
    return {
        f"{file}/{name}": tensor.tolist()
        for file, tensors in load(path).tensors.items()
        for name, tensor in tensors.items()
    }


@pytest.mark.parametrize("recipe", ["dcgan", "cgan"])
def test_a_streamed_run_is_that_from_memory(
    recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay(tmp_path / "set", pictures())
    plain = train(path, "plain", recipe=recipe)
    no_room(monkeypatch)
    streamed = train(path, "streamed", recipe=recipe)
    assert trace(streamed) == trace(plain)
    assert newest(streamed) == newest(plain)
    assert plain.first_batch.read_bytes() == streamed.first_batch.read_bytes()
    for picture in plain.samples.glob("*.png"):
        assert picture.read_bytes() == (streamed.samples / picture.name).read_bytes()


def test_pictures_whose_size_is_chosen_are_packed_once_for_all_that_is_done_with_them(
    tmp_path: Path,
) -> None:
    path = lay(tmp_path / "set", pictures())
    options = {name: value for name, value in SMALL.items() if name != "size"}
    run = mulligan.train(path, runs_dir=str(tmp_path / "runs"), **{**options, "images": 320})
    mulligan.resume(run, images=640, log="none")
    mulligan.evaluate(run, count=100)
    assert len(shelf.stores()) == 1


def test_resumed_equals_uninterrupted_and_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay(tmp_path / "set", pictures())
    roomy = no_room(monkeypatch)
    whole = train(path, "whole")
    half = train(path, "half", images=320)
    mulligan.resume(half, images=640, log="none")
    assert trace(half) == trace(whole)
    assert newest(half) == newest(whole)
    mixed = train(path, "mixed", images=320)
    roomy()  # begun where there was no room, ended where there is
    mulligan.resume(mixed, images=640, log="none")
    assert newest(mixed) == newest(whole)


def test_lost_files_are_named_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay(tmp_path / "set", pictures())
    no_room(monkeypatch)
    lost = {"a/0000.png": "deleted", "b/0007.png": "cut off", "a/0100.png": "replaced"}
    reasons: dict[str, str] = {}

    def spoilt(name: str, **options: Any) -> Run:
        from mulligan.engine import train as engine

        begin = engine.records.begin

        def after_the_first_look(job: Any, run: Run) -> None:
            reasons.update({n: spoil(tmp_path / "set" / n, how) for n, how in lost.items()})
            begin(job, run)

        with monkeypatch.context() as patch:
            patch.setattr(engine.records, "begin", after_the_first_look)
            return train(path, name, **options)

    run = spoilt("spoilt", held_out=0)
    said = events(run, "file lost")
    assert {event["file"]: True for event in said} == dict.fromkeys(lost, True)
    assert all(reasons[event["file"]] in event["reason"] for event in said)
    assert len(said) == 3
    assert run.read_json("run.json")["status"] == "done"
    with pytest.raises(DataError, match="not those this run was trained on"):
        mulligan.resume(run, images="+160", log="none")


def test_too_many_lost_files_end_the_run_and_it_resumes_once_they_are_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = pictures()
    path = lay(tmp_path / "set", files)
    no_room(monkeypatch)
    whole = train(path, "whole")
    from mulligan.engine import train as engine

    tick = engine.records.tick

    def then_they_go(job: Any, run: Run, *given: Any) -> Any:
        if job.counters.round == 20:
            (tmp_path / "set").rename(tmp_path / "away")
        return tick(job, run, *given)

    with monkeypatch.context() as patch:
        patch.setattr(engine.records, "tick", then_they_go)
        with pytest.raises(DataError, match="cannot be read") as error:
            train(path, "cut")
    assert error.value.exit_code == 4
    run = Run(tmp_path / "runs/cut")
    assert run.read_json("run.json")["status"] == "crashed"
    assert events(run, "file lost")
    (tmp_path / "away").rename(tmp_path / "set")
    mulligan.resume(run, log="none")
    assert newest(run) == newest(whole)
